/* SPDX-License-Identifier: BSD-2-Clause */
#include "holder_private.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/jwe.h>
#include <tlm/log.h>
#include <tlm/process.h>

#include "local_key_private.h"
#include "text_private.h"

#define PROVISION_TIMEOUT_MS 60000U
#define PROVISION_OUTPUT_MAX 65536U

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to choose a token");
}

/* What the persistence directory of a start without a TPM holds. */
typedef struct local_view {
    EVP_PKEY *key;  /* of local.key */
    bool key_there; /* local.key exists, readable or not */
    bool files;     /* persistence.bin or vault.bin, in place or staged */
    bool same;      /* persistence.bin was made for that key */
} local_view;

static bool name_exists(const char *directory, const char *name)
{
    char *path = tlm_path_join(directory, name);
    bool exists = path != NULL && tlm_file_exists(path);
    free(path);
    return exists;
}

static tlm_result load_local_key(const char *directory, local_view *view, tlm_error *error)
{
    char *path = tlm_path_join(directory, TLM_LOCAL_KEY_FILE);
    tlm_secret *pem = NULL;
    if (path == NULL) {
        return no_memory(error);
    }
    tlm_result result =
        tlm_error_missing(tlm_file_read_secret(path, TLM_LOCAL_PEM_MAX, &pem, error), error);
    view->key_there = result != TLM_ERR_NOT_FOUND;
    if (result == TLM_OK) {
        result =
            tlm_local_key_from_pem(tlm_secret_bytes(pem), tlm_secret_size(pem), &view->key, error);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "%s", path);
            tlm_error_set_hint(error, "Restore %s from the backup.", path);
        }
    } else if (result == TLM_ERR_NOT_FOUND) {
        result = TLM_OK;
    }
    tlm_secret_free(&pem);
    free(path);
    return result;
}

static bool kid_is_of(const char *path, EVP_PKEY *key)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    char kid[44] = "";
    char *text = NULL;
    size_t size = 0;
    bool same = false;
    if (path != NULL && tlm_file_read(path, TLM_JWE_MAX, &text, &size, NULL) == TLM_OK &&
        tlm_persistence_kid(text, size, kid, NULL) == TLM_OK &&
        tlm_public_thumbprint(key, thumbprint, NULL) == TLM_OK) {
        char *ours = tlm_base64url_encode(thumbprint, sizeof thumbprint);
        same = ours != NULL && strcmp(ours, kid) == 0;
        free(ours);
    }
    free(text);
    return same;
}

static void look_at_files(const char *directory, local_view *view)
{
    char *staging = tlm_path_join(directory, TLM_STAGING_DIRECTORY);
    char *placed = tlm_path_join(directory, TLM_PERSISTENCE_FILE);
    char *staged = staging == NULL ? NULL : tlm_path_join(staging, TLM_PERSISTENCE_FILE);
    view->files = name_exists(directory, TLM_PERSISTENCE_FILE) ||
                  name_exists(directory, TLM_VAULT_FILE) ||
                  (staged != NULL && tlm_file_exists(staged));
    view->same =
        view->key != NULL && (kid_is_of(placed, view->key) || kid_is_of(staged, view->key));
    free(staged);
    free(placed);
    free(staging);
}

/* Runs `tlm-token-init provision`; a failure is no more than a reason to go without a token. */
static bool provision(const tlm_identity_config *config, const tlm_stop_check *stop)
{
    tlm_error error = {0};
    tlm_process_output output = {0};
    char *program = tlm_process_find("tlm-token-init");
    if (program == NULL) {
        tlm_log(TLM_LOG_WARNING, "softhsm_not_provisioned", "reason=\"%s\"",
                "tlm-token-init is neither beside this program nor in PATH");
        return false;
    }
    const char *const argv[] = {program,         "provision",         "--backend",
                                "softhsm",       "--persistence-dir", config->persistence_dir,
                                "--token-store", config->store_dir,   NULL};
    tlm_result result =
        tlm_child_run(argv, PROVISION_TIMEOUT_MS, PROVISION_OUTPUT_MAX, stop, &output, &error);
    bool done = result == TLM_OK && output.status == 0;
    if (result != TLM_OK) {
        tlm_log_error(&error, "softhsm_not_provisioned", "program=\"%s\"", program);
    } else if (!done) {
        char quoted[1024];
        tlm_log(TLM_LOG_WARNING, "softhsm_not_provisioned", "status=%d errors=%s", output.status,
                tlm_log_quote(output.errors, quoted, sizeof quoted));
    }
    tlm_process_output_clear(&output);
    free(program);
    return done;
}

static void take_local(local_view *view, tlm_holder *holder)
{
    holder->kind = TLM_HOLDER_LOCAL;
    holder->local = view->key;
    holder->public_key = view->key;
    view->key = NULL;
}

static tlm_result choose_local(const tlm_identity_config *config, local_view *view,
                               tlm_holder *holder, tlm_error *error)
{
    if (view->files && view->key == NULL) {
        holder->kind = TLM_HOLDER_LOCAL;
        return tlm_error_set(
            error, TLM_ERR_NOT_PROVISIONED,
            "Restore the token store or local.key from the backup. Where the files belong to a "
            "TPM's token, start without --no-tpm.",
            "%s has files of an earlier run, but neither a token store nor %s",
            config->persistence_dir, TLM_LOCAL_KEY_FILE);
    }
    take_local(view, holder);
    return TLM_OK;
}

static tlm_result refuse_tpm(const tlm_identity_config *config, const tlm_store *store,
                             tlm_error *error)
{
    tlm_result result = tlm_error_set(
        error, TLM_ERR_FOREIGN, NULL,
        "the token store %s belongs to a TPM's token, and this is a start without a TPM",
        store->directory);
    tlm_error_set_hint(error,
                       "Start without --no-tpm (TPM_ENABLED=true), or name another directory than "
                       "%s: --persistence-dir DIR",
                       config->persistence_dir);
    return result;
}

static tlm_result without_tpm(const tlm_identity_config *config, const tlm_stop_check *stop,
                              local_view *view, tlm_holder *holder, tlm_error *error)
{
    if (view->same) {
        take_local(view, holder);
        return TLM_OK;
    }
    tlm_result result = tlm_store_load(config->store_dir, &holder->store, error);
    bool begun = result == TLM_OK && holder->store.backend == TLM_BACKEND_SOFTHSM &&
                 !holder->store.complete; /* provisioning was cut off */
    if ((result == TLM_ERR_NOT_PROVISIONED || begun) && !view->files && !view->key_there &&
        tlm_backend_module(TLM_BACKEND_SOFTHSM) != NULL && provision(config, stop)) {
        tlm_store_clear(&holder->store);
        result = tlm_store_load(config->store_dir, &holder->store, error);
    }
    if (stop->asked(stop->context)) {
        /* Provisioning was given up because the program ends: no reason to make a key file. */
        return tlm_error_set(error, TLM_ERR_TIMEOUT, NULL, "the program ends");
    }
    if (result == TLM_OK && holder->store.backend == TLM_BACKEND_TPM) {
        holder->kind = TLM_HOLDER_TPM;
        return refuse_tpm(config, &holder->store, error);
    }
    if (result == TLM_OK && holder->store.complete) {
        holder->kind = TLM_HOLDER_SOFTHSM;
        return TLM_OK;
    }
    if (result != TLM_OK && result != TLM_ERR_NOT_PROVISIONED) {
        return result;
    }
    tlm_store_clear(&holder->store);
    return choose_local(config, view, holder, error);
}

/*
 * The store cannot be read here: it is there for tlm-tokend alone, which says itself what it has.
 * `error` is what reading the store came to.
 */
static tlm_result without_store(const tlm_identity_config *config, tlm_holder *holder,
                                tlm_error *error)
{
    tlm_store_clear(&holder->store);
    if (tlm_holder_take_served(config, holder)) {
        return TLM_OK;
    }
    if (config->socket != NULL && config->tokend == NULL) {
        /* Ours is not to make a token: tlm-tokend is what is missing, if it is. */
        tlm_error missing = {0};
        if (tlm_tokend_connect(config->socket, &missing) != TLM_OK) {
            *error = missing;
        }
    }
    return error->result;
}

static tlm_result from_store(const tlm_identity_config *config, tlm_holder *holder,
                             tlm_error *error)
{
    tlm_result result = tlm_store_load(config->store_dir, &holder->store, error);
    if (result == TLM_ERR_NOT_PROVISIONED &&
        name_exists(config->persistence_dir, TLM_LOCAL_KEY_FILE)) {
        tlm_error_set_hint(error,
                           "%s has the key of a start without a TPM: go on with --no-tpm, or name "
                           "another directory: --persistence-dir DIR",
                           config->persistence_dir);
    } else if (result == TLM_ERR_NOT_PROVISIONED &&
               (name_exists(config->persistence_dir, TLM_PERSISTENCE_FILE) ||
                name_exists(config->persistence_dir, TLM_VAULT_FILE))) {
        /* A new token would not open them: the state's own hint is the right one. */
        tlm_error_set_hint(error, "%s", "");
    }
    if (result == TLM_ERR_NOT_PROVISIONED || result == TLM_ERR_PERMISSION) {
        return without_store(config, holder, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    holder->kind = holder->store.backend == TLM_BACKEND_TPM ? TLM_HOLDER_TPM : TLM_HOLDER_SOFTHSM;
    if (!holder->store.complete) {
        return tlm_error_set(
            error, TLM_ERR_NOT_PROVISIONED, "Complete it: tlm-token-init provision",
            "the token store %s was not provisioned to its end", holder->store.directory);
    }
    return TLM_OK;
}

/* tlm-tokend's token: the one of our store or, where that is for tlm-tokend alone, what it serves.
 */
static tlm_result again_served(const tlm_identity_config *config, tlm_holder *holder,
                               tlm_error *error)
{
    tlm_result result = tlm_store_load(config->store_dir, &holder->store, error);
    if (result == TLM_ERR_NOT_PROVISIONED || result == TLM_ERR_PERMISSION) {
        result = without_store(config, holder, error);
    }
    holder->served = result == TLM_OK;
    return result;
}

static tlm_result again_local(const tlm_identity_config *config, tlm_holder *holder,
                              tlm_error *error)
{
    local_view view = {0};
    tlm_result result = load_local_key(config->persistence_dir, &view, error);
    if (result == TLM_OK && view.key == NULL) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "Restore it from the backup.",
                             "%s/%s is not there any more", config->persistence_dir,
                             TLM_LOCAL_KEY_FILE);
    }
    if (result == TLM_OK) {
        take_local(&view, holder);
    }
    return result;
}

tlm_result tlm_holder_choose_again(const tlm_identity_config *config, tlm_key_holder kind,
                                   tlm_holder *holder, tlm_error *error)
{
    memset(holder, 0, sizeof *holder);
    holder->kind = kind;
    if (kind == TLM_HOLDER_LOCAL) {
        return again_local(config, holder, error);
    }
    return config->module != NULL ? TLM_OK : again_served(config, holder, error);
}

tlm_result tlm_holder_choose(const tlm_identity_config *config, const tlm_stop_check *stop,
                             tlm_holder *holder, tlm_error *error)
{
    memset(holder, 0, sizeof *holder);
    if (config->module != NULL) {
        holder->kind = TLM_HOLDER_MODULE;
        return TLM_OK;
    }
    if (config->tpm) {
        return from_store(config, holder, error);
    }
    local_view view = {0};
    tlm_result result = load_local_key(config->persistence_dir, &view, error);
    if (result == TLM_OK) {
        look_at_files(config->persistence_dir, &view);
        result = without_tpm(config, stop, &view, holder, error);
    }
    EVP_PKEY_free(view.key);
    return result;
}
