/* SPDX-License-Identifier: BSD-2-Clause */
#include "recovery_key.h"

#include <tlm/file.h>
#include <tlm/seal.h>

#define FILE_SIZE (2U * TLM_SEAL_RECOVERY_SIZE + 1U)
#define FILE_MAX 64U

static tlm_result write_digits(const tlm_secret *key, const char *path, tlm_error *error)
{
    static const char alphabet[] = "0123456789abcdef";
    tlm_secret *text = NULL;
    tlm_result result = tlm_secret_new(FILE_SIZE, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    unsigned char *at = tlm_secret_data(text);
    for (size_t i = 0; i < TLM_SEAL_RECOVERY_SIZE; i++) {
        *at++ = (unsigned char)alphabet[tlm_secret_bytes(key)[i] >> 4];
        *at++ = (unsigned char)alphabet[tlm_secret_bytes(key)[i] & 15U];
    }
    *at = '\n';
    result = tlm_file_create(path, tlm_secret_bytes(text), FILE_SIZE, 0600, error);
    tlm_secret_free(&text);
    if (result == TLM_ERR_EXISTS) {
        tlm_error_set_hint(error, "name a file that does not exist yet with --recovery-key FILE");
    }
    return result;
}

tlm_result tlm_recovery_key_make(tlm_tpm *tpm, const char *path, tlm_secret **key, tlm_error *error)
{
    tlm_secret *made = NULL;
    tlm_result result = tlm_secret_new(TLM_SEAL_RECOVERY_SIZE, &made, error);
    if (result == TLM_OK) {
        result = tlm_tpm_random(tpm, made, error);
    }
    if (result == TLM_OK) {
        result = write_digits(made, path, error);
    }
    if (result != TLM_OK) {
        tlm_secret_free(&made);
        return result;
    }
    *key = made;
    return TLM_OK;
}

static int digit_value(unsigned char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10; /* typed from paper */
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static tlm_result decode(const tlm_secret *text, const char *path, tlm_secret *key,
                         tlm_error *error)
{
    const unsigned char *digits = tlm_secret_bytes(text);
    size_t size = tlm_secret_size(text);
    while (size > 0 && (digits[size - 1] == '\n' || digits[size - 1] == '\r')) {
        size--;
    }
    bool good = size == 2 * (size_t)TLM_SEAL_RECOVERY_SIZE;
    for (size_t i = 0; good && i < TLM_SEAL_RECOVERY_SIZE; i++) {
        int high = digit_value(digits[2 * i]);
        int low = digit_value(digits[2 * i + 1]);
        good = high >= 0 && low >= 0;
        tlm_secret_data(key)[i] = (unsigned char)((unsigned)high << 4 | (unsigned)low);
    }
    if (good) {
        return TLM_OK;
    }
    return tlm_error_set(error, TLM_ERR_FORMAT, "name the file of the recovery key",
                         "%s is not a recovery key: 32 hexadecimal digits", path);
}

tlm_result tlm_recovery_key_read(const char *path, tlm_secret **key, tlm_error *error)
{
    tlm_secret *text = NULL;
    tlm_secret *made = NULL;
    tlm_result result = tlm_file_read_secret(path, FILE_MAX, &text, error);
    if (result == TLM_OK) {
        result = tlm_secret_new(TLM_SEAL_RECOVERY_SIZE, &made, error);
    }
    if (result == TLM_OK) {
        result = decode(text, path, made, error);
    }
    tlm_secret_free(&text);
    if (result != TLM_OK) {
        tlm_secret_free(&made);
        return result;
    }
    *key = made;
    return TLM_OK;
}
