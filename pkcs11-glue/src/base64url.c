/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>

#include <tlm/key.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *tlm_base64url_encode(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    if (size > SIZE_MAX / 2 || (data == NULL && size > 0)) {
        return NULL;
    }
    char *text = malloc((size + 2) / 3 * 4 + 1);
    if (text == NULL) {
        return NULL;
    }
    size_t used = 0;
    unsigned bits = 0;
    unsigned held = 0; /* bits not written yet, below 6 between two bytes */
    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffffU;
        held += 8;
        while (held >= 6) {
            held -= 6;
            text[used++] = digits[bits >> held & 0x3fU];
        }
    }
    if (held > 0) {
        text[used++] = digits[bits << (6 - held) & 0x3fU];
    }
    text[used] = '\0';
    return text;
}

char *tlm_hex_encode(const void *data, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    if (size > SIZE_MAX / 2 - 1 || (data == NULL && size > 0)) {
        return NULL;
    }
    char *text = malloc(2 * size + 1);
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 0x0fU];
    }
    text[2 * size] = '\0';
    return text;
}

static int digit_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52;
    }
    if (digit == '-') {
        return 62;
    }
    return digit == '_' ? 63 : -1;
}

static tlm_result decode(const char *text, size_t length, unsigned char *bytes, size_t *size,
                         tlm_error *error)
{
    size_t used = 0;
    unsigned bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < length; i++) {
        int value = digit_value(text[i]);
        if (value < 0) {
            return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                                 "base64url: byte 0x%02x at offset %zu is no digit",
                                 (unsigned)(unsigned char)text[i], i);
        }
        bits = (bits << 6 | (unsigned)value) & 0xffffU;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[used++] = (unsigned char)(bits >> held & 0xffU);
        }
    }
    if ((bits & ((1U << held) - 1U)) != 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "base64url: stray bits in the last digit");
    }
    *size = used;
    return TLM_OK;
}

tlm_result tlm_base64url_decode(const char *text, size_t length, unsigned char **data, size_t *size,
                                tlm_error *error)
{
    if ((text == NULL && length > 0) || data == NULL || size == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "base64url: nothing to decode");
    }
    if (length % 4 == 1) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "base64url: %zu digits cannot be",
                             length);
    }
    unsigned char *bytes = malloc(length / 4 * 3 + 3);
    if (bytes == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to decode %zu digits", length);
    }
    tlm_result result = decode(text, length, bytes, size, error);
    if (result != TLM_OK) {
        free(bytes);
        return result;
    }
    *data = bytes;
    return TLM_OK;
}
