/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/tpm2_store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <tlm/file.h>
#include <tlm/key.h>

#include "tpm2_store_rows.h"
#include "yaml_map.h"

#define BUSY_TIMEOUT_MS 3000

tlm_result tlm_tpm2_store_fail(tlm_tpm2_store *store, tlm_error *error, const char *what)
{
    int code = sqlite3_extended_errcode(store->db);
    tlm_result result = TLM_ERR_IO;
    const char *hint = "run: tlm-token-init doctor";
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        result = TLM_ERR_BUSY;
        hint = "another program writes to the store; try again when it has ended";
        break;
    case SQLITE_FULL:
        result = TLM_ERR_NO_SPACE;
        hint = "make room on the file system of the store";
        break;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        result = TLM_ERR_PERMISSION;
        break;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        result = TLM_ERR_DAMAGED;
        hint = "restore the store from a backup";
        break;
    case SQLITE_NOMEM:
        result = TLM_ERR_MEMORY;
        break;
    default:
        break;
    }
    return tlm_error_set(error, result, hint, "%s in %s: %s (SQLite %d)", what, store->path,
                         sqlite3_errmsg(store->db), code);
}

static tlm_result check_schema(tlm_tpm2_store *store, tlm_error *error)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(store->db,
                                "SELECT (SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' "
                                "AND name IN ('tokens', 'sealobjects', 'pobjects', 'tobjects', "
                                "'schema'))",
                                -1, &query, NULL);
    if (rc != SQLITE_OK || sqlite3_step(query) != SQLITE_ROW) {
        tlm_result result = tlm_tpm2_store_fail(store, error, "reading the schema");
        (void)sqlite3_finalize(query);
        return result;
    }
    int tables = sqlite3_column_int(query, 0);
    (void)sqlite3_finalize(query);
    query = NULL;
    int version = 0;
    if (tables == 5 &&
        sqlite3_prepare_v2(store->db, "SELECT schema_version FROM schema WHERE id = 1", -1, &query,
                           NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW) {
        version = sqlite3_column_int(query, 0);
    }
    (void)sqlite3_finalize(query);
    if (version == TLM_TPM2_STORE_SCHEMA) {
        return TLM_OK;
    }
    if (version == 0) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE, "run: tlm-token-init provision",
                             "the database %s is half made: %d of 5 tables", store->path, tables);
    }
    return tlm_error_set(error,
                         version > TLM_TPM2_STORE_SCHEMA ? TLM_ERR_NEWER : TLM_ERR_UNSUPPORTED,
                         "use the version of libtpm2-pkcs11-1 that wrote it (1.9 writes version 8)",
                         "the database %s has schema version %d, this program knows version %d",
                         store->path, version, TLM_TPM2_STORE_SCHEMA);
}

tlm_result tlm_tpm2_store_open(const char *directory, tlm_tpm2_store **out, tlm_error *error)
{
    *out = NULL;
    tlm_tpm2_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the store");
    }
    tlm_result result = TLM_OK;
    store->path = tlm_path_join(directory, TLM_TPM2_STORE_FILE);
    if (store->path == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the store's path");
        goto out;
    }
    if (!tlm_file_exists(store->path)) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, "run: tlm-token-init provision",
                               "there is no database %s", store->path);
        goto out;
    }
    /* Also readers ask for writing: after a crash the first one rolls the journal back. */
    int rc = sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE, NULL);
    if (rc != SQLITE_OK) {
        result = tlm_tpm2_store_fail(store, error, "opening");
        goto out;
    }
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    result = check_schema(store, error);
out:
    if (result != TLM_OK) {
        tlm_tpm2_store_close(&store);
    }
    *out = store;
    return result;
}

void tlm_tpm2_store_close(tlm_tpm2_store **store)
{
    if (store == NULL || *store == NULL) {
        return;
    }
    (void)sqlite3_close((*store)->db);
    free((*store)->path);
    free(*store);
    *store = NULL;
}

static tlm_result insert_primary(tlm_tpm2_store *store, const unsigned char *blob, size_t size,
                                 const tlm_secret *auth, tlm_error *error)
{
    char *hex = tlm_hex_encode(blob, size);
    char *config = NULL;
    if (hex == NULL || asprintf(&config,
                                "---\n!!map {\n  ? !!str \"esys-tr\"\n  : !!str \"%s\",\n  ? !!str "
                                "\"transient\"\n  : !!bool \"false\",\n}\n",
                                hex) < 0) {
        free(hex);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the primary's row");
    }
    free(hex);
    tlm_result result = TLM_OK;
    sqlite3_stmt *insert = NULL;
    /* A secret is followed by a zero byte and is far below the limit of an int. */
    const void *text = tlm_secret_bytes(auth);
    if (sqlite3_prepare_v2(store->db,
                           "INSERT INTO pobjects (hierarchy, config, objauth) VALUES ('o', ?, ?)",
                           -1, &insert, NULL) != SQLITE_OK ||
        sqlite3_bind_text(insert, 1, config, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_text(insert, 2, text, (int)tlm_secret_size(auth), SQLITE_STATIC) !=
            SQLITE_OK ||
        sqlite3_step(insert) != SQLITE_DONE) {
        result = tlm_tpm2_store_fail(store, error, "naming the primary");
    }
    (void)sqlite3_finalize(insert);
    free(config);
    return result;
}

tlm_result tlm_tpm2_store_put_primary(tlm_tpm2_store *store, const unsigned char *blob, size_t size,
                                      const tlm_secret *auth, tlm_error *error)
{
    uint32_t handle = 0;
    uint32_t stored_handle = 0;
    tlm_tpm_name name = {0};
    tlm_tpm_name stored = {0};
    tlm_result result = tlm_tpm_parse_blob(blob, size, &handle, &name, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_tpm2_store_get_primary(store, &stored_handle, &stored, error);
    if (result == TLM_ERR_NOT_FOUND) {
        return insert_primary(store, blob, size, auth, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (stored_handle != handle || !tlm_tpm_name_equal(&name, &stored)) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, "run: tlm-token-init doctor",
                             "the database %s names another primary, at 0x%08X", store->path,
                             stored_handle);
    }
    return TLM_OK;
}

tlm_result tlm_tpm2_store_set_pss(tlm_tpm2_store *store, const char *label, tlm_error *error)
{
    tlm_tpm2_token token;
    tlm_result result = tlm_tpm2_store_read_token(store, label, &token, error);
    if (result != TLM_OK || token.pss) {
        return result;
    }
    /* The module writes the map without the key, so the pair goes right behind the brace. */
    static const char update[] =
        "UPDATE tokens SET config = replace(config, '!!map {', '!!map {' || char(10) || "
        "'  ? !!str \"pss-sigs-good\"' || char(10) || '  : !!bool \"true\",') WHERE label = ?";
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, update, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_bind_text(statement, 1, label, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_DONE) {
        result = tlm_tpm2_store_fail(store, error, "setting pss-sigs-good");
    }
    (void)sqlite3_finalize(statement);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_tpm2_store_read_token(store, label, &token, error);
    if (result == TLM_OK && !token.pss) {
        result =
            tlm_error_set(error, TLM_ERR_DAMAGED, "run: tlm-token-init doctor",
                          "the token '%s' in %s did not take pss-sigs-good", label, store->path);
    }
    return result;
}
