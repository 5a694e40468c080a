/* SPDX-License-Identifier: BSD-2-Clause */
/* Full disks, broken ones, and power cuts at every step: nothing is granted twice or lost. */
#include "ledger_fixture.h"

#include "faulty_vfs.h"

#define FEATURES                                                                                   \
    "[{'id':'pro','seats':2,'model':{'type':'perpetual'}},"                                        \
    "{'id':'n','seats':1,'model':{'type':'counter','direction':'down','limit':100}}]"

typedef struct counts {
    json_int_t in_use;
    json_int_t used;
} counts;

static counts counts_of(fixture *f)
{
    counts found = {-1, -1};
    tlm_ledger_request r = {.ask = {.license = tlm_issued_jti(1)}};
    if (run(f, TLM_LEDGER_LICENSE, &r) == TLM_OK) {
        const json_t *features = json_object_get(r.answer, "features");
        found.in_use = json_integer_value(json_object_get(json_array_get(features, 0), "inUse"));
        found.used = json_integer_value(json_object_get(json_array_get(features, 1), "used"));
    }
    tlm_ledger_request_clear(&r);
    return found;
}

/* What is done to the ledger, in this order, and what it has after each. */
static const struct {
    tlm_ledger_op op;
    tlm_ledger_ask ask;
    counts after;
} steps[] = {
    {TLM_LEDGER_ACTIVATE, {0}, {0, 0}},
    {TLM_LEDGER_ACQUIRE, {.feature = "pro", .client = "a"}, {1, 0}},
    {TLM_LEDGER_USE, {.feature = "n", .client = "a", .request = "1", .units = 5}, {1, 5}},
    {TLM_LEDGER_ACQUIRE, {.feature = "pro", .client = "b"}, {2, 5}},
    {TLM_LEDGER_USE, {.feature = "n", .client = "b", .request = "2", .units = 7}, {2, 12}},
    {TLM_LEDGER_RELEASE, {0}, {1, 12}},
};
#define STEPS (sizeof steps / sizeof *steps)

typedef struct history {
    tlm_package *package;
    char lease[37];
} history;

static tlm_result do_step(fixture *f, history *h, size_t step)
{
    tlm_ledger_request r = {.ask = steps[step].ask, .package = h->package};
    if (steps[step].op == TLM_LEDGER_RELEASE) {
        r.ask.lease = h->lease;
    }
    tlm_result result = run(f, steps[step].op, &r);
    if (result == TLM_OK && steps[step].op == TLM_LEDGER_ACQUIRE) {
        (void)snprintf(h->lease, sizeof h->lease, "%s", r.grant.lease);
    } else if (result != TLM_OK) {
        assert_string_equal(r.grant.lease, "");
        assert_null(r.answer);
    }
    tlm_ledger_request_clear(&r);
    return result;
}

static tlm_package *package_of(fixture *f)
{
    char *text = tlm_issued_license(f->issued, claims_of(f, 1, FEATURES));
    tlm_package *package = tlm_issued_package(f->issued, TEST_FINGERPRINT, &text, 1);
    free(text);
    return package;
}

/* A ledger without anything, on the disk that fails. */
static void begin_anew(fixture *f)
{
    char path[TEST_PATH_MAX];
    static const char *const names[] = {"ledger.db", "ledger.db-wal", "ledger.db.synced",
                                        "ledger.db-wal.synced"};
    tlm_ledger_close(&f->ledger);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%.450s/%s", f->directory, names[i]);
        (void)unlink(path);
    }
    faulty_disk_mend();
    f->config.vfs = faulty_vfs_register();
}

static void assert_after(fixture *f, size_t done)
{
    counts found = counts_of(f);
    counts wanted = done > 0 ? steps[done - 1].after : (counts){-1, -1};
    if (found.in_use != wanted.in_use || found.used != wanted.used) {
        fail_msg("after %zu steps %lld seats and %lld units", done, (long long)found.in_use,
                 (long long)found.used);
    }
}

/* Each step fails at each of its writes, is refused, and works when there is room again. */
static void fail_everywhere(fixture *f, int code, tlm_result expected)
{
    unsigned failures = 0;
    begin_anew(f);
    open_ledger(f);
    history h = {.package = package_of(f)};
    for (size_t step = 0; step < STEPS; step++) {
        for (unsigned at = 1;; at++) {
            atomic_store(&faulty_disk.steps, 0);
            faulty_disk.fail_with = code;
            faulty_disk.fail_at = at;
            tlm_result result = do_step(f, &h, step);
            faulty_disk.fail_at = 0;
            if (result == TLM_OK) {
                break;
            }
            failures++;
            assert_int_equal(result, expected);
            assert_after(f, step);
        }
        assert_after(f, step + 1);
    }
    assert_true(failures >= STEPS);
    f->config.vfs = NULL;
    reopen(f);
    assert_after(f, STEPS);
    tlm_package_free(&h.package);
}

static void a_full_disk_grants_nothing(void **state)
{
    fail_everywhere(*state, SQLITE_FULL, TLM_ERR_NO_SPACE);
}

static void a_broken_disk_grants_nothing(void **state)
{
    fail_everywhere(*state, SQLITE_IOERR_WRITE, TLM_ERR_IO);
}

static void answers_questions_while_the_disk_is_full(void **state)
{
    fixture *f = *state;
    begin_anew(f);
    open_ledger(f);
    put_feature(f, 1,
                "[{'id':'pro','seats':1,'model':{'type':'perpetual'}},"
                "{'id':'alone','seats':0,'model':{'type':'perpetual'}}]");
    tlm_ledger_request r = {.ask = {.feature = "alone", .local = true}};
    assert_runs(f, TLM_LEDGER_TICK, &r);
    faulty_disk.fail_with = SQLITE_FULL;
    faulty_disk.fail_at = 1;
    (void)acquire(f, "pro", "c", TLM_ERR_NO_SPACE);
    assert_runs(f, TLM_LEDGER_STATE, &r);
    assert_runs(f, TLM_LEDGER_LICENSES, &r);
    assert_runs(f, TLM_LEDGER_CHECK, &r);
    assert_true(tlm_ledger_dirty(f->ledger));
    faulty_disk.fail_at = 0;
    (void)acquire(f, "pro", "c", TLM_OK);
    tlm_ledger_request_clear(&r);
}

/* Runs the history until the power is cut; the number of steps that were acknowledged before. */
static size_t run_until_cut(fixture *f, unsigned cut_at, bool keep_synced)
{
    size_t done = 0;
    begin_anew(f);
    faulty_disk.cut_at = cut_at;
    faulty_disk.keep_synced = keep_synced;
    history h = {.package = package_of(f)};
    tlm_error error = {0};
    if (try_open(f, &error) == TLM_OK) {
        while (done < STEPS && do_step(f, &h, done) == TLM_OK && !atomic_load(&faulty_disk.dead)) {
            done++;
        }
    }
    tlm_ledger_close(&f->ledger);
    tlm_package_free(&h.package);
    return done;
}

static void cut_everywhere(fixture *f, bool synced_only)
{
    unsigned cut_at = 1;
    bool cut = true;
    for (; cut; cut_at++) {
        size_t done = run_until_cut(f, cut_at, synced_only);
        cut = atomic_load(&faulty_disk.dead);
        faulty_vfs_power_on(f->directory, synced_only && cut);
        faulty_disk_mend();
        open_ledger(f);
        counts found = counts_of(f);
        counts least = done > 0 ? steps[done - 1].after : (counts){-1, -1};
        counts most = done < STEPS ? steps[done].after : least;
        bool is_least = found.in_use == least.in_use && found.used == least.used;
        bool is_most = found.in_use == most.in_use && found.used == most.used;
        if (!is_least && !is_most) {
            fail_msg("cut at %u after %zu steps: %lld seats, %lld units", cut_at, done,
                     (long long)found.in_use, (long long)found.used);
        }
    }
    assert_true(cut_at > 20);
}

static void a_kill_loses_nothing_that_was_told(void **state)
{
    cut_everywhere(*state, false);
}

static void a_power_cut_loses_nothing_that_was_told(void **state)
{
    cut_everywhere(*state, true);
}

static int teardown(void **state)
{
    faulty_disk_mend();
    return ledger_teardown(state);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_full_disk_grants_nothing),
        CASE(a_broken_disk_grants_nothing),
        CASE(answers_questions_while_the_disk_is_full),
        CASE(a_kill_loses_nothing_that_was_told),
        CASE(a_power_cut_loses_nothing_that_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
