/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/rsa.h>

#include "../../pkcs11-glue/src/internal.h"
#include "token_fixture.h"

static tlm_token_fixture fixture;
static tlm_token *token;
static tlm_key *rsa;
static tlm_key *ec;
static tlm_key *p384;

static int make_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_make(&fixture);
    token = tlm_token_fixture_open(&fixture);
    assert_int_equal(tlm_key_generate_rsa(token, 2048, "tlm-srk", 1, &rsa, &error), TLM_OK);
    assert_int_equal(tlm_key_generate_p256(token, "tlm-attest", 2, &ec, &error), TLM_OK);
    assert_int_equal(tlm_key_generate_p384(token, "vendor", 9, &p384, &error), TLM_OK);
    return 0;
}

static int clear_token(void **state)
{
    (void)state;
    tlm_key_free(&rsa);
    tlm_key_free(&ec);
    tlm_key_free(&p384);
    tlm_token_close(&token);
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static void test_find(void **state)
{
    (void)state;
    tlm_key *key = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_find(token, "tlm-srk", &key, &error), TLM_OK);
    assert_string_equal(tlm_key_label(key), "tlm-srk");
    assert_int_equal(EVP_PKEY_eq(tlm_key_public(key), tlm_key_public(rsa)), 1);
    tlm_key_free(&key);
    assert_null(key);
    tlm_key_free(&key);
    tlm_key_free(NULL);
    assert_int_equal(tlm_key_find_by_id(token, "\x02", 1, &key, &error), TLM_OK);
    assert_string_equal(tlm_key_label(key), "tlm-attest");
    assert_int_equal(EVP_PKEY_eq(tlm_key_public(key), tlm_key_public(ec)), 1);
    tlm_key_free(&key);
    assert_int_equal(tlm_key_find(token, "tlm", &key, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "label 'tlm'"));
    assert_int_equal(tlm_key_find_by_id(token, "\x03", 1, &key, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "id 03"));
}

static void test_find_arguments(void **state)
{
    (void)state;
    unsigned char id[65] = {0};
    tlm_key *key = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_find(token, "", &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_find(token, NULL, &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_find(NULL, "x", &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_find_by_id(token, id, 0, &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_find_by_id(token, id, 65, &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_find_by_id(token, NULL, 1, &key, &error), TLM_ERR_ARGUMENT);
}

static void test_generate_never_replaces(void **state)
{
    (void)state;
    tlm_key *key = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_generate_p256(token, "tlm-srk", 9, &key, &error), TLM_ERR_EXISTS);
    assert_non_null(strstr(error.message, "label"));
    assert_int_equal(tlm_key_generate_rsa(token, 2048, "new", 1, &key, &error), TLM_ERR_EXISTS);
    assert_non_null(strstr(error.message, "id"));
    assert_null(key);
    assert_int_equal(tlm_key_generate_rsa(token, 1024, "new", 9, &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_generate_rsa(token, 2048, "", 9, &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_generate_p256(token, NULL, 9, &key, &error), TLM_ERR_ARGUMENT);
}

static tlm_result read_private(tlm_token *of, void *context, tlm_error *error)
{
    tlm_key *key = context;
    unsigned char *data = NULL;
    size_t size = 0;
    assert_int_equal(tlm_key_resolve(key, error), TLM_OK);
    assert_int_equal(
        tlm_object_get(of, key->handle, CKA_PRIVATE_EXPONENT, 4096, &data, &size, error),
        TLM_ERR_NOT_FOUND);
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        CK_BBOOL value;
    } wanted[] = {{CKA_TOKEN, CK_TRUE},
                  {CKA_PRIVATE, CK_TRUE},
                  {CKA_SENSITIVE, CK_TRUE},
                  {CKA_EXTRACTABLE, CK_FALSE}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_int_equal(tlm_object_get(of, key->handle, wanted[i].type, 1, &data, &size, error),
                         TLM_OK);
        assert_int_equal(size, 1);
        assert_int_equal(data[0], wanted[i].value);
        free(data);
    }
    return TLM_OK;
}

static void test_private_keys_stay_on_the_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_int_equal(tlm_token_run(token, read_private, rsa, &error), TLM_OK);
    assert_int_equal(EVP_PKEY_get_bits(tlm_key_public(rsa)), 2048);
    assert_int_equal(EVP_PKEY_get_bits(tlm_key_public(ec)), 256);
}

static void check_signing(tlm_key *key, tlm_jwa algorithm, size_t expected)
{
    unsigned char data[5001];
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_error error = {0};
    memset(data, 'd', sizeof data);
    const size_t lengths[] = {0, 1, 32, sizeof data - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(tlm_key_sign(key, algorithm, data, lengths[i], signature, &size, &error),
                         TLM_OK);
        assert_int_equal(size, expected);
        assert_int_equal(tlm_public_verify(tlm_key_public(key), algorithm, data, lengths[i],
                                           signature, size, &error),
                         TLM_OK);
        assert_int_equal(tlm_public_verify(tlm_key_public(key), algorithm, data, lengths[i] + 1,
                                           signature, size, &error),
                         TLM_ERR_SIGNATURE);
    }
}

static void test_sign(void **state)
{
    (void)state;
    check_signing(ec, TLM_JWA_ES256, 64);
    check_signing(p384, TLM_JWA_ES384, 96);
    check_signing(rsa, TLM_JWA_RS256, 256);
    check_signing(rsa, TLM_JWA_PS256, 256);
}

static void test_sign_refusals(void **state)
{
    (void)state;
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_key_sign(rsa, TLM_JWA_ES256, "x", 1, signature, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_key_sign(ec, TLM_JWA_ES384, "x", 1, signature, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_key_sign(p384, TLM_JWA_ES256, "x", 1, signature, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_key_sign_digest(p384, TLM_JWA_ES384, signature, signature, &size, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_sign_digest(ec, (tlm_jwa)9, signature, signature, &size, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_sign(ec, TLM_JWA_RS256, "x", 1, signature, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_key_sign(ec, TLM_JWA_PS256, "x", 1, signature, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_key_sign(ec, (tlm_jwa)9, "x", 1, signature, &size, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_sign(NULL, TLM_JWA_ES256, "x", 1, signature, &size, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_sign(ec, TLM_JWA_ES256, NULL, 1, signature, &size, &error),
                     TLM_ERR_ARGUMENT);
}

static tlm_result decrypt(const unsigned char *cipher, size_t size, tlm_error *error)
{
    tlm_secret *plain = NULL;
    tlm_result result = tlm_key_decrypt_oaep(rsa, cipher, size, &plain, error);
    assert_true((plain != NULL) == (result == TLM_OK));
    tlm_secret_free(&plain);
    return result;
}

static void test_decrypt_round_trip(void **state)
{
    (void)state;
    unsigned char data[190];
    memset(data, 0xa5, sizeof data);
    const size_t lengths[] = {1, 16, 32, sizeof data};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned char cipher[TLM_SIGNATURE_MAX];
        size_t size = 0;
        tlm_secret *plain = NULL;
        tlm_error error = {0};
        assert_int_equal(
            tlm_public_encrypt_oaep(tlm_key_public(rsa), data, lengths[i], cipher, &size, &error),
            TLM_OK);
        assert_int_equal(tlm_key_decrypt_oaep(rsa, cipher, size, &plain, &error), TLM_OK);
        assert_int_equal(tlm_secret_size(plain), lengths[i]);
        assert_memory_equal(tlm_secret_bytes(plain), data, lengths[i]);
        tlm_secret_free(&plain);
    }
}

static void test_wrong_cipher_texts_look_alike(void **state)
{
    (void)state;
    unsigned char cipher[TLM_SIGNATURE_MAX] = {0};
    size_t size = 0;
    tlm_error first = {0};
    tlm_error error = {0};
    assert_int_equal(
        tlm_public_encrypt_oaep(tlm_key_public(rsa), "secret", 6, cipher, &size, &error), TLM_OK);
    tlm_token_fixture_clear_log(&fixture);
    cipher[5] ^= 1;
    assert_int_equal(decrypt(cipher, size, &first), TLM_ERR_CRYPTO);
    cipher[5] ^= 1;
    assert_int_equal(decrypt(cipher, size - 1, &error), TLM_ERR_CRYPTO);
    assert_string_equal(error.message, first.message);
    assert_int_equal(decrypt(cipher, size + 1, &error), TLM_ERR_CRYPTO);
    assert_int_equal(decrypt(cipher, 0, &error), TLM_ERR_CRYPTO);
    memset(cipher, 0xff, sizeof cipher); /* above the modulus */
    assert_int_equal(decrypt(cipher, size, &error), TLM_ERR_CRYPTO);
    assert_string_equal(error.message, first.message);
    memset(cipher, 0, sizeof cipher); /* 0 to the power of d */
    assert_int_equal(decrypt(cipher, size, &error), TLM_ERR_CRYPTO);
    cipher[size - 1] = 1; /* 1 to the power of d: all leading zeros */
    assert_int_equal(decrypt(cipher, size, &error), TLM_ERR_CRYPTO);
    assert_string_equal(error.message, first.message);
    /* Whoever sends such cipher texts causes no logins and no restarts. */
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 0);
    assert_int_equal(tlm_token_recoveries(token), 0);
    test_decrypt_round_trip(state);
}

/* The same bytes under OAEP with SHA-1, OpenSSL's default: another padding, so a wrong one. */
static void test_other_padding_is_refused(void **state)
{
    (void)state;
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t size = sizeof cipher;
    tlm_error error = {0};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(tlm_key_public(rsa), NULL);
    assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_encrypt(context, cipher, &size, (const unsigned char *)"secret", 6),
                     1);
    EVP_PKEY_CTX_free(context);
    assert_int_equal(decrypt(cipher, size, &error), TLM_ERR_CRYPTO);
}

static void test_decrypt_arguments(void **state)
{
    (void)state;
    unsigned char cipher[256] = {0};
    tlm_secret *plain = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_decrypt_oaep(ec, cipher, 64, &plain, &error), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_key_decrypt_oaep(NULL, cipher, 256, &plain, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_decrypt_oaep(rsa, NULL, 256, &plain, &error), TLM_ERR_ARGUMENT);
    assert_null(plain);
}

/* SoftHSM lists OAEP and answers ARGUMENTS_BAD for SHA-256: found out once for each token. */
static void test_oaep_is_probed_once(void **state)
{
    (void)state;
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(
        tlm_public_encrypt_oaep(tlm_key_public(rsa), "secret", 6, cipher, &size, &error), TLM_OK);
    assert_int_equal(decrypt(cipher, size, &error), TLM_OK);
    tlm_token_fixture_clear_log(&fixture);
    assert_int_equal(decrypt(cipher, size, &error), TLM_OK);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_DecryptInit"), 1);
}

static void check_certificate(tlm_key *key)
{
    X509 *certificate = NULL;
    X509 *found = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_certificate_find(key, &found, &error), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_certificate_self_sign(key, "host", time(NULL), 365, &certificate, &error),
                     TLM_OK);
    assert_int_equal(tlm_certificate_store(key, certificate, &error), TLM_OK);
    assert_int_equal(tlm_certificate_store(key, certificate, &error), TLM_ERR_EXISTS);
    assert_int_equal(tlm_certificate_find(key, &found, &error), TLM_OK);
    assert_int_equal(X509_cmp(found, certificate), 0);
    assert_int_equal(X509_verify(found, tlm_key_public(key)), 1);
    X509_free(certificate);
    X509_free(found);
}

static void test_certificates(void **state)
{
    (void)state;
    check_certificate(rsa);
    check_certificate(ec);
}

static void test_certificate_refusals(void **state)
{
    (void)state;
    X509 *certificate = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_certificate_self_sign(ec, "", 0, 1, &certificate, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_certificate_self_sign(ec, "x", 0, 0, &certificate, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_certificate_self_sign(NULL, "x", 0, 1, &certificate, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_certificate_self_sign(ec, "x", 0, 1, &certificate, &error), TLM_OK);
    assert_int_equal(tlm_certificate_store(rsa, certificate, &error), TLM_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "tlm-srk"));
    assert_int_equal(tlm_certificate_store(rsa, NULL, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_certificate_find(NULL, &certificate, &error), TLM_ERR_ARGUMENT);
    X509_free(certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_find_arguments),
        cmocka_unit_test(test_generate_never_replaces),
        cmocka_unit_test(test_private_keys_stay_on_the_token),
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_sign_refusals),
        cmocka_unit_test(test_decrypt_round_trip),
        cmocka_unit_test(test_wrong_cipher_texts_look_alike),
        cmocka_unit_test(test_other_padding_is_refused),
        cmocka_unit_test(test_decrypt_arguments),
        cmocka_unit_test(test_oaep_is_probed_once),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_certificate_refusals),
    };
    return cmocka_run_group_tests(tests, make_token, clear_token);
}
