/* SPDX-License-Identifier: BSD-2-Clause */
#include "statement_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <tlm/prover.h>

/* What stands for the token: waits at a gate, fails to order, counts. */
typedef struct fake_token {
    statement_signer signer;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed; /* signatures wait */
    unsigned entered;
    tlm_result fails_with;
} fake_token;

/* What came back. */
typedef struct answers {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    unsigned proven;
    unsigned failed;
    tlm_result last_failure;
    json_t *proofs[TLM_BATCH_MAX + 8];
} answers;

static fake_token token;
static answers got;
static tlm_prover *prover;

static tlm_result sign(void *context, const char *alg, const void *data, size_t size,
                       unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    fake_token *self = context;
    (void)pthread_mutex_lock(&self->lock);
    self->entered++;
    (void)pthread_cond_broadcast(&self->changed);
    while (self->closed) {
        (void)pthread_cond_wait(&self->changed, &self->lock);
    }
    tlm_result fails_with = self->fails_with;
    (void)pthread_mutex_unlock(&self->lock);
    if (fails_with != TLM_OK) {
        return tlm_error_set(error, fails_with, NULL, "the test's token fails");
    }
    return tlm_jws_sign_pkey(self->signer.key, alg, data, size, signature, signature_size, error);
}

static void set_gate(bool closed)
{
    (void)pthread_mutex_lock(&token.lock);
    token.closed = closed;
    (void)pthread_cond_broadcast(&token.changed);
    (void)pthread_mutex_unlock(&token.lock);
}

static void set_failure(tlm_result result)
{
    (void)pthread_mutex_lock(&token.lock);
    token.fails_with = result;
    (void)pthread_mutex_unlock(&token.lock);
}

static void await_signature(unsigned number)
{
    (void)pthread_mutex_lock(&token.lock);
    while (token.entered < number) {
        (void)pthread_cond_wait(&token.changed, &token.lock);
    }
    (void)pthread_mutex_unlock(&token.lock);
}

static void proven(void *context, json_t *proof, const tlm_error *error)
{
    answers *self = context;
    (void)pthread_mutex_lock(&self->lock);
    if (proof != NULL) {
        self->proofs[self->proven] = proof;
        self->proven++;
    } else {
        self->failed++;
        self->last_failure = error->result;
    }
    (void)pthread_cond_broadcast(&self->arrived);
    (void)pthread_mutex_unlock(&self->lock);
}

static void await_answers(unsigned number)
{
    (void)pthread_mutex_lock(&got.lock);
    while (got.proven + got.failed < number) {
        (void)pthread_cond_wait(&got.arrived, &got.lock);
    }
    (void)pthread_mutex_unlock(&got.lock);
}

static int64_t test_now(void *context)
{
    (void)context;
    return TEST_NOW;
}

static void submit(const char *nonce)
{
    tlm_prover_submit(prover, json_pack("{s:s, s:s}", "type", "attestation", "nonce", nonce),
                      proven, &got);
}

static int setup(void **state)
{
    (void)state;
    const tlm_prover_config config = {.sign = sign, .context = &token, .now = test_now};
    memset(&token, 0, sizeof token);
    memset(&got, 0, sizeof got);
    (void)pthread_mutex_init(&token.lock, NULL);
    (void)pthread_cond_init(&token.changed, NULL);
    (void)pthread_mutex_init(&got.lock, NULL);
    (void)pthread_cond_init(&got.arrived, NULL);
    statement_signer_make(&token.signer);
    return tlm_prover_start(&config, &prover, NULL) == TLM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    set_gate(false);
    tlm_prover_stop(&prover);
    for (unsigned i = 0; i < got.proven; i++) {
        json_decref(got.proofs[i]);
    }
    statement_signer_clear(&token.signer);
    return 0;
}

static void identify(void)
{
    assert_int_equal(tlm_prover_identify(prover, TEST_FINGERPRINT, token.signer.kid, NULL), TLM_OK);
}

static void counts_are(unsigned signatures, unsigned statements)
{
    uint64_t made = 0;
    uint64_t of = 0;
    tlm_prover_counts(prover, &made, &of);
    assert_int_equal(made, signatures);
    assert_int_equal(of, statements);
}

static void test_one_statement(void **state)
{
    (void)state;
    json_t *proof = NULL;
    tlm_statement_report report;
    identify();
    assert_int_equal(tlm_prover_prove(prover,
                                      json_pack("{s:s, s:s}", "type", "audit", "nonce", "n"),
                                      &proof, NULL),
                     TLM_OK);
    assert_int_equal(tlm_statement_verify(proof, token.signer.jwks, "n", &report, NULL), TLM_OK);
    assert_string_equal(report.type, "audit");
    assert_string_equal(report.fingerprint, TEST_FINGERPRINT);
    assert_int_equal(report.size, 1);
    assert_int_equal(report.signed_at, TEST_NOW);
    const json_t *said = json_object_get(proof, "statement");
    assert_int_equal(json_integer_value(json_object_get(said, "iat")), TEST_NOW);
    json_decref(proof);
    counts_are(1, 1);
}

static void test_nothing_before_the_key_is_known(void **state)
{
    (void)state;
    json_t *proof = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_prover_prove(prover, json_pack("{s:s}", "type", "audit"), &proof, &error),
                     TLM_ERR_TOKEN_UNAVAILABLE);
    assert_null(proof);
    assert_true(error.message[0] != '\0');
    assert_int_equal(tlm_prover_identify(prover, "00", "k", NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_prover_identify(prover, TEST_FINGERPRINT, "", NULL), TLM_ERR_ARGUMENT);
    counts_are(0, 0);
}

/* What comes while the token signs is signed together next, however much it is. */
static void test_batches(void **state)
{
    (void)state;
    identify();
    set_gate(true);
    submit("first");
    await_signature(1);
    for (unsigned i = 0; i < 1000; i++) {
        char nonce[16];
        (void)snprintf(nonce, sizeof nonce, "n%u", i);
        submit(nonce);
    }
    assert_int_equal(got.proven, 0);
    set_gate(false);
    await_answers(1001);
    assert_int_equal(got.failed, 0);
    counts_are(2, 1001);
    for (unsigned i = 0; i < got.proven; i++) {
        tlm_statement_report report;
        char nonce[16];
        (void)snprintf(nonce, sizeof nonce, "n%u", i - 1);
        assert_int_equal(tlm_statement_verify(got.proofs[i], token.signer.jwks,
                                              i == 0 ? "first" : nonce, &report, NULL),
                         TLM_OK);
        assert_int_equal(report.size, i == 0 ? 1 : 1000);
    }
}

static void test_more_than_a_batch_is_refused(void **state)
{
    (void)state;
    identify();
    set_gate(true);
    submit("first");
    await_signature(1);
    for (unsigned i = 0; i < TLM_BATCH_MAX; i++) {
        submit("n");
    }
    assert_int_equal(got.failed, 0);
    submit("too many");
    assert_int_equal(got.failed, 1);
    assert_int_equal(got.last_failure, TLM_ERR_BUSY);
    set_gate(false);
    await_answers(TLM_BATCH_MAX + 2);
    counts_are(2, TLM_BATCH_MAX + 1);
    submit("again");
    await_answers(TLM_BATCH_MAX + 3);
    assert_int_equal(got.failed, 1);
}

static void test_a_failed_signature_fails_its_batch(void **state)
{
    (void)state;
    identify();
    set_failure(TLM_ERR_TOKEN);
    submit("n");
    await_answers(1);
    assert_int_equal(got.failed, 1);
    assert_int_equal(got.last_failure, TLM_ERR_TOKEN);
    counts_are(0, 0);
    set_failure(TLM_OK);
    submit("n");
    await_answers(2);
    assert_int_equal(got.proven, 1);
    counts_are(1, 1);
}

static void test_a_wrong_statement_fails_alone(void **state)
{
    (void)state;
    identify();
    set_gate(true);
    submit("first");
    await_signature(1);
    submit("a");
    tlm_prover_submit(prover, json_pack("{s:f}", "type", 0.5), proven, &got);
    submit("b");
    set_gate(false);
    await_answers(4);
    assert_int_equal(got.failed, 1);
    assert_int_equal(got.last_failure, TLM_ERR_FORMAT);
    for (unsigned i = 0; i < got.proven; i++) {
        assert_int_equal(tlm_statement_verify(got.proofs[i], token.signer.jwks, NULL, NULL, NULL),
                         TLM_OK);
    }
    counts_are(2, 3);
    /* And where it is all there is, the token is not asked. */
    tlm_prover_submit(prover, json_pack("{s:f}", "type", 0.5), proven, &got);
    tlm_prover_submit(prover, NULL, proven, &got);
    await_answers(6);
    assert_int_equal(got.failed, 3);
    counts_are(2, 3);
}

static void test_another_key(void **state)
{
    (void)state;
    statement_signer first = token.signer;
    identify();
    submit("n");
    await_answers(1);
    statement_signer_make(&token.signer);
    identify();
    submit("n");
    await_answers(2);
    assert_int_equal(tlm_statement_verify(got.proofs[0], first.jwks, "n", NULL, NULL), TLM_OK);
    assert_int_equal(tlm_statement_verify(got.proofs[1], token.signer.jwks, "n", NULL, NULL),
                     TLM_OK);
    statement_signer_clear(&first);
}

static void *stop(void *context)
{
    (void)context;
    tlm_prover_stop(&prover);
    return NULL;
}

/* Ends with the signature that is under way; what waits is told. */
static void test_stop(void **state)
{
    (void)state;
    pthread_t stopper;
    identify();
    set_gate(true);
    submit("first");
    await_signature(1);
    submit("second");
    assert_int_equal(got.failed, 0);
    tlm_prover *self = prover;
    assert_int_equal(pthread_create(&stopper, NULL, stop, NULL), 0);
    unsigned tried = 0;
    do { /* until the other thread has begun to stop */
        tlm_prover_submit(self, json_pack("{s:s}", "type", "audit"), proven, &got);
        tried++;
    } while (got.last_failure != TLM_ERR_TOKEN_UNAVAILABLE && sched_yield() == 0);
    set_gate(false);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_null(prover);
    assert_int_equal(got.proven, 1);
    assert_int_equal(got.failed, tried + 1);
    tlm_prover_stop(&prover);
    tlm_prover_stop(NULL);
}

static void test_start_needs_a_signer(void **state)
{
    (void)state;
    tlm_prover *none = NULL;
    const tlm_prover_config config = {0};
    assert_int_equal(tlm_prover_start(&config, &none, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_prover_start(NULL, &none, NULL), TLM_ERR_ARGUMENT);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_statement, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_before_the_key_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_a_batch_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_signature_fails_its_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_wrong_statement_fails_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
        cmocka_unit_test(test_start_needs_a_signer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
