/* SPDX-License-Identifier: BSD-2-Clause */
#include "vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include <tlm/key.h>

json_t *tlm_vector_load(const char *name)
{
    char path[512];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/%s", TLM_TEST_VECTORS, name);
    json_t *vector = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (vector == NULL) {
        fail_msg("%s:%d: %s", path, error.line, error.text);
    }
    return vector;
}

const char *tlm_vector_text(const json_t *vector, const char *member)
{
    const char *text = json_string_value(json_object_get(vector, member));
    assert_non_null(text);
    return text;
}

unsigned char *tlm_vector_bytes(const json_t *vector, const char *member, size_t *size)
{
    const char *text = tlm_vector_text(vector, member);
    unsigned char *bytes = NULL;
    assert_int_equal(tlm_base64url_decode(text, strlen(text), &bytes, size, NULL), TLM_OK);
    return bytes;
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    assert_non_null(context);
    assert_non_null(parameters);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    OSSL_PARAM_free(parameters);
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    size_t n_size = 0;
    size_t e_size = 0;
    unsigned char *n_bytes = tlm_vector_bytes(jwk, "n", &n_size);
    unsigned char *e_bytes = tlm_vector_bytes(jwk, "e", &e_size);
    BIGNUM *n = BN_bin2bn(n_bytes, (int)n_size, NULL);
    BIGNUM *e = BN_bin2bn(e_bytes, (int)e_size, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e), 1);
    EVP_PKEY *key = make_key("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    free(n_bytes);
    free(e_bytes);
    return key;
}

static EVP_PKEY *ec_key(const json_t *jwk)
{
    size_t x_size = 0;
    size_t y_size = 0;
    unsigned char *x = tlm_vector_bytes(jwk, "x", &x_size);
    unsigned char *y = tlm_vector_bytes(jwk, "y", &y_size);
    unsigned char point[1 + 2 * 66] = {0x04};
    assert_true(x_size == y_size && x_size <= 66);
    memcpy(point + 1, x, x_size);
    memcpy(point + 1 + x_size, y, y_size);
    free(x);
    free(y);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    assert_int_equal(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                                     tlm_vector_text(jwk, "crv"), 0),
                     1);
    assert_int_equal(
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * x_size),
        1);
    EVP_PKEY *key = make_key("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

EVP_PKEY *tlm_vector_key_of(const json_t *jwk)
{
    assert_non_null(jwk);
    return strcmp(tlm_vector_text(jwk, "kty"), "RSA") == 0 ? rsa_key(jwk) : ec_key(jwk);
}

EVP_PKEY *tlm_vector_key(const json_t *vector)
{
    return tlm_vector_key_of(json_object_get(vector, "key"));
}
