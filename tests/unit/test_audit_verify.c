/* SPDX-License-Identifier: BSD-2-Clause */
#include "statement_fixture.h"

#include <stdio.h>

#include <tlm/audit.h>

#include "audit_entry.h"

#define LEDGER "00000000-0000-4000-8000-000000000000"
#define ENTRIES 5U

/* A log of five entries with an anchor behind the third, as lines, and the key of its anchors. */
typedef struct export
{
    statement_signer signer;
    char hashes[ENTRIES + 1][TLM_AUDIT_HASH_SIZE]; /* from 1 */
    char *lines[ENTRIES + 1];
    char *anchor;
    char *text;
}
export;

static char *entry_line(int seq, const char *prev, char hash[TLM_AUDIT_HASH_SIZE])
{
    char *canonical = NULL;
    json_t *entry =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "seq", seq, "at", "2026-01-31T12:00:00.000Z",
                  "event", "activated", "license", "l1", "prev", prev);
    assert_int_equal(tlm_audit_hash(entry, &canonical, hash, NULL), TLM_OK);
    free(canonical);
    assert_int_equal(json_object_set_new(entry, "hash", json_string(hash)), 0);
    char *line = json_dumps(entry, JSON_COMPACT);
    json_decref(entry);
    assert_non_null(line);
    return line;
}

static char *anchor_line(const statement_signer *signer, const char *ledger, int seq,
                         const char *hash)
{
    char statement[512];
    (void)snprintf(statement, sizeof statement,
                   "{\"type\":\"audit\",\"seq\":%d,\"hash\":\"%s\",\"ledger\":\"%s\","
                   "\"fingerprint\":\"" TEST_FINGERPRINT "\",\"iat\":1767225600}",
                   seq, hash, ledger);
    json_t *proof = statement_prove(signer, statement, 1, 3);
    json_t *object = json_pack("{s:o}", "anchor", proof);
    char *line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    assert_non_null(line);
    return line;
}

static int make(void **state)
{
    export *made = calloc(1, sizeof *made);
    assert_non_null(made);
    statement_signer_make(&made->signer);
    memcpy(made->hashes[0], TLM_AUDIT_BEGIN, TLM_AUDIT_HASH_SIZE);
    for (int i = 1; i <= (int)ENTRIES; i++) {
        made->lines[i] = entry_line(i, made->hashes[i - 1], made->hashes[i]);
    }
    made->anchor = anchor_line(&made->signer, LEDGER, 3, made->hashes[3]);
    assert_true(asprintf(&made->text, "%s\n%s\n%s\n%s\n%s\n%s\n", made->lines[1], made->lines[2],
                         made->lines[3], made->anchor, made->lines[4], made->lines[5]) > 0);
    *state = made;
    return 0;
}

static int clear(void **state)
{
    export *made = *state;
    statement_signer_clear(&made->signer);
    for (size_t i = 1; i <= ENTRIES; i++) {
        free(made->lines[i]);
    }
    free(made->anchor);
    free(made->text);
    free(made);
    return 0;
}

static tlm_result verify(const export *from, const char *text, tlm_audit_report *report,
                         tlm_error *error)
{
    *error = (tlm_error){0};
    *report = (tlm_audit_report){0};
    tlm_result result = tlm_audit_verify(text, strlen(text), from->signer.jwks, report, error);
    assert_int_equal(error->result, result);
    return result;
}

/* The lines that are named by their number; 0 is the anchor, and -1 the end. */
static char *compose(const export *from, const int lines[])
{
    char *text = strdup("");
    for (size_t i = 0; lines[i] >= 0; i++) {
        char *longer = NULL;
        assert_true(asprintf(&longer, "%s%s\n", text,
                             lines[i] == 0 ? from->anchor : from->lines[lines[i]]) > 0);
        free(text);
        text = longer;
    }
    return text;
}

static tlm_result verify_lines(const export *from, const int lines[], tlm_audit_report *report)
{
    tlm_error error;
    char *text = compose(from, lines);
    tlm_result result = verify(from, text, report, &error);
    free(text);
    return result;
}

static void a_whole_log_verifies(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    tlm_error error;
    assert_int_equal(verify(from, from->text, &report, &error), TLM_OK);
    assert_int_equal(report.first, 1);
    assert_int_equal(report.last, ENTRIES);
    assert_int_equal(report.entries, ENTRIES);
    assert_int_equal(report.anchors, 1);
    assert_int_equal(report.anchored_to, 3);
}

static void without_keys_no_anchor_counts(void **state)
{
    const export *from = *state;
    tlm_audit_report report = {0};
    assert_int_equal(tlm_audit_verify(from->text, strlen(from->text), NULL, &report, NULL), TLM_OK);
    assert_int_equal(report.entries, ENTRIES);
    assert_int_equal(report.anchors, 0);
    assert_int_equal(report.anchored_to, 0);
}

static void an_empty_log_is_one(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    tlm_error error;
    assert_int_equal(verify(from, "", &report, &error), TLM_OK);
    assert_int_equal(report.entries, 0);
    assert_int_equal(verify(from, "\n\n", &report, &error), TLM_OK);
    assert_int_equal(report.first, 0);
}

static void a_part_of_a_log_verifies(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    assert_int_equal(verify_lines(from, (const int[]){3, 0, 4, -1}, &report), TLM_OK);
    assert_int_equal(report.first, 3);
    assert_int_equal(report.anchored_to, 3);
    /* An anchor over the entry before the first: its hash is there as `prev`. */
    assert_int_equal(verify_lines(from, (const int[]){4, 5, 0, -1}, &report), TLM_OK);
    assert_int_equal(report.anchored_to, 3);
}

static void entries_left_out_or_in_another_order_are_found(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    static const int cases[][7] = {{1, 3, -1},    {1, 2, 2, -1}, {2, 1, -1},
                                   {1, 2, 0, -1}, {0, -1},       {1, 2, 4, 3, 5, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(verify_lines(from, cases[i], &report), TLM_ERR_DAMAGED);
        assert_int_equal(report.entries, 0);
    }
}

/* Every byte of the log, changed: nothing passes. Blanks may stand in JSON, so none is put in. */
static void each_changed_byte_is_found(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    tlm_error error;
    size_t size = strlen(from->text);
    char *text = strdup(from->text);
    for (size_t i = 0; i < size; i++) {
        const char before = text[i];
        text[i] = (char)(before ^ 1);
        if (before != '\n') {
            tlm_result result = verify(from, text, &report, &error);
            assert_true(result == TLM_ERR_DAMAGED || result == TLM_ERR_SIGNATURE);
            assert_non_null(strstr(error.message, "line "));
        }
        text[i] = before;
    }
    free(text);
}

/* Cut at every byte: whole lines remain a log, anything else does not. */
static void each_cut_is_a_shorter_log_or_none(void **state)
{
    const export *from = *state;
    size_t size = strlen(from->text);
    for (size_t i = 0; i < size; i++) {
        tlm_audit_report report = {0};
        bool whole = i == 0 || from->text[i - 1] == '\n' || from->text[i] == '\n';
        assert_int_equal(
            tlm_audit_verify(from->text, i, from->signer.jwks, &report, NULL) == TLM_OK, whole);
    }
}

static void a_changed_entry_is_named(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    tlm_error error;
    char *text = strdup(from->text);
    char *license = strstr(strstr(strstr(text, "\"l1\"") + 1, "\"l1\"") + 1, "\"l1\"");
    license[2] = '9';
    assert_int_equal(verify(from, text, &report, &error), TLM_ERR_DAMAGED);
    assert_non_null(strstr(error.message, "line 3"));
    assert_non_null(strstr(error.message, "entry 3"));
    free(text);
}

/* Whoever can write the file makes a new chain; the anchor does not fit it. */
static void a_chain_that_was_made_anew_contradicts_its_anchor(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    tlm_error error;
    char hashes[4][TLM_AUDIT_HASH_SIZE];
    char *text = strdup("");
    const char *prev = from->hashes[1]; /* the second entry is left out */
    char *line = entry_line(2, prev, hashes[2]);
    free(line);
    json_t *other = json_pack("{s:i, s:s, s:s, s:s}", "seq", 2, "at", "2026-01-31T12:00:00.000Z",
                              "event", "forged", "prev", prev);
    char *canonical = NULL;
    assert_int_equal(tlm_audit_hash(other, &canonical, hashes[2], NULL), TLM_OK);
    free(canonical);
    json_object_set_new(other, "hash", json_string(hashes[2]));
    char *second = json_dumps(other, JSON_COMPACT);
    json_decref(other);
    char *third = entry_line(3, hashes[2], hashes[3]);
    free(text);
    assert_true(asprintf(&text, "%s\n%s\n%s\n%s\n", from->lines[1], second, third, from->anchor) >
                0);
    assert_int_equal(verify(from, text, &report, &error), TLM_ERR_SIGNATURE);
    assert_non_null(strstr(error.message, "line 4"));
    /* Also for who has no keys. */
    assert_int_equal(tlm_audit_verify(text, strlen(text), NULL, &report, NULL), TLM_ERR_SIGNATURE);
    free(text);
    free(second);
    free(third);
}

static void anchors_of_others_are_refused(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    tlm_error error;
    statement_signer other;
    statement_signer_make(&other);
    char *foreign = anchor_line(&other, LEDGER, 1, from->hashes[1]);
    char *elsewhere =
        anchor_line(&from->signer, "11111111-0000-4000-8000-000000000000", 1, from->hashes[1]);
    char *text = NULL;
    assert_true(asprintf(&text, "%s\n%s\n", from->lines[1], foreign) > 0);
    assert_int_equal(verify(from, text, &report, &error), TLM_ERR_SIGNATURE);
    free(text);
    assert_true(asprintf(&text, "%s%s\n", from->text, elsewhere) > 0);
    assert_int_equal(verify(from, text, &report, &error), TLM_ERR_SIGNATURE);
    assert_non_null(strstr(error.message, "another ledger"));
    free(text);
    free(foreign);
    free(elsewhere);
    statement_signer_clear(&other);
}

static void a_statement_of_another_type_is_no_anchor(void **state)
{
    const export *from = *state;
    tlm_audit_report report;
    tlm_error error;
    json_t *proof = statement_prove(&from->signer,
                                    "{\"type\":\"attestation\",\"fingerprint\":\"" TEST_FINGERPRINT
                                    "\",\"iat\":1767225600}",
                                    0, 1);
    json_t *object = json_pack("{s:o}", "anchor", proof);
    char *line = json_dumps(object, JSON_COMPACT);
    char *text = NULL;
    assert_true(asprintf(&text, "%s\n%s\n", from->lines[1], line) > 0);
    assert_int_equal(verify(from, text, &report, &error), TLM_ERR_SIGNATURE);
    free(text);
    free(line);
    json_decref(object);
}

static void what_is_no_line_of_a_log_is_refused(void **state)
{
    const export *from = *state;
    static const char *const texts[] = {
        "x",
        "[]",
        "{}",
        "{\"seq\":1}",
        "{\"seq\":0,\"hash\":\"a\"}",
        "{\"seq\":1.5,\"hash\":\"a\"}",
        "{\"seq\":1,\"hash\":\"a\",\"prev\":\"b\"}",
        "{\"anchor\":1}",
        "{\"anchor\":{}}",
        "{\"anchor\":{},\"seq\":1}",
        "{\"seq\":1,\"seq\":1}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tlm_audit_report report;
        tlm_error error;
        tlm_result result = verify(from, texts[i], &report, &error);
        assert_true(result == TLM_ERR_DAMAGED || result == TLM_ERR_SIGNATURE);
    }
}

static void a_line_that_is_too_long_is_refused(void **state)
{
    const export *from = *state;
    const size_t most = 65536;
    tlm_audit_report report;
    tlm_error error;
    char *text = malloc(most + 2);
    assert_non_null(text);
    memset(text, ' ', most + 1);
    memcpy(text, from->lines[1], strlen(from->lines[1]));
    text[most + 1] = '\0';
    assert_int_equal(verify(from, text, &report, &error), TLM_ERR_DAMAGED);
    assert_non_null(strstr(error.message, "65536"));
    text[most] = '\0';
    assert_int_equal(verify(from, text, &report, &error), TLM_OK);
    free(text);
}

int main(void)
{
#define EXPORT_TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
    const struct CMUnitTest tests[] = {
        EXPORT_TEST(a_whole_log_verifies),
        EXPORT_TEST(without_keys_no_anchor_counts),
        EXPORT_TEST(an_empty_log_is_one),
        EXPORT_TEST(a_part_of_a_log_verifies),
        EXPORT_TEST(entries_left_out_or_in_another_order_are_found),
        EXPORT_TEST(each_changed_byte_is_found),
        EXPORT_TEST(each_cut_is_a_shorter_log_or_none),
        EXPORT_TEST(a_changed_entry_is_named),
        EXPORT_TEST(a_chain_that_was_made_anew_contradicts_its_anchor),
        EXPORT_TEST(anchors_of_others_are_refused),
        EXPORT_TEST(a_statement_of_another_type_is_no_anchor),
        EXPORT_TEST(what_is_no_line_of_a_log_is_refused),
        EXPORT_TEST(a_line_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
