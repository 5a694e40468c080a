/* SPDX-License-Identifier: BSD-2-Clause */
/* What the module loads keys from: the rows of tobjects and sealobjects. */
#include "tpm2_store_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_map.h"

/* Attribute numbers: PKCS#11 v2.40, and tpm2-pkcs11's own (CKA_VENDOR_DEFINED | 0x0F000000 …). */
#define ATTRIBUTE_CLASS "0"
#define ATTRIBUTE_LABEL "3"
#define ATTRIBUTE_WRAPPED_AUTH "2399141889"
#define ATTRIBUTE_PUBLIC "2399141890"
#define ATTRIBUTE_PRIVATE "2399141891"
#define CLASS_PRIVATE "3"

typedef struct key_row {
    const char *label;
    bool is_private;
    bool has_label;
    tlm_tpm2_key *key;
} key_row;

static bool value_is(const char *value, size_t size, const char *word)
{
    return value != NULL && size == strlen(word) && memcmp(value, word, size) == 0;
}

static bool visit_key(void *context, const char *name, const char *value, size_t size)
{
    key_row *row = context;
    tlm_tpm2_key *key = row->key;
    size_t length = 0;
    if (strcmp(name, ATTRIBUTE_CLASS) == 0) {
        row->is_private = value_is(value, size, CLASS_PRIVATE);
    } else if (strcmp(name, ATTRIBUTE_LABEL) == 0) {
        unsigned char label[65] = "";
        row->has_label = value != NULL &&
                         tlm_tpm2_from_hex(value, size, label, sizeof label - 1, &length) &&
                         length == strlen(row->label) && memcmp(label, row->label, length) == 0;
    } else if (strcmp(name, ATTRIBUTE_PUBLIC) == 0) {
        return value != NULL && tlm_tpm2_from_hex(value, size, key->public_area,
                                                  sizeof key->public_area, &key->public_size);
    } else if (strcmp(name, ATTRIBUTE_PRIVATE) == 0) {
        return value != NULL && tlm_tpm2_from_hex(value, size, key->private_area,
                                                  sizeof key->private_area, &key->private_size);
    } else if (strcmp(name, ATTRIBUTE_WRAPPED_AUTH) == 0) {
        unsigned char text[sizeof key->wrapped_auth - 1];
        if (value == NULL || !tlm_tpm2_from_hex(value, size, text, sizeof text, &length)) {
            return false;
        }
        memcpy(key->wrapped_auth, text, length);
        key->wrapped_auth[length] = '\0';
    }
    return true;
}

/* One row: whether it is the private key that is looked for. */
static bool take_row(sqlite3_stmt *query, const char *label, tlm_tpm2_key *key)
{
    size_t size = 0;
    const char *text = tlm_tpm2_column_text(query, 0, &size);
    key_row row = {.label = label, .key = key};
    memset(key, 0, sizeof *key);
    return text != NULL && tlm_yaml_map_read(text, size, visit_key, &row) && row.is_private &&
           row.has_label && key->public_size > 0 && key->private_size > 0 &&
           key->wrapped_auth[0] != '\0';
}

/* Prepares a query whose one parameter is the token's label. */
static tlm_result prepare(tlm_tpm2_store *store, const char *text, const char *token_label,
                          sqlite3_stmt **query, tlm_error *error)
{
    int rc = sqlite3_prepare_v2(store->db, text, -1, query, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_text(*query, 1, token_label, -1, SQLITE_STATIC);
    }
    return rc == SQLITE_OK ? TLM_OK : tlm_tpm2_store_fail(store, error, "reading the keys");
}

tlm_result tlm_tpm2_store_read_key(tlm_tpm2_store *store, const char *token_label,
                                   const char *label, tlm_tpm2_key *key, tlm_error *error)
{
    sqlite3_stmt *query = NULL;
    bool found = false;
    tlm_result result = prepare(store,
                                "SELECT o.attrs FROM tobjects o JOIN tokens t ON o.tokid = t.id "
                                "WHERE t.label = ? ORDER BY o.id",
                                token_label, &query, error);
    int rc = result == TLM_OK ? sqlite3_step(query) : SQLITE_DONE;
    while (rc == SQLITE_ROW && !found) {
        found = take_row(query, label, key);
        rc = found ? SQLITE_DONE : sqlite3_step(query);
    }
    if (result == TLM_OK && rc != SQLITE_DONE) {
        result = tlm_tpm2_store_fail(store, error, "reading the keys");
    } else if (result == TLM_OK && !found) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, "run: tlm-token-init doctor",
                               "the database %s holds no private key '%s'", store->path, label);
    }
    (void)sqlite3_finalize(query);
    return result;
}

static bool copy_blob(sqlite3_stmt *query, int column, unsigned char *to, size_t room, size_t *size)
{
    int bytes = sqlite3_column_bytes(query, column);
    const void *data = sqlite3_column_blob(query, column);
    if (data == NULL || bytes <= 0 || (size_t)bytes > room) {
        return false;
    }
    memcpy(to, data, (size_t)bytes);
    *size = (size_t)bytes;
    return true;
}

tlm_result tlm_tpm2_store_read_wrapping(tlm_tpm2_store *store, const char *token_label,
                                        tlm_tpm2_key *key, tlm_error *error)
{
    sqlite3_stmt *query = NULL;
    memset(key, 0, sizeof *key);
    tlm_result result = prepare(store,
                                "SELECT s.userpub, s.userpriv, s.userauthsalt FROM sealobjects s "
                                "JOIN tokens t ON s.tokid = t.id WHERE t.label = ?",
                                token_label, &query, error);
    if (result == TLM_OK) {
        size_t size = 0;
        const char *salt =
            sqlite3_step(query) == SQLITE_ROW ? tlm_tpm2_column_text(query, 2, &size) : NULL;
        if (salt == NULL || size >= sizeof key->wrapped_auth ||
            !copy_blob(query, 0, key->public_area, sizeof key->public_area, &key->public_size) ||
            !copy_blob(query, 1, key->private_area, sizeof key->private_area, &key->private_size)) {
            result = tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                                   "the wrapping key of token '%s' in %s cannot be read",
                                   token_label, store->path);
        } else {
            memcpy(key->wrapped_auth, salt, size);
        }
    }
    (void)sqlite3_finalize(query);
    return result;
}
