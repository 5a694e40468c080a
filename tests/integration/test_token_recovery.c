/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TPM that goes away and comes back while its token is in use. Whatever happens, the TPM's
 * lockout counter stays where it was.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <tlm/process.h>

#include "provisioned.h"

#define THREADS 4

static tlm_provisioned at;
static tlm_key *srk;
static tlm_key *attest;

/* Runs shell functions of scripts/swtpm.sh on the TPM of the test. */
static void tpm(const char *commands)
{
    char script[1024];
    const char *directory = tlm_provisioned_env("TLM_TEST_SWTPM_DIR");
    int length = snprintf(script, sizeof script,
                          ". '%s'; d='%s'; stop() { swtpm_stop \"$d/sock\" \"$d/pid\"; };"
                          " start() { swtpm_start \"$d/st\" \"$d/sock\" \"$d/pid\"; }; %s",
                          TLM_TEST_SWTPM_SCRIPT, directory, commands);
    assert_true(length > 0 && (size_t)length < sizeof script);
    const char *const argv[] = {"bash", "-c", script, NULL};
    tlm_process_output output = {0};
    tlm_error error = {0};
    if (tlm_process_run(argv, 30000, 65536, &output, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(output.status, 0);
    tlm_process_output_clear(&output);
}

static unsigned long lockout_counter(void)
{
    static const char name[] = "TPM2_PT_LOCKOUT_COUNTER: ";
    const char *const argv[] = {"tpm2_getcap", "properties-variable", NULL};
    tlm_process_output output = {0};
    tlm_error error = {0};
    assert_int_equal(setenv("TPM2TOOLS_TCTI", tlm_provisioned_env("TLM_TEST_TCTI"), 1), 0);
    assert_int_equal(tlm_process_run(argv, 10000, 65536, &output, &error), TLM_OK);
    assert_int_equal(output.status, 0);
    const char *found = strstr(output.text, name);
    assert_non_null(found);
    unsigned long counter = strtoul(found + sizeof name - 1, NULL, 16);
    tlm_process_output_clear(&output);
    return counter;
}

static int open_token(void **state)
{
    (void)state;
    tlm_provisioned_open(&at);
    srk = tlm_provisioned_key(&at, "tlm-srk");
    attest = tlm_provisioned_key(&at, "tlm-attest");
    return 0;
}

static int close_token(void **state)
{
    (void)state;
    tlm_key_free(&srk);
    tlm_key_free(&attest);
    tlm_provisioned_close(&at);
    return 0;
}

static void assert_ok(tlm_result result, const tlm_error *error)
{
    if (result != TLM_OK) {
        fail_msg("%s (%s)", error->message, error->hint);
    }
}

static void pause_ms(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* A prober's life: asks until the token is there again. */
static void probe_until_back(void)
{
    tlm_error error = {0};
    for (int i = 0; i < 400; i++) {
        if (tlm_token_probe(at.token, &error) == TLM_OK) {
            return;
        }
        assert_int_equal(error.result, TLM_ERR_TOKEN_UNAVAILABLE);
        pause_ms(50);
    }
    fail_msg("not back after 20 s: %s", error.message);
}

/* The key was in use: the restart is not noticed by its user at all. */
static void test_restart_between_two_operations(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
    unsigned before = tlm_token_recoveries(at.token);
    tpm("stop; start");
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
    assert_int_equal(tlm_token_recoveries(at.token), before + 1);
    assert_int_equal(lockout_counter(), 0);
}

/* The key is used for the first time after the restart. */
static void test_restart_before_the_first_use_of_a_key(void **state)
{
    (void)state;
    tlm_error error = {0};
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_secret *plain = NULL;
    assert_ok(tlm_public_encrypt_oaep(tlm_key_public(srk), "secret", 6, cipher, &size, &error),
              &error);
    tpm("stop; start");
    tlm_result result = tlm_key_decrypt_oaep(srk, cipher, size, &plain, &error);
    if (result != TLM_OK) {
        /* Nothing but "away", which a prober mends; never a word of damaged data. */
        assert_int_equal(result, TLM_ERR_TOKEN_UNAVAILABLE);
        probe_until_back();
        assert_ok(tlm_key_decrypt_oaep(srk, cipher, size, &plain, &error), &error);
    }
    assert_int_equal(tlm_secret_size(plain), 6);
    assert_memory_equal(tlm_secret_bytes(plain), "secret", 6);
    tlm_secret_free(&plain);
    assert_int_equal(lockout_counter(), 0);
}

static void test_while_it_is_away(void **state)
{
    (void)state;
    tlm_error error = {0};
    tpm("stop");
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error),
                         TLM_ERR_TOKEN_UNAVAILABLE);
        assert_non_null(strstr(error.hint, "tlm-token-init doctor"));
        assert_false(tlm_token_available(at.token));
        pause_ms(20);
    }
    tpm("start");
    probe_until_back();
    assert_true(tlm_token_available(at.token));
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
    assert_int_equal(lockout_counter(), 0);
}

static atomic_bool stop_signing;

typedef struct worker {
    atomic_uint good;
    unsigned away;
    tlm_error other; /* the first error that is not "away" */
} worker;

/* No assertion here: cmocka's belong to the main thread. */
static void *sign_always(void *context)
{
    worker *of = context;
    while (!atomic_load(&stop_signing)) {
        tlm_error error = {0};
        tlm_result result = tlm_provisioned_sign(attest, TLM_JWA_ES256, &error);
        (void)atomic_fetch_add(&of->good, result == TLM_OK ? 1U : 0U);
        of->away += result == TLM_ERR_TOKEN_UNAVAILABLE ? 1U : 0U;
        if (result != TLM_OK && result != TLM_ERR_TOKEN_UNAVAILABLE && of->other.result == TLM_OK) {
            of->other = error;
        }
        pause_ms(result == TLM_OK ? 1 : 20);
    }
    return NULL;
}

/* On a busy machine a thread may wait long for its turn. */
static void wait_for_all(worker *workers)
{
    unsigned before[THREADS];
    for (int i = 0; i < THREADS; i++) {
        before[i] = atomic_load(&workers[i].good);
    }
    for (int i = 0, tries = 1500; i < THREADS && tries > 0; tries--) {
        if (atomic_load(&workers[i].good) > before[i]) {
            i++;
        } else {
            pause_ms(20);
        }
    }
}

static void test_threads_over_a_restart(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    worker workers[THREADS] = {0};
    tlm_error error = {0};
    atomic_store(&stop_signing, false);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_always, &workers[i]), 0);
    }
    wait_for_all(workers);
    /* In the middle of commands, and so without the TPM2_Shutdown of an orderly stop in time. */
    tpm("stop; start");
    wait_for_all(workers);
    atomic_store(&stop_signing, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_ok(workers[i].other.result, &workers[i].other);
        assert_true(atomic_load(&workers[i].good) > 1);
    }
    probe_until_back();
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
    /* A command between TPM2_Shutdown and the end counts once, as on a power cut. */
    assert_true(lockout_counter() <= 1);
}

int main(void)
{
    /* As every program beside a TPM that may go away: its socket breaks in mid-command. */
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_restart_between_two_operations, open_token,
                                        close_token),
        cmocka_unit_test_setup_teardown(test_restart_before_the_first_use_of_a_key, open_token,
                                        close_token),
        cmocka_unit_test_setup_teardown(test_while_it_is_away, open_token, close_token),
        cmocka_unit_test_setup_teardown(test_threads_over_a_restart, open_token, close_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
