/* SPDX-License-Identifier: BSD-2-Clause */
/* The counter and the clock of a TPM: each number is given once, and none comes again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/counter.h>
#include <tlm/process.h>

#define THREADS 4
#define READINGS 250

static tlm_tpm *tpm;

/* Runs tpm2-tools and the functions of scripts/swtpm.sh on the TPM of the test. */
static void shell(const char *commands)
{
    char script[1024];
    int length = snprintf(script, sizeof script,
                          "set -e; . '%s'; d='%s'; export TPM2TOOLS_TCTI=swtpm:path=$d/sock;"
                          " stop() { swtpm_stop \"$d/sock\" \"$d/pid\"; };"
                          " start() { swtpm_start \"$d/st\" \"$d/sock\" \"$d/pid\"; };"
                          " cut() { kill -KILL \"$(cat \"$d/pid\")\"; sleep 0.2; }; %s",
                          TLM_TEST_SWTPM_SCRIPT, getenv("TLM_TEST_SWTPM_DIR"), commands);
    assert_true(length > 0 && (size_t)length < sizeof script);
    const char *const argv[] = {"bash", "-c", script, NULL};
    tlm_process_output output = {0};
    assert_int_equal(tlm_process_run(argv, 30000, 65536, &output, NULL), TLM_OK);
    if (output.status != 0) {
        fail_msg("%s: %s", commands, output.errors);
    }
    tlm_process_output_clear(&output);
}

static tlm_tpm *open_tpm(void)
{
    tlm_tpm *made = NULL;
    tlm_error error = {0};
    if (tlm_tpm_open_tcti(getenv("TLM_TEST_TCTI"), &made, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return made;
}

static void reopen(void)
{
    tlm_tpm_close(&tpm);
    tpm = open_tpm();
}

static void define(bool replace, bool expected)
{
    tlm_error error = {0};
    bool changed = !expected;
    if (tlm_counter_define(tpm, replace, &changed, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(changed, expected);
}

static uint64_t next(void)
{
    tlm_counter counter = {0};
    tlm_error error = {0};
    uint64_t value = 0;
    if (tlm_counter_open(tpm, &counter, &error) != TLM_OK ||
        tlm_counter_next(tpm, &counter, &value, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    tlm_counter_close(tpm, &counter);
    return value;
}

static int setup(void **state)
{
    (void)state;
    tpm = open_tpm();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlm_tpm_close(&tpm);
    return 0;
}

static void test_missing_is_told(void **state)
{
    (void)state;
    tlm_counter counter = {0};
    tlm_counter_state seen = {.present = true};
    tlm_error error = {0};
    uint64_t value = 0;
    assert_int_equal(tlm_counter_read_state(tpm, &seen, &error), TLM_OK);
    assert_false(seen.present);
    assert_int_equal(tlm_counter_open(tpm, &counter, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "0x018003E8"));
    assert_non_null(strstr(error.hint, "tlm-token-init provision"));
    assert_int_equal(tlm_counter_next(tpm, &counter, &value, &error), TLM_ERR_ARGUMENT);
    tlm_counter_close(tpm, &counter);
    tlm_counter_close(NULL, &counter);
    assert_int_equal(tlm_counter_undefine(tpm, &error), TLM_ERR_NOT_FOUND);
}

static void test_define_and_count(void **state)
{
    (void)state;
    define(false, true);
    define(false, false);
    tlm_counter_state before;
    tlm_counter_state after;
    assert_int_equal(tlm_counter_read_state(tpm, &before, NULL), TLM_OK);
    assert_true(before.present && before.ours && before.written);
    assert_true(before.value > 0);
    tlm_counter counter = {0};
    uint64_t value = 0;
    assert_int_equal(tlm_counter_open(tpm, &counter, NULL), TLM_OK);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(tlm_counter_next(tpm, &counter, &value, NULL), TLM_OK);
        assert_true(value == before.value + i);
    }
    tlm_counter_close(tpm, &counter);
    assert_int_equal(tlm_counter_read_state(tpm, &after, NULL), TLM_OK);
    assert_true(after.value == before.value + 20);
}

typedef struct reader {
    pthread_t thread;
    tlm_tpm *tpm;
    uint64_t values[READINGS];
    tlm_error error;
} reader;

static void *read_many(void *context)
{
    reader *self = context;
    tlm_counter counter = {0};
    tlm_result result = tlm_counter_open(self->tpm, &counter, &self->error);
    for (size_t i = 0; result == TLM_OK && i < READINGS; i++) {
        result = tlm_counter_next(self->tpm, &counter, &self->values[i], &self->error);
    }
    tlm_counter_close(self->tpm, &counter);
    return NULL;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Each thread has its own way to the TPM, as processes have: nothing but the TPM orders them. */
static void test_four_at_a_time_never_share_a_number(void **state)
{
    (void)state;
    static reader readers[THREADS];
    static uint64_t all[THREADS * READINGS];
    for (size_t i = 0; i < THREADS; i++) {
        readers[i].tpm = open_tpm();
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_many, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        tlm_tpm_close(&readers[i].tpm);
        assert_string_equal(readers[i].error.message, "");
        for (size_t j = 1; j < READINGS; j++) {
            assert_true(readers[i].values[j] > readers[i].values[j - 1]);
        }
        memcpy(all + i * (size_t)READINGS, readers[i].values, sizeof readers[i].values);
    }
    qsort(all, sizeof all / sizeof all[0], sizeof all[0], compare);
    for (size_t i = 1; i < sizeof all / sizeof all[0]; i++) {
        assert_true(all[i] != all[i - 1]);
    }
}

static void test_no_number_comes_again(void **state)
{
    (void)state;
    uint64_t last = next();
    shell("cut; start"); /* as a power cut */
    reopen();
    uint64_t now = next();
    assert_true(now > last);
    last = now;
    shell("stop; start");
    reopen();
    now = next();
    assert_true(now > last);
    last = now;
    assert_int_equal(tlm_counter_undefine(tpm, NULL), TLM_OK);
    define(false, true);
    now = next();
    assert_true(now > last);
    last = now;
    shell("tpm2_clear -c p");
    define(false, true);
    assert_true(next() > last);
}

static void refuses_foreign(const char *words)
{
    tlm_error error = {0};
    tlm_counter counter = {0};
    tlm_counter_state seen;
    bool changed = true;
    assert_int_equal(tlm_counter_define(tpm, false, &changed, &error), TLM_ERR_FOREIGN);
    assert_false(changed);
    assert_non_null(strstr(error.message, words));
    assert_non_null(strstr(error.hint, "--replace"));
    assert_int_equal(tlm_counter_open(tpm, &counter, NULL), TLM_ERR_FOREIGN);
    assert_int_equal(tlm_counter_undefine(tpm, NULL), TLM_ERR_FOREIGN);
    assert_int_equal(tlm_counter_read_state(tpm, &seen, NULL), TLM_OK);
    assert_true(seen.present && !seen.ours);
}

static void test_a_foreign_index_is_kept(void **state)
{
    (void)state;
    uint64_t last = next();
    assert_int_equal(tlm_counter_undefine(tpm, NULL), TLM_OK);
    shell("tpm2_nvdefine -Q -C o -s 32 -a 'ownerread|ownerwrite' 0x018003E8");
    refuses_foreign("data of 32 bytes");
    shell("tpm2_nvundefine -Q -C o 0x018003E8;"
          "tpm2_nvdefine -Q -C o -a 'nt=counter|ownerread|authread|authwrite|no_da' -p secret"
          " 0x018003E8");
    refuses_foreign("counter of 8 bytes");
    define(true, true);
    assert_true(next() > last);
}

static void test_removal_in_between_is_told(void **state)
{
    (void)state;
    tlm_counter counter = {0};
    uint64_t value = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_counter_open(tpm, &counter, NULL), TLM_OK);
    shell("tpm2_nvundefine -Q -C o 0x018003E8");
    assert_int_equal(tlm_counter_next(tpm, &counter, &value, &error), TLM_ERR_TPM);
    assert_non_null(strstr(error.message, "0x018003E8"));
    assert_non_null(strstr(error.hint, "tlm-token-init provision"));
    tlm_counter_close(tpm, &counter);
    define(false, true);
}

static void test_owner_with_a_password(void **state)
{
    (void)state;
    assert_int_equal(tlm_counter_undefine(tpm, NULL), TLM_OK);
    shell("tpm2_changeauth -Q -c o secret");
    bool changed = false;
    tlm_error error = {0};
    assert_int_equal(tlm_counter_define(tpm, false, &changed, &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "--owner-auth-file"));
    tlm_secret *auth = NULL;
    assert_int_equal(tlm_secret_new(6, &auth, NULL), TLM_OK);
    memcpy(tlm_secret_data(auth), "secret", 6);
    assert_int_equal(tlm_tpm_set_owner_auth(tpm, auth, NULL), TLM_OK);
    tlm_secret_free(&auth);
    define(false, true);
    reopen();
    assert_true(next() > 0); /* counting needs no owner */
    shell("tpm2_changeauth -Q -c o -p secret");
}

static void test_clock(void **state)
{
    (void)state;
    tlm_tpm_clock first = {0};
    tlm_tpm_clock second = {0};
    assert_int_equal(tlm_tpm_read_clock(tpm, &first, NULL), TLM_OK);
    shell("sleep 0.1");
    assert_int_equal(tlm_tpm_read_clock(tpm, &second, NULL), TLM_OK);
    assert_true(second.clock_ms >= first.clock_ms + 50);
    assert_int_equal(second.reset_count, first.reset_count);
    shell("stop; start");
    reopen();
    assert_int_equal(tlm_tpm_read_clock(tpm, &first, NULL), TLM_OK);
    assert_int_equal(first.reset_count, second.reset_count + 1);
    assert_int_equal(first.restart_count, 0);
    assert_true(first.safe);
    shell("cut; start");
    reopen();
    assert_int_equal(tlm_tpm_read_clock(tpm, &second, NULL), TLM_OK);
    assert_int_equal(second.reset_count, first.reset_count + 1);
    assert_false(second.safe);
}

static void test_an_interface_that_is_none(void **state)
{
    (void)state;
    tlm_tpm *none = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_tpm_open_tcti(NULL, &none, &error), TLM_ERR_ARGUMENT);
    assert_int_not_equal(tlm_tpm_open_tcti("swtpm:path=/nowhere/sock", &none, &error), TLM_OK);
    assert_null(none);
    assert_non_null(strstr(error.message, "/nowhere/sock"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_is_told),
        cmocka_unit_test(test_define_and_count),
        cmocka_unit_test(test_four_at_a_time_never_share_a_number),
        cmocka_unit_test(test_no_number_comes_again),
        cmocka_unit_test(test_a_foreign_index_is_kept),
        cmocka_unit_test(test_removal_in_between_is_told),
        cmocka_unit_test(test_owner_with_a_password),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_an_interface_that_is_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
