/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger's file: made, opened again, refused; and what answers are like. */
#include "ledger_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define ONE_SEAT "[{'id':'pro','seats':1,'model':{'type':'perpetual'},'memory':{'a':[1]}}]"

static const char *file_of(fixture *f, char path[TEST_PATH_MAX])
{
    (void)snprintf(path, TEST_PATH_MAX, "%.450s/" TLM_LEDGER_FILE, f->directory);
    return path;
}

/* Changes the closed file as another program would. */
static void sql(fixture *f, const char *text)
{
    char path[TEST_PATH_MAX];
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file_of(f, path), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* All bytes of the closed file. */
static char *bytes_of(fixture *f, size_t *size)
{
    char path[TEST_PATH_MAX];
    char *data = NULL;
    FILE *file = fopen(file_of(f, path), "re");
    assert_non_null(file);
    data = malloc(1 << 20);
    assert_non_null(data);
    *size = fread(data, 1, 1 << 20, file);
    assert_int_equal(fclose(file), 0);
    return data;
}

static void assert_refused(fixture *f, tlm_result expected)
{
    size_t before_size = 0;
    size_t after_size = 0;
    char *before = bytes_of(f, &before_size);
    tlm_error error = {0};
    assert_int_equal(try_open(f, &error), expected);
    assert_null(f->ledger);
    assert_int_equal(error.result, expected);
    assert_string_not_equal(error.hint, "");
    char *after = bytes_of(f, &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    free(before);
    free(after);
}

static void makes_its_files_for_itself_alone(void **state)
{
    fixture *f = *state;
    char path[TEST_PATH_MAX];
    struct stat info;
    assert_true(tlm_ledger_is_new(f->ledger));
    assert_int_equal(strlen(tlm_ledger_id(f->ledger)), 36);
    assert_int_equal(stat(f->directory, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_int_equal(stat(file_of(f, path), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
}

static void keeps_its_id_and_what_was_granted(void **state)
{
    fixture *f = *state;
    char id[37];
    (void)snprintf(id, sizeof id, "%s", tlm_ledger_id(f->ledger));
    put_feature(f, 1, ONE_SEAT);
    lease_id lease = acquire(f, "pro", "c1", TLM_OK);
    f->config.expected_id = id;
    reopen(f);
    assert_false(tlm_ledger_is_new(f->ledger));
    assert_string_equal(tlm_ledger_id(f->ledger), id);
    tlm_ledger_request r = {.ask = {.lease = lease.text}};
    assert_runs(f, TLM_LEDGER_LEASE, &r);
    assert_string_equal(r.grant.client, "c1");
    assert_string_equal(r.grant.feature, "pro");
    assert_string_equal(r.grant.memory, "{\"a\":[1]}");
    assert_string_equal(r.grant.vendor, "ACME");
    assert_string_equal(r.grant.product, "suite");
    assert_string_equal(r.grant.license, tlm_issued_jti(1));
    assert_int_equal(r.grant.expires, TEST_BEGIN + 300 * 1000LL);
    tlm_ledger_request_clear(&r);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
}

static void refuses_the_ledger_of_another_installation(void **state)
{
    fixture *f = *state;
    tlm_ledger_close(&f->ledger);
    f->config.storage_id = "00000000-0000-4000-8000-000000000001";
    assert_refused(f, TLM_ERR_FOREIGN);
    f->config.storage_id = TEST_STORAGE;
    f->config.host.fingerprint = TEST_FALLBACK;
    assert_refused(f, TLM_ERR_FOREIGN);
    f->config.host.fingerprint = TEST_FINGERPRINT;
    open_ledger(f);
}

static void refuses_what_is_newer_or_not_a_ledger(void **state)
{
    fixture *f = *state;
    tlm_ledger_close(&f->ledger);
    sql(f, "PRAGMA user_version = 2");
    assert_refused(f, TLM_ERR_NEWER);
    sql(f, "PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert_refused(f, TLM_ERR_FOREIGN);
    sql(f, "PRAGMA application_id = 1414286668; PRAGMA user_version = 0");
    assert_refused(f, TLM_ERR_DAMAGED);
}

static void write_at(const char *path, off_t at, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, text, strlen(text), at), strlen(text));
    assert_int_equal(close(file), 0);
}

static void refuses_a_damaged_file(void **state)
{
    fixture *f = *state;
    char path[TEST_PATH_MAX];
    put_feature(f, 1, ONE_SEAT);
    tlm_ledger_close(&f->ledger);
    write_at(file_of(f, path), 4096, "no page of a tree begins like this");
    assert_refused(f, TLM_ERR_DAMAGED);
    write_at(file_of(f, path), 0, "this is no database");
    assert_refused(f, TLM_ERR_DAMAGED);
}

static void refuses_files_that_others_can_use(void **state)
{
    fixture *f = *state;
    char path[TEST_PATH_MAX];
    char link_path[TEST_PATH_MAX];
    tlm_error error = {0};
    tlm_ledger_close(&f->ledger);
    assert_int_equal(chmod(file_of(f, path), 0640), 0);
    assert_int_equal(try_open(f, &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "chmod 0600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(f->directory, 0770), 0);
    assert_int_equal(try_open(f, &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "chmod 0700"));
    assert_int_equal(chmod(f->directory, 0700), 0);
    (void)snprintf(link_path, sizeof link_path, "%.450s.moved", path);
    assert_int_equal(rename(path, link_path), 0);
    assert_int_equal(symlink(link_path, path), 0);
    assert_int_not_equal(try_open(f, &error), TLM_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(link_path, path), 0);
    open_ledger(f);
}

static void has_one_owner(void **state)
{
    fixture *f = *state;
    tlm_ledger *second = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_ledger_open(&f->config, &second, &error), TLM_ERR_BUSY);
    assert_null(second);
    put_feature(f, 1, ONE_SEAT);
}

static void misses_a_ledger_that_was_noted(void **state)
{
    fixture *f = *state;
    char path[TEST_PATH_MAX];
    char id[37];
    (void)snprintf(id, sizeof id, "%s", tlm_ledger_id(f->ledger));
    tlm_ledger_close(&f->ledger);
    assert_int_equal(unlink(file_of(f, path)), 0);
    f->config.expected_id = id;
    open_ledger(f);
    assert_true(tlm_ledger_is_new(f->ledger));
    tlm_ledger_request r = {0};
    assert_runs(f, TLM_LEDGER_STATE, &r);
    assert_string_equal(json_string_value(json_object_get(r.answer, "state")), "ledger-missing");
    assert_string_equal(json_string_value(json_object_get(r.answer, "ledger")),
                        tlm_ledger_id(f->ledger));
    put_feature(f, 1, ONE_SEAT);
    put_feature(f, 2, "[{'id':'count','seats':0,'model':{'type':'trial','days':3}}]");
    (void)acquire(f, "pro", "c1", TLM_OK);
    (void)acquire(f, "count", "c1", TLM_ERR_ROLLBACK);
    r.ask.reason = "moved";
    assert_runs(f, TLM_LEDGER_ACCEPT, &r);
    assert_string_equal(json_string_value(json_object_get(r.answer, "state")), "ok");
    (void)acquire(f, "count", "c1", TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void notices_another_ledger_than_the_noted_one(void **state)
{
    fixture *f = *state;
    f->config.expected_id = "11111111-0000-4000-8000-000000000001";
    reopen(f);
    tlm_ledger_request r = {0};
    assert_runs(f, TLM_LEDGER_STATE, &r);
    assert_string_equal(json_string_value(json_object_get(r.answer, "state")), "replaced");
    tlm_ledger_request_clear(&r);
}

static void notices_that_its_file_was_exchanged(void **state)
{
    fixture *f = *state;
    char path[TEST_PATH_MAX];
    char moved[TEST_PATH_MAX];
    put_feature(f, 1, ONE_SEAT);
    tlm_ledger_request r = {0};
    assert_runs(f, TLM_LEDGER_TICK, &r);
    assert_runs(f, TLM_LEDGER_STATE, &r);
    assert_string_equal(json_string_value(json_object_get(r.answer, "state")), "ok");
    (void)snprintf(moved, sizeof moved, "%.450s.moved", file_of(f, path));
    assert_int_equal(rename(path, moved), 0);
    assert_runs(f, TLM_LEDGER_TICK, &r);
    assert_runs(f, TLM_LEDGER_STATE, &r);
    assert_string_equal(json_string_value(json_object_get(r.answer, "state")), "replaced");
    assert_int_equal(rename(moved, path), 0);
    tlm_ledger_request_clear(&r);
}

static void sums_up(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, ONE_SEAT);
    json_t *later = claims_of(f, 2, ONE_SEAT);
    json_object_set_new(later, "nbf", json_integer(TEST_BEGIN / 1000 + 1000));
    put(f, later);
    (void)acquire(f, "pro", "c1", TLM_OK);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
    json_t *summary = tlm_ledger_summary(f->ledger);
    const json_t *licenses = json_object_get(summary, "licenses");
    assert_int_equal(json_integer_value(json_object_get(licenses, "active")), 1);
    assert_int_equal(json_integer_value(json_object_get(licenses, "pending")), 1);
    assert_int_equal(json_integer_value(json_object_get(licenses, "removed")), 0);
    assert_int_equal(json_integer_value(json_object_get(summary, "leases")), 1);
    assert_int_equal(json_integer_value(json_object_get(summary, "seatsInUse")), 1);
    assert_int_equal(json_integer_value(json_object_get(summary, "waiting")), 1);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "ok");
    assert_int_equal(json_array_size(json_object_get(summary, "drift")), 0);
    json_decref(summary);
}

static void is_dirty_until_the_checkpoint(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {.checkpoint = {.has_counter = true, .counter = 5}};
    assert_false(tlm_ledger_dirty(f->ledger));
    put_feature(f, 1, ONE_SEAT);
    assert_true(tlm_ledger_dirty(f->ledger));
    assert_runs(f, TLM_LEDGER_INTENT, &r);
    assert_true(tlm_ledger_dirty(f->ledger));
    assert_runs(f, TLM_LEDGER_CHECKPOINT, &r);
    assert_false(tlm_ledger_dirty(f->ledger));
    assert_true(json_integer_value(json_object_get(r.answer, "seq")) > 0);
    (void)acquire(f, "none", "c1", TLM_ERR_UNLICENSED);
    assert_false(tlm_ledger_dirty(f->ledger));
    (void)acquire(f, "pro", "c1", TLM_OK);
    assert_true(tlm_ledger_dirty(f->ledger));
    tlm_ledger_request_clear(&r);
}

static void counts_one_commit_for_what_waits(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, ONE_SEAT);
    json_t *before = tlm_ledger_summary(f->ledger);
    for (int i = 0; i < 20; i++) {
        tlm_ledger_request r = {.ask = {.feature = "none", .client = "c"}};
        assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_UNLICENSED);
        assert_runs(f, TLM_LEDGER_LICENSES, &r);
        tlm_ledger_request_clear(&r);
    }
    json_t *after = tlm_ledger_summary(f->ledger);
    assert_int_equal(json_integer_value(json_object_get(before, "commits")),
                     json_integer_value(json_object_get(after, "commits")));
    assert_int_equal(json_integer_value(json_object_get(before, "requests")) + 40,
                     json_integer_value(json_object_get(after, "requests")));
    json_decref(before);
    json_decref(after);
}

static void tells_what_was_done_in_the_audit_log(void **state)
{
    fixture *f = *state;
    static const char *const expected[] = {"created", "activated", "removed", "activated"};
    put_feature(f, 1, ONE_SEAT);
    tlm_ledger_request r = {.ask = {.license = tlm_issued_jti(1), .peer = "uid 0"}};
    assert_runs(f, TLM_LEDGER_REMOVE, &r);
    json_t *claims = claims_of(f, 1, ONE_SEAT);
    json_object_set_new(claims, "iat", json_integer(TLM_ISSUED_AT + 1));
    put(f, claims);
    assert_runs(f, TLM_LEDGER_AUDIT, &r);
    const json_t *entries = json_object_get(r.answer, "entries");
    assert_int_equal(json_array_size(entries), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *entry = json_array_get(entries, i);
        assert_string_equal(json_string_value(json_object_get(entry, "event")), expected[i]);
    }
    assert_string_equal(json_string_value(json_object_get(json_array_get(entries, 2), "peer")),
                        "uid 0");
    tlm_ledger_request_clear(&r);
}

static void closes_nothing(void **state)
{
    (void)state;
    tlm_ledger *none = NULL;
    tlm_ledger_close(NULL);
    tlm_ledger_close(&none);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(makes_its_files_for_itself_alone),
        CASE(keeps_its_id_and_what_was_granted),
        CASE(refuses_the_ledger_of_another_installation),
        CASE(refuses_what_is_newer_or_not_a_ledger),
        CASE(refuses_a_damaged_file),
        CASE(refuses_files_that_others_can_use),
        CASE(has_one_owner),
        CASE(misses_a_ledger_that_was_noted),
        CASE(notices_another_ledger_than_the_noted_one),
        CASE(notices_that_its_file_was_exchanged),
        CASE(sums_up),
        CASE(is_dirty_until_the_checkpoint),
        CASE(counts_one_commit_for_what_waits),
        CASE(tells_what_was_done_in_the_audit_log),
        cmocka_unit_test(closes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
