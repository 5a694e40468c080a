/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread before the host's keys: order, failures, and a token that does not come back. */
#include "service_fixture.h"

#include "../../licensing/src/keyring_private.h"

static service_scene self;
static tlm_keyring *ring;

static int setup(void **state)
{
    if (directory_setup(state) != 0) {
        return -1;
    }
    service_prepare(state, &self);
    return tlm_keyring_start(&self.identity, &ring, NULL) == TLM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    tlm_keyring_stop(&ring);
    service_clear(&self);
    return directory_teardown(state);
}

static tlm_result sign(tlm_error *error)
{
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_result result = tlm_keyring_sign(ring, "ES256", "data", 4, signature, &size, error);
    if (result == TLM_OK) {
        assert_int_equal(
            tlm_public_verify(token.attest, TLM_JWA_ES256, "data", 4, signature, size, NULL),
            TLM_OK);
    }
    return result;
}

static void nothing_before_the_opening(void **state)
{
    (void)state;
    char kid[44];
    json_t *jwks = NULL;
    uint64_t value = 0;
    bool tamper_proof = false;
    tlm_error error = {0};
    assert_int_equal(sign(&error), TLM_ERR_TOKEN_UNAVAILABLE);
    assert_int_equal(tlm_keyring_counter(ring, &value, &tamper_proof, &error),
                     TLM_ERR_TOKEN_UNAVAILABLE);
    assert_int_equal(tlm_keyring_jwks(ring, &jwks, &error), TLM_ERR_TOKEN_UNAVAILABLE);
    assert_null(jwks);
    tlm_keyring_attest_kid(ring, kid);
    assert_string_equal(kid, "");
    token_set(&token.open_fails, TLM_ERR_LOCKED);
    assert_int_equal(tlm_keyring_open(ring, &self.view, &error), TLM_ERR_LOCKED);
    assert_string_equal(error.message, "the test's token fails");
    assert_int_equal(sign(NULL), TLM_ERR_TOKEN_UNAVAILABLE);
}

static void what_the_keys_answer_comes_back(void **state)
{
    (void)state;
    char kid[44];
    char id[37] = "";
    json_t *jwks = NULL;
    uint64_t value = 0;
    bool tamper_proof = false;
    tlm_token_clock clock;
    tlm_secret *key = NULL;
    tlm_fingerprint fallback = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_keyring_open(ring, &self.view, &error), TLM_OK);
    assert_int_equal(sign(&error), TLM_OK);
    tlm_keyring_attest_kid(ring, kid);
    assert_string_equal(kid, token.attest_kid);
    assert_int_equal(tlm_keyring_jwks(ring, &jwks, NULL), TLM_OK);
    assert_true(json_equal(jwks, self.jwks));
    json_decref(jwks);
    assert_int_equal(tlm_keyring_counter(ring, &value, &tamper_proof, NULL), TLM_OK);
    assert_int_equal(value, 101);
    assert_true(tamper_proof);
    assert_int_equal(tlm_keyring_clock(ring, &clock, NULL), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_keyring_look(ring, &fallback, NULL), TLM_OK);
    assert_string_equal(fallback.kid, token.srk_kid);
    tlm_fingerprint_clear(&fallback);
    assert_int_equal(tlm_keyring_ledger(ring, id, NULL), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_keyring_note_ledger(ring, SERVICE_STORAGE, NULL), TLM_OK);
    assert_int_equal(tlm_keyring_ledger(ring, id, NULL), TLM_OK);
    assert_string_equal(id, SERVICE_STORAGE);
    unsigned char wrapped[TLM_SIGNATURE_MAX];
    size_t size = 0;
    assert_int_equal(tlm_public_encrypt_oaep(token.srk, "content", 7, wrapped, &size, NULL),
                     TLM_OK);
    assert_int_equal(tlm_keyring_unwrap(ring, token.srk_kid, wrapped, size, &key, NULL), TLM_OK);
    assert_int_equal(tlm_secret_size(key), 7);
    tlm_secret_free(&key);
    assert_int_equal(tlm_keyring_unwrap(ring, "another", wrapped, size, &key, &error),
                     TLM_ERR_FOREIGN);
    assert_null(key);
}

static void lengths_have_an_end(void **state)
{
    (void)state;
    static unsigned char data[4097];
    char kid[TLM_JWS_TEXT_MAX + 2];
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_secret *key = NULL;
    memset(kid, 'k', sizeof kid);
    kid[sizeof kid - 1] = '\0';
    assert_int_equal(tlm_keyring_open(ring, &self.view, NULL), TLM_OK);
    assert_int_equal(tlm_keyring_sign(ring, "ES256", data, 4096, signature, &size, NULL), TLM_OK);
    assert_int_equal(tlm_keyring_sign(ring, "ES256", data, 4097, signature, &size, NULL),
                     TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_keyring_unwrap(ring, kid, data, 8, &key, NULL), TLM_ERR_TOO_LARGE);
    kid[TLM_JWS_TEXT_MAX] = '\0';
    assert_int_equal(tlm_keyring_unwrap(ring, kid, data, 8, &key, NULL), TLM_ERR_FOREIGN);
}

static void *sign_thread(void *context)
{
    tlm_result *result = context;
    *result = sign(NULL);
    return NULL;
}

/* Those who wait are let go; the thread is left behind and frees what it has when it comes back. */
static void a_token_that_hangs_is_left_behind(void **state)
{
    (void)state;
    tlm_result results[2] = {TLM_OK, TLM_OK};
    pthread_t threads[2];
    assert_int_equal(tlm_keyring_open(ring, &self.view, NULL), TLM_OK);
    token_hang(true);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_thread, &results[i]), 0);
    }
    token_await_hanging();
    tlm_keyring_hurry(ring, 20);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(results[i], TLM_ERR_TOKEN_UNAVAILABLE);
    }
    tlm_keyring_stop(&ring);
    assert_null(ring);
    tlm_keyring_stop(&ring);
    tlm_keyring_stop(NULL);
    token_hang(false);
}

#define IN_A_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_SCENE(nothing_before_the_opening),
        IN_A_SCENE(what_the_keys_answer_comes_back),
        IN_A_SCENE(lengths_have_an_end),
        IN_A_SCENE(a_token_that_hangs_is_left_behind),
    };
    return cmocka_run_group_tests(tests, token_make, token_free);
}
