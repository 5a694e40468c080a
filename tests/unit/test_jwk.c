/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>

#include <tlm/key.h>

#include "vector.h"

static void check_vector(const char *name)
{
    json_t *vector = tlm_vector_load(name);
    EVP_PKEY *key = tlm_vector_key(vector);
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_error error = {0};
    assert_int_equal(tlm_public_thumbprint(key, thumbprint, &error), TLM_OK);
    char *text = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    assert_string_equal(text, tlm_vector_text(vector, "thumbprint"));

    char *jwk = NULL;
    assert_int_equal(tlm_public_to_jwk(key, &jwk, &error), TLM_OK);
    assert_null(strchr(jwk, '\n'));
    json_t *parsed = json_loads(jwk, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    assert_string_equal(tlm_vector_text(parsed, "kid"), text);
    assert_int_equal(json_object_del(parsed, "kid"), 0);
    assert_true(json_equal(parsed, json_object_get(vector, "key")));
    json_decref(parsed);
    free(jwk);
    free(text);
    EVP_PKEY_free(key);
    json_decref(vector);
}

static void test_rfc7638(void **state)
{
    (void)state;
    check_vector("rfc7638-3.1.json");
}

static void test_rfc7517(void **state)
{
    (void)state;
    check_vector("rfc7517-a.1.json");
}

/* A coordinate below 2^248 keeps its leading zero byte (RFC 7518 section 6.2.1.2). */
static void test_leading_zeros_of_coordinates(void **state)
{
    (void)state;
    for (int tries = 0; tries < 20000; tries++) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        BIGNUM *x = NULL;
        assert_non_null(key);
        assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x), 1);
        int bytes = BN_num_bytes(x);
        BN_free(x);
        if (bytes == 32) {
            EVP_PKEY_free(key);
            continue;
        }
        char *jwk = NULL;
        assert_int_equal(tlm_public_to_jwk(key, &jwk, NULL), TLM_OK);
        json_t *parsed = json_loads(jwk, 0, NULL);
        size_t size = 0;
        unsigned char *decoded = tlm_vector_bytes(parsed, "x", &size);
        assert_int_equal(size, 32);
        assert_int_equal(decoded[0], 0);
        EVP_PKEY *again = tlm_vector_key_of(parsed);
        assert_int_equal(EVP_PKEY_eq(again, key), 1);
        EVP_PKEY_free(again);
        free(decoded);
        json_decref(parsed);
        free(jwk);
        EVP_PKEY_free(key);
        return;
    }
    fail_msg("no key with a short coordinate in 20000");
}

static void test_other_curves_and_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *curve;
        size_t size;
    } curves[] = {{"P-384", 48}, {"P-521", 66}};
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        EVP_PKEY *key = EVP_EC_gen(curves[i].curve);
        char *jwk = NULL;
        size_t size = 0;
        assert_int_equal(tlm_public_to_jwk(key, &jwk, NULL), TLM_OK);
        json_t *parsed = json_loads(jwk, 0, NULL);
        assert_string_equal(tlm_vector_text(parsed, "crv"), curves[i].curve);
        free(tlm_vector_bytes(parsed, "y", &size));
        assert_int_equal(size, curves[i].size);
        json_decref(parsed);
        free(jwk);
        EVP_PKEY_free(key);
    }
}

static void test_refused_keys(void **state)
{
    (void)state;
    EVP_PKEY *edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *koblitz = EVP_EC_gen("secp256k1");
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    char *jwk = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_public_to_jwk(edwards, &jwk, &error), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_public_thumbprint(koblitz, thumbprint, &error), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_public_to_jwk(NULL, &jwk, &error), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_public_to_jwk(koblitz, NULL, &error), TLM_ERR_ARGUMENT);
    assert_null(jwk);
    EVP_PKEY_free(edwards);
    EVP_PKEY_free(koblitz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7638),
        cmocka_unit_test(test_rfc7517),
        cmocka_unit_test(test_leading_zeros_of_coordinates),
        cmocka_unit_test(test_other_curves_and_sizes),
        cmocka_unit_test(test_refused_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
