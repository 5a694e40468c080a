/* SPDX-License-Identifier: BSD-2-Clause */
#include "holder_private.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>

#include "local_key_private.h"
#include "text_private.h"

tlm_found_token tlm_holder_found(const tlm_error *error)
{
    switch (error->result) {
    case TLM_ERR_NOT_PROVISIONED:
        return TLM_TOKEN_ABSENT;
    case TLM_ERR_LOCKED:
        return TLM_TOKEN_LOCKED;
    case TLM_ERR_PIN:
        return TLM_TOKEN_PIN_REFUSED;
    case TLM_ERR_FOREIGN:
        return TLM_TOKEN_FOREIGN;
    default:
        return TLM_TOKEN_UNAVAILABLE;
    }
}

static tlm_result unwrap(void *context, const unsigned char *wrapped, size_t size, tlm_secret **key,
                         tlm_error *error)
{
    tlm_holder *holder = context;
    return holder->local != NULL
               ? tlm_local_key_decrypt_oaep(holder->local, wrapped, size, key, error)
               : tlm_key_decrypt_oaep(holder->srk, wrapped, size, key, error);
}

tlm_opener tlm_holder_opener(tlm_holder *holder)
{
    return (tlm_opener){.public_key = holder->public_key, .unwrap = unwrap, .context = holder};
}

tlm_result tlm_holder_prepare(const char *directory, tlm_holder *holder, tlm_error *error)
{
    if (holder->kind != TLM_HOLDER_LOCAL || holder->local != NULL) {
        return TLM_OK;
    }
    tlm_secret *pem = NULL;
    EVP_PKEY *key = NULL;
    char *path = tlm_path_join(directory, TLM_LOCAL_KEY_FILE);
    tlm_result result = path != NULL
                            ? tlm_local_key_make(&key, error)
                            : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    if (result == TLM_OK) {
        result = tlm_local_key_to_pem(key, &pem, error);
    }
    if (result == TLM_OK) {
        result = tlm_file_create(path, tlm_secret_bytes(pem), tlm_secret_size(pem), 0600, error);
    }
    tlm_secret_free(&pem);
    free(path);
    if (result != TLM_OK) {
        EVP_PKEY_free(key);
        return result;
    }
    holder->local = key;
    holder->public_key = key;
    return TLM_OK;
}

static void copy_mark(const char *data, size_t size, char storage_id[TLM_UUID_SIZE])
{
    /* A mark that is no storage id belongs to no files, and so to others than any we open. */
    static const char other[] = "00000000-0000-0000-0000-000000000000";
    tlm_text_copy(storage_id, TLM_UUID_SIZE, other);
    if (data != NULL && tlm_uuid_valid(data, size)) {
        memcpy(storage_id, data, TLM_UUID_SIZE - 1);
    }
}

tlm_result tlm_holder_read_mark(const char *directory, tlm_holder *holder,
                                char storage_id[TLM_UUID_SIZE], bool *marked, tlm_error *error)
{
    char *data = NULL;
    size_t size = 0;
    tlm_result result = TLM_OK;
    if (holder->kind == TLM_HOLDER_LOCAL) {
        char *path = tlm_path_join(directory, TLM_LOCAL_MARK_FILE);
        result = path != NULL
                     ? tlm_error_missing(tlm_file_read(path, 64, &data, &size, error), error)
                     : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
        free(path);
    } else {
        result = tlm_token_data_read(holder->token, TLM_MARK_LABEL, &data, &size, error);
    }
    *marked = result == TLM_OK;
    if (result == TLM_ERR_NOT_FOUND) {
        return TLM_OK;
    }
    if (result == TLM_OK) {
        copy_mark(data, size, storage_id);
    }
    free(data);
    return result;
}

tlm_result tlm_holder_write_mark(const char *directory, tlm_holder *holder, const char *storage_id,
                                 tlm_error *error)
{
    if (holder->kind != TLM_HOLDER_LOCAL) {
        return tlm_token_data_store(holder->token, TLM_MARK_LABEL, storage_id, strlen(storage_id),
                                    error);
    }
    char *path = tlm_path_join(directory, TLM_LOCAL_MARK_FILE);
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    }
    tlm_result result = tlm_file_create(path, storage_id, strlen(storage_id), 0600, error);
    free(path);
    return result;
}

void tlm_holder_close(tlm_holder *holder)
{
    tlm_key_free(&holder->srk);
    tlm_token_close(&holder->token);
    EVP_PKEY_free(holder->local);
    tlm_store_clear(&holder->store);
    memset(holder, 0, sizeof *holder);
}
