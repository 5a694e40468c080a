/* SPDX-License-Identifier: BSD-2-Clause */
#include "tpm2_store_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_map.h"

/* Attribute numbers of PKCS#11 v2.40 as the module writes them. */
#define ATTRIBUTE_CLASS "0"
#define ATTRIBUTE_LABEL "3"
#define ATTRIBUTE_ID "258"

static int digit_of(char letter)
{
    if (letter >= '0' && letter <= '9') {
        return letter - '0';
    }
    if (letter >= 'a' && letter <= 'f') {
        return letter - 'a' + 10;
    }
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

bool tlm_tpm2_from_hex(const char *text, size_t length, unsigned char *bytes, size_t room,
                       size_t *size)
{
    if (length % 2 != 0 || length / 2 > room) {
        return false;
    }
    for (size_t i = 0; i < length / 2; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (unsigned char)(high * 16 + low);
    }
    *size = length / 2;
    return true;
}

static bool value_is(const char *value, size_t size, const char *word)
{
    return value != NULL && size == strlen(word) && memcmp(value, word, size) == 0;
}

const char *tlm_tpm2_column_text(sqlite3_stmt *row, int column, size_t *size)
{
    int bytes = sqlite3_column_bytes(row, column);
    if (bytes <= 0 || bytes > TLM_TPM2_ROW_MAX) {
        return NULL;
    }
    *size = (size_t)bytes;
    return (const char *)sqlite3_column_text(row, column);
}

typedef struct primary_row {
    bool found;
    uint32_t handle;
    tlm_tpm_name name;
} primary_row;

static bool visit_primary(void *context, const char *key, const char *value, size_t size)
{
    primary_row *row = context;
    if (strcmp(key, "esys-tr") != 0) {
        return true;
    }
    unsigned char blob[TLM_TPM_BLOB_MAX];
    size_t length = 0;
    row->found = value != NULL && tlm_tpm2_from_hex(value, size, blob, sizeof blob, &length) &&
                 tlm_tpm_parse_blob(blob, length, &row->handle, &row->name, NULL) == TLM_OK;
    return row->found;
}

static bool parse_primary(sqlite3_stmt *statement, int column, primary_row *row)
{
    size_t size = 0;
    const char *text = tlm_tpm2_column_text(statement, column, &size);
    return text != NULL && tlm_yaml_map_read(text, size, visit_primary, row) && row->found;
}

tlm_result tlm_tpm2_store_get_primary(tlm_tpm2_store *store, uint32_t *handle, tlm_tpm_name *name,
                                      tlm_error *error)
{
    sqlite3_stmt *query = NULL;
    tlm_result result = TLM_OK;
    primary_row row = {0};
    int rc = sqlite3_prepare_v2(store->db, "SELECT config FROM pobjects ORDER BY id LIMIT 1", -1,
                                &query, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(query) : rc;
    if (rc == SQLITE_DONE) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, "run: tlm-token-init provision",
                               "no primary is named in %s", store->path);
    } else if (rc != SQLITE_ROW) {
        result = tlm_tpm2_store_fail(store, error, "reading the primary");
    } else if (!parse_primary(query, 0, &row)) {
        result = tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                               "the first row of pobjects in %s cannot be read", store->path);
    } else {
        *handle = row.handle;
        *name = row.name;
    }
    (void)sqlite3_finalize(query);
    return result;
}

static bool visit_token(void *context, const char *key, const char *value, size_t size)
{
    tlm_tpm2_token *token = context;
    if (strcmp(key, "pss-sigs-good") == 0) {
        token->pss = value_is(value, size, "true");
    }
    return true;
}

tlm_result tlm_tpm2_store_read_token(tlm_tpm2_store *store, const char *label,
                                     tlm_tpm2_token *token, tlm_error *error)
{
    memset(token, 0, sizeof *token);
    sqlite3_stmt *query = NULL;
    tlm_result result = TLM_OK;
    int rc = sqlite3_prepare_v2(store->db,
                                "SELECT t.config, length(s.userpub) FROM tokens t LEFT JOIN "
                                "sealobjects s ON s.tokid = t.id WHERE t.label = ?",
                                -1, &query, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_text(query, 1, label, -1, SQLITE_STATIC);
    }
    rc = rc == SQLITE_OK ? sqlite3_step(query) : rc;
    if (rc == SQLITE_ROW) {
        size_t size = 0;
        const char *text = tlm_tpm2_column_text(query, 0, &size);
        token->present = true;
        token->user_pin = sqlite3_column_int(query, 1) > 0;
        if (text == NULL || !tlm_yaml_map_read(text, size, visit_token, token)) {
            result = tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                                   "the settings of token '%s' in %s cannot be read", label,
                                   store->path);
        }
    } else if (rc != SQLITE_DONE) {
        result = tlm_tpm2_store_fail(store, error, "reading the token");
    }
    (void)sqlite3_finalize(query);
    return result;
}

tlm_result tlm_tpm2_store_count_tokens(tlm_tpm2_store *store, size_t *count, tlm_error *error)
{
    sqlite3_stmt *query = NULL;
    tlm_result result = TLM_OK;
    if (sqlite3_prepare_v2(store->db, "SELECT COUNT(*) FROM tokens", -1, &query, NULL) ==
            SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW) {
        *count = (size_t)sqlite3_column_int(query, 0);
    } else {
        result = tlm_tpm2_store_fail(store, error, "counting the tokens");
    }
    (void)sqlite3_finalize(query);
    return result;
}

typedef struct object_row {
    bool has_class;
    unsigned long number;
    tlm_object_entry entry;
} object_row;

static bool visit_object(void *context, const char *key, const char *value, size_t size)
{
    object_row *row = context;
    if (strcmp(key, ATTRIBUTE_CLASS) == 0) {
        char digits[16] = "";
        if (value == NULL || size == 0 || size >= sizeof digits) {
            return false;
        }
        memcpy(digits, value, size);
        char *end = NULL;
        row->number = strtoul(digits, &end, 10);
        row->has_class = *end == '\0';
        return row->has_class;
    }
    if (strcmp(key, ATTRIBUTE_LABEL) == 0) {
        unsigned char bytes[sizeof row->entry.label - 1];
        size_t length = 0;
        if (value != NULL && tlm_tpm2_from_hex(value, size, bytes, sizeof bytes, &length)) {
            memcpy(row->entry.label, bytes, length);
            row->entry.label[length] = '\0';
        }
    }
    if (strcmp(key, ATTRIBUTE_ID) == 0 && value != NULL && size < sizeof row->entry.id) {
        memcpy(row->entry.id, value, size);
        row->entry.id[size] = '\0';
    }
    return true;
}

const char *tlm_object_class_name(unsigned long number)
{
    static const char *const names[] = {"data", "certificate", "public-key", "private-key"};
    return number < sizeof names / sizeof names[0] ? names[number] : "other";
}

static bool parse_object(sqlite3_stmt *statement, int column, object_row *row)
{
    size_t size = 0;
    const char *text = tlm_tpm2_column_text(statement, column, &size);
    if (text == NULL || !tlm_yaml_map_read(text, size, visit_object, row) || !row->has_class) {
        return false;
    }
    row->entry.object_class = tlm_object_class_name(row->number);
    return true;
}

tlm_result tlm_tpm2_store_list(tlm_tpm2_store *store, const char *label,
                               tlm_object_entry objects[TLM_OBJECTS_MAX], size_t *count,
                               tlm_error *error)
{
    *count = 0;
    sqlite3_stmt *query = NULL;
    tlm_result result = TLM_OK;
    int rc = sqlite3_prepare_v2(store->db,
                                "SELECT o.id, o.attrs FROM tobjects o JOIN tokens t ON "
                                "o.tokid = t.id WHERE t.label = ? ORDER BY o.id",
                                -1, &query, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_text(query, 1, label, -1, SQLITE_STATIC);
    }
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(query);
        if (rc != SQLITE_ROW || *count == TLM_OBJECTS_MAX) {
            break;
        }
        object_row row = {0};
        if (!parse_object(query, 1, &row)) {
            result = tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                                   "row %lld of tobjects in %s cannot be read",
                                   (long long)sqlite3_column_int64(query, 0), store->path);
            break;
        }
        objects[(*count)++] = row.entry;
    }
    if (result == TLM_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        result = tlm_tpm2_store_fail(store, error, "reading the objects");
    }
    (void)sqlite3_finalize(query);
    return result;
}

static bool good_primary(sqlite3_stmt *row)
{
    primary_row primary = {0};
    return parse_primary(row, 1, &primary) && sqlite3_column_bytes(row, 2) > 0;
}

static bool good_token(sqlite3_stmt *row)
{
    tlm_tpm2_token token = {0};
    size_t size = 0;
    const char *text = tlm_tpm2_column_text(row, 1, &size);
    return text != NULL && tlm_yaml_map_read(text, size, visit_token, &token);
}

static bool good_seal(sqlite3_stmt *row)
{
    return sqlite3_column_bytes(row, 1) > 0 && sqlite3_column_bytes(row, 2) > 0 &&
           sqlite3_column_bytes(row, 3) > 0;
}

static bool good_object(sqlite3_stmt *row)
{
    object_row object = {0};
    return parse_object(row, 1, &object);
}

static const struct {
    const char *table;
    const char *query;
    bool (*good)(sqlite3_stmt *row);
} checks[] = {
    {"pobjects", "SELECT id, config, objauth FROM pobjects ORDER BY id", good_primary},
    {"tokens", "SELECT id, config FROM tokens ORDER BY id", good_token},
    {"sealobjects", "SELECT id, sopub, sopriv, soauthsalt FROM sealobjects ORDER BY id", good_seal},
    {"tobjects", "SELECT id, attrs FROM tobjects ORDER BY id", good_object},
};

tlm_result tlm_tpm2_store_verify(tlm_tpm2_store *store, tlm_error *error)
{
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        sqlite3_stmt *query = NULL;
        int rc = sqlite3_prepare_v2(store->db, checks[i].query, -1, &query, NULL);
        rc = rc == SQLITE_OK ? sqlite3_step(query) : rc;
        while (rc == SQLITE_ROW && checks[i].good(query)) {
            rc = sqlite3_step(query);
        }
        tlm_result result = TLM_OK;
        if (rc == SQLITE_ROW) {
            result = tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                                   "row %lld of %s in %s cannot be read by tpm2-pkcs11",
                                   (long long)sqlite3_column_int64(query, 0), checks[i].table,
                                   store->path);
        } else if (rc != SQLITE_DONE) {
            result = tlm_tpm2_store_fail(store, error, "reading the rows");
        }
        (void)sqlite3_finalize(query);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}
