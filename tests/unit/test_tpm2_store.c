/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <tlm/key.h>
#include <tlm/tpm2_store.h>

#include "yaml_map.h"

/* As tpm2-pkcs11 1.9 makes it, without its triggers. */
static const char schema[] =
    "CREATE TABLE tokens(id INTEGER PRIMARY KEY,pid INTEGER NOT NULL,label TEXT UNIQUE,config "
    "TEXT NOT NULL);"
    "CREATE TABLE sealobjects(id INTEGER PRIMARY KEY,tokid INTEGER NOT NULL,userpub BLOB,userpriv "
    "BLOB,userauthsalt TEXT,sopub BLOB NOT NULL,sopriv BLOB NOT NULL,soauthsalt TEXT NOT NULL);"
    "CREATE TABLE pobjects(id INTEGER PRIMARY KEY,hierarchy TEXT NOT NULL,config TEXT NOT "
    "NULL,objauth TEXT NOT NULL);"
    "CREATE TABLE tobjects(id INTEGER PRIMARY KEY,tokid INTEGER NOT NULL,attrs TEXT NOT NULL);"
    "CREATE TABLE schema(id INTEGER PRIMARY KEY,schema_version INTEGER NOT NULL);"
    "INSERT INTO schema VALUES(1,8);";

static const char token_rows[] =
    "INSERT INTO tokens VALUES(1,1,'tlm','---\n!!map {\n  ? !!str \"token-init\"\n  : !!bool "
    "\"true\",\n}\n...\n');"
    "INSERT INTO sealobjects VALUES(1,1,x'01',x'02','aa',x'03',x'04','bb');"
    "INSERT INTO tobjects VALUES(1,1,'---\n!!map {\n  ? !!int \"0\"\n  : !!int \"3\",\n  ? !!int "
    "\"3\"\n  : !!str \"746c6d2d73726b\",\n  ? !!int \"258\"\n  : !!str \"01\",\n  ? !!int "
    "\"1073743360\"\n  : !!seq [\n    !!int \"3\",\n    !!int \"9\",\n  ],\n}\n...\n');";

/* Handle 0x810003E8 and a name of 34 bytes, with something behind it. */
static void make_blob(unsigned char blob[48], unsigned char filling)
{
    static const unsigned char head[] = {0x81, 0x00, 0x03, 0xE8, 0x00, 0x22, 0x00, 0x0B};
    memset(blob, filling, 48);
    memcpy(blob, head, sizeof head);
}

static void sql(void **state, const char *text)
{
    char path[TEST_PATH_MAX];
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(in_directory(state, TLM_TPM2_STORE_FILE, path), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static tlm_tpm2_store *open_store(void **state)
{
    tlm_tpm2_store *store = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_tpm2_store_open(*state, &store, &error), TLM_OK);
    assert_non_null(store);
    return store;
}

static void assert_open(void **state, tlm_result wanted)
{
    tlm_tpm2_store *store = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_tpm2_store_open(*state, &store, &error), wanted);
    assert_null(store);
    assert_true(error.message[0] != '\0' && error.hint[0] != '\0');
}

static void opens_only_its_schema(void **state)
{
    char path[TEST_PATH_MAX];
    assert_open(state, TLM_ERR_NOT_FOUND);
    put_file(in_directory(state, TLM_TPM2_STORE_FILE, path), "");
    assert_open(state, TLM_ERR_INCOMPLETE); /* an empty file is an empty database */
    put_file(path, "this is no database at all, but long enough to be looked at as one. It goes "
                   "on for more than the hundred bytes of a header, so that it is no short read.");
    assert_open(state, TLM_ERR_DAMAGED);
    assert_int_equal(remove(path), 0);
    sql(state, "CREATE TABLE tokens(id INTEGER PRIMARY KEY)");
    assert_open(state, TLM_ERR_INCOMPLETE);
    assert_int_equal(remove(path), 0);
    sql(state, schema);
    tlm_tpm2_store *store = open_store(state);
    tlm_tpm2_store_close(&store);
    assert_null(store);
    tlm_tpm2_store_close(&store);
    tlm_tpm2_store_close(NULL);
    sql(state, "DELETE FROM schema");
    assert_open(state, TLM_ERR_INCOMPLETE);
    sql(state, "INSERT INTO schema VALUES(1,9)");
    assert_open(state, TLM_ERR_NEWER);
    sql(state, "UPDATE schema SET schema_version = 7");
    assert_open(state, TLM_ERR_UNSUPPORTED);
}

static void names_the_primary_once(void **state)
{
    unsigned char blob[48];
    uint32_t handle = 0;
    tlm_tpm_name name = {0};
    tlm_secret *auth = NULL;
    sql(state, schema);
    assert_int_equal(tlm_secret_from("00112233445566778899aabbccddeeff", 32, &auth, NULL), TLM_OK);
    tlm_tpm2_store *store = open_store(state);
    assert_int_equal(tlm_tpm2_store_get_primary(store, &handle, &name, NULL), TLM_ERR_NOT_FOUND);
    make_blob(blob, 0x11);
    assert_int_equal(tlm_tpm2_store_put_primary(store, blob, sizeof blob, auth, NULL), TLM_OK);
    assert_int_equal(tlm_tpm2_store_put_primary(store, blob, sizeof blob, auth, NULL), TLM_OK);
    assert_int_equal(tlm_tpm2_store_get_primary(store, &handle, &name, NULL), TLM_OK);
    assert_int_equal(handle, 0x810003E8);
    assert_int_equal(name.size, 34);
    assert_memory_equal(name.bytes, blob + 6, 34);
    assert_int_equal(tlm_tpm2_store_verify(store, NULL), TLM_OK);
    make_blob(blob, 0x22);
    tlm_error error = {0};
    assert_int_equal(tlm_tpm2_store_put_primary(store, blob, sizeof blob, auth, &error),
                     TLM_ERR_FOREIGN);
    assert_int_equal(tlm_tpm2_store_put_primary(store, blob, 5, auth, NULL), TLM_ERR_DAMAGED);
    tlm_tpm2_store_close(&store);
    tlm_secret_free(&auth);

    char path[TEST_PATH_MAX];
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open(in_directory(state, TLM_TPM2_STORE_FILE, path), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT hierarchy, objauth, config FROM pobjects", -1, &row, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), "o");
    assert_string_equal((const char *)sqlite3_column_text(row, 1),
                        "00112233445566778899aabbccddeeff");
    assert_non_null(strstr((const char *)sqlite3_column_text(row, 2), "\"810003e80022000b1111"));
    assert_int_equal(sqlite3_step(row), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void reads_token_and_objects(void **state)
{
    tlm_tpm2_token token;
    tlm_object_entry objects[TLM_OBJECTS_MAX];
    size_t count = 9;
    sql(state, schema);
    tlm_tpm2_store *store = open_store(state);
    assert_int_equal(tlm_tpm2_store_read_token(store, "tlm", &token, NULL), TLM_OK);
    assert_false(token.present);
    assert_int_equal(tlm_tpm2_store_list(store, "tlm", objects, &count, NULL), TLM_OK);
    assert_int_equal(count, 0);
    sql(state, token_rows);
    assert_int_equal(tlm_tpm2_store_read_token(store, "tlm", &token, NULL), TLM_OK);
    assert_true(token.present && token.user_pin && !token.pss);
    assert_int_equal(tlm_tpm2_store_read_token(store, "other", &token, NULL), TLM_OK);
    assert_false(token.present);
    assert_int_equal(tlm_tpm2_store_count_tokens(store, &count, NULL), TLM_OK);
    assert_int_equal(count, 1);
    assert_int_equal(tlm_tpm2_store_list(store, "tlm", objects, &count, NULL), TLM_OK);
    assert_int_equal(count, 1);
    assert_string_equal(objects[0].label, "tlm-srk");
    assert_string_equal(objects[0].id, "01");
    assert_string_equal(objects[0].object_class, "private-key");
    sql(state, "UPDATE sealobjects SET userpub = NULL");
    assert_int_equal(tlm_tpm2_store_read_token(store, "tlm", &token, NULL), TLM_OK);
    assert_true(token.present && !token.user_pin);
    tlm_tpm2_store_close(&store);
}

static void lists_no_more_than_there_is_room_for(void **state)
{
    tlm_object_entry objects[TLM_OBJECTS_MAX];
    size_t count = 0;
    sql(state, schema);
    sql(state, token_rows);
    sql(state,
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
        "INSERT INTO tobjects SELECT i, 1, (SELECT attrs FROM tobjects WHERE id = 1) FROM n");
    tlm_tpm2_store *store = open_store(state);
    assert_int_equal(tlm_tpm2_store_list(store, "tlm", objects, &count, NULL), TLM_OK);
    assert_int_equal(count, TLM_OBJECTS_MAX);
    tlm_tpm2_store_close(&store);
}

static void switches_pss_on(void **state)
{
    tlm_tpm2_token token;
    sql(state, schema);
    sql(state, token_rows);
    tlm_tpm2_store *store = open_store(state);
    assert_int_equal(tlm_tpm2_store_set_pss(store, "tlm", NULL), TLM_OK);
    assert_int_equal(tlm_tpm2_store_read_token(store, "tlm", &token, NULL), TLM_OK);
    assert_true(token.pss);
    assert_int_equal(tlm_tpm2_store_verify(store, NULL), TLM_OK);
    assert_int_equal(tlm_tpm2_store_set_pss(store, "tlm", NULL), TLM_OK);
    assert_int_equal(tlm_tpm2_store_set_pss(store, "other", NULL), TLM_ERR_DAMAGED);
    sql(state, "UPDATE tokens SET config = 'x'");
    assert_int_equal(tlm_tpm2_store_set_pss(store, "tlm", NULL), TLM_ERR_DAMAGED);
    tlm_tpm2_store_close(&store);
}

static void names_the_damaged_row(void **state)
{
    static const struct {
        const char *damage;
        const char *row;
    } cases[] = {
        {"UPDATE tobjects SET attrs = 'x'", "row 1 of tobjects"},
        {"UPDATE tobjects SET attrs = replace(attrs, '\"0\"', '\"9\"')", "row 1 of tobjects"},
        {"UPDATE tobjects SET attrs = replace(attrs, '!!int \"3\"', '!!int \"3x\"')",
         "row 1 of tobjects"},
        {"UPDATE tobjects SET attrs = attrs || hex(zeroblob(200000))", "row 1 of tobjects"},
        {"UPDATE tokens SET config = ''", "row 1 of tokens"},
        {"UPDATE sealobjects SET sopub = x''", "row 1 of sealobjects"},
        {"INSERT INTO pobjects VALUES(5,'o','---\n!!map {\n}\n','auth')", "row 5 of pobjects"},
        {"INSERT INTO pobjects VALUES(6,'o','---\n!!map {\n  ? !!str \"esys-tr\"\n  : !!str "
         "\"81zz\",\n}\n','auth')",
         "row 6 of pobjects"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[TEST_PATH_MAX];
        tlm_error error = {0};
        (void)remove(in_directory(state, TLM_TPM2_STORE_FILE, path));
        sql(state, schema);
        sql(state, token_rows);
        tlm_tpm2_store *store = open_store(state);
        assert_int_equal(tlm_tpm2_store_verify(store, &error), TLM_OK);
        sql(state, cases[i].damage);
        assert_int_equal(tlm_tpm2_store_verify(store, &error), TLM_ERR_DAMAGED);
        assert_non_null(strstr(error.message, cases[i].row));
        tlm_tpm2_store_close(&store);
    }
}

static void says_when_another_program_writes(void **state)
{
    unsigned char blob[48];
    char path[TEST_PATH_MAX];
    tlm_secret *auth = NULL;
    sqlite3 *other = NULL;
    sql(state, schema);
    tlm_tpm2_store *store = open_store(state);
    assert_int_equal(tlm_secret_from("x", 1, &auth, NULL), TLM_OK);
    assert_int_equal(sqlite3_open(in_directory(state, TLM_TPM2_STORE_FILE, path), &other),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    make_blob(blob, 0x11);
    tlm_error error = {0};
    assert_int_equal(tlm_tpm2_store_put_primary(store, blob, sizeof blob, auth, &error),
                     TLM_ERR_BUSY);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(tlm_tpm2_store_put_primary(store, blob, sizeof blob, auth, &error), TLM_OK);
    tlm_tpm2_store_close(&store);
    tlm_secret_free(&auth);
}

static void parses_blobs_truncated_at_every_byte(void **state)
{
    (void)state;
    unsigned char blob[48];
    uint32_t handle = 0;
    tlm_tpm_name name = {0};
    make_blob(blob, 0x33);
    for (size_t size = 0; size < sizeof blob; size++) {
        /* A copy of that size, so that a read behind its end is seen. */
        unsigned char *part = malloc(size > 0 ? size : 1);
        assert_non_null(part);
        memcpy(part, blob, size);
        assert_int_equal(tlm_tpm_parse_blob(part, size, &handle, &name, NULL),
                         size < 40 ? TLM_ERR_DAMAGED : TLM_OK);
        free(part);
    }
    blob[5] = 0;
    assert_int_equal(tlm_tpm_parse_blob(blob, sizeof blob, &handle, &name, NULL), TLM_ERR_DAMAGED);
    blob[4] = 0xFF;
    assert_int_equal(tlm_tpm_parse_blob(blob, sizeof blob, &handle, &name, NULL), TLM_ERR_DAMAGED);
    tlm_tpm_name empty = {0};
    assert_false(tlm_tpm_name_equal(&empty, &empty));
    char text[2 * TLM_TPM_NAME_MAX + 1];
    tlm_tpm_name_text(&empty, text);
    assert_string_equal(text, "");
    name.size = TLM_TPM_NAME_MAX;
    tlm_tpm_name_text(&name, text);
    assert_int_equal(strlen(text), (size_t)2 * TLM_TPM_NAME_MAX);
}

static bool count_pair(void *context, const char *key, const char *value, size_t size)
{
    (void)size;
    *(size_t *)context += 1;
    return value == NULL || strcmp(key, "stop") != 0;
}

static bool reads(const char *text, size_t *pairs)
{
    *pairs = 0;
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1); /* no zero behind it: a read too far is seen */
    assert_non_null(copy);
    for (size_t i = 0; i < size; i++) {
        copy[i] = text[i];
    }
    bool good = tlm_yaml_map_read(copy, size, count_pair, pairs);
    free(copy);
    return good;
}

static void reads_only_canonical_maps(void **state)
{
    (void)state;
    size_t pairs = 0;
    static const char whole[] = "---\n!!map {\n  ? !!str \"a\"\n  : !!str \"b\\\"c\",\n  ? !!int "
                                "\"7\"\n  : !!seq [\n    !!int \"1\",\n  ],\n}";
    assert_true(reads(whole, &pairs));
    assert_int_equal(pairs, 2);
    assert_true(reads("--- !!map {}", &pairs));
    assert_true(reads("---\n!!map {\n}\n...\n", &pairs));
    assert_int_equal(pairs, 0);
    static const char long_key[] = "---\n!!map {\n ? !!str \"12345678901234567890123456789012345"
                                   "67890123456789012345678901234\"\n : !!str \"b\",\n}";
    static const char *const bad[] = {
        "",
        "---",
        "a: b\n",
        "---\n!!seq [\n]\n",
        "---\n!!map {\n}\nmore",
        "---\n!!map {\n ? !!str \"a\"\n}",
        "---\n!!map {\n ? !!str \"a\"\n : !!str \"b}",
        "---\n!!map {\n ? !!str \"a\"\n : !!str \"b\\",
        "---\n!!map {\n ? !!str \"a\"\n : b,\n}",
        "---\n!!map {\n ? a\n : !!str \"b\",\n}",
        "---\n!!map {\n ? !!str \"a\"\n : !!seq [ b ],\n}",
        "---\n!!map {\n ? !!str \"stop\"\n : !!str \"b\",\n}",
        long_key,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(reads(bad[i], &pairs));
    }
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        char *copy = malloc(size > 0 ? size : 1);
        assert_non_null(copy);
        memcpy(copy, whole, size);
        assert_false(tlm_yaml_map_read(copy, size, count_pair, &pairs));
        free(copy);
    }
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(opens_only_its_schema),
        IN_DIRECTORY(names_the_primary_once),
        IN_DIRECTORY(reads_token_and_objects),
        IN_DIRECTORY(lists_no_more_than_there_is_room_for),
        IN_DIRECTORY(switches_pss_on),
        IN_DIRECTORY(names_the_damaged_row),
        IN_DIRECTORY(says_when_another_program_writes),
        cmocka_unit_test(parses_blobs_truncated_at_every_byte),
        cmocka_unit_test(reads_only_canonical_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
