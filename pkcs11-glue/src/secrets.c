/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>

/*
 * secrets.json: {"version":1,"userPin":"…","soPin":"…","tpmAuth":"…","tpmSeed":"…"}, every value
 * but the version a text of 32 hexadecimal digits. Read and written here and not by a JSON library,
 * which would leave copies in memory that is neither locked nor wiped.
 */
#define SECRETS_FILE "secrets.json"
#define SEALED_FILE "sealed.json"
#define SECRETS_FILE_MAX 2048U
#define DIGITS 32U
#define SEED_SIZE 16U

static const char *const names[] = {"userPin", "soPin", "tpmAuth", "tpmSeed"};
#define NAMES (sizeof names / sizeof names[0])

static tlm_secret **slot_of(tlm_store_secrets *secrets, size_t index)
{
    tlm_secret **const slots[NAMES] = {&secrets->user_pin, &secrets->so_pin, &secrets->tpm_auth,
                                       &secrets->tpm_seed};
    return slots[index];
}

static tlm_result bad(const char *path, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FORMAT, "Restore the file from a backup.",
                         "%s is not a file of token secrets", path);
}

typedef struct reader {
    const char *at;
    const char *end;
} reader;

static void skip_blanks(reader *from)
{
    while (from->at < from->end && strchr(" \t\r\n", *from->at) != NULL && *from->at != '\0') {
        from->at++;
    }
}

static bool take(reader *from, char wanted)
{
    skip_blanks(from);
    if (from->at == from->end || *from->at != wanted) {
        return false;
    }
    from->at++;
    return true;
}

/* A text of 1 to 64 bytes without escapes. */
static bool take_text(reader *from, const char **text, size_t *size)
{
    if (!take(from, '"')) {
        return false;
    }
    *text = from->at;
    while (from->at < from->end && *from->at != '"' && *from->at != '\\') {
        from->at++;
    }
    *size = (size_t)(from->at - *text);
    return *size > 0 && *size <= 64 && take(from, '"');
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool is_hex(const char *text)
{
    for (size_t i = 0; i < DIGITS; i++) {
        if (hex_value(text[i]) < 0) {
            return false;
        }
    }
    return true;
}

/* PINs and tpmAuth are used as digits, the seed as bytes. */
static tlm_result keep(tlm_store_secrets *secrets, size_t index, const char *digits,
                       tlm_error *error)
{
    tlm_secret **slot = slot_of(secrets, index);
    if (slot != &secrets->tpm_seed) {
        return tlm_secret_from(digits, DIGITS, slot, error);
    }
    tlm_result result = tlm_secret_new(SEED_SIZE, slot, error);
    for (size_t i = 0; result == TLM_OK && i < SEED_SIZE; i++) {
        tlm_secret_data(*slot)[i] = (unsigned char)((unsigned)hex_value(digits[2 * i]) << 4 |
                                                    (unsigned)hex_value(digits[2 * i + 1]));
    }
    return result;
}

static tlm_result take_version(reader *from, const char *path, bool *versioned, tlm_error *error)
{
    skip_blanks(from);
    const char *number = from->at;
    while (from->at < from->end && *from->at >= '0' && *from->at <= '9') {
        from->at++;
    }
    if (from->at == number || *number == '0') {
        return bad(path, error);
    }
    if (from->at - number != 1 || *number != '1') {
        return tlm_error_set(error, TLM_ERR_NEWER,
                             "Install the version of this program that wrote it.",
                             "%s has a version above 1", path);
    }
    *versioned = true;
    return TLM_OK;
}

static tlm_result take_member(reader *from, const char *path, bool *versioned,
                              tlm_store_secrets *secrets, tlm_error *error)
{
    const char *name = NULL;
    const char *value = NULL;
    size_t name_size = 0;
    size_t value_size = 0;
    if (!take_text(from, &name, &name_size) || !take(from, ':')) {
        return bad(path, error);
    }
    if (name_size == 7 && memcmp(name, "version", 7) == 0) {
        return *versioned ? bad(path, error) : take_version(from, path, versioned, error);
    }
    if (!take_text(from, &value, &value_size) || value_size != DIGITS || !is_hex(value)) {
        return bad(path, error);
    }
    for (size_t i = 0; i < NAMES; i++) {
        if (strlen(names[i]) == name_size && memcmp(names[i], name, name_size) == 0 &&
            *slot_of(secrets, i) == NULL) {
            return keep(secrets, i, value, error);
        }
    }
    return bad(path, error); /* unknown, or there twice */
}

static tlm_result parse(const char *text, size_t size, const char *path, tlm_store_secrets *secrets,
                        tlm_error *error)
{
    reader from = {.at = text, .end = text + size};
    bool versioned = false;
    if (!take(&from, '{')) {
        return bad(path, error);
    }
    do {
        tlm_result result = take_member(&from, path, &versioned, secrets, error);
        if (result != TLM_OK) {
            return result;
        }
    } while (take(&from, ','));
    bool closed = take(&from, '}');
    skip_blanks(&from);
    return closed && versioned && from.at == from.end ? TLM_OK : bad(path, error);
}

tlm_result tlm_store_secrets_parse(const char *text, size_t size, const char *path,
                                   tlm_store_secrets *secrets, tlm_error *error)
{
    tlm_store_secrets made = {0};
    tlm_result result = parse(text, size, path, &made, error);
    if (result != TLM_OK) {
        tlm_store_secrets_clear(&made);
        return result;
    }
    *secrets = made;
    return TLM_OK;
}

/* No secrets.json: they are sealed into the TPM, which this library never talks to, or lost. */
static tlm_result say_missing(const tlm_store *store, tlm_error *error)
{
    char *path = tlm_path_join(store->directory, SEALED_FILE);
    bool sealed = path != NULL && tlm_file_exists(path);
    free(path);
    if (sealed) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "Use the token through the socket of tlm-tokend, which unseals them: "
                             "--pkcs11-socket PATH",
                             "the secrets of token store %s are sealed into the TPM (%s)",
                             store->directory, SEALED_FILE);
    }
    return tlm_error_set(error, TLM_ERR_INCOMPLETE,
                         "Restore it from a backup; without it the token cannot be opened.",
                         "token store %s has no %s", store->directory, SECRETS_FILE);
}

tlm_result tlm_store_secrets_load(const tlm_store *store, tlm_store_secrets *secrets,
                                  tlm_error *error)
{
    if (store == NULL || store->directory == NULL || secrets == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a token store has a directory");
    }
    char *path = tlm_path_join(store->directory, SECRETS_FILE);
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    }
    tlm_secret *text = NULL;
    tlm_result result = tlm_file_read_secret(path, SECRETS_FILE_MAX, &text, error);
    if (result == TLM_OK) {
        result = tlm_store_secrets_parse((const char *)tlm_secret_bytes(text),
                                         tlm_secret_size(text), path, secrets, error);
    } else if (result == TLM_ERR_NOT_FOUND) {
        result = say_missing(store, error);
    }
    tlm_secret_free(&text);
    free(path);
    return result;
}

static void append(tlm_secret *text, size_t *used, const void *data, size_t size)
{
    memcpy(tlm_secret_data(text) + *used, data, size);
    *used += size;
}

static void append_hex(tlm_secret *text, size_t *used, const tlm_secret *bytes)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < tlm_secret_size(bytes); i++) {
        unsigned char byte = tlm_secret_bytes(bytes)[i];
        const char pair[2] = {hex[byte >> 4], hex[byte & 0x0fU]};
        append(text, used, pair, sizeof pair);
    }
}

static bool fits(size_t index, const tlm_secret *secret)
{
    if (index == NAMES - 1) {
        return tlm_secret_size(secret) == SEED_SIZE;
    }
    return tlm_secret_size(secret) == DIGITS && is_hex((const char *)tlm_secret_bytes(secret));
}

static tlm_result format(const tlm_store_secrets *secrets, tlm_secret **text, tlm_error *error)
{
    tlm_store_secrets all = *secrets; /* the same secrets, not owned */
    tlm_result result = tlm_secret_new(SECRETS_FILE_MAX, text, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t used = 0;
    append(*text, &used, "{\"version\":1", 12);
    for (size_t i = 0; i < NAMES; i++) {
        const tlm_secret *secret = *slot_of(&all, i);
        if (secret == NULL) {
            continue;
        }
        if (!fits(i, secret)) {
            tlm_secret_free(text);
            return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                                 "the secret %s is not of its documented form", names[i]);
        }
        append(*text, &used, ",\"", 2);
        append(*text, &used, names[i], strlen(names[i]));
        append(*text, &used, "\":\"", 3);
        if (i == NAMES - 1) {
            append_hex(*text, &used, secret);
        } else {
            append(*text, &used, tlm_secret_bytes(secret), DIGITS);
        }
        append(*text, &used, "\"", 1);
    }
    append(*text, &used, "}\n", 2);
    tlm_secret_shrink(*text, used);
    return TLM_OK;
}

tlm_result tlm_store_secrets_create(const tlm_store *store, const tlm_store_secrets *secrets,
                                    tlm_error *error)
{
    if (store == NULL || store->directory == NULL || secrets == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a token store has a directory");
    }
    char *path = tlm_path_join(store->directory, SECRETS_FILE);
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    }
    tlm_secret *text = NULL;
    tlm_result result = format(secrets, &text, error);
    if (result == TLM_OK) {
        result = tlm_file_create(path, tlm_secret_bytes(text), tlm_secret_size(text), 0600, error);
    }
    tlm_secret_free(&text);
    free(path);
    return result;
}

void tlm_store_secrets_clear(tlm_store_secrets *secrets)
{
    if (secrets == NULL) {
        return;
    }
    for (size_t i = 0; i < NAMES; i++) {
        tlm_secret_free(slot_of(secrets, i));
    }
}

tlm_result tlm_store_user_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    const tlm_store *store = context;
    tlm_store_secrets secrets = {0};
    tlm_result result = tlm_store_secrets_load(store, &secrets, error);
    if (result != TLM_OK) {
        return result;
    }
    *pin = secrets.user_pin;
    secrets.user_pin = NULL;
    tlm_store_secrets_clear(&secrets);
    if (*pin == NULL) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE,
                             "Restore the file from a backup; it holds the only copy of the PIN.",
                             "%s of token store %s has no user PIN", SECRETS_FILE,
                             store->directory);
    }
    return TLM_OK;
}
