/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../pkcs11-glue/src/internal.h"
#include "token_fixture.h"

static tlm_token_fixture fixture;
static tlm_token *token;
static tlm_key *key;
static int64_t clock_ms;

static int64_t test_clock(void)
{
    return clock_ms;
}

static int make_fixture(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_make(&fixture);
    token = tlm_token_fixture_open(&fixture);
    assert_int_equal(tlm_key_generate_p256(token, "tlm-attest", 2, &key, &error), TLM_OK);
    tlm_key_free(&key);
    tlm_token_close(&token);
    return 0;
}

static int clear_fixture(void **state)
{
    (void)state;
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static int open_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    clock_ms = 1000000;
    (void)snprintf(fixture.pin, sizeof fixture.pin, "%s", TLM_TEST_PIN);
    tlm_token_fixture_faults(&fixture, "");
    token = tlm_token_fixture_open(&fixture);
    token->clock = test_clock;
    assert_int_equal(tlm_key_find(token, "tlm-attest", &key, &error), TLM_OK);
    tlm_token_fixture_clear_log(&fixture);
    return 0;
}

static int close_token(void **state)
{
    (void)state;
    tlm_token_fixture_faults(&fixture, "");
    tlm_key_free(&key);
    tlm_token_close(&token);
    return 0;
}

static tlm_result sign(tlm_error *error)
{
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_result result = tlm_key_sign(key, TLM_JWA_ES256, "hello", 5, signature, &size, error);
    if (result == TLM_OK) {
        assert_int_equal(tlm_public_verify(tlm_key_public(key), TLM_JWA_ES256, "hello", 5,
                                           signature, size, error),
                         TLM_OK);
    }
    return result;
}

static unsigned calls(const char *function)
{
    return tlm_token_fixture_calls(&fixture, function);
}

/* A key's first use fails as on a TPM without a free slot: one session cycle, one login. */
static void test_session_cycle_heals(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(calls("C_Sign"), 2);
    assert_int_equal(calls("C_Logout"), 1);
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(calls("C_Initialize"), 0);
    assert_int_equal(tlm_token_recoveries(token), 0);
    assert_true(tlm_token_available(token));
}

/* A key that worked in this login fails: the transport is gone, the module is restarted. */
static void test_restart_heals(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_int_equal(sign(&error), TLM_OK);
    tlm_token_fixture_clear_log(&fixture);
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x30\n");
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(calls("C_Finalize"), 1);
    assert_int_equal(calls("C_Initialize"), 1);
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(tlm_token_recoveries(token), 1);
}

/* The first rung sees that the token is not reached and spends no login there. */
static void test_ladder_goes_on_to_the_restart_with_one_login(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\nC_GenerateRandom:1:0x5\n");
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(calls("C_Initialize"), 1);
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(calls("C_Sign"), 2);
    assert_int_equal(tlm_token_recoveries(token), 1);
}

static void test_every_transport_error_is_recovered(void **state)
{
    (void)state;
    static const char *const rvs[] = {"0x5",  "0x6",  "0x30", "0x31", "0x32",  "0x60", "0x82",
                                      "0x90", "0xb0", "0xb3", "0xe0", "0x101", "0x190"};
    for (size_t i = 0; i < sizeof rvs / sizeof rvs[0]; i++) {
        char rule[64];
        tlm_error error = {0};
        (void)snprintf(rule, sizeof rule, "C_SignInit:1:%s\n", rvs[i]);
        tlm_token_fixture_faults(&fixture, rule);
        assert_int_equal(sign(&error), TLM_OK);
    }
}

static void test_other_errors_are_reported_at_once(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "C_SignInit:1:0x70\n");
    assert_int_equal(sign(&error), TLM_ERR_UNSUPPORTED);
    assert_string_equal(
        error.message, "C_SignInit with key 'tlm-attest', CKM_ECDSA: CKR_MECHANISM_INVALID (0x70)");
    assert_int_equal(calls("C_Login"), 0);
    assert_int_equal(sign(&error), TLM_OK);
}

/* An operation is repeated once. Where the token answers otherwise, its error is the answer. */
static void test_an_operation_is_repeated_once(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5:0\n");
    assert_int_equal(sign(&error), TLM_ERR_TOKEN);
    assert_int_equal(error.native, CKR_GENERAL_ERROR);
    assert_int_equal(calls("C_Sign"), 2);
    assert_int_equal(calls("C_Login"), 1);
    /* The next incident starts with the restart. */
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(tlm_token_recoveries(token), 1);
}

static void test_backoff_while_the_token_is_away(void **state)
{
    (void)state;
    static const int64_t waits[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture,
                             "C_Sign:1:0x5:0\nC_GenerateRandom:1:0x5:0\nC_Initialize:1:0x5:0\n");
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        char hint[64];
        assert_int_equal(sign(&error), TLM_ERR_TOKEN_UNAVAILABLE);
        assert_int_equal(error.domain, TLM_DOMAIN_PKCS11);
        assert_int_equal(error.native, CKR_GENERAL_ERROR);
        assert_non_null(strstr(error.message, "unavailable"));
        (void)snprintf(hint, sizeof hint, "tried again in %lld ms", (long long)waits[i]);
        assert_non_null(strstr(error.hint, hint));
        assert_false(tlm_token_available(token));
        /* Until then nobody reaches the module, the prober neither. */
        tlm_token_fixture_clear_log(&fixture);
        clock_ms += waits[i] - 1;
        assert_int_equal(sign(&error), TLM_ERR_TOKEN_UNAVAILABLE);
        assert_int_equal(tlm_token_probe(token, &error), TLM_ERR_TOKEN_UNAVAILABLE);
        assert_non_null(strstr(error.hint, "in 1 ms"));
        assert_int_equal(calls("C_Initialize") + calls("C_Finalize") + calls("C_Sign"), 0);
        clock_ms += 1;
    }
    assert_int_equal(calls("C_Login"), 0);
    tlm_token_fixture_faults(&fixture, "");
    assert_int_equal(tlm_token_probe(token, &error), TLM_OK);
    assert_true(tlm_token_available(token));
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(sign(&error), TLM_OK);
}

/* The PIN is refused during a recovery: never sent again, by this token or by a new one. */
static void test_refused_pin_is_never_replayed(void **state)
{
    (void)state;
    tlm_error error = {0};
    (void)snprintf(fixture.pin, sizeof fixture.pin, "refused-in-recovery");
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\nC_Login:1:0xa0\n");
    assert_int_equal(sign(&error), TLM_ERR_PIN);
    assert_non_null(strstr(error.message, "CKR_PIN_INCORRECT"));
    for (int i = 0; i < 20; i++) {
        clock_ms += 100000;
        assert_int_equal(sign(&error), TLM_ERR_PIN);
        assert_int_equal(tlm_token_probe(token, &error), TLM_ERR_PIN);
    }
    assert_false(tlm_token_available(token));
    assert_int_equal(calls("C_Login"), 1);
    tlm_token *again = NULL;
    assert_int_equal(tlm_token_open(&fixture.config, &again, &error), TLM_ERR_PIN);
    assert_null(again);
    assert_int_equal(calls("C_Login"), 1);
}

static void test_failed_login_ends_the_incident(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\nC_Login:1:0x5\n");
    assert_int_equal(sign(&error), TLM_ERR_TOKEN_UNAVAILABLE);
    assert_int_equal(calls("C_Login"), 1);
    clock_ms += 50;
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(calls("C_Login"), 2);
}

static void test_lockout_is_left_alone_for_a_minute(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\nC_Login:1:0xa4\n");
    assert_int_equal(sign(&error), TLM_ERR_LOCKED);
    assert_non_null(strstr(error.hint, "tlm-token-init status"));
    clock_ms += 59999;
    assert_int_equal(sign(&error), TLM_ERR_LOCKED);
    assert_int_equal(calls("C_Login"), 1);
    clock_ms += 1;
    assert_int_equal(sign(&error), TLM_OK);
}

static void test_final_try_is_not_spent_by_a_recovery(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\nCKF:1:0x20000:0\n");
    assert_int_equal(sign(&error), TLM_ERR_PIN);
    assert_int_equal(calls("C_Login"), 0);
    tlm_token_fixture_faults(&fixture, "");
    clock_ms += 60000;
    assert_int_equal(sign(&error), TLM_OK);
}

static void test_pin_source_fails(void **state)
{
    (void)state;
    tlm_error error = {0};
    fixture.pin[0] = '\0'; /* a secret of no bytes cannot be made */
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_int_equal(sign(&error), TLM_ERR_TOKEN_UNAVAILABLE);
    assert_int_equal(calls("C_Login"), 0);
    (void)snprintf(fixture.pin, sizeof fixture.pin, "%s", TLM_TEST_PIN);
    clock_ms += 50;
    assert_int_equal(sign(&error), TLM_OK);
}

/* The key pair was made and the answer lost: the second attempt finds it and makes no other. */
static void test_lost_answer_of_key_generation(void **state)
{
    (void)state;
    tlm_key *made = NULL;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "+C_GenerateKeyPair:1:0x30\n");
    assert_int_equal(tlm_key_generate_p256(token, "lost", 0x31, &made, &error), TLM_OK);
    assert_int_equal(calls("C_GenerateKeyPair"), 1);
    assert_string_equal(tlm_key_label(made), "lost");
    tlm_key_free(&made);
    assert_int_equal(tlm_key_find(token, "lost", &made, &error), TLM_OK);
    tlm_key_free(&made);
}

/* After a key was made the next operation logs in afresh: the TPM's slots are freed by it. */
static void test_key_generation_spends_the_login(void **state)
{
    (void)state;
    tlm_key *made = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_generate_p256(token, "spent", 0x32, &made, &error), TLM_OK);
    assert_int_equal(calls("C_Login"), 0);
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(calls("C_Logout"), 1);
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(tlm_token_recoveries(token), 0);
    tlm_key_free(&made);
}

/* One token restarts the module; the other one's session is gone with it and comes back. */
static void test_restart_under_another_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token *other = tlm_token_fixture_open(&fixture);
    assert_int_equal(sign(&error), TLM_OK);
    tlm_token_fixture_clear_log(&fixture);
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_int_equal(sign(&error), TLM_OK);
    assert_int_equal(tlm_token_probe(other, &error), TLM_OK);
    assert_int_equal(calls("C_Initialize"), 1);
    assert_int_equal(tlm_token_recoveries(other), 1);
    assert_int_equal(sign(&error), TLM_OK);
    tlm_token_close(&other);
    assert_int_equal(sign(&error), TLM_OK);
}

/* A failed C_Decrypt may leave its operation active: the session is exchanged, without a login. */
static void test_failed_decryption_is_told_from_a_lost_token(void **state)
{
    (void)state;
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_key *rsa = NULL;
    tlm_secret *plain = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_generate_rsa(token, 2048, "srk", 0x33, &rsa, &error), TLM_OK);
    assert_int_equal(
        tlm_public_encrypt_oaep(tlm_key_public(rsa), "secret", 6, cipher, &size, &error), TLM_OK);
    assert_int_equal(tlm_key_decrypt_oaep(rsa, cipher, size, &plain, &error), TLM_OK);
    tlm_secret_free(&plain);
    /* The token refuses this one and decrypts another: the cipher text is wrong. */
    tlm_token_fixture_clear_log(&fixture);
    tlm_token_fixture_faults(&fixture, "C_Decrypt:1:0x5\n");
    assert_int_equal(tlm_key_decrypt_oaep(rsa, cipher, size, &plain, &error), TLM_ERR_CRYPTO);
    assert_int_equal(calls("C_Decrypt"), 2);
    assert_int_equal(calls("C_OpenSession"), 1);
    assert_int_equal(calls("C_Login") + calls("C_Logout"), 0);
    /* It decrypts nothing at all: that is the token, and a restart brings it back. */
    tlm_token_fixture_faults(&fixture, "C_Decrypt:1:0x5:2\n");
    assert_int_equal(tlm_key_decrypt_oaep(rsa, cipher, size, &plain, &error), TLM_OK);
    tlm_secret_free(&plain);
    assert_int_equal(tlm_token_recoveries(token), 1);
    /* For ever: no CRYPTO, which would tell of damaged data, but the token's error. */
    tlm_token_fixture_faults(&fixture, "C_Decrypt:1:0x5:0\n");
    assert_int_equal(tlm_key_decrypt_oaep(rsa, cipher, size, &plain, &error), TLM_ERR_TOKEN);
    assert_null(plain);
    tlm_key_free(&rsa);
}

/* While the token was away another one of the same name took its place. */
static void test_exchanged_key_is_refused(void **state)
{
    (void)state;
    tlm_error error = {0};
    EVP_PKEY *stranger = EVP_EC_gen("P-256");
    EVP_PKEY_free(key->public);
    key->public = stranger;
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_int_equal(sign(&error), TLM_ERR_FOREIGN);
    assert_int_equal(calls("C_Sign"), 1);
}

#define WITH_TOKEN(test) cmocka_unit_test_setup_teardown(test, open_token, close_token)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TOKEN(test_session_cycle_heals),
        WITH_TOKEN(test_restart_heals),
        WITH_TOKEN(test_ladder_goes_on_to_the_restart_with_one_login),
        WITH_TOKEN(test_every_transport_error_is_recovered),
        WITH_TOKEN(test_other_errors_are_reported_at_once),
        WITH_TOKEN(test_an_operation_is_repeated_once),
        WITH_TOKEN(test_backoff_while_the_token_is_away),
        WITH_TOKEN(test_refused_pin_is_never_replayed),
        WITH_TOKEN(test_failed_login_ends_the_incident),
        WITH_TOKEN(test_lockout_is_left_alone_for_a_minute),
        WITH_TOKEN(test_final_try_is_not_spent_by_a_recovery),
        WITH_TOKEN(test_pin_source_fails),
        WITH_TOKEN(test_lost_answer_of_key_generation),
        WITH_TOKEN(test_key_generation_spends_the_login),
        WITH_TOKEN(test_restart_under_another_token),
        WITH_TOKEN(test_failed_decryption_is_told_from_a_lost_token),
        WITH_TOKEN(test_exchanged_key_is_refused),
    };
    return cmocka_run_group_tests(tests, make_fixture, clear_fixture);
}
