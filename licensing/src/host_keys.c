/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/host_keys.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/jws.h>
#include <tlm/key.h>

#include "holder_private.h"
#include "json_private.h"
#include "local_key_private.h"
#include "text_private.h"

#define KID_SIZE 44U

struct tlm_host_keys {
    char *persistence_dir;
    char storage_id[TLM_UUID_SIZE]; /* of the files the identity opened */
    tlm_holder holder;
    tlm_key *attest;           /* NULL where the holder has none */
    char holder_kid[KID_SIZE]; /* of tlm-srk or local.key */
    char attest_kid[KID_SIZE];
    json_t *jwks;
    pthread_mutex_t files; /* the vault is read and written by one thread at a time */
};

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the host's keys");
}

static tlm_result kid_of(EVP_PKEY *key, char kid[KID_SIZE], tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_result result = tlm_public_thumbprint(key, thumbprint, error);
    if (result != TLM_OK) {
        return result;
    }
    char *text = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    if (text == NULL) {
        return no_memory(error);
    }
    tlm_text_copy(kid, KID_SIZE, text);
    free(text);
    return TLM_OK;
}

/* ---- the public keys ---- */

static tlm_result add_jwk(json_t *keys, const char *jwk, const char *use, const char *alg,
                          tlm_error *error)
{
    json_t *key = json_loads(jwk, JSON_REJECT_DUPLICATES, NULL);
    bool made = key != NULL && json_object_set_new(key, "use", json_string(use)) == 0 &&
                json_object_set_new(key, "alg", json_string(alg)) == 0;
    if (!made) {
        json_decref(key);
        return no_memory(error);
    }
    return json_array_append_new(keys, key) == 0 ? TLM_OK : no_memory(error);
}

static tlm_result add_key(json_t *keys, EVP_PKEY *key, const char *use, const char *alg,
                          tlm_error *error)
{
    char *jwk = NULL;
    tlm_result result = tlm_public_to_jwk(key, &jwk, error);
    if (result == TLM_OK) {
        result = add_jwk(keys, jwk, use, alg, error);
    }
    free(jwk);
    return result;
}

/*
 * What signs and what may be encrypted to. A fingerprint of the fallback kind has a key of its own,
 * that of the vault; a key file is for the files alone.
 */
static tlm_result make_jwks(tlm_host_keys *keys, const tlm_fingerprint *fingerprint,
                            tlm_error *error)
{
    json_t *list = json_array();
    keys->jwks = json_pack("{s:o}", "keys", list);
    if (keys->jwks == NULL) {
        return no_memory(error);
    }
    tlm_result result = TLM_OK;
    if (keys->attest != NULL) {
        result = add_key(list, tlm_key_public(keys->attest), "sig", "ES256", error);
    }
    if (result == TLM_OK && keys->holder.srk != NULL) {
        result = add_key(list, keys->holder.public_key, "enc", "RSA-OAEP-256", error);
    }
    if (result == TLM_OK && fingerprint->type == TLM_FINGERPRINT_FALLBACK) {
        result = add_jwk(list, fingerprint->jwk, "enc", "RSA-OAEP-256", error);
    }
    return result;
}

/* ---- opening ---- */

static tlm_result find_attest(tlm_host_keys *keys, tlm_error *error)
{
    if (keys->holder.token == NULL) {
        return TLM_OK;
    }
    tlm_result result = tlm_key_find(keys->holder.token, TLM_ATTEST_LABEL, &keys->attest, error);
    if (result == TLM_ERR_NOT_FOUND) {
        return TLM_OK; /* licenses can do without; what is to be proven then says so */
    }
    if (result == TLM_OK) {
        result = kid_of(tlm_key_public(keys->attest), keys->attest_kid, error);
    }
    return result;
}

/* The token that is served now may be another one than the identity found. */
static tlm_result check_holder(const tlm_host_keys *keys, const tlm_identity_view *view,
                               tlm_error *error)
{
    if (view->fingerprint.type == TLM_FINGERPRINT_FALLBACK ||
        strcmp(view->fingerprint.kid, keys->holder_kid) == 0) {
        return TLM_OK;
    }
    return tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                         "the token has the key %s now, and this host's is %s", keys->holder_kid,
                         view->fingerprint.kid);
}

static tlm_result open_keys(const tlm_host_keys_config *config, tlm_host_keys *keys,
                            tlm_error *error)
{
    tlm_result result =
        tlm_holder_open_again(config->identity, config->view->holder, &keys->holder, error);
    if (result == TLM_OK) {
        result = kid_of(keys->holder.public_key, keys->holder_kid, error);
    }
    if (result == TLM_OK) {
        result = check_holder(keys, config->view, error);
    }
    if (result == TLM_OK) {
        result = find_attest(keys, error);
    }
    if (result == TLM_OK) {
        result = make_jwks(keys, &config->view->fingerprint, error);
    }
    return result;
}

tlm_result tlm_host_keys_open(const tlm_host_keys_config *config, tlm_host_keys **keys,
                              tlm_error *error)
{
    if (config == NULL || config->identity == NULL || config->view == NULL || keys == NULL ||
        !config->view->has_fingerprint) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "keys of a host whose identity is not known yet");
    }
    tlm_json_protect();
    tlm_host_keys *made = calloc(1, sizeof *made);
    if (made == NULL || pthread_mutex_init(&made->files, NULL) != 0) {
        free(made);
        return no_memory(error);
    }
    made->persistence_dir = strdup(config->identity->persistence_dir);
    tlm_text_copy(made->storage_id, sizeof made->storage_id, config->view->storage_id);
    tlm_result result =
        made->persistence_dir == NULL ? no_memory(error) : open_keys(config, made, error);
    if (result != TLM_OK) {
        tlm_host_keys_close(&made);
        return result;
    }
    *keys = made;
    return TLM_OK;
}

void tlm_host_keys_close(tlm_host_keys **keys)
{
    if (keys == NULL || *keys == NULL) {
        return;
    }
    tlm_host_keys *gone = *keys;
    tlm_key_free(&gone->attest);
    tlm_holder_close(&gone->holder);
    json_decref(gone->jwks);
    (void)pthread_mutex_destroy(&gone->files);
    free(gone->persistence_dir);
    free(gone);
    *keys = NULL;
}

const char *tlm_host_keys_attest_kid(const tlm_host_keys *keys)
{
    return keys->attest_kid;
}

tlm_result tlm_host_keys_jwks(const tlm_host_keys *keys, json_t **jwks, tlm_error *error)
{
    *jwks = json_deep_copy(keys->jwks);
    return *jwks != NULL ? TLM_OK : no_memory(error);
}

/* ---- the files ---- */

/* Opens both files, with one operation of the token. */
static tlm_result open_files(tlm_host_keys *keys, tlm_storage *storage, tlm_error *error)
{
    const tlm_opener opener = tlm_holder_opener(&keys->holder);
    tlm_result result = tlm_storage_inspect(keys->persistence_dir, &opener, storage, error);
    if (result != TLM_OK) {
        return result;
    }
    if (storage->persistence_found == TLM_FOUND_GOOD && storage->vault_found == TLM_FOUND_GOOD &&
        strcmp(storage->persistence.storage_id, keys->storage_id) == 0) {
        return TLM_OK;
    }
    if (storage->error.result != TLM_OK) {
        result = tlm_error_set(error, storage->error.result,
                               storage->error.hint[0] != '\0' ? storage->error.hint : NULL, "%s",
                               storage->error.message);
    } else {
        result = tlm_error_set(
            error, TLM_ERR_FOREIGN, "Restart the program: systemctl restart TLLicenseManager",
            "the files in %s are not those any more that were opened at the start",
            keys->persistence_dir);
    }
    tlm_storage_clear(storage);
    return result;
}

static tlm_result no_such_key(const tlm_host_keys *keys, const char *kid, const char *local_kid,
                              tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FOREIGN,
                         "Have it issued anew for this host: tlm request > host.json",
                         "it is encrypted to the key %.64s, and this host's keys are %s and, for "
                         "the fallback, %s",
                         kid, keys->holder_kid, local_kid);
}

/* The local key is in the vault, and in memory for this one operation alone. */
static tlm_result unwrap_local(tlm_host_keys *keys, const char *kid, const unsigned char *wrapped,
                               size_t size, tlm_secret **key, tlm_error *error)
{
    tlm_storage storage = {0};
    char local_kid[KID_SIZE] = "";
    (void)pthread_mutex_lock(&keys->files);
    tlm_result result = open_files(keys, &storage, error);
    (void)pthread_mutex_unlock(&keys->files);
    if (result != TLM_OK) {
        return result;
    }
    result = kid_of(storage.vault.local, local_kid, error);
    if (result == TLM_OK) {
        result = strcmp(kid, local_kid) != 0
                     ? no_such_key(keys, kid, local_kid, error)
                     : tlm_local_key_decrypt_oaep(storage.vault.local, wrapped, size, key, error);
    }
    tlm_storage_clear(&storage);
    return result;
}

tlm_result tlm_host_keys_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                                size_t size, tlm_secret **key, tlm_error *error)
{
    tlm_host_keys *keys = context;
    if (strcmp(kid, keys->holder_kid) != 0) {
        return unwrap_local(keys, kid, wrapped, size, key, error);
    }
    const tlm_opener opener = tlm_holder_opener(&keys->holder);
    return opener.unwrap(opener.context, wrapped, size, key, error);
}

tlm_result tlm_host_keys_ledger(tlm_host_keys *keys, char id[37], tlm_error *error)
{
    tlm_storage storage = {0};
    (void)pthread_mutex_lock(&keys->files);
    tlm_result result = open_files(keys, &storage, error);
    (void)pthread_mutex_unlock(&keys->files);
    if (result != TLM_OK) {
        return result;
    }
    if (storage.vault.ledger[0] == '\0') {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL, "no ledger was noted in %s/%s",
                               keys->persistence_dir, TLM_VAULT_FILE);
    } else {
        memcpy(id, storage.vault.ledger, TLM_UUID_SIZE);
    }
    tlm_storage_clear(&storage);
    return result;
}

tlm_result tlm_host_keys_look(tlm_host_keys *keys, tlm_fingerprint *fallback, tlm_error *error)
{
    tlm_storage storage = {0};
    tlm_host_component components[TLM_HOST_COMPONENTS];
    (void)pthread_mutex_lock(&keys->files);
    tlm_result result = open_files(keys, &storage, error);
    (void)pthread_mutex_unlock(&keys->files);
    if (result != TLM_OK) {
        return result;
    }
    (void)tlm_host_components("/", storage.vault.salt, sizeof storage.vault.salt, components);
    result = tlm_fingerprint_fallback(storage.vault.local, components, TLM_HOST_COMPONENTS,
                                      fallback, error);
    tlm_storage_clear(&storage);
    return result;
}

static tlm_result write_ledger(const tlm_host_keys *keys, const tlm_storage *storage,
                               tlm_error *error)
{
    char *path = tlm_path_join(keys->persistence_dir, TLM_VAULT_FILE);
    if (path == NULL) {
        return no_memory(error);
    }
    tlm_result result =
        tlm_vault_write(path, &storage->vault, storage->persistence.vault_key, error);
    free(path);
    return result;
}

tlm_result tlm_host_keys_note_ledger(tlm_host_keys *keys, const char *id, tlm_error *error)
{
    tlm_storage storage = {0};
    if (!tlm_uuid_valid(id, strlen(id))) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "the id of a ledger is no UUID");
    }
    (void)pthread_mutex_lock(&keys->files);
    tlm_result result = open_files(keys, &storage, error);
    if (result == TLM_OK && strcmp(storage.vault.ledger, id) != 0) {
        tlm_text_copy(storage.vault.ledger, sizeof storage.vault.ledger, id);
        result = write_ledger(keys, &storage, error);
    }
    (void)pthread_mutex_unlock(&keys->files);
    tlm_storage_clear(&storage);
    return result;
}

/* ---- signing, counting ---- */

tlm_result tlm_host_keys_sign(void *context, const char *alg, const void *data, size_t size,
                              unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    tlm_host_keys *keys = context;
    if (keys->attest == NULL) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             keys->holder.token == NULL
                                 ? "Provision a token: tlm-token-init provision"
                                 : "Complete the token: tlm-token-init provision",
                             "this host has no key '%s' to sign statements with", TLM_ATTEST_LABEL);
    }
    if (strcmp(alg, "ES256") != 0) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL, "'%s' signs with ES256, not %.16s",
                             TLM_ATTEST_LABEL, alg);
    }
    return tlm_key_sign(keys->attest, TLM_JWA_ES256, data, size, signature, signature_size, error);
}

static tlm_result no_token(tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL, "a host without a token has no %s",
                         what);
}

tlm_result tlm_host_keys_counter(tlm_host_keys *keys, uint64_t *value, bool *tamper_proof,
                                 tlm_error *error)
{
    return keys->holder.token == NULL
               ? no_token(error, "counter")
               : tlm_token_counter_once(keys->holder.token, value, tamper_proof, error);
}

tlm_result tlm_host_keys_clock(tlm_host_keys *keys, tlm_token_clock *clock, tlm_error *error)
{
    return keys->holder.token == NULL ? no_token(error, "clock")
                                      : tlm_token_clock_read(keys->holder.token, clock, error);
}
