/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>

/* Large enough for RSA-16384, so that nothing a key can hold is cut. */
#define JWK_MAX 4096

/* The members of a public key as base64url, ready for JSON. */
typedef struct members {
    const char *curve; /* NULL for RSA */
    char *first;       /* e or x */
    char *second;      /* n or y */
} members;

static void clear_members(members *of)
{
    free(of->first);
    free(of->second);
    *of = (members){.curve = NULL};
}

/* A number of the key as base64url; `size` bytes with leading zeros, or as many as it needs. */
static char *encode_number(EVP_PKEY *key, const char *name, int size)
{
    BIGNUM *number = NULL;
    char *text = NULL;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1) {
        return NULL;
    }
    int length = size > 0 ? size : BN_num_bytes(number);
    unsigned char *bytes = length > 0 ? malloc((size_t)length) : NULL;
    if (bytes != NULL && BN_bn2binpad(number, bytes, length) == length) {
        text = tlm_base64url_encode(bytes, (size_t)length);
    }
    free(bytes);
    BN_free(number);
    return text;
}

static const struct {
    const char *group; /* as OpenSSL names it */
    const char *curve; /* as RFC 7518 section 6.2.1.1 does */
    int size;
} curves[] = {
    {"prime256v1", "P-256", 32}, {"P-256", "P-256", 32},     {"secp384r1", "P-384", 48},
    {"P-384", "P-384", 48},      {"secp521r1", "P-521", 66}, {"P-521", "P-521", 66},
};

static bool read_ec(EVP_PKEY *key, members *to)
{
    char group[32] = "";
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (strcmp(curves[i].group, group) == 0) {
            to->curve = curves[i].curve;
            to->first = encode_number(key, OSSL_PKEY_PARAM_EC_PUB_X, curves[i].size);
            to->second = encode_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, curves[i].size);
            return true;
        }
    }
    return false;
}

static tlm_result read_members(EVP_PKEY *key, members *to, tlm_error *error)
{
    *to = (members){.curve = NULL};
    bool known = false;
    if (key != NULL && EVP_PKEY_is_a(key, "RSA") == 1) {
        to->first = encode_number(key, OSSL_PKEY_PARAM_RSA_E, 0);
        to->second = encode_number(key, OSSL_PKEY_PARAM_RSA_N, 0);
        known = true;
    } else if (key != NULL && EVP_PKEY_is_a(key, "EC") == 1) {
        known = read_ec(key, to);
    }
    if (!known) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA key or one of a NIST curve.",
                             "a key of this type has no JWK form here");
    }
    if (to->first == NULL || to->second == NULL) {
        clear_members(to);
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "reading the numbers of a public key");
    }
    return TLM_OK;
}

/* One line, members in lexical order, so that without kid it is the input of RFC 7638. */
static int print(char *text, size_t size, const members *from, const char *kid)
{
    const char *name = kid != NULL ? "\"kid\":\"" : "";
    const char *end = kid != NULL ? "\"," : "";
    const char *value = kid != NULL ? kid : "";
    if (from->curve == NULL) {
        return snprintf(text, size, "{\"e\":\"%s\",%s%s%s\"kty\":\"RSA\",\"n\":\"%s\"}",
                        from->first, name, value, end, from->second);
    }
    return snprintf(text, size, "{\"crv\":\"%s\",%s%s%s\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                    from->curve, name, value, end, from->first, from->second);
}

static tlm_result too_large(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL, "a public key is too large for a JWK");
}

static tlm_result thumbprint_of(const members *from, unsigned char thumbprint[TLM_THUMBPRINT_SIZE],
                                tlm_error *error)
{
    char text[JWK_MAX];
    int length = print(text, sizeof text, from, NULL);
    if (length < 0 || (size_t)length >= sizeof text) {
        return too_large(error);
    }
    return tlm_digest_sha256(text, (size_t)length, thumbprint, error);
}

tlm_result tlm_public_thumbprint(EVP_PKEY *key, unsigned char thumbprint[TLM_THUMBPRINT_SIZE],
                                 tlm_error *error)
{
    members of_key;
    tlm_result result = read_members(key, &of_key, error);
    if (result != TLM_OK) {
        return result;
    }
    result = thumbprint_of(&of_key, thumbprint, error);
    clear_members(&of_key);
    return result;
}

static tlm_result format_jwk(const members *from, char **jwk, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    char text[JWK_MAX];
    tlm_result result = thumbprint_of(from, thumbprint, error);
    if (result != TLM_OK) {
        return result;
    }
    char *kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    int length = kid != NULL ? print(text, sizeof text, from, kid) : -1;
    free(kid);
    if (length < 0 || (size_t)length >= sizeof text) {
        return too_large(error);
    }
    *jwk = strdup(text);
    return *jwk != NULL ? TLM_OK
                        : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JWK");
}

tlm_result tlm_public_to_jwk(EVP_PKEY *key, char **jwk, tlm_error *error)
{
    if (jwk == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a JWK export takes a key");
    }
    members of_key;
    tlm_result result = read_members(key, &of_key, error);
    if (result != TLM_OK) {
        return result;
    }
    result = format_jwk(&of_key, jwk, error);
    clear_members(&of_key);
    return result;
}
