/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#define RSA_BYTES_MIN 128U
#define POINT_SIZE 65U /* 04 || x || y of P-256 */

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
        return tlm_error_set_openssl(error, TLM_ERR_FORMAT, "reading a public key from the token");
    }
    *public = made;
    return TLM_OK;
}

static tlm_result make_rsa(const unsigned char *modulus, size_t modulus_size,
                           const unsigned char *exponent, size_t exponent_size, EVP_PKEY **public,
                           tlm_error *error)
{
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_size, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_size, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    tlm_result result = TLM_OK;
    if (n == NULL || e == NULL || builder == NULL ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1) {
        result = tlm_error_set_openssl(error, TLM_ERR_MEMORY, "building an RSA public key");
    } else {
        result = make_public("RSA", builder, public, error);
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
        result = make_rsa(modulus, modulus_size, exponent, exponent_size, public, error);
    }
    free(modulus);
    free(exponent);
    return result;
}

/* CKA_EC_POINT is a DER OCTET STRING around the point; some tokens leave the wrapping away. */
static const unsigned char *unwrap_point(const unsigned char *data, size_t size)
{
    if (size == POINT_SIZE + 2 && data[0] == 0x04 && data[1] == POINT_SIZE) {
        return data + 2;
    }
    return size == POINT_SIZE && data[0] == 0x04 ? data : NULL;
}

static tlm_result make_p256(const unsigned char *point, EVP_PKEY **public, tlm_error *error)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    tlm_result result = TLM_OK;
    if (builder == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_SIZE) !=
            1) {
        result = tlm_error_set_openssl(error, TLM_ERR_MEMORY, "building an EC public key");
    } else {
        result = make_public("EC", builder, public, error);
    }
    OSSL_PARAM_BLD_free(builder);
    return result;
}

static tlm_result read_p256(tlm_token *token, CK_OBJECT_HANDLE handle, EVP_PKEY **public,
                            tlm_error *error)
{
    /* OBJECT IDENTIFIER prime256v1 */
    static const unsigned char curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48,
                                          0xce, 0x3d, 0x03, 0x01, 0x07};
    unsigned char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_object_get(token, handle, CKA_EC_PARAMS, 256, &data, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    bool known = size == sizeof curve && memcmp(data, curve, size) == 0;
    free(data);
    if (!known) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use a P-256 key.",
                             "an EC key of another curve than P-256 on the token");
    }
    result = tlm_object_get(token, handle, CKA_EC_POINT, 256, &data, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    const unsigned char *point = unwrap_point(data, size);
    if (point == NULL) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                               "the EC point of a key on the token is not an uncompressed one");
    } else {
        result = make_p256(point, public, error);
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
        return read_p256(token, handle, public, error);
    }
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA or a P-256 key.",
                         "a key of type 0x%lx on the token", type);
}
