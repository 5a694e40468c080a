/* SPDX-License-Identifier: BSD-2-Clause */
#include "text_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

tlm_result tlm_uuid_make(char uuid[TLM_UUID_SIZE], tlm_error *error)
{
    unsigned char b[16];
    if (RAND_bytes(b, sizeof b) != 1) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "OpenSSL gave no random bytes");
    }
    b[6] = (unsigned char)((b[6] & 0x0FU) | 0x40U); /* version 4 */
    b[8] = (unsigned char)((b[8] & 0x3FU) | 0x80U); /* variant of the RFC */
    (void)snprintf(uuid, TLM_UUID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
    return TLM_OK;
}

static bool is_hex(char digit)
{
    return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
}

bool tlm_uuid_valid(const char *uuid, size_t length)
{
    if (length != TLM_UUID_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? uuid[i] != '-' : !is_hex(uuid[i])) {
            return false;
        }
    }
    return true;
}

bool tlm_instant_make(time_t when, char instant[TLM_INSTANT_SIZE])
{
    struct tm parts;
    return gmtime_r(&when, &parts) != NULL &&
           strftime(instant, TLM_INSTANT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) ==
               TLM_INSTANT_SIZE - 1;
}

bool tlm_instant_valid(const char *instant)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    if (strlen(instant) != sizeof form - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = instant[i] >= '0' && instant[i] <= '9';
        if (form[i] == 'd' ? !digit : instant[i] != form[i]) {
            return false;
        }
    }
    return true;
}

bool tlm_hex_valid(const char *text, size_t digits)
{
    if (strlen(text) != digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (!is_hex(text[i])) {
            return false;
        }
    }
    return true;
}

void tlm_text_copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || (unsigned char)c == 0x7f;
}

bool tlm_text_has_controls(const char *text)
{
    for (; *text != '\0'; text++) {
        if (is_control(*text)) {
            return true;
        }
    }
    return false;
}

void tlm_text_show(char *to, size_t size, const char *from)
{
    tlm_text_copy(to, size, from);
    for (; *to != '\0'; to++) {
        if (is_control(*to)) {
            *to = '?';
        }
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void tlm_text_trim(const char **text, size_t *size)
{
    while (*size > 0 && is_blank(**text)) {
        (*text)++;
        (*size)--;
    }
    while (*size > 0 && is_blank((*text)[*size - 1])) {
        (*size)--;
    }
}

tlm_result tlm_error_missing(tlm_result result, const tlm_error *error)
{
    bool no_directory = result != TLM_OK && error != NULL && error->domain == TLM_DOMAIN_ERRNO &&
                        error->native == ENOTDIR;
    return no_directory ? TLM_ERR_NOT_FOUND : result;
}
