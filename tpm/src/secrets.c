/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/secrets.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>

#define CLEAR_FILE "secrets.json"
#define SEALED_FILE "sealed.json"

#define PLAIN_VERSION 1U
#define PART_SIZE 16U
#define PARTS 4U
#define PLAIN_SIZE (2U + PARTS * PART_SIZE)

/* In the order of the plain text; the seed is bytes already, the others are digits. */
enum { PART_USER_PIN, PART_SO_PIN, PART_TPM_AUTH, PART_TPM_SEED };

static const tlm_secret *part_of(const tlm_store_secrets *secrets, unsigned part)
{
    const tlm_secret *const parts[PARTS] = {secrets->user_pin, secrets->so_pin, secrets->tpm_auth,
                                            secrets->tpm_seed};
    return parts[part];
}

static tlm_secret **slot_of(tlm_store_secrets *secrets, unsigned part)
{
    tlm_secret **const slots[PARTS] = {&secrets->user_pin, &secrets->so_pin, &secrets->tpm_auth,
                                       &secrets->tpm_seed};
    return slots[part];
}

static int digit_value(unsigned char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool pack_part(const tlm_secret *secret, unsigned part, unsigned char *bytes)
{
    const unsigned char *from = tlm_secret_bytes(secret);
    if (part == PART_TPM_SEED) {
        if (tlm_secret_size(secret) == PART_SIZE) {
            memcpy(bytes, from, PART_SIZE);
        }
        return tlm_secret_size(secret) == PART_SIZE;
    }
    if (tlm_secret_size(secret) != 2 * (size_t)PART_SIZE) {
        return false;
    }
    for (size_t i = 0; i < PART_SIZE; i++) {
        int high = digit_value(from[2 * i]);
        int low = digit_value(from[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (unsigned char)((unsigned)high << 4 | (unsigned)low);
    }
    return true;
}

tlm_result tlm_secrets_pack(const tlm_store_secrets *secrets, tlm_secret **plain, tlm_error *error)
{
    tlm_secret *made = NULL;
    tlm_result result = tlm_secret_new(PLAIN_SIZE, &made, error);
    if (result != TLM_OK) {
        return result;
    }
    unsigned char *bytes = tlm_secret_data(made);
    bytes[0] = PLAIN_VERSION;
    for (unsigned part = 0; part < PARTS; part++) {
        const tlm_secret *secret = part_of(secrets, part);
        if (secret == NULL) {
            continue;
        }
        bytes[1] = (unsigned char)(bytes[1] | 1U << part);
        if (!pack_part(secret, part, bytes + 2 + (size_t)part * PART_SIZE)) {
            tlm_secret_free(&made);
            return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                                 "a secret of the token is not of its documented form");
        }
    }
    *plain = made;
    return TLM_OK;
}

static tlm_result unpack_part(const unsigned char *bytes, unsigned part, tlm_secret **secret,
                              tlm_error *error)
{
    static const char alphabet[] = "0123456789abcdef";
    if (part == PART_TPM_SEED) {
        return tlm_secret_from(bytes, PART_SIZE, secret, error);
    }
    tlm_result result = tlm_secret_new(2 * (size_t)PART_SIZE, secret, error);
    for (size_t i = 0; result == TLM_OK && i < PART_SIZE; i++) {
        tlm_secret_data(*secret)[2 * i] = (unsigned char)alphabet[bytes[i] >> 4];
        tlm_secret_data(*secret)[2 * i + 1] = (unsigned char)alphabet[bytes[i] & 15U];
    }
    return result;
}

tlm_result tlm_secrets_unpack(const tlm_secret *plain, tlm_store_secrets *secrets, tlm_error *error)
{
    const unsigned char *bytes = tlm_secret_bytes(plain);
    if (tlm_secret_size(plain) > 0 && bytes[0] > PLAIN_VERSION) {
        return tlm_error_set(
            error, TLM_ERR_NEWER, "install the version of this program that sealed them",
            "the sealed secrets have version %u, this program knows %u", bytes[0], PLAIN_VERSION);
    }
    if (tlm_secret_size(plain) != PLAIN_SIZE || bytes[0] != PLAIN_VERSION || bytes[1] >> PARTS) {
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "restore sealed.json from a backup of this host's token store",
                             "what was sealed are no secrets of a token");
    }
    tlm_store_secrets made = {0};
    tlm_result result = TLM_OK;
    for (unsigned part = 0; result == TLM_OK && part < PARTS; part++) {
        if ((bytes[1] >> part & 1U) != 0) {
            result = unpack_part(bytes + 2 + (size_t)part * PART_SIZE, part, slot_of(&made, part),
                                 error);
        }
    }
    if (result != TLM_OK) {
        tlm_store_secrets_clear(&made);
        return result;
    }
    *secrets = made;
    return TLM_OK;
}

static bool has_file(const tlm_store *store, const char *name)
{
    char *path = tlm_path_join(store->directory, name);
    bool there = path != NULL && tlm_file_exists(path);
    free(path);
    return there;
}

tlm_secrets_place tlm_secrets_where(const tlm_store *store)
{
    if (has_file(store, CLEAR_FILE)) {
        return TLM_SECRETS_CLEAR;
    }
    return has_file(store, SEALED_FILE) ? TLM_SECRETS_SEALED : TLM_SECRETS_NONE;
}

tlm_result tlm_secrets_read_sealed(const tlm_store *store, tlm_sealed *sealed, tlm_error *error)
{
    char *path = tlm_path_join(store->directory, SEALED_FILE);
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a path");
    }
    tlm_result result = tlm_sealed_load(path, sealed, error);
    free(path);
    return result;
}

tlm_result tlm_secrets_recover(const tlm_store *store, tlm_tpm *tpm, const tlm_secret *recovery,
                               tlm_store_secrets *secrets, tlm_error *error)
{
    tlm_sealed sealed;
    tlm_secret *plain = NULL;
    tlm_result result = tlm_secrets_read_sealed(store, &sealed, error);
    if (result == TLM_OK) {
        result = tlm_seal_open(tpm, &sealed, recovery, &plain, error);
    }
    if (result == TLM_OK) {
        result = tlm_secrets_unpack(plain, secrets, error);
    }
    tlm_secret_free(&plain);
    return result;
}

tlm_result tlm_secrets_open(const tlm_store *store, tlm_tpm *tpm, tlm_store_secrets *secrets,
                            tlm_error *error)
{
    if (tlm_secrets_where(store) != TLM_SECRETS_SEALED) {
        return tlm_store_secrets_load(store, secrets, error);
    }
    if (tpm == NULL) {
        return tlm_error_set(error, TLM_ERR_TPM_UNAVAILABLE, "run: tlm-token-init doctor",
                             "the secrets of the token store %s are sealed into the TPM, which is "
                             "not open",
                             store->directory);
    }
    return tlm_secrets_recover(store, tpm, NULL, secrets, error);
}

/* Whether what was just sealed opens again, by the registers or by the key. */
static tlm_result prove(tlm_tpm *tpm, const tlm_sealed *sealed, const tlm_secret *recovery,
                        const tlm_secret *plain, tlm_error *error)
{
    tlm_secret *again = NULL;
    tlm_result result = tlm_seal_open(tpm, sealed, recovery, &again, error);
    if (result == TLM_OK && !tlm_secret_equal(plain, again)) {
        result = tlm_error_set(error, TLM_ERR_TPM, "run: tlm-token-init doctor",
                               "the TPM unsealed something else than was sealed");
    }
    tlm_secret_free(&again);
    return result;
}

tlm_result tlm_secrets_seal(const tlm_store *store, tlm_tpm *tpm, tlm_vault_policy policy,
                            const tlm_secret *recovery, const tlm_store_secrets *secrets,
                            tlm_error *error)
{
    tlm_sealed sealed;
    tlm_secret *plain = NULL;
    char *path = tlm_path_join(store->directory, SEALED_FILE);
    tlm_result result =
        path != NULL ? tlm_secrets_pack(secrets, &plain, error)
                     : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a path");
    if (result == TLM_OK) {
        result = tlm_seal_make(tpm, policy, recovery, plain, &sealed, error);
    }
    if (result == TLM_OK) {
        result = prove(tpm, &sealed, NULL, plain, error);
    }
    if (result == TLM_OK && recovery != NULL) {
        result = prove(tpm, &sealed, recovery, plain, error);
    }
    if (result == TLM_OK) {
        result = tlm_sealed_save(path, &sealed, error);
    }
    tlm_secret_free(&plain);
    free(path);
    return result;
}

/* The file, its older copies, and what a killed run left of its making. */
tlm_result tlm_secrets_wipe_clear(const tlm_store *store, tlm_error *error)
{
    DIR *listing = opendir(store->directory);
    if (listing == NULL) {
        return tlm_error_set_errno(error, NULL, "listing %s", store->directory);
    }
    tlm_result result = TLM_OK;
    const struct dirent *entry = NULL;
    while (result == TLM_OK && (entry = readdir(listing)) != NULL) {
        if (strncmp(entry->d_name, CLEAR_FILE, strlen(CLEAR_FILE)) != 0) {
            continue;
        }
        char *path = tlm_path_join(store->directory, entry->d_name);
        result = path != NULL
                     ? tlm_file_wipe(path, error)
                     : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a path");
        free(path);
    }
    (void)closedir(listing);
    return result;
}
