/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#define RSA_BYTES_MIN 128U

/* Curves by their OBJECT IDENTIFIER in CKA_EC_PARAMS, prime256v1 and secp384r1. */
static const struct {
    const char *name;
    unsigned char parameters[10];
    size_t parameters_size;
    size_t point_size; /* 04 || x || y */
} curves[] = {
    {"P-256", {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, 10, 65},
    {"P-384", {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 7, 97},
};

#define CURVES (sizeof curves / sizeof curves[0])

static tlm_result make_public(const char *type, OSSL_PARAM_BLD *builder, EVP_PKEY **public,
                              tlm_error *error)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *made = NULL;
    bool done = parameters != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    if (!done) {
        return tlm_error_set_openssl(error, TLM_ERR_FORMAT, "reading the numbers of a public key");
    }
    *public = made;
    return TLM_OK;
}

tlm_result tlm_public_from_rsa(const unsigned char *modulus, size_t modulus_size,
                               const unsigned char *exponent, size_t exponent_size, EVP_PKEY **key,
                               tlm_error *error)
{
    if (modulus_size > TLM_SIGNATURE_MAX || exponent_size > TLM_SIGNATURE_MAX) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA key of 2048 to 4096 bits.",
                             "an RSA key with a modulus of %zu bytes", modulus_size);
    }
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_size, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_size, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    tlm_result result = TLM_OK;
    if (n == NULL || e == NULL || builder == NULL ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1) {
        result = tlm_error_set_openssl(error, TLM_ERR_MEMORY, "building an RSA public key");
    } else {
        result = make_public("RSA", builder, key, error);
    }
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return result;
}

static tlm_result read_rsa(tlm_token *token, CK_OBJECT_HANDLE handle, EVP_PKEY **public,
                           tlm_error *error)
{
    unsigned char *modulus = NULL;
    unsigned char *exponent = NULL;
    size_t modulus_size = 0;
    size_t exponent_size = 0;
    tlm_result result = tlm_object_get(token, handle, CKA_MODULUS, TLM_SIGNATURE_MAX, &modulus,
                                       &modulus_size, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_object_get(token, handle, CKA_PUBLIC_EXPONENT, TLM_SIGNATURE_MAX, &exponent,
                            &exponent_size, error);
    if (result == TLM_OK && modulus_size < RSA_BYTES_MIN) {
        result = tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA key of at least 2048 bits.",
                               "an RSA key of %zu bits on the token", modulus_size * 8);
    }
    if (result == TLM_OK) {
        result = tlm_public_from_rsa(modulus, modulus_size, exponent, exponent_size, public, error);
    }
    free(modulus);
    free(exponent);
    return result;
}

/* CKA_EC_POINT is a DER OCTET STRING around the point; some tokens leave the wrapping away. */
static const unsigned char *unwrap_point(const unsigned char *data, size_t size, size_t point_size)
{
    if (size == point_size + 2 && data[0] == 0x04 && data[1] == point_size) {
        return data + 2;
    }
    return size == point_size && data[0] == 0x04 ? data : NULL;
}

tlm_result tlm_public_from_point(const char *curve, const unsigned char *point, size_t point_size,
                                 EVP_PKEY **key, tlm_error *error)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    tlm_result result = TLM_OK;
    if (builder == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, point_size) !=
            1) {
        result = tlm_error_set_openssl(error, TLM_ERR_MEMORY, "building an EC public key");
    } else {
        result = make_public("EC", builder, key, error);
    }
    OSSL_PARAM_BLD_free(builder);
    return result;
}

static tlm_result read_curve(tlm_token *token, CK_OBJECT_HANDLE handle, size_t *curve,
                             tlm_error *error)
{
    unsigned char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_object_get(token, handle, CKA_EC_PARAMS, 256, &data, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    for (*curve = 0; *curve < CURVES; (*curve)++) {
        if (size == curves[*curve].parameters_size &&
            memcmp(data, curves[*curve].parameters, size) == 0) {
            break;
        }
    }
    free(data);
    if (*curve == CURVES) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use a P-256 or a P-384 key.",
                             "an EC key of another curve than P-256 and P-384 on the token");
    }
    return TLM_OK;
}

static tlm_result read_ec(tlm_token *token, CK_OBJECT_HANDLE handle, EVP_PKEY **public,
                          tlm_error *error)
{
    unsigned char *data = NULL;
    size_t size = 0;
    size_t curve = 0;
    tlm_result result = read_curve(token, handle, &curve, error);
    if (result == TLM_OK) {
        result = tlm_object_get(token, handle, CKA_EC_POINT, 256, &data, &size, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    const unsigned char *point = unwrap_point(data, size, curves[curve].point_size);
    if (point == NULL) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                               "the EC point of a key on the token is not an uncompressed one");
    } else {
        result = tlm_public_from_point(curves[curve].name, point, curves[curve].point_size, public,
                                       error);
    }
    free(data);
    return result;
}

tlm_result tlm_public_read(tlm_token *token, CK_OBJECT_HANDLE handle, CK_KEY_TYPE type,
                           EVP_PKEY **public, tlm_error *error)
{
    if (type == CKK_RSA) {
        return read_rsa(token, handle, public, error);
    }
    if (type == CKK_EC) {
        return read_ec(token, handle, public, error);
    }
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA, a P-256 or a P-384 key.",
                         "a key of type 0x%lx on the token", type);
}
