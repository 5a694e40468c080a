/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <tlm/key.h>

#include "rsa_keys.h"
#include "vector.h"

static void check_signature(const char *name, tlm_jwa algorithm)
{
    json_t *vector = tlm_vector_load(name);
    EVP_PKEY *key = tlm_vector_key(vector);
    const char *input = tlm_vector_text(vector, "input");
    size_t length = strlen(input);
    size_t size = 0;
    unsigned char *signature = tlm_vector_bytes(vector, "signature", &size);
    tlm_error error = {0};
    assert_int_equal(tlm_public_verify(key, algorithm, input, length, signature, size, &error),
                     TLM_OK);
    for (size_t i = 0; i < size; i++) {
        signature[i] ^= 0x10;
        assert_int_equal(tlm_public_verify(key, algorithm, input, length, signature, size, &error),
                         TLM_ERR_SIGNATURE);
        signature[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(tlm_public_verify(key, algorithm, input, length, signature, cut, &error),
                         TLM_ERR_SIGNATURE);
    }
    assert_int_equal(tlm_public_verify(key, algorithm, input, length - 1, signature, size, &error),
                     TLM_ERR_SIGNATURE);
    assert_int_equal(tlm_public_verify(key, algorithm, NULL, 0, signature, size, &error),
                     TLM_ERR_SIGNATURE);
    free(signature);
    EVP_PKEY_free(key);
    json_decref(vector);
}

static void test_rfc7515_rs256(void **state)
{
    (void)state;
    check_signature("rfc7515-a.2.json", TLM_JWA_RS256);
}

static void test_rfc7515_es256(void **state)
{
    (void)state;
    check_signature("rfc7515-a.3.json", TLM_JWA_ES256);
}

static size_t sign_pss(EVP_PKEY *key, int salt, unsigned char *signature, size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    assert_int_equal(EVP_DigestSignInit(context, &options, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &room, (const unsigned char *)"hello", 5),
                     1);
    EVP_MD_CTX_free(context);
    return room;
}

static void test_ps256_salt_is_the_hash_length(void **state)
{
    (void)state;
    EVP_PKEY *key = tlm_test_rsa(2048);
    unsigned char signature[256];
    size_t size = sign_pss(key, 32, signature, sizeof signature);
    assert_int_equal(tlm_public_verify(key, TLM_JWA_PS256, "hello", 5, signature, size, NULL),
                     TLM_OK);
    assert_int_equal(tlm_public_verify(key, TLM_JWA_RS256, "hello", 5, signature, size, NULL),
                     TLM_ERR_SIGNATURE);
    size = sign_pss(key, 20, signature, sizeof signature);
    assert_int_equal(tlm_public_verify(key, TLM_JWA_PS256, "hello", 5, signature, size, NULL),
                     TLM_ERR_SIGNATURE);
    EVP_PKEY_free(key);
}

static void test_keys_from_their_numbers(void **state)
{
    (void)state;
    static const char *const curves[] = {"P-256", "P-384"};
    tlm_error error = {0};
    for (size_t i = 0; i < 2; i++) {
        unsigned char point[97];
        size_t size = 0;
        EVP_PKEY *key = EVP_EC_gen(curves[i]);
        EVP_PKEY *made = NULL;
        assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                         sizeof point, &size),
                         1);
        assert_int_equal(tlm_public_from_point(curves[i], point, size, &made, &error), TLM_OK);
        assert_int_equal(EVP_PKEY_eq(made, key), 1);
        EVP_PKEY_free(made);
        made = NULL;
        point[size - 1] ^= 1; /* beside the curve */
        assert_int_equal(tlm_public_from_point(curves[i], point, size, &made, &error),
                         TLM_ERR_FORMAT);
        assert_int_equal(tlm_public_from_point(curves[1 - i], point, size, &made, &error),
                         TLM_ERR_FORMAT);
        assert_int_equal(tlm_public_from_point(curves[i], point, size - 1, &made, &error),
                         TLM_ERR_FORMAT);
        assert_null(made);
        EVP_PKEY_free(key);
    }
    EVP_PKEY *made = NULL;
    unsigned char large[TLM_SIGNATURE_MAX + 1] = {1};
    assert_int_equal(
        tlm_public_from_rsa(large, sizeof large, (const unsigned char *)"\3", 1, &made, &error),
        TLM_ERR_UNSUPPORTED);
}

static void test_wrong_keys(void **state)
{
    (void)state;
    EVP_PKEY *rsa = tlm_test_rsa(2048);
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    unsigned char bytes[TLM_SIGNATURE_MAX] = {1};
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_public_verify(rsa, TLM_JWA_ES256, "x", 1, bytes, 64, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_public_verify(p384, TLM_JWA_ES256, "x", 1, bytes, 64, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_public_verify(p384, TLM_JWA_RS256, "x", 1, bytes, 64, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_public_verify(p384, TLM_JWA_ES384, "x", 1, bytes, 64, &error),
                     TLM_ERR_SIGNATURE);
    assert_int_equal(tlm_public_verify(p384, TLM_JWA_ES384, "x", 1, bytes, 96, &error),
                     TLM_ERR_SIGNATURE);
    assert_int_equal(tlm_public_verify(rsa, TLM_JWA_ES384, "x", 1, bytes, 96, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_public_verify(NULL, TLM_JWA_RS256, "x", 1, bytes, 64, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_public_encrypt_oaep(p384, "x", 1, bytes, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p384);
}

static void test_oaep_limits(void **state)
{
    (void)state;
    EVP_PKEY *key = tlm_test_rsa(2048);
    unsigned char plain[191] = {0};
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_public_encrypt_oaep(key, plain, 190, cipher, &size, &error), TLM_OK);
    assert_int_equal(size, 256);
    assert_int_equal(tlm_public_encrypt_oaep(key, plain, 191, cipher, &size, &error),
                     TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_public_encrypt_oaep(key, plain, 0, cipher, &size, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_public_encrypt_oaep(NULL, plain, 1, cipher, &size, &error),
                     TLM_ERR_ARGUMENT);
    EVP_PKEY_free(key);
}

/* What RSA-OAEP-256 means, against OpenSSL's own decryption with the same parameters. */
static void test_oaep_parameters(void **state)
{
    (void)state;
    EVP_PKEY *key = tlm_test_rsa(2048);
    unsigned char cipher[TLM_SIGNATURE_MAX];
    unsigned char plain[256];
    size_t cipher_size = 0;
    size_t plain_size = sizeof plain;
    assert_int_equal(tlm_public_encrypt_oaep(key, "secret", 6, cipher, &cipher_size, NULL), TLM_OK);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_decrypt(context, plain, &plain_size, cipher, cipher_size), 1);
    assert_int_equal(plain_size, 6);
    assert_memory_equal(plain, "secret", 6);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
}

static void test_pem(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char *pem = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_public_to_pem(key, &pem, &error), TLM_OK);
    assert_memory_equal(pem, "-----BEGIN PUBLIC KEY-----\n", 27);
    BIO *memory = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *again = PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL);
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    BIO_free(memory);
    EVP_PKEY_free(again);
    free(pem);
    assert_int_equal(tlm_public_to_pem(NULL, &pem, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_public_to_pem(key, NULL, &error), TLM_ERR_ARGUMENT);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7515_rs256),
        cmocka_unit_test(test_rfc7515_es256),
        cmocka_unit_test(test_ps256_salt_is_the_hash_length),
        cmocka_unit_test(test_keys_from_their_numbers),
        cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_oaep_limits),
        cmocka_unit_test(test_oaep_parameters),
        cmocka_unit_test(test_pem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
