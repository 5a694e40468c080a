/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity_private.h"

#include <string.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/host.h>
#include <tlm/log.h>

#include "lock_private.h"
#include "text_private.h"

/* The result that a state shows in its error; TLM_ERR_IO: the detail's where there is one. */
static tlm_result result_of(tlm_start_state state)
{
    static const tlm_result results[TLM_START_STATE_COUNT] = {
        [TLM_START_INTERRUPTED] = TLM_ERR_INCOMPLETE,
        [TLM_START_NOT_PROVISIONED] = TLM_ERR_NOT_PROVISIONED,
        [TLM_START_TOKEN_MISSING] = TLM_ERR_NOT_PROVISIONED,
        [TLM_START_TOKEN_UNAVAILABLE] = TLM_ERR_TOKEN_UNAVAILABLE,
        [TLM_START_TOKEN_LOCKED] = TLM_ERR_LOCKED,
        [TLM_START_PIN_REFUSED] = TLM_ERR_PIN,
        [TLM_START_FILES_MISSING] = TLM_ERR_INCOMPLETE,
        [TLM_START_PERSISTENCE_MISSING] = TLM_ERR_INCOMPLETE,
        [TLM_START_VAULT_MISSING] = TLM_ERR_INCOMPLETE,
        [TLM_START_PERSISTENCE_DAMAGED] = TLM_ERR_DAMAGED,
        [TLM_START_VAULT_DAMAGED] = TLM_ERR_DAMAGED,
        [TLM_START_FOREIGN] = TLM_ERR_FOREIGN,
        [TLM_START_OTHER_STORAGE] = TLM_ERR_FOREIGN,
        [TLM_START_NEWER] = TLM_ERR_NEWER,
        [TLM_START_UNREADABLE] = TLM_ERR_IO,
        [TLM_START_UNWRITABLE] = TLM_ERR_IO,
        [TLM_START_IN_USE] = TLM_ERR_BUSY,
    };
    return results[state];
}

void tlm_identity_enter(tlm_identity *identity, tlm_start_state state, const tlm_error *detail)
{
    const tlm_start_description *what = tlm_startup_describe(state);
    if (state != identity->state) {
        identity->state = state;
        identity->state_since = time(NULL);
    }
    identity->detail = detail != NULL ? *detail : (tlm_error){0};
    memset(&identity->error, 0, sizeof identity->error);
    if (what->healthy) {
        identity->settled = state;
        return;
    }
    bool more = detail != NULL && detail->message[0] != '\0';
    int length = (int)strlen(what->message) - 1; /* without the final stop */
    tlm_result result = result_of(state);
    if (result == TLM_ERR_IO && detail != NULL && detail->result != TLM_OK) {
        result = detail->result;
    }
    (void)tlm_error_set(&identity->error, result, what->hint, "%.*s%s%s", length, what->message,
                        more ? ": " : "", more ? detail->message : "");
    if (detail != NULL) {
        identity->error.domain = detail->domain;
        identity->error.native = detail->native;
        if (detail->hint[0] != '\0') {
            tlm_error_set_hint(&identity->error, "%s", detail->hint);
        }
    }
}

/* Errors of writing; any other one of a cold start is the key's. */
static bool is_write_error(tlm_result result)
{
    return result == TLM_ERR_IO || result == TLM_ERR_PERMISSION || result == TLM_ERR_NO_SPACE ||
           result == TLM_ERR_EXISTS || result == TLM_ERR_NOT_FOUND;
}

static void enter_failed(tlm_identity *identity, const tlm_error *error)
{
    if (is_write_error(error->result)) {
        tlm_identity_enter(identity, TLM_START_UNWRITABLE, error);
        return;
    }
    identity->token_found = tlm_holder_found(error);
    const tlm_start_findings found = {.token = identity->token_found};
    tlm_identity_enter(identity, tlm_startup_decide(&found), error);
}

/* Takes the directory's lock; false where another process has it. */
static bool take_lock(tlm_identity *identity)
{
    tlm_error error = {0};
    if (identity->lock_file >= 0) {
        return true;
    }
    tlm_result result =
        tlm_lock_take(identity->config.persistence_dir, &identity->lock_file, &error);
    if (result == TLM_ERR_BUSY) {
        tlm_identity_enter(identity, TLM_START_IN_USE, &error);
        return false;
    }
    if (result != TLM_OK && result != TLM_ERR_NOT_FOUND && !identity->lock_refused) {
        identity->lock_refused = true;
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "directory_not_locked",
                            "directory=\"%s\"", identity->config.persistence_dir);
    }
    return true;
}

static void close_holder(tlm_identity *identity)
{
    tlm_holder_close(&identity->holder);
    identity->holder_open = false;
}

/* Chooses and opens what holds the key. */
static tlm_found_token open_holder(tlm_identity *identity, tlm_error *error)
{
    if (identity->holder_open) {
        return TLM_TOKEN_UNMARKED;
    }
    close_holder(identity);
    const tlm_stop_check stop = tlm_identity_stop_check(identity);
    tlm_result result = tlm_holder_choose(&identity->config, &stop, &identity->holder, error);
    if (result == TLM_OK) {
        result = tlm_holder_open(&identity->config, identity->supervisor, &stop, &identity->holder,
                                 error);
    }
    identity->holder_open = result == TLM_OK;
    return result == TLM_OK ? TLM_TOKEN_UNMARKED : tlm_holder_found(error);
}

/* Opens the files with the key and reads the token's mark. */
static tlm_result look(tlm_identity *identity, tlm_start_findings *found, tlm_error *error)
{
    const char *directory = identity->config.persistence_dir;
    bool usable = found->token == TLM_TOKEN_UNMARKED;
    const tlm_opener opener = tlm_holder_opener(&identity->holder);
    const tlm_opener *key = usable && opener.public_key != NULL ? &opener : NULL;
    tlm_result result = tlm_storage_inspect(directory, key, &identity->storage, error);
    if (result != TLM_OK) {
        return result;
    }
    found->persistence = identity->storage.persistence_found;
    found->vault = identity->storage.vault_found;
    if (!usable) {
        return TLM_OK;
    }
    bool marked = false;
    result = tlm_holder_read_mark(directory, &identity->holder, identity->mark, &marked, error);
    if (result == TLM_OK && marked) {
        bool same = strcmp(identity->mark, identity->storage.persistence.storage_id) == 0;
        found->token = same ? TLM_TOKEN_MARKED_SAME : TLM_TOKEN_MARKED_OTHER;
    }
    return result;
}

/* Marks the token with its files; a failure is mended by a later start. */
static void mark(tlm_identity *identity)
{
    tlm_error error = {0};
    if (tlm_holder_write_mark(identity->config.persistence_dir, &identity->holder,
                              identity->storage.persistence.storage_id, &error) != TLM_OK) {
        if (error.domain == TLM_DOMAIN_PKCS11 && error.native == CKR_ACTION_PROHIBITED) {
            tlm_error_set_hint(&error,
                               "Add a rule for uid %u to access.json of tlm-tokend: objects "
                               "[\"%s\"], operations [\"manage\"]; without the mark files that "
                               "are lost later go unnoticed",
                               (unsigned)geteuid(), TLM_MARK_LABEL);
        }
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "token_not_marked", "storage=%s",
                            identity->storage.persistence.storage_id);
    }
}

static tlm_result make_fingerprints(tlm_identity *identity, bool fallback, tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (fallback && !identity->has_fallback) {
        tlm_host_component components[TLM_HOST_COMPONENTS];
        const tlm_vault *vault = &identity->storage.vault;
        (void)tlm_host_components("/", vault->salt, sizeof vault->salt, components);
        result = tlm_fingerprint_fallback(vault->local, components, TLM_HOST_COMPONENTS,
                                          &identity->fallback, error);
        identity->has_fallback = result == TLM_OK;
    }
    if (result != TLM_OK || identity->has_fingerprint) {
        return result;
    }
    tlm_key_holder kind = identity->holder.kind;
    if (kind == TLM_HOLDER_LOCAL || (!identity->config.tpm && kind == TLM_HOLDER_SOFTHSM)) {
        result = tlm_fingerprint_copy(&identity->fallback, &identity->fingerprint, error);
    } else {
        result = tlm_fingerprint_of_key(identity->holder.public_key,
                                        kind == TLM_HOLDER_TPM ? TLM_FINGERPRINT_TPM
                                                               : TLM_FINGERPRINT_TOKEN,
                                        &identity->fingerprint, error);
    }
    identity->has_fingerprint = result == TLM_OK;
    return result;
}

/* The files are open: what the answer to a client needs is made, the rest waits. */
static void settle(tlm_identity *identity, tlm_start_state state)
{
    tlm_error error = {0};
    tlm_key_holder kind = identity->holder.kind;
    bool fallback =
        kind == TLM_HOLDER_LOCAL || (!identity->config.tpm && kind == TLM_HOLDER_SOFTHSM);
    memcpy(identity->storage_id, identity->storage.persistence.storage_id,
           sizeof identity->storage_id);
    if (make_fingerprints(identity, fallback, &error) != TLM_OK) {
        tlm_identity_enter(identity, TLM_START_TOKEN_UNAVAILABLE, &error);
        return;
    }
    tlm_identity_enter(identity, state, NULL);
}

static void start_cold(tlm_identity *identity)
{
    tlm_error error = {0};
    const char *directory = identity->config.persistence_dir;
    tlm_result result = tlm_directory_make(directory, 0700, &error);
    if (result != TLM_OK) {
        enter_failed(identity, &error);
        return;
    }
    if (!take_lock(identity)) { /* there was no directory to lock before */
        return;
    }
    tlm_storage_clear(&identity->storage);
    result = tlm_holder_prepare(directory, &identity->holder, &error);
    if (result == TLM_OK) {
        const tlm_opener opener = tlm_holder_opener(&identity->holder);
        result = tlm_storage_create(directory, &opener, &identity->storage, &error);
    }
    if (result != TLM_OK) {
        enter_failed(identity, &error);
        return;
    }
    mark(identity);
    settle(identity, TLM_START_COLD);
}

static void complete(tlm_identity *identity, const tlm_start_findings *found)
{
    tlm_error error = {0};
    if (tlm_storage_complete(identity->config.persistence_dir, &identity->storage, &error) !=
        TLM_OK) {
        enter_failed(identity, &error);
        return;
    }
    if (found->token == TLM_TOKEN_UNMARKED) {
        mark(identity);
    }
    tlm_log(TLM_LOG_INFO, "cold_start_completed", "storage=%s",
            identity->storage.persistence.storage_id);
    settle(identity, TLM_START_COLD);
}

/* What the operator types to start anew on purpose, with the names of this installation. */
static void hint_files_missing(const tlm_identity *identity, tlm_error *detail)
{
    const tlm_store *store = &identity->holder.store;
    static const char before[] = "Restore the backup or mount the volume. To start anew on purpose";
    if (identity->holder.kind == TLM_HOLDER_LOCAL) {
        tlm_error_set_hint(detail, "%s: rm '%s/%s' '%s/%s'", before,
                           identity->config.persistence_dir, TLM_LOCAL_KEY_FILE,
                           identity->config.persistence_dir, TLM_LOCAL_MARK_FILE);
    } else if (identity->holder.kind == TLM_HOLDER_MODULE) {
        tlm_error_set_hint(detail,
                           "%s: remove the data object '%s' from the token (pkcs11-tool --module "
                           "MODULE --login --delete-object --type data --label %s) and start again",
                           before, TLM_MARK_LABEL, TLM_MARK_LABEL);
    } else {
        tlm_error_set_hint(detail,
                           "%s: stop the program, tlm-token-init forget-storage --token-store '%s' "
                           "--yes-forget '%s', and start it again",
                           before, store->directory, store->label);
    }
}

static void explain(tlm_identity *identity, tlm_start_state state, tlm_error *detail)
{
    const tlm_storage *storage = &identity->storage;
    if (state == TLM_START_FILES_MISSING) {
        (void)tlm_error_set(detail, TLM_ERR_INCOMPLETE, NULL,
                            "it is marked with storage %s, and %s has none", identity->mark,
                            identity->config.persistence_dir);
        hint_files_missing(identity, detail);
    } else if (state == TLM_START_OTHER_STORAGE && detail->message[0] == '\0') {
        (void)tlm_error_set(detail, TLM_ERR_FOREIGN, NULL,
                            "the token is marked with storage %s, and the files are of storage %s",
                            identity->mark, storage->persistence.storage_id);
    }
    if (detail->hint[0] == '\0') {
        tlm_error_set_hint(detail, "%s", tlm_startup_describe(state)->hint);
    }
    const tlm_opener opener = tlm_holder_opener(&identity->holder);
    tlm_storage_hint_backup(identity->config.persistence_dir,
                            opener.public_key != NULL ? &opener : NULL, storage, state, detail);
}

static void degrade(tlm_identity *identity, tlm_start_state state, const tlm_error *token)
{
    if (!identity->holder_open) {
        tlm_identity_enter(identity, state, token);
        return;
    }
    tlm_error detail = identity->storage.error;
    explain(identity, state, &detail);
    tlm_identity_enter(identity, state, &detail);
}

void tlm_identity_evaluate(tlm_identity *identity)
{
    tlm_error error = {0};
    tlm_start_findings found = {0};
    tlm_watch_look(&identity->config, &identity->watch);
    tlm_storage_clear(&identity->storage);
    if (!take_lock(identity)) {
        return;
    }
    found.token = open_holder(identity, &error);
    identity->token_found = found.token;
    tlm_error cause = {0};
    if (look(identity, &found, &cause) != TLM_OK) {
        close_holder(identity);
        enter_failed(identity, &cause);
        if (identity->state == TLM_START_UNWRITABLE) { /* an error of reading a mark */
            tlm_identity_enter(identity, TLM_START_TOKEN_UNAVAILABLE, &cause);
        }
        return;
    }
    identity->token_found = found.token;
    tlm_start_state state = tlm_startup_decide(&found);
    switch (state) {
    case TLM_START_COLD:
        start_cold(identity);
        break;
    case TLM_START_INTERRUPTED:
        complete(identity, &found);
        break;
    case TLM_START_WARM:
        settle(identity, state);
        break;
    default:
        degrade(identity, state, &error);
        break;
    }
    if (!identity->holder_open) {
        /* The kind is told to clients; what was loaded is loaded afresh the next time. */
        tlm_key_holder kind = identity->holder.kind;
        close_holder(identity);
        identity->holder.kind = kind;
    }
}

void tlm_identity_finish(tlm_identity *identity)
{
    tlm_error error = {0};
    if (!identity->has_fallback && make_fingerprints(identity, true, &error) != TLM_OK) {
        tlm_log_error(&error, "fallback_fingerprint_failed", "storage=%s", identity->storage_id);
    }
    if (identity->token_found == TLM_TOKEN_UNMARKED && identity->state == TLM_START_WARM) {
        mark(identity); /* a cold start was cut off just before this */
    }
    tlm_storage_tidy(identity->config.persistence_dir);
    /* Neither the vault's key nor the local private key is needed any more. */
    tlm_storage_clear(&identity->storage);
}

bool tlm_identity_probe(tlm_identity *identity)
{
    tlm_error error = {0};
    tlm_token *token = identity->holder.token;
    if (token == NULL) {
        return false;
    }
    tlm_start_state before = identity->state;
    bool news = false; /* another reason than the one that is told, or the doctor's word for it */
    if (tlm_token_probe(token, &error) == TLM_OK) {
        identity->token_found = TLM_TOKEN_MARKED_SAME;
        tlm_identity_enter(identity, identity->settled, NULL);
    } else {
        if (identity->holder.served) {
            tlm_holder_explain(identity->supervisor, &identity->holder, &error);
        }
        identity->token_found = tlm_holder_found(&error);
        const tlm_start_findings found = {
            .persistence = TLM_FOUND_GOOD, .vault = TLM_FOUND_GOOD, .token = identity->token_found};
        tlm_start_state state = tlm_startup_decide(&found);
        news = strcmp(identity->diagnosis.cause.message, error.message) != 0;
        if (state != before || news) {
            tlm_identity_enter(identity, state, &error);
        }
    }
    unsigned recoveries = tlm_token_recoveries(token);
    bool changed = identity->state != before || identity->recoveries != recoveries || news;
    identity->recoveries = recoveries;
    return changed;
}
