/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every token must do, over the same cases for each back end. The token is a provisioned one;
 * see tests/support/with-token.
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

#include "../../pkcs11-glue/src/internal.h"
#include "provisioned.h"

#define EXTRA_KEYS 4
#define THREADS 8
#define SIGNATURES 12 /* of each thread */

static tlm_provisioned at;
static tlm_key *srk;
static tlm_key *attest;

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

static void test_identity(void **state)
{
    (void)state;
    tlm_token_info info;
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_error error = {0};
    bool tpm = strcmp(tlm_provisioned_env("TLM_TEST_BACKEND"), "swtpm") == 0;
    assert_int_equal(at.store.backend, tpm ? TLM_BACKEND_TPM : TLM_BACKEND_SOFTHSM);
    assert_true(at.store.complete);
    tlm_token_get_info(at.token, &info);
    assert_string_equal(info.label, at.store.label);
    assert_true(info.manufacturer[0] != '\0');
    assert_int_equal(info.hardware_slot, tpm);
    assert_ok(tlm_public_thumbprint(tlm_key_public(srk), thumbprint, &error), &error);
    char *hex = tlm_hex_encode(thumbprint, sizeof thumbprint);
    assert_string_equal(hex, at.store.thumbprint);
    free(hex);
}

static void test_keys_by_label_and_id(void **state)
{
    (void)state;
    tlm_key *key = NULL;
    tlm_error error = {0};
    assert_true(EVP_PKEY_get_bits(tlm_key_public(srk)) >= 2048);
    assert_int_equal(EVP_PKEY_get_bits(tlm_key_public(attest)), 256);
    assert_ok(tlm_key_find_by_id(at.token, "\x01", 1, &key, &error), &error);
    assert_int_equal(EVP_PKEY_eq(tlm_key_public(key), tlm_key_public(srk)), 1);
    tlm_key_free(&key);
    assert_ok(tlm_key_find_by_id(at.token, "\x02", 1, &key, &error), &error);
    assert_int_equal(EVP_PKEY_eq(tlm_key_public(key), tlm_key_public(attest)), 1);
    tlm_key_free(&key);
    assert_int_equal(tlm_key_find(at.token, "nobody", &key, &error), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_key_generate_p256(at.token, "tlm-attest", 9, &key, &error),
                     TLM_ERR_EXISTS);
    assert_int_equal(tlm_key_generate_rsa(at.token, 2048, "x", 1, &key, &error), TLM_ERR_EXISTS);
}

typedef struct uses {
    const char *label;
    CK_OBJECT_CLASS class;
    CK_ATTRIBUTE_TYPE attribute;
    bool expected;
} uses;

static tlm_result read_use(tlm_token *token, void *context, tlm_error *error)
{
    static CK_BBOOL value;
    const uses *row = context;
    CK_OBJECT_CLASS class = row->class;
    CK_OBJECT_HANDLE handle = 0;
    CK_ULONG count = 0;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_LABEL, tlm_unconst(row->label), (CK_ULONG)strlen(row->label)},
    };
    tlm_result result = tlm_object_find(token, template, 2, &handle, 1, &count, error);
    if (result != TLM_OK || count != 1) {
        fail_msg("no %s of class %lu", row->label, row->class);
    }
    CK_ATTRIBUTE wanted = {row->attribute, &value, sizeof value};
    value = CK_TRUE;
    CK_RV rv = token->module->functions->C_GetAttributeValue(token->session, handle, &wanted, 1);
    /* tpm2-pkcs11 has no attribute for what a key cannot do; SoftHSM says no. */
    bool has = rv == CKR_OK && value == CK_TRUE;
    if (has != row->expected) {
        fail_msg("%s class %lu attribute 0x%lx: %d", row->label, row->class, row->attribute, has);
    }
    return TLM_OK;
}

/* A key does what it is for, and nothing that its maker left open. */
static void test_uses(void **state)
{
    (void)state;
    static const uses rows[] = {
        {"tlm-srk", CKO_PRIVATE_KEY, CKA_SIGN, true},
        {"tlm-srk", CKO_PRIVATE_KEY, CKA_DECRYPT, true},
        {"tlm-srk", CKO_PRIVATE_KEY, CKA_UNWRAP, false},
        {"tlm-srk", CKO_PRIVATE_KEY, CKA_DERIVE, false},
        {"tlm-srk", CKO_PRIVATE_KEY, CKA_EXTRACTABLE, false},
        {"tlm-srk", CKO_PRIVATE_KEY, CKA_SENSITIVE, true},
        {"tlm-srk", CKO_PUBLIC_KEY, CKA_VERIFY, true},
        {"tlm-srk", CKO_PUBLIC_KEY, CKA_ENCRYPT, true},
        {"tlm-srk", CKO_PUBLIC_KEY, CKA_WRAP, false},
        {"tlm-attest", CKO_PRIVATE_KEY, CKA_SIGN, true},
        {"tlm-attest", CKO_PRIVATE_KEY, CKA_UNWRAP, false},
        {"tlm-attest", CKO_PRIVATE_KEY, CKA_DERIVE, false},
        {"tlm-attest", CKO_PRIVATE_KEY, CKA_EXTRACTABLE, false},
        {"tlm-attest", CKO_PUBLIC_KEY, CKA_VERIFY, true},
        {"tlm-attest", CKO_PUBLIC_KEY, CKA_WRAP, false},
        {"tlm-attest", CKO_PUBLIC_KEY, CKA_DERIVE, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uses row = rows[i];
        tlm_error error = {0};
        assert_ok(tlm_token_run(at.token, read_use, &row, &error), &error);
    }
}

static void test_signatures(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
    assert_ok(tlm_provisioned_sign(srk, TLM_JWA_RS256, &error), &error);
    assert_ok(tlm_provisioned_sign(srk, TLM_JWA_PS256, &error), &error);
    assert_int_equal(tlm_provisioned_sign(attest, TLM_JWA_RS256, &error), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_provisioned_sign(srk, TLM_JWA_ES256, &error), TLM_ERR_UNSUPPORTED);
}

/* A vendor may sign with a key of this curve; a host's own keys are others. */
static void test_p384(void **state)
{
    (void)state;
    tlm_key *key = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_key_generate_p384(at.token, "suite-p384", 0x60, &key, &error);
    if (result == TLM_ERR_EXISTS) { /* the suite ran on this token before */
        key = tlm_provisioned_key(&at, "suite-p384");
    } else {
        assert_ok(result, &error);
    }
    assert_int_equal(EVP_PKEY_get_bits(tlm_key_public(key)), 384);
    assert_ok(tlm_provisioned_sign(key, TLM_JWA_ES384, &error), &error);
    assert_int_equal(tlm_provisioned_sign(key, TLM_JWA_ES256, &error), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_provisioned_sign(attest, TLM_JWA_ES384, &error), TLM_ERR_UNSUPPORTED);
    tlm_key_free(&key);
}

static void test_mechanisms(void **state)
{
    (void)state;
    assert_true(tlm_token_has_mechanism(at.token, CKM_ECDSA, CKF_SIGN));
    assert_true(tlm_token_has_mechanism(at.token, CKM_RSA_PKCS, CKF_SIGN));
    assert_true(tlm_token_has_mechanism(at.token, CKM_RSA_PKCS_PSS, CKF_SIGN));
    assert_true(tlm_token_has_mechanism(at.token, CKM_RSA_PKCS_OAEP, CKF_DECRYPT));
    assert_false(tlm_token_has_mechanism(at.token, CKM_BATON_KEY_GEN, CKF_GENERATE));
}

static void decrypt_round_trip(size_t size)
{
    unsigned char data[190];
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t cipher_size = 0;
    tlm_secret *plain = NULL;
    tlm_error error = {0};
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)i;
    }
    assert_ok(
        tlm_public_encrypt_oaep(tlm_key_public(srk), data, size, cipher, &cipher_size, &error),
        &error);
    assert_ok(tlm_key_decrypt_oaep(srk, cipher, cipher_size, &plain, &error), &error);
    assert_int_equal(tlm_secret_size(plain), size);
    assert_memory_equal(tlm_secret_bytes(plain), data, size);
    tlm_secret_free(&plain);
}

static void test_decrypt(void **state)
{
    (void)state;
    decrypt_round_trip(1);
    decrypt_round_trip(32);
    decrypt_round_trip(190);
}

/* Every wrong cipher text has one answer, and the token works on after each. */
static void test_wrong_cipher_texts(void **state)
{
    (void)state;
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_secret *plain = NULL;
    tlm_error error = {0};
    unsigned before = tlm_token_recoveries(at.token);
    assert_ok(tlm_public_encrypt_oaep(tlm_key_public(srk), "secret", 6, cipher, &size, &error),
              &error);
    for (size_t i = 1; i < size; i += 37) {
        cipher[i] ^= 0x40;
        assert_int_equal(tlm_key_decrypt_oaep(srk, cipher, size, &plain, &error), TLM_ERR_CRYPTO);
        assert_string_equal(error.message, "key 'tlm-srk' cannot decrypt the data");
        assert_null(plain);
        cipher[i] ^= 0x40;
        assert_true(tlm_token_available(at.token));
    }
    memset(cipher, 0, size);
    assert_int_equal(tlm_key_decrypt_oaep(srk, cipher, size, &plain, &error), TLM_ERR_CRYPTO);
    memset(cipher, 0xff, size);
    assert_int_equal(tlm_key_decrypt_oaep(srk, cipher, size, &plain, &error), TLM_ERR_CRYPTO);
    assert_int_equal(tlm_key_decrypt_oaep(srk, cipher, size - 1, &plain, &error), TLM_ERR_CRYPTO);
    assert_int_equal(tlm_token_recoveries(at.token), before);
    decrypt_round_trip(32);
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
}

static void test_random(void **state)
{
    (void)state;
    unsigned char first[500] = {0};
    unsigned char second[500] = {0};
    tlm_error error = {0};
    assert_ok(tlm_token_random(at.token, first, sizeof first, &error), &error);
    assert_ok(tlm_token_random(at.token, second, sizeof second, &error), &error);
    assert_memory_not_equal(first, second, sizeof first);
    assert_ok(tlm_token_probe(at.token, &error), &error);
}

static void assert_data(const char *label, const void *expected, size_t expected_size)
{
    char *data = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_ok(tlm_token_data_read(at.token, label, &data, &size, &error), &error);
    assert_int_equal(size, expected_size);
    assert_memory_equal(data, expected, size);
    free(data);
}

static void test_data_objects(void **state)
{
    (void)state;
    char big[4096];
    char *data = NULL;
    size_t size = 0;
    tlm_error error = {0};
    memset(big, 0x5a, sizeof big);
    big[7] = '\0';
    assert_ok(tlm_token_data_store(at.token, "suite", "first", 5, &error), &error);
    assert_data("suite", "first", 5);
    assert_ok(tlm_token_data_store(at.token, "suite", big, sizeof big, &error), &error);
    assert_data("suite", big, sizeof big);
    assert_ok(tlm_token_data_store(at.token, "suite", "x", 1, &error), &error);
    assert_data("suite", "x", 1);
    assert_ok(tlm_token_data_remove(at.token, "suite", &error), &error);
    assert_int_equal(tlm_token_data_read(at.token, "suite", &data, &size, &error),
                     TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_token_data_remove(at.token, "suite", &error), TLM_ERR_NOT_FOUND);
}

static void check_certificate(tlm_key *key)
{
    X509 *found = NULL;
    X509 *made = NULL;
    tlm_error error = {0};
    assert_ok(tlm_certificate_find(key, &found, &error), &error);
    assert_int_equal(X509_verify(found, tlm_key_public(key)), 1);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(found), tlm_key_public(key)), 1);
    assert_ok(tlm_certificate_self_sign(key, "again", time(NULL), 30, &made, &error), &error);
    assert_int_equal(X509_verify(made, tlm_key_public(key)), 1);
    assert_int_equal(tlm_certificate_store(key, made, &error), TLM_ERR_EXISTS);
    X509_free(made);
    X509_free(found);
}

static void test_certificates(void **state)
{
    (void)state;
    check_certificate(srk);
    check_certificate(attest);
}

static tlm_key *extra_key(unsigned number)
{
    char label[16];
    tlm_key *key = NULL;
    tlm_error error = {0};
    (void)snprintf(label, sizeof label, "suite-%u", number);
    tlm_result result =
        tlm_key_generate_p256(at.token, label, (unsigned char)(0x40 + number), &key, &error);
    if (result == TLM_ERR_EXISTS) { /* the suite ran on this token before */
        return tlm_provisioned_key(&at, label);
    }
    assert_ok(result, &error);
    return key;
}

/* A TPM has room for three keys at a time; the caller is not to notice. */
static void test_more_keys_than_the_token_holds(void **state)
{
    (void)state;
    tlm_key *keys[EXTRA_KEYS];
    tlm_error error = {0};
    for (unsigned i = 0; i < EXTRA_KEYS; i++) {
        keys[i] = extra_key(i);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < EXTRA_KEYS; i++) {
            assert_ok(tlm_provisioned_sign(keys[i], TLM_JWA_ES256, &error), &error);
        }
        assert_ok(tlm_provisioned_sign(srk, TLM_JWA_RS256, &error), &error);
        decrypt_round_trip(16);
    }
    for (unsigned i = 0; i < EXTRA_KEYS; i++) {
        tlm_key_free(&keys[i]);
    }
}

typedef struct worker {
    unsigned number;
    tlm_result result;
    tlm_error error;
} worker;

/* No assertion here: cmocka's belong to the main thread. */
static void *sign_often(void *context)
{
    worker *of = context;
    for (unsigned i = 0; i < SIGNATURES && of->result == TLM_OK; i++) {
        bool ec = (of->number + i) % 2 == 0;
        of->result =
            tlm_provisioned_sign(ec ? attest : srk, ec ? TLM_JWA_ES256 : TLM_JWA_PS256, &of->error);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    worker workers[THREADS] = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, sign_often, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_ok(workers[i].result, &workers[i].error);
    }
}

/* Another opening of the same token beside this one, in this process. */
static void test_second_opening(void **state)
{
    (void)state;
    tlm_provisioned second;
    tlm_error error = {0};
    tlm_provisioned_open(&second);
    tlm_key *key = tlm_provisioned_key(&second, "tlm-attest");
    assert_ok(tlm_provisioned_sign(key, TLM_JWA_ES256, &error), &error);
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
    tlm_key_free(&key);
    tlm_provisioned_close(&second);
    assert_ok(tlm_provisioned_sign(attest, TLM_JWA_ES256, &error), &error);
}

static void test_reopening(void **state)
{
    assert_int_equal(close_token(state), 0);
    assert_int_equal(open_token(state), 0);
    test_signatures(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),     cmocka_unit_test(test_keys_by_label_and_id),
        cmocka_unit_test(test_uses),         cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_p384),         cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_decrypt),      cmocka_unit_test(test_wrong_cipher_texts),
        cmocka_unit_test(test_random),       cmocka_unit_test(test_data_objects),
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_more_keys_than_the_token_holds),
        cmocka_unit_test(test_threads),      cmocka_unit_test(test_second_opening),
        cmocka_unit_test(test_reopening),
    };
    return cmocka_run_group_tests(tests, open_token, close_token);
}
