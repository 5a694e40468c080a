/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit_entry.h"
#include "audit_private.h"
#include "sql_private.h"

#define NOON INT64_C(1769860800123) /* 2026-01-31T12:00:00.123Z */

static int open_log(void **state)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
        tlm_sql_execute(db, tlm_audit_schema, NULL) != TLM_OK) {
        return -1;
    }
    *state = db;
    return 0;
}

static int close_log(void **state)
{
    return sqlite3_close(*state) == SQLITE_OK ? 0 : -1;
}

static void append(sqlite3 *db, const char *event, json_t *detail)
{
    tlm_error error = {0};
    if (tlm_audit_append(db, NOON, event, detail, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
}

static json_t *read_log(sqlite3 *db, int64_t after, int64_t limit)
{
    json_t *answer = NULL;
    tlm_error error = {0};
    if (tlm_audit_read(db, after, limit, &answer, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return answer;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    return text;
}

/* The log as an export has it. */
static char *export_log(sqlite3 *db, int64_t after, int64_t limit)
{
    json_t *answer = read_log(db, after, limit);
    char *text = strdup("");
    size_t index;
    json_t *line;
    json_array_foreach(json_object_get(answer, "entries"), index, line)
    {
        char *compact = json_dumps(line, JSON_COMPACT);
        char *longer = NULL;
        assert_true(asprintf(&longer, "%s%s\n", text, compact) > 0);
        free(text);
        free(compact);
        text = longer;
    }
    json_decref(answer);
    return text;
}

static json_t *proof_over(int64_t seq, const char *hash)
{
    return json_pack("{s:{s:s, s:I, s:s, s:s}, s:i, s:[], s:s}", "statement", "type", "audit",
                     "seq", (json_int_t)seq, "hash", hash, "ledger",
                     "00000000-0000-4000-8000-000000000000", "index", 0, "path", "root", "e.e.e");
}

static void an_empty_log_begins_with_zeros(void **state)
{
    int64_t seq = 7;
    char hash[65] = "";
    assert_int_equal(tlm_audit_head(*state, &seq, hash, NULL), TLM_OK);
    assert_int_equal(seq, 0);
    assert_string_equal(hash, TLM_AUDIT_BEGIN);
    json_t *answer = read_log(*state, 0, 1000);
    assert_int_equal(json_array_size(json_object_get(answer, "entries")), 0);
    assert_int_equal(json_integer_value(json_object_get(answer, "last")), 0);
    json_decref(answer);
}

/* The hash of the documented form, computed with sha256sum. */
static void an_entry_has_its_documented_form(void **state)
{
    append(*state, "removed", json_pack("{s:s}", "license", "a\x1f\"b"));
    json_t *answer = read_log(*state, 0, 1000);
    const json_t *entry = json_array_get(json_object_get(answer, "entries"), 0);
    char *text = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"at\":\"2026-01-31T12:00:00.123Z\",\"event\":\"removed\",\"hash\":"
                              "\"16b32de1f96b8c74488478652a0a8dd2decbe469e0faa966e47cb1459bc3fa8a\""
                              ",\"license\":\"a\\u001F\\\"b\",\"prev\":\"" TLM_AUDIT_BEGIN
                              "\",\"seq\":1}");
    free(text);
    json_decref(answer);
}

static void entries_follow_each_other(void **state)
{
    append(*state, "one", NULL);
    append(*state, "two", json_pack("{s:i}", "count", 2));
    int64_t seq = 0;
    char hash[65];
    assert_int_equal(tlm_audit_head(*state, &seq, hash, NULL), TLM_OK);
    assert_int_equal(seq, 2);
    json_t *answer = read_log(*state, 0, 1000);
    const json_t *entries = json_object_get(answer, "entries");
    assert_string_equal(text_of(json_array_get(entries, 0), "prev"), TLM_AUDIT_BEGIN);
    assert_string_equal(text_of(json_array_get(entries, 1), "prev"),
                        text_of(json_array_get(entries, 0), "hash"));
    assert_string_equal(text_of(json_array_get(entries, 1), "hash"), hash);
    json_decref(answer);

    char *text = export_log(*state, 0, 1000);
    tlm_audit_report report = {0};
    assert_int_equal(tlm_audit_verify(text, strlen(text), NULL, &report, NULL), TLM_OK);
    assert_int_equal(report.entries, 2);
    free(text);
}

static void reads_in_pages(void **state)
{
    for (int i = 0; i < 5; i++) {
        append(*state, "event", NULL);
    }
    json_t *answer = read_log(*state, 2, 2);
    const json_t *entries = json_object_get(answer, "entries");
    assert_int_equal(json_array_size(entries), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(entries, 0), "seq")), 3);
    assert_int_equal(json_integer_value(json_object_get(answer, "last")), 4);
    json_decref(answer);
    answer = read_log(*state, 5, 2);
    assert_int_equal(json_array_size(json_object_get(answer, "entries")), 0);
    assert_int_equal(json_integer_value(json_object_get(answer, "last")), 5);
    json_decref(answer);
    answer = read_log(*state, -1, 2); /* the newest one */
    entries = json_object_get(answer, "entries");
    assert_int_equal(json_array_size(entries), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(entries, 0), "seq")), 5);
    json_decref(answer);
    answer = read_log(*state, INT64_MIN, 9);
    assert_int_equal(json_array_size(json_object_get(answer, "entries")), 5);
    json_decref(answer);
    answer = read_log(*state, 0, -1);
    assert_int_equal(json_array_size(json_object_get(answer, "entries")), 0);
    json_decref(answer);
}

static void nothing_is_changed_or_removed(void **state)
{
    append(*state, "one", NULL);
    append(*state, "two", NULL);
    int64_t seq = 0;
    char hash[65];
    assert_int_equal(tlm_audit_head(*state, &seq, hash, NULL), TLM_OK);
    json_t *proof = proof_over(seq, hash);
    assert_int_equal(tlm_audit_anchor(*state, proof, NULL), TLM_OK);
    json_decref(proof);
    static const char *const attempts[] = {
        "UPDATE audit SET entry = '{}' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "INSERT INTO audit (seq, entry, hash) VALUES (4, '{}', '')",
        "INSERT OR REPLACE INTO audit (seq, entry, hash) VALUES (2, '{}', '')",
        "UPDATE anchor SET seq = 1",
        "DELETE FROM anchor",
    };
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        tlm_error error = {0};
        assert_int_equal(tlm_sql_execute(*state, attempts[i], &error), TLM_ERR_IO);
        assert_non_null(strstr(error.message, "only added to"));
    }
}

static void an_anchor_stands_behind_its_entry(void **state)
{
    int64_t seq = 0;
    char hash[65];
    append(*state, "one", NULL);
    assert_int_equal(tlm_audit_head(*state, &seq, hash, NULL), TLM_OK);
    json_t *proof = proof_over(seq, hash);
    append(*state, "two", NULL); /* while the token was signing */
    assert_int_equal(tlm_audit_anchor(*state, proof, NULL), TLM_OK);
    json_t *answer = read_log(*state, 0, 1000);
    const json_t *entries = json_object_get(answer, "entries");
    assert_int_equal(json_array_size(entries), 3);
    assert_true(json_equal(json_object_get(json_array_get(entries, 1), "anchor"), proof));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(entries, 2), "seq")), 2);
    json_decref(answer);
    json_decref(proof);
}

static void an_anchor_of_another_log_is_refused(void **state)
{
    tlm_error error = {0};
    append(*state, "one", NULL);
    json_t *proof = proof_over(1, TLM_AUDIT_BEGIN);
    assert_int_equal(tlm_audit_anchor(*state, proof, &error), TLM_ERR_CONFLICT);
    json_decref(proof);
    proof = proof_over(2, TLM_AUDIT_BEGIN);
    assert_int_equal(tlm_audit_anchor(*state, proof, &error), TLM_ERR_CONFLICT);
    json_decref(proof);
    proof = json_pack("{s:{}}", "statement");
    assert_int_equal(tlm_audit_anchor(*state, proof, &error), TLM_ERR_ARGUMENT);
    json_decref(proof);
    assert_int_equal(tlm_audit_anchor(*state, NULL, &error), TLM_ERR_ARGUMENT);
}

static void members_of_the_log_itself_are_refused(void **state)
{
    static const char *const names[] = {"seq", "at", "event", "prev", "hash"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tlm_error error = {0};
        assert_int_equal(
            tlm_audit_append(*state, NOON, "event", json_pack("{s:i}", names[i], 1), &error),
            TLM_ERR_ARGUMENT);
        assert_non_null(strstr(error.message, names[i]));
    }
    assert_int_equal(tlm_audit_append(*state, NOON, "event", json_pack("{s:f}", "part", 0.5), NULL),
                     TLM_ERR_FORMAT);
    assert_int_equal(tlm_audit_append(*state, INT64_MAX, "event", NULL, NULL), TLM_ERR_FORMAT);
    int64_t seq = 1;
    char hash[65];
    assert_int_equal(tlm_audit_head(*state, &seq, hash, NULL), TLM_OK);
    assert_int_equal(seq, 0);
}

static void an_entry_belongs_to_its_transaction(void **state)
{
    append(*state, "one", NULL);
    assert_int_equal(tlm_sql_execute(*state, "BEGIN IMMEDIATE", NULL), TLM_OK);
    append(*state, "lost", NULL);
    assert_int_equal(tlm_sql_execute(*state, "ROLLBACK", NULL), TLM_OK);
    append(*state, "two", NULL);
    char *text = export_log(*state, 0, 1000);
    tlm_audit_report report = {0};
    assert_int_equal(tlm_audit_verify(text, strlen(text), NULL, &report, NULL), TLM_OK);
    assert_int_equal(report.last, 2);
    assert_null(strstr(text, "lost"));
    free(text);
}

static void instants_before_1970_have_their_form(void **state)
{
    assert_int_equal(tlm_audit_append(*state, -1, "event", NULL, NULL), TLM_OK);
    json_t *answer = read_log(*state, 0, 1);
    assert_string_equal(text_of(json_array_get(json_object_get(answer, "entries"), 0), "at"),
                        "1969-12-31T23:59:59.999Z");
    json_decref(answer);
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)
    const struct CMUnitTest tests[] = {
        LOG_TEST(an_empty_log_begins_with_zeros),
        LOG_TEST(an_entry_has_its_documented_form),
        LOG_TEST(entries_follow_each_other),
        LOG_TEST(reads_in_pages),
        LOG_TEST(nothing_is_changed_or_removed),
        LOG_TEST(an_anchor_stands_behind_its_entry),
        LOG_TEST(an_anchor_of_another_log_is_refused),
        LOG_TEST(members_of_the_log_itself_are_refused),
        LOG_TEST(an_entry_belongs_to_its_transaction),
        LOG_TEST(instants_before_1970_have_their_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
