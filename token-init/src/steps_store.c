/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps up to a token that can be logged in to. */
#include "steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/raw_token.h>
#include <tlm/tpm2_store.h>

#include "sealing.h"

#define SECRET_BYTES 16U

tlm_result tlm_step_record(tlm_job *job, tlm_error *error)
{
    if (job->resumed) {
        return TLM_OK;
    }
    /* Before anything is written: where no TPM answers, another back end may still be chosen. */
    tlm_result result =
        job->store.backend == TLM_BACKEND_TPM ? tlm_job_need_tpm(job, error) : TLM_OK;
    return result == TLM_OK ? tlm_store_save(&job->store, error) : result;
}

static tlm_result system_random(tlm_secret *secret, tlm_error *error)
{
    size_t filled = 0;
    while (filled < tlm_secret_size(secret)) {
        ssize_t got =
            getrandom(tlm_secret_data(secret) + filled, tlm_secret_size(secret) - filled, 0);
        if (got < 0 && errno != EINTR) {
            return tlm_error_set_errno(error, NULL, "reading the system's random numbers");
        }
        filled += got > 0 ? (size_t)got : 0;
    }
    return TLM_OK;
}

/* A secret of 16 random bytes, from the TPM's generator or the system's. */
static tlm_result make_bytes(tlm_tpm *tpm, tlm_secret **out, tlm_error *error)
{
    tlm_secret *bytes = NULL;
    tlm_result result = tlm_secret_new(SECRET_BYTES, &bytes, error);
    if (result == TLM_OK) {
        result = tpm != NULL ? tlm_tpm_random(tpm, bytes, error) : system_random(bytes, error);
    }
    if (result != TLM_OK) {
        tlm_secret_free(&bytes);
    }
    *out = bytes;
    return result;
}

/* The same as 32 hexadecimal digits. */
static tlm_result make_digits(tlm_tpm *tpm, tlm_secret **out, tlm_error *error)
{
    static const char alphabet[] = "0123456789abcdef";
    tlm_secret *bytes = NULL;
    tlm_secret *digits = NULL;
    tlm_result result = make_bytes(tpm, &bytes, error);
    if (result == TLM_OK) {
        result = tlm_secret_new((size_t)2 * SECRET_BYTES, &digits, error);
    }
    for (size_t i = 0; result == TLM_OK && i < SECRET_BYTES; i++) {
        unsigned char byte = tlm_secret_bytes(bytes)[i];
        tlm_secret_data(digits)[2 * i] = (unsigned char)alphabet[byte >> 4];
        tlm_secret_data(digits)[2 * i + 1] = (unsigned char)alphabet[byte & 15];
    }
    tlm_secret_free(&bytes);
    *out = digits;
    return result;
}

/* New secrets beside a token that was made with others would lock it for good. */
static tlm_result refuse_orphaned_token(tlm_job *job, tlm_error *error)
{
    bool token = false;
    if (job->store.backend == TLM_BACKEND_TPM) {
        tlm_tpm2_store *rows = NULL;
        tlm_tpm_name name;
        uint32_t handle = 0;
        token = tlm_tpm2_store_open(job->directory, &rows, NULL) == TLM_OK &&
                tlm_tpm2_store_get_primary(rows, &handle, &name, NULL) != TLM_ERR_NOT_FOUND;
        tlm_tpm2_store_close(&rows);
    } else {
        char *tokens = tlm_path_join(job->directory, "tokens");
        /* rmdir fails for a directory that holds a token, and does no harm to an empty one. */
        token = tokens == NULL || (rmdir(tokens) != 0 && errno != ENOENT);
        free(tokens);
    }
    if (!token) {
        return TLM_OK;
    }
    return tlm_error_set(error, TLM_ERR_INCOMPLETE,
                         "restore sealed.json (or secrets.json) from a backup, or run: "
                         "tlm-token-init destroy, then provision (a new identity)",
                         "the store %s holds a token, but its secrets are gone", job->directory);
}

static tlm_result create_secrets(tlm_job *job, tlm_error *error)
{
    tlm_result result = refuse_orphaned_token(job, error);
    if (result == TLM_OK && job->store.backend == TLM_BACKEND_TPM) {
        result = tlm_job_need_tpm(job, error);
    }
    if (result == TLM_OK && job->store.backend == TLM_BACKEND_TPM) {
        result = make_digits(job->tpm, &job->secrets.tpm_auth, error);
    }
    if (result == TLM_OK && job->store.backend == TLM_BACKEND_TPM) {
        result = make_bytes(job->tpm, &job->secrets.tpm_seed, error);
    }
    if (result == TLM_OK) {
        result = make_digits(job->tpm, &job->secrets.user_pin, error);
    }
    if (result == TLM_OK) {
        result = make_digits(job->tpm, &job->secrets.so_pin, error);
    }
    return result;
}

tlm_result tlm_step_seal_parent(tlm_job *job, tlm_error *error)
{
    bool changed = false;
    tlm_result result = tlm_job_restore_parent(job, &changed, error);
    if (result != TLM_OK || tlm_secrets_where(&job->store) == TLM_SECRETS_SEALED) {
        return result;
    }
    result = tlm_job_need_tpm(job, error);
    return result == TLM_OK
               ? tlm_seal_place_parent(job->tpm, NULL, job->request->replace, &changed, error)
               : result;
}

/* Secrets in a TPM's store are never in clear, not even while they are made. */
static tlm_result keep_secrets(tlm_job *job, tlm_error *error)
{
    if (tlm_job_seals(job)) {
        return tlm_job_seal(job, job->resumed, error);
    }
    return tlm_store_secrets_create(&job->store, &job->secrets, error);
}

tlm_result tlm_step_secrets(tlm_job *job, tlm_error *error)
{
    if (tlm_secrets_where(&job->store) == TLM_SECRETS_NONE) {
        tlm_result result = create_secrets(job, error);
        return result == TLM_OK ? keep_secrets(job, error) : result;
    }
    /* The run that made the key may have ended before it could say so. */
    const char *key = job->request->recovery_key;
    job->key_made = key != NULL && job->request->policy != TLM_VAULT_NONE && tlm_file_exists(key);
    return tlm_job_need_secrets(job, error);
}

tlm_result tlm_step_primary(tlm_job *job, tlm_error *error)
{
    bool changed = false;
    return tlm_job_place_primary(job, NULL, &changed, error);
}

/* A half-made database holds nothing: the module writes table after table, tokens come later. */
static void remove_half_made(const tlm_job *job)
{
    static const char *const files[] = {TLM_TPM2_STORE_FILE, TLM_TPM2_STORE_FILE "-journal",
                                        TLM_TPM2_STORE_FILE ".lock"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = tlm_path_join(job->directory, files[i]);
        if (path != NULL) {
            (void)unlink(path);
        }
        free(path);
    }
}

static tlm_result let_module_make_it(tlm_job *job, tlm_error *error)
{
    tlm_raw_token *raw = NULL;
    tlm_result result = tlm_job_need_module(job, error);
    if (result == TLM_OK) {
        result = tlm_raw_open(job->store.module, &raw, error);
    }
    tlm_raw_close(&raw);
    return result;
}

tlm_result tlm_step_database(tlm_job *job, tlm_error *error)
{
    tlm_tpm2_store *rows = NULL;
    tlm_result result = tlm_tpm2_store_open(job->directory, &rows, error);
    if (result == TLM_ERR_INCOMPLETE) {
        remove_half_made(job);
    }
    if (result == TLM_ERR_INCOMPLETE || result == TLM_ERR_NOT_FOUND) {
        result = let_module_make_it(job, error);
        if (result == TLM_OK) {
            result = tlm_tpm2_store_open(job->directory, &rows, error);
        }
    }
    tlm_tpm2_store_close(&rows);
    return result;
}

tlm_result tlm_step_parent(tlm_job *job, tlm_error *error)
{
    unsigned char blob[TLM_TPM_BLOB_MAX];
    size_t size = 0;
    tlm_tpm2_store *rows = NULL;
    tlm_result result = tlm_job_need_tpm(job, error);
    if (result == TLM_OK) {
        result = tlm_tpm_serialize(job->tpm, TLM_HANDLE_SRK, blob, &size, error);
    }
    if (result == TLM_OK) {
        result = tlm_tpm2_store_open(job->directory, &rows, error);
    }
    if (result == TLM_OK) {
        result = tlm_tpm2_store_put_primary(rows, blob, size, job->secrets.tpm_auth, error);
    }
    tlm_tpm2_store_close(&rows);
    return result;
}

/* The TPM back end's state stands in its database, SoftHSM's in the token's flags. */
static tlm_result token_state(tlm_job *job, tlm_raw_token *raw, tlm_raw_state *state,
                              tlm_error *error)
{
    if (job->store.backend != TLM_BACKEND_TPM) {
        return tlm_raw_read_state(raw, job->store.label, state, error);
    }
    tlm_tpm2_store *rows = NULL;
    tlm_tpm2_token token = {0};
    tlm_result result = tlm_tpm2_store_open(job->directory, &rows, error);
    if (result == TLM_OK) {
        result = tlm_tpm2_store_read_token(rows, job->store.label, &token, error);
    }
    tlm_tpm2_store_close(&rows);
    state->present = token.present;
    state->user_pin = token.user_pin;
    return result;
}

/* SoftHSM keeps its tokens below a directory that it does not make. */
static tlm_result make_token_directory(const tlm_job *job, tlm_error *error)
{
    if (job->store.backend != TLM_BACKEND_SOFTHSM) {
        return TLM_OK;
    }
    char *path = tlm_path_join(job->directory, "tokens");
    tlm_result result =
        path != NULL ? tlm_directory_make(path, 0700, error)
                     : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a path");
    free(path);
    return result;
}

tlm_result tlm_step_token(tlm_job *job, tlm_error *error)
{
    tlm_raw_token *raw = NULL;
    tlm_raw_state state = {0};
    tlm_result result = make_token_directory(job, error);
    if (result == TLM_OK) {
        result = tlm_job_need_module(job, error);
    }
    if (result == TLM_OK) {
        result = tlm_raw_open(job->store.module, &raw, error);
    }
    if (result == TLM_OK) {
        result = token_state(job, raw, &state, error);
    }
    if (result == TLM_OK && !state.present) {
        result = tlm_raw_init_token(raw, job->store.label, job->secrets.so_pin, error);
    }
    tlm_raw_close(&raw);
    return result;
}

tlm_result tlm_step_pin(tlm_job *job, tlm_error *error)
{
    tlm_raw_token *raw = NULL;
    tlm_raw_state state = {0};
    tlm_result result = tlm_job_need_module(job, error);
    if (result == TLM_OK) {
        result = tlm_raw_open(job->store.module, &raw, error);
    }
    if (result == TLM_OK) {
        result = token_state(job, raw, &state, error);
    }
    if (result == TLM_OK && !state.user_pin) {
        result = tlm_raw_init_pin(raw, job->store.label, job->secrets.so_pin, job->secrets.user_pin,
                                  error);
    }
    tlm_raw_close(&raw);
    return result;
}

tlm_result tlm_step_pss(tlm_job *job, tlm_error *error)
{
    tlm_tpm2_store *rows = NULL;
    tlm_result result = tlm_tpm2_store_open(job->directory, &rows, error);
    if (result == TLM_OK) {
        result = tlm_tpm2_store_set_pss(rows, job->store.label, error);
    }
    tlm_tpm2_store_close(&rows);
    return result;
}
