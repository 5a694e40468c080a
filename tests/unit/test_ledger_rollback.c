/* SPDX-License-Identifier: BSD-2-Clause */
/* What a user does with the files and the clock, and what the ledger makes of it. */
#include "ledger_fixture.h"

#include <fcntl.h>
#include <sys/sendfile.h>

#define FEATURES                                                                                   \
    "[{'id':'pro','seats':3,'model':{'type':'perpetual'}},"                                        \
    "{'id':'calls','seats':0,'model':{'type':'counter','direction':'down','limit':10}}]"

static uint64_t token; /* its counter */

static int setup(void **state)
{
    token = 100;
    return ledger_setup(state);
}

static void copy_file(const char *from, const char *to)
{
    struct stat info;
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0) {
        (void)unlink(to);
        return;
    }
    int target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(target >= 0);
    assert_int_equal(fstat(source, &info), 0);
    assert_int_equal(sendfile(target, source, NULL, (size_t)info.st_size), info.st_size);
    (void)close(source);
    (void)close(target);
}

/* The ledger's files to a place beside them, or back. */
static void copy_files(fixture *f, bool back)
{
    static const char *const endings[] = {"", "-wal"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char ledger[TEST_PATH_MAX];
        char copy[TEST_PATH_MAX];
        (void)snprintf(ledger, sizeof ledger, "%.400s/" TLM_LEDGER_FILE "%s", f->directory,
                       endings[i]);
        (void)snprintf(copy, sizeof copy, "%.400s/copy%s", f->path, endings[i]);
        copy_file(back ? copy : ledger, back ? ledger : copy);
    }
}

static void checkpoint(fixture *f)
{
    tlm_ledger_request request = {0};
    assert_runs(f, TLM_LEDGER_INTENT, &request);
    request.checkpoint =
        (tlm_checkpoint){.has_counter = true, .counter = ++token, .tamper_proof = true};
    assert_runs(f, TLM_LEDGER_CHECKPOINT, &request);
    tlm_ledger_request_clear(&request);
}

static tlm_result call(fixture *f, const char *id, int64_t units)
{
    tlm_ledger_request request = {
        .ask = {.feature = "calls", .client = "c", .request = id, .units = units, .local = true}};
    tlm_result result = run(f, TLM_LEDGER_USE, &request);
    tlm_ledger_request_clear(&request);
    return result;
}

static void assert_state(fixture *f, const char *expected)
{
    tlm_ledger_request request = {0};
    assert_runs(f, TLM_LEDGER_TICK, &request);
    assert_runs(f, TLM_LEDGER_STATE, &request);
    assert_string_equal(json_string_value(json_object_get(request.answer, "state")), expected);
    tlm_ledger_request_clear(&request);
}

static void accept_state(fixture *f)
{
    tlm_ledger_request request = {.ask = {.reason = "restored on purpose", .peer = "uid 0"}};
    assert_runs(f, TLM_LEDGER_ACCEPT, &request);
    tlm_ledger_request_clear(&request);
}

/* Uses ten calls, puts the files of before back, and wants ten more. */
static void a_copy_gives_nothing_twice(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, FEATURES);
    checkpoint(f);
    tlm_ledger_close(&f->ledger);
    copy_files(f, false);
    open_ledger(f);
    checkpoint(f);
    assert_int_equal(call(f, "r1", 10), TLM_OK);
    checkpoint(f);
    tlm_ledger_close(&f->ledger);

    copy_files(f, true);
    open_ledger(f);
    assert_int_equal(call(f, "r2", 10), TLM_ERR_TOKEN_UNAVAILABLE);
    checkpoint(f);
    assert_state(f, "rolled-back");
    assert_int_equal(call(f, "r2", 10), TLM_ERR_ROLLBACK);
    (void)acquire(f, "pro", "c1", TLM_OK); /* perpetual */

    accept_state(f);
    assert_state(f, "ok");
    assert_int_equal(call(f, "r2", 10), TLM_OK);
    reopen(f);
    checkpoint(f);
    assert_state(f, "ok");
}

/* The same while the program runs. */
static void a_file_that_is_exchanged_is_noticed(void **state)
{
    fixture *f = *state;
    char ledger[TEST_PATH_MAX];
    char copy[TEST_PATH_MAX];
    put_feature(f, 1, FEATURES);
    checkpoint(f);
    tlm_ledger_close(&f->ledger);
    copy_files(f, false);
    open_ledger(f);
    checkpoint(f);
    assert_int_equal(call(f, "r1", 1), TLM_OK);
    (void)snprintf(ledger, sizeof ledger, "%.400s/" TLM_LEDGER_FILE, f->directory);
    (void)snprintf(copy, sizeof copy, "%.400s/copy", f->path);
    assert_int_equal(rename(copy, ledger), 0);
    assert_state(f, "replaced");
    assert_int_equal(call(f, "r2", 1), TLM_ERR_ROLLBACK);
}

static void a_ledger_that_is_gone_is_missed(void **state)
{
    fixture *f = *state;
    char id[37];
    char path[TEST_PATH_MAX];
    (void)snprintf(id, sizeof id, "%s", tlm_ledger_id(f->ledger));
    put_feature(f, 1, FEATURES);
    assert_int_equal(call(f, "r1", 10), TLM_OK);
    tlm_ledger_close(&f->ledger);
    (void)snprintf(path, sizeof path, "%.400s/" TLM_LEDGER_FILE, f->directory);
    assert_int_equal(unlink(path), 0);
    f->config.expected_id = id;
    open_ledger(f);
    f->config.expected_id = NULL;
    assert_true(tlm_ledger_is_new(f->ledger));
    assert_state(f, "ledger-missing");
    put_feature(f, 1, FEATURES);
    assert_int_equal(call(f, "r2", 10), TLM_ERR_ROLLBACK);
    accept_state(f);
    assert_int_equal(call(f, "r2", 10), TLM_OK);
}

static void a_clock_that_is_set_back_gives_nothing_twice(void **state)
{
    fixture *f = *state;
    put(f, claims_of(f, 2, "[{'id':'try','seats':5,'model':{'type':'trial','days':30}}]"));
    (void)acquire(f, "try", "c1", TLM_OK);
    pass(f, 31LL * TEST_DAY);
    (void)acquire(f, "try", "c2", TLM_ERR_EXPIRED);
    f->wall -= 31LL * TEST_DAY * 1000;
    assert_state(f, "clock-back");
    (void)acquire(f, "try", "c2", TLM_ERR_ROLLBACK);
    reopen(f);
    assert_state(f, "clock-back");
    (void)acquire(f, "try", "c2", TLM_ERR_ROLLBACK);
    f->wall += 31LL * TEST_DAY * 1000;
    assert_state(f, "ok");
    (void)acquire(f, "try", "c2", TLM_ERR_EXPIRED);
}

int main(void)
{
#define ROLLBACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, ledger_teardown)
    const struct CMUnitTest tests[] = {
        ROLLBACK_TEST(a_copy_gives_nothing_twice),
        ROLLBACK_TEST(a_file_that_is_exchanged_is_noticed),
        ROLLBACK_TEST(a_ledger_that_is_gone_is_missed),
        ROLLBACK_TEST(a_clock_that_is_set_back_gives_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
