/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_SERVICE_FIXTURE_H
#define TLM_TEST_SERVICE_FIXTURE_H

/*
 * The service beside keys in memory that stand for the token's, with a clock that the test moves.
 *
 *     service_scene self;
 *     service_prepare(state, &self);
 *     service_start(&self);
 *     service_identify(&self);            // a healthy view; waits until the ledger is open
 *     tlm_call *call = service_call(&self, TLM_CALL_ACQUIRE, NULL,
 * "{'feature':'pro','client':'c'}"); assert_int_equal(call->error.result, TLM_OK);
 *     service_done(&call);
 *     service_stop(&self);
 *     service_clear(&self);
 *
 * Link with the host_keys_wraps of CMakeLists.txt.
 */

#include "test_directory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <tlm/host_keys.h>
#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/statement.h>

#include "../../licensing/src/service_private.h"
#include "issued.h"
#include "rsa_keys.h"
#include "service_calls.h"

#define SERVICE_NOW 1767225600000LL /* 2026-01-01T00:00:00Z */
#define SERVICE_STORAGE "01234567-89ab-4cde-8f01-23456789abcd"

/* The token of all scenes. */
typedef struct service_token {
    EVP_PKEY *srk;
    EVP_PKEY *attest; /* NULL: the host has none */
    char srk_kid[44];
    char attest_kid[44];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    tlm_result open_fails;
    tlm_result sign_fails;
    tlm_result counter_fails;
    bool hangs; /* signatures do not come back */
    unsigned hanging;
    unsigned inside; /* signatures that are being made */
    uint64_t counter;
    char ledger[37]; /* as the vault has it */
    unsigned noted;
} service_token;

static service_token token;

static inline void kid_text(EVP_PKEY *key, char kid[44])
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    assert_int_equal(tlm_public_thumbprint(key, thumbprint, NULL), TLM_OK);
    char *text = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    (void)snprintf(kid, 44, "%s", text);
    free(text);
}

static inline int token_make(void **state)
{
    (void)state;
    (void)pthread_mutex_init(&token.lock, NULL);
    (void)pthread_cond_init(&token.changed, NULL);
    token.srk = tlm_test_rsa(2048U);
    token.attest = EVP_EC_gen("P-256");
    kid_text(token.srk, token.srk_kid);
    kid_text(token.attest, token.attest_kid);
    return 0;
}

static inline int token_free(void **state)
{
    (void)state;
    EVP_PKEY_free(token.srk);
    EVP_PKEY_free(token.attest);
    return 0;
}

/* From now on the token fails so. */
static inline void token_set(tlm_result *what, tlm_result result)
{
    (void)pthread_mutex_lock(&token.lock);
    *what = result;
    (void)pthread_mutex_unlock(&token.lock);
}

/* Signatures do not come back, or those that hang do: then none is left behind. */
static inline void token_hang(bool hangs)
{
    (void)pthread_mutex_lock(&token.lock);
    token.hangs = hangs;
    (void)pthread_cond_broadcast(&token.changed);
    while (!hangs && token.inside > 0) {
        (void)pthread_cond_wait(&token.changed, &token.lock);
    }
    (void)pthread_mutex_unlock(&token.lock);
}

static inline void token_await_hanging(void)
{
    (void)pthread_mutex_lock(&token.lock);
    while (token.hanging == 0) {
        (void)pthread_cond_wait(&token.changed, &token.lock);
    }
    (void)pthread_mutex_unlock(&token.lock);
}

static inline uint64_t token_counter(void)
{
    (void)pthread_mutex_lock(&token.lock);
    uint64_t counter = token.counter;
    (void)pthread_mutex_unlock(&token.lock);
    return counter;
}

/* ---- what stands in the place of tlm/host_keys.h ---- */

tlm_result __wrap_tlm_host_keys_open(const tlm_host_keys_config *config, tlm_host_keys **keys,
                                     tlm_error *error);
void __wrap_tlm_host_keys_close(tlm_host_keys **keys);
tlm_result __wrap_tlm_host_keys_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                                       size_t size, tlm_secret **key, tlm_error *error);
tlm_result __wrap_tlm_host_keys_sign(void *context, const char *alg, const void *data, size_t size,
                                     unsigned char *signature, size_t *signature_size,
                                     tlm_error *error);
const char *__wrap_tlm_host_keys_attest_kid(const tlm_host_keys *keys);
tlm_result __wrap_tlm_host_keys_jwks(const tlm_host_keys *keys, json_t **jwks, tlm_error *error);
tlm_result __wrap_tlm_host_keys_counter(tlm_host_keys *keys, uint64_t *value, bool *tamper_proof,
                                        tlm_error *error);
tlm_result __wrap_tlm_host_keys_clock(tlm_host_keys *keys, tlm_token_clock *clock,
                                      tlm_error *error);
tlm_result __wrap_tlm_host_keys_look(tlm_host_keys *keys, tlm_fingerprint *fallback,
                                     tlm_error *error);
tlm_result __wrap_tlm_host_keys_ledger(tlm_host_keys *keys, char id[37], tlm_error *error);
tlm_result __wrap_tlm_host_keys_note_ledger(tlm_host_keys *keys, const char *id, tlm_error *error);

static inline tlm_result token_fails(tlm_result with, tlm_error *error)
{
    return with == TLM_OK ? TLM_OK
                          : tlm_error_set(error, with, "the test's hint", "the test's token fails");
}

tlm_result __wrap_tlm_host_keys_open(const tlm_host_keys_config *config, tlm_host_keys **keys,
                                     tlm_error *error)
{
    assert_true(config->view->has_fingerprint);
    assert_string_equal(config->view->storage_id, SERVICE_STORAGE);
    (void)pthread_mutex_lock(&token.lock);
    tlm_result result = token_fails(token.open_fails, error);
    (void)pthread_mutex_unlock(&token.lock);
    *keys = result == TLM_OK ? (tlm_host_keys *)&token : NULL;
    return result;
}

void __wrap_tlm_host_keys_close(tlm_host_keys **keys)
{
    *keys = NULL;
}

tlm_result __wrap_tlm_host_keys_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                                       size_t size, tlm_secret **key, tlm_error *error)
{
    const service_token *self = context;
    unsigned char plain[TLM_SIGNATURE_MAX];
    size_t plain_size = sizeof plain;
    if (strcmp(kid, self->srk_kid) != 0) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, NULL, "encrypted to the key %s", kid);
    }
    EVP_PKEY_CTX *decryption = EVP_PKEY_CTX_new(self->srk, NULL);
    bool done = EVP_PKEY_decrypt_init(decryption) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(decryption, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(decryption, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(decryption, EVP_sha256()) == 1 &&
                EVP_PKEY_decrypt(decryption, plain, &plain_size, wrapped, size) == 1;
    EVP_PKEY_CTX_free(decryption);
    return done ? tlm_secret_from(plain, plain_size, key, error)
                : tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "not encrypted to this key");
}

tlm_result __wrap_tlm_host_keys_sign(void *context, const char *alg, const void *data, size_t size,
                                     unsigned char *signature, size_t *signature_size,
                                     tlm_error *error)
{
    service_token *self = context;
    (void)pthread_mutex_lock(&self->lock);
    self->inside++;
    while (self->hangs) {
        self->hanging++;
        (void)pthread_cond_broadcast(&self->changed);
        (void)pthread_cond_wait(&self->changed, &self->lock);
        self->hanging--;
    }
    tlm_result result = token_fails(self->sign_fails, error);
    (void)pthread_mutex_unlock(&self->lock);
    if (result == TLM_OK) {
        result = tlm_jws_sign_pkey(self->attest, alg, data, size, signature, signature_size, error);
    }
    (void)pthread_mutex_lock(&self->lock);
    self->inside--;
    (void)pthread_cond_broadcast(&self->changed);
    (void)pthread_mutex_unlock(&self->lock);
    return result;
}

const char *__wrap_tlm_host_keys_attest_kid(const tlm_host_keys *keys)
{
    (void)keys;
    return token.attest_kid;
}

tlm_result __wrap_tlm_host_keys_jwks(const tlm_host_keys *keys, json_t **jwks, tlm_error *error)
{
    (void)keys;
    (void)error;
    char *text = NULL;
    assert_int_equal(tlm_public_to_jwk(token.attest, &text, NULL), TLM_OK);
    *jwks = json_pack("{s:[o]}", "keys", json_loads(text, 0, NULL));
    free(text);
    return TLM_OK;
}

tlm_result __wrap_tlm_host_keys_counter(tlm_host_keys *keys, uint64_t *value, bool *tamper_proof,
                                        tlm_error *error)
{
    (void)keys;
    (void)pthread_mutex_lock(&token.lock);
    tlm_result result = token_fails(token.counter_fails, error);
    *value = ++token.counter;
    *tamper_proof = true;
    (void)pthread_mutex_unlock(&token.lock);
    return result;
}

tlm_result __wrap_tlm_host_keys_clock(tlm_host_keys *keys, tlm_token_clock *clock, tlm_error *error)
{
    (void)keys;
    (void)clock;
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL, "no clock");
}

tlm_result __wrap_tlm_host_keys_look(tlm_host_keys *keys, tlm_fingerprint *fallback,
                                     tlm_error *error)
{
    (void)keys;
    return tlm_fingerprint_fallback(token.srk, NULL, 0, fallback, error);
}

tlm_result __wrap_tlm_host_keys_ledger(tlm_host_keys *keys, char id[37], tlm_error *error)
{
    (void)keys;
    (void)snprintf(id, 37, "%s", token.ledger);
    return token.ledger[0] != '\0'
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL, "no ledger was noted");
}

tlm_result __wrap_tlm_host_keys_note_ledger(tlm_host_keys *keys, const char *id, tlm_error *error)
{
    (void)keys;
    (void)error;
    (void)snprintf(token.ledger, sizeof token.ledger, "%s", id);
    token.noted++;
    return TLM_OK;
}

/* ---- scenes ---- */

typedef struct service_scene {
    char directory[TEST_PATH_MAX];
    char trust[TEST_PATH_MAX];
    char trust_file[TEST_PATH_MAX];
    _Atomic int64_t now; /* milliseconds; both clocks */
    tlm_issued *issued;
    tlm_licensing_config config;
    tlm_identity_config identity;
    tlm_identity_view view;
    tlm_licensing *service;
    json_t *jwks;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned changes;
} service_scene;

static inline int64_t scene_clock(void *context)
{
    service_scene *self = context;
    return atomic_load(&self->now);
}

static inline void scene_changed(void *context)
{
    service_scene *self = context;
    (void)pthread_mutex_lock(&self->lock);
    self->changes++;
    (void)pthread_cond_broadcast(&self->changed);
    (void)pthread_mutex_unlock(&self->lock);
}

static inline void service_view(service_scene *self)
{
    tlm_fingerprint *print = &self->view.fingerprint;
    self->view.state = TLM_START_WARM;
    self->view.ready = true;
    self->view.holder = TLM_HOLDER_TPM;
    assert_int_equal(tlm_fingerprint_of_key(token.srk, TLM_FINGERPRINT_TPM, print, NULL), TLM_OK);
    self->view.has_fingerprint = true;
    (void)snprintf(self->view.storage_id, sizeof self->view.storage_id, SERVICE_STORAGE);
}

static inline void service_trust(service_scene *self)
{
    char *jwks = tlm_issued_jwks(self->issued);
    put_file(self->trust_file, jwks);
    assert_int_equal(chmod(self->trust_file, 0600), 0);
    free(jwks);
}

static inline void service_prepare(void **state, service_scene *self)
{
    memset(self, 0, sizeof *self);
    (void)pthread_mutex_lock(&token.lock);
    token.open_fails = TLM_OK;
    token.sign_fails = TLM_OK;
    token.counter_fails = TLM_OK;
    token.counter = 100;
    token.ledger[0] = '\0';
    token.noted = 0;
    kid_text(token.attest, token.attest_kid);
    (void)pthread_mutex_unlock(&token.lock);
    in_directory(state, "persistence", self->directory);
    in_directory(state, "trust", self->trust);
    in_directory(state, "trust/vendor.jwks", self->trust_file);
    assert_int_equal(mkdir(self->directory, 0700), 0);
    assert_int_equal(mkdir(self->trust, 0700), 0);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->changed, NULL);
    atomic_store(&self->now, SERVICE_NOW);
    self->issued = tlm_issued_new("ACME");
    service_trust(self);
    service_view(self);
    self->identity =
        (tlm_identity_config){.persistence_dir = self->directory, .store_dir = self->directory};
    self->config = (tlm_licensing_config){.persistence_dir = self->directory,
                                          .trust_dir = self->trust,
                                          .identity = &self->identity,
                                          .limits = {.ttl = 300,
                                                     .ttl_max = 86400,
                                                     .borrow_max = 30LL * 86400,
                                                     .clock_tolerance = 300},
                                          .checkpoint_seconds = 1,
                                          .changed = scene_changed,
                                          .context = self};
    assert_int_equal(__wrap_tlm_host_keys_jwks(NULL, &self->jwks, NULL), TLM_OK);
}

static inline void service_start(service_scene *self)
{
    const tlm_ledger_clock clock = {.wall = scene_clock, .steady = scene_clock, .context = self};
    tlm_error error = {0};
    assert_int_equal(tlm_licensing_start_at(&self->config, &clock, &self->service, &error), TLM_OK);
}

/*
 * Waits until the status has this state and, where `checked`, the counter was read: before that
 * nothing consumable is granted.
 */
static inline void service_await_all(service_scene *self, const char *wanted, bool checked)
{
    (void)pthread_mutex_lock(&self->lock);
    for (;;) {
        unsigned seen = self->changes;
        (void)pthread_mutex_unlock(&self->lock);
        json_t *status = tlm_licensing_status(self->service);
        const char *state = json_string_value(json_object_get(status, "state"));
        bool here = state != NULL && strcmp(state, wanted) == 0;
        const json_t *counter = json_object_get(status, "counter");
        here = here && (!checked || json_is_true(json_object_get(counter, "checked")));
        json_decref(status);
        (void)pthread_mutex_lock(&self->lock);
        if (here) {
            break;
        }
        while (self->changes == seen) {
            (void)pthread_cond_wait(&self->changed, &self->lock);
        }
    }
    (void)pthread_mutex_unlock(&self->lock);
}

static inline void service_await(service_scene *self, const char *wanted)
{
    service_await_all(self, wanted, false);
}

static inline void service_identify(service_scene *self)
{
    tlm_licensing_identity(self->service, &self->view);
    service_await_all(self, "ok", true);
}

static inline void service_stop(service_scene *self)
{
    tlm_licensing_stop(&self->service);
    assert_null(self->service);
}

static inline void service_clear(service_scene *self)
{
    tlm_licensing_stop(&self->service);
    tlm_fingerprint_clear(&self->view.fingerprint);
    tlm_fingerprint_clear(&self->view.fallback);
    tlm_issued_free(&self->issued);
    json_decref(self->jwks);
}

/* ---- calls ---- */

static inline tlm_call *service_run(service_scene *self, tlm_call *call)
{
    return service_ask(self->service, call);
}

static inline tlm_call *service_call(service_scene *self, tlm_call_op op, const char *id,
                                     const char *input)
{
    return service_run(self, service_new(op, id, input != NULL ? service_json(input) : NULL));
}

static inline tlm_call *service_send(service_scene *self, tlm_call_op op, const char *text)
{
    tlm_call *call = service_new(op, NULL, NULL);
    call->text = text;
    call->size = strlen(text);
    return service_run(self, call);
}

/* A package with license `number` and these features, as it travels. */
static inline char *service_package(service_scene *self, unsigned number, const char *features)
{
    const char *fingerprint = self->view.fingerprint.text;
    char *container = tlm_issued_license(
        self->issued, tlm_issued_claims(self->issued, number, fingerprint, features));
    char *text = tlm_issued_sealed(self->issued, fingerprint, &container, 1, token.srk);
    free(container);
    return text;
}

static inline void service_activate(service_scene *self, unsigned number, const char *features)
{
    char *text = service_package(self, number, features);
    service_is(service_send(self, TLM_CALL_ACTIVATE, text), TLM_OK);
    free(text);
}

#endif
