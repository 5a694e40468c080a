/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The provider over a provisioned token: more keys than a TPM has room for, wrong input from
 * clients, clients side by side. Also says how fast it signs.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <tlm/log.h>

#include "provider.h"
#include "provisioned.h"

#define KEYS 4
#define ROUNDS 3
#define THREADS 4
#define SIGNATURES 12 /* of each thread */
#define MEASURED 40

static const char rules[] = "{\"version\": 1, \"rules\": [{\"user\": 0, \"objects\": [\"*\"],"
                            " \"operations\": [\"use\", \"manage\"]}]}";
static const tlm_peer peer = {.pid = 1, .program = "test"};
static CK_BYTE digest[32] = {0x41, 2, 3};
static CK_MECHANISM ecdsa = {.mechanism = CKM_ECDSA};

static tlm_provisioned at;
static tlm_access *access_table;
static tlm_provider *provider;
static tlm_client *client;
static CK_FUNCTION_LIST *p11;
static CK_SESSION_HANDLE session;

static int open_provider(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_provisioned_open(&at);
    assert_int_equal(tlm_access_parse(rules, strlen(rules), "rules", &access_table, &error),
                     TLM_OK);
    tlm_provider_config config = {.access = access_table, .sessions = 8};
    assert_int_equal(tlm_provider_new(&config, &provider, &error), TLM_OK);
    tlm_provider_set_token(provider, at.token);
    assert_int_equal(tlm_client_new(provider, &peer, &client, &error), TLM_OK);
    tlm_client_enter(client);
    p11 = tlm_provider_functions();
    assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
    assert_int_equal(p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                        NULL, NULL, &session),
                     CKR_OK);
    assert_int_equal(p11->C_Login(session, CKU_USER, NULL, 0), CKR_OK);
    return 0;
}

static int close_provider(void **state)
{
    (void)state;
    tlm_client_enter(NULL);
    tlm_client_free(&client);
    tlm_provider_free(&provider);
    tlm_access_free(&access_table);
    tlm_provisioned_close(&at);
    return 0;
}

static CK_OBJECT_HANDLE find(CK_SESSION_HANDLE in, CK_OBJECT_CLASS class, CK_BYTE id)
{
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, &id, sizeof id}};
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG count = 0;
    if (p11->C_FindObjectsInit(in, wanted, 2) != CKR_OK ||
        p11->C_FindObjects(in, &found, 1, &count) != CKR_OK ||
        p11->C_FindObjectsFinal(in) != CKR_OK) {
        return 0;
    }
    return count == 1 ? found : 0;
}

/* Signs the digest, and verifies it through the token's public key. */
static CK_RV sign_and_verify(CK_SESSION_HANDLE in, CK_OBJECT_HANDLE private,
                             CK_OBJECT_HANDLE public)
{
    CK_BYTE signature[64];
    CK_ULONG size = sizeof signature;
    CK_RV rv = p11->C_SignInit(in, &ecdsa, private);
    rv = rv == CKR_OK ? p11->C_Sign(in, digest, sizeof digest, signature, &size) : rv;
    rv = rv == CKR_OK ? p11->C_VerifyInit(in, &ecdsa, public) : rv;
    rv = rv == CKR_OK ? p11->C_Verify(in, digest, sizeof digest, signature, size) : rv;
    return rv;
}

static void generate(CK_BYTE id, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_EC_KEY_PAIR_GEN};
    CK_BBOOL yes = CK_TRUE;
    CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_BYTE label[] = {'e', 'x', 't', 'r', 'a'};
    CK_ATTRIBUTE of_public[] = {{CKA_TOKEN, &yes, sizeof yes},
                                {CKA_LABEL, label, sizeof label},
                                {CKA_ID, &id, sizeof id},
                                {CKA_VERIFY, &yes, sizeof yes},
                                {CKA_EC_PARAMS, curve, sizeof curve}};
    CK_ATTRIBUTE of_private[] = {{CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_PRIVATE, &yes, sizeof yes},
                                 {CKA_LABEL, label, sizeof label},
                                 {CKA_ID, &id, sizeof id},
                                 {CKA_SIGN, &yes, sizeof yes}};
    assert_int_equal(
        p11->C_GenerateKeyPair(session, &mechanism, of_public, 5, of_private, 5, public, private),
        CKR_OK);
}

/* A TPM has room for two of them in one login. Their handles stay those they were. */
static void test_many_keys_in_turn(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE public[KEYS];
    CK_OBJECT_HANDLE private[KEYS];
    for (CK_BYTE i = 0; i < KEYS; i++) {
        generate((CK_BYTE)(0x70 + i), &public[i], &private[i]);
    }
    for (unsigned i = 0; i < KEYS * ROUNDS; i++) {
        assert_int_equal(sign_and_verify(session, private[i % KEYS], public[i % KEYS]), CKR_OK);
    }
    assert_int_equal(tlm_token_recoveries(at.token), 0);
    for (CK_BYTE i = 0; i < KEYS; i++) {
        assert_int_equal(find(session, CKO_PRIVATE_KEY, (CK_BYTE)(0x70 + i)), private[i]);
        assert_int_equal(p11->C_DestroyObject(session, private[i]), CKR_OK);
        assert_int_equal(p11->C_DestroyObject(session, public[i]), CKR_OK);
        assert_int_equal(find(session, CKO_PRIVATE_KEY, (CK_BYTE)(0x70 + i)), 0);
    }
}

/* What a client sends cannot make the token be restarted or logged in to again. */
static void test_wrong_input_costs_no_login(void **state)
{
    (void)state;
    CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
    CK_MECHANISM mechanisms[] = {{CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep},
                                 {.mechanism = CKM_RSA_PKCS}};
    CK_BYTE cipher[512];
    CK_BYTE plain[512];
    CK_OBJECT_HANDLE srk = find(session, CKO_PRIVATE_KEY, 1);
    CK_OBJECT_HANDLE attest = find(session, CKO_PRIVATE_KEY, 2);
    CK_OBJECT_HANDLE public = find(session, CKO_PUBLIC_KEY, 2);
    CK_ATTRIBUTE modulus = {.type = CKA_MODULUS};
    assert_int_equal(
        p11->C_GetAttributeValue(session, find(session, CKO_PUBLIC_KEY, 1), &modulus, 1), CKR_OK);
    assert_int_equal(sign_and_verify(session, attest, public), CKR_OK);
    for (unsigned i = 0; i < 12; i++) {
        CK_ULONG size = sizeof plain;
        CK_RV rv = CKR_OK;
        memset(cipher, (int)(i * 23), sizeof cipher);
        assert_int_equal(p11->C_DecryptInit(session, &mechanisms[i % 2], srk), CKR_OK);
        rv = p11->C_Decrypt(session, cipher, modulus.ulValueLen, plain, &size);
        /* By chance a block may have the form of PKCS #1. */
        assert_true(rv == CKR_ENCRYPTED_DATA_INVALID || (i % 2 == 1 && rv == CKR_OK));
        /* A signature of zeros, of ones, of anything. */
        assert_int_equal(p11->C_VerifyInit(session, &ecdsa, public), CKR_OK);
        assert_int_equal(p11->C_Verify(session, digest, sizeof digest, cipher, 64),
                         CKR_SIGNATURE_INVALID);
    }
    assert_int_equal(sign_and_verify(session, attest, public), CKR_OK);
    assert_int_equal(tlm_token_recoveries(at.token), 0);
}

static void *run_client(void *context)
{
    unsigned *good = context;
    tlm_client *own = NULL;
    CK_SESSION_HANDLE opened = 0;
    if (tlm_client_new(provider, &peer, &own, NULL) != TLM_OK) {
        return NULL;
    }
    tlm_client_enter(own);
    if (p11->C_Initialize(NULL) == CKR_OK &&
        p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &opened) == CKR_OK &&
        p11->C_Login(opened, CKU_USER, NULL, 0) == CKR_OK) {
        CK_OBJECT_HANDLE private = find(opened, CKO_PRIVATE_KEY, 2);
        CK_OBJECT_HANDLE public = find(opened, CKO_PUBLIC_KEY, 2);
        for (unsigned i = 0; i < SIGNATURES; i++) {
            *good += sign_and_verify(opened, private, public) == CKR_OK ? 1U : 0U;
        }
    }
    tlm_client_enter(NULL);
    tlm_client_free(&own);
    return NULL;
}

static void test_clients_side_by_side(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned good[THREADS] = {0};
    tlm_error error = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, &good[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(tlm_provider_restart_token(provider, &error), TLM_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(good[i], SIGNATURES);
    }
    assert_int_equal(tlm_token_recoveries(at.token), 3);
}

static double seconds(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_rate(void **state)
{
    (void)state;
    CK_BYTE signature[64];
    CK_OBJECT_HANDLE key = find(session, CKO_PRIVATE_KEY, 2);
    tlm_error error = {0};
    tlm_key *direct = tlm_provisioned_key(&at, "tlm-attest");
    double start = seconds();
    for (unsigned i = 0; i < MEASURED; i++) {
        CK_ULONG size = sizeof signature;
        assert_int_equal(p11->C_SignInit(session, &ecdsa, key), CKR_OK);
        assert_int_equal(p11->C_Sign(session, digest, sizeof digest, signature, &size), CKR_OK);
    }
    double through = seconds() - start;
    start = seconds();
    for (unsigned i = 0; i < MEASURED; i++) {
        size_t size = 0;
        assert_int_equal(
            tlm_key_sign(direct, TLM_JWA_ES256, digest, sizeof digest, signature, &size, &error),
            TLM_OK);
    }
    double straight = seconds() - start;
    tlm_key_free(&direct);
    (void)printf("ECDSA P-256: %.0f/s through the provider, %.0f/s by the library\n",
                 MEASURED / through, MEASURED / straight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_keys_in_turn, open_provider, close_provider),
        cmocka_unit_test_setup_teardown(test_wrong_input_costs_no_login, open_provider,
                                        close_provider),
        cmocka_unit_test_setup_teardown(test_clients_side_by_side, open_provider, close_provider),
        cmocka_unit_test_setup_teardown(test_rate, open_provider, close_provider),
    };
    tlm_log_set_level(TLM_LOG_WARNING); /* without a line for each use of a key */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
