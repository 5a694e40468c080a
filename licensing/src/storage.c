/* SPDX-License-Identifier: BSD-2-Clause */
#include "storage_private.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/jwe.h>
#include <tlm/log.h>

#include "text_private.h"

typedef struct content {
    char *text;
    size_t size;
    bool staged;
} content;

/* DIR/name or, where that is absent, DIR/.new/name. */
static tlm_result read_at(const char *directory, const char *sub, const char *name, content *to,
                          tlm_error *error)
{
    char *below = sub == NULL ? strdup(directory) : tlm_path_join(directory, sub);
    char *path = below == NULL ? NULL : tlm_path_join(below, name);
    tlm_result result = TLM_OK;
    if (path == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    } else {
        result =
            tlm_error_missing(tlm_file_read(path, TLM_JWE_MAX, &to->text, &to->size, error), error);
        if (result == TLM_ERR_NOT_FOUND && tlm_file_exists(path)) {
            result = tlm_error_set(error, TLM_ERR_IO, "mount what the link leads to",
                                   "%s is a link that leads nowhere", path);
        }
    }
    free(path);
    free(below);
    return result;
}

static tlm_result read_file(const char *directory, const char *name, content *to, tlm_error *error)
{
    tlm_result result = read_at(directory, NULL, name, to, error);
    if (result == TLM_ERR_NOT_FOUND) {
        result = read_at(directory, TLM_STAGING_DIRECTORY, name, to, error);
        to->staged = result == TLM_OK;
    }
    return result;
}

/* What a file that could not be read is. */
static tlm_found found_unread(tlm_result result)
{
    switch (result) {
    case TLM_ERR_NOT_FOUND:
        return TLM_FOUND_ABSENT;
    case TLM_ERR_TOO_LARGE:
        return TLM_FOUND_DAMAGED;
    default:
        return TLM_FOUND_UNREADABLE;
    }
}

/*
 * What a file is that was opened with `result`. A staged one that does not open was torn by the
 * crash that left it, and never counted.
 */
static tlm_found found_opened(tlm_result result, bool staged)
{
    switch (result) {
    case TLM_OK:
        return staged ? TLM_FOUND_STAGED : TLM_FOUND_GOOD;
    case TLM_ERR_FOREIGN:
        return TLM_FOUND_FOREIGN;
    case TLM_ERR_NEWER:
        return TLM_FOUND_NEWER;
    default:
        return staged ? TLM_FOUND_ABSENT : TLM_FOUND_DAMAGED;
    }
}

static bool is_finding(tlm_result result)
{
    return result == TLM_OK || result == TLM_ERR_DAMAGED || result == TLM_ERR_FOREIGN ||
           result == TLM_ERR_NEWER;
}

/* Keeps the first error: persistence.bin is looked at first, and rules. */
static void note(tlm_storage *storage, const tlm_error *cause)
{
    if (storage->error.result == TLM_OK) {
        storage->error = *cause;
    }
}

static tlm_result inspect_persistence(const char *directory, const tlm_opener *opener,
                                      tlm_storage *storage, tlm_error *error)
{
    content file = {0};
    tlm_error cause = {0};
    tlm_result result = read_file(directory, TLM_PERSISTENCE_FILE, &file, &cause);
    if (result == TLM_ERR_MEMORY) {
        *error = cause;
        return result;
    }
    if (result != TLM_OK) {
        storage->persistence_found = found_unread(result);
        if (storage->persistence_found != TLM_FOUND_ABSENT) {
            note(storage, &cause);
        }
        return TLM_OK;
    }
    if (opener == NULL) {
        storage->persistence_found = file.staged ? TLM_FOUND_STAGED : TLM_FOUND_UNOPENED;
        free(file.text);
        return TLM_OK;
    }
    result = tlm_persistence_open(file.text, file.size, opener->public_key, opener->unwrap,
                                  opener->context, &storage->persistence, &cause);
    free(file.text);
    if (!is_finding(result)) {
        *error = cause;
        return result;
    }
    storage->persistence_found = found_opened(result, file.staged);
    if (result != TLM_OK) {
        note(storage, &cause);
    }
    return TLM_OK;
}

static tlm_result inspect_vault(const char *directory, tlm_storage *storage, tlm_error *error)
{
    content file = {0};
    tlm_error cause = {0};
    tlm_result result = read_file(directory, TLM_VAULT_FILE, &file, &cause);
    if (result == TLM_ERR_MEMORY) {
        *error = cause;
        return result;
    }
    if (result != TLM_OK) {
        storage->vault_found = found_unread(result);
        if (storage->vault_found != TLM_FOUND_ABSENT) {
            note(storage, &cause);
        }
        return TLM_OK;
    }
    if (storage->persistence.vault_key == NULL) {
        storage->vault_found = file.staged ? TLM_FOUND_STAGED : TLM_FOUND_UNOPENED;
        free(file.text);
        return TLM_OK;
    }
    result = tlm_vault_open(file.text, file.size, storage->persistence.vault_key,
                            storage->persistence.storage_id, &storage->vault, &cause);
    free(file.text);
    if (!is_finding(result)) {
        *error = cause;
        return result;
    }
    storage->vault_found = found_opened(result, file.staged);
    if (result != TLM_OK) {
        note(storage, &cause);
    }
    return TLM_OK;
}

tlm_result tlm_storage_inspect(const char *directory, const tlm_opener *opener,
                               tlm_storage *storage, tlm_error *error)
{
    tlm_error cause = {0};
    memset(storage, 0, sizeof *storage);
    tlm_result result = inspect_persistence(directory, opener, storage, &cause);
    if (result == TLM_OK) {
        result = inspect_vault(directory, storage, &cause);
    }
    if (result != TLM_OK) {
        tlm_storage_clear(storage);
        if (error != NULL) {
            *error = cause;
        }
    }
    return result;
}

static bool backup_opens(const char *directory, const tlm_opener *opener,
                         const tlm_storage *storage, const char *name, const char *backup)
{
    content file = {0};
    bool opens = false;
    if (read_at(directory, NULL, backup, &file, NULL) != TLM_OK) {
        return false;
    }
    if (strcmp(name, TLM_PERSISTENCE_FILE) == 0) {
        tlm_persistence opened = {0};
        opens = opener != NULL &&
                tlm_persistence_open(file.text, file.size, opener->public_key, opener->unwrap,
                                     opener->context, &opened, NULL) == TLM_OK;
        tlm_persistence_clear(&opened);
    } else if (storage->persistence.vault_key != NULL) {
        tlm_vault opened = {0};
        opens = tlm_vault_open(file.text, file.size, storage->persistence.vault_key,
                               storage->persistence.storage_id, &opened, NULL) == TLM_OK;
        tlm_vault_clear(&opened);
    }
    free(file.text);
    return opens;
}

void tlm_storage_hint_backup(const char *directory, const tlm_opener *opener,
                             const tlm_storage *storage, tlm_start_state state, tlm_error *error)
{
    const char *name = NULL;
    const char *backup = NULL;
    if (state == TLM_START_PERSISTENCE_DAMAGED || state == TLM_START_PERSISTENCE_MISSING) {
        name = TLM_PERSISTENCE_FILE;
        backup = TLM_PERSISTENCE_FILE ".bak";
    } else if (state == TLM_START_VAULT_DAMAGED || state == TLM_START_VAULT_MISSING) {
        name = TLM_VAULT_FILE;
        backup = TLM_VAULT_FILE ".bak";
    }
    if (name != NULL && backup_opens(directory, opener, storage, name, backup)) {
        tlm_error_set_hint(error,
                           "The previous generation opens; restore it: cp -p '%s/%s' '%s/%s'",
                           directory, backup, directory, name);
    }
}

void tlm_storage_clear(tlm_storage *storage)
{
    if (storage != NULL) {
        tlm_persistence_clear(&storage->persistence);
        tlm_vault_clear(&storage->vault);
        memset(storage, 0, sizeof *storage);
    }
}
