/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/jws.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "json_private.h"
#include "jws_private.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

static const char *curve_of(EVP_PKEY *key)
{
    char group[32] = "";
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1) {
        return "";
    }
    if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0) {
        return "P-256";
    }
    return strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0 ? "P-384" : "";
}

static bool fits(EVP_PKEY *key, const tlm_jws_algorithm *algorithm)
{
    if (EVP_PKEY_is_a(key, algorithm->kty) != 1) {
        return false;
    }
    if (algorithm->curve != NULL) {
        return strcmp(curve_of(key), algorithm->curve) == 0;
    }
    int bits = EVP_PKEY_get_bits(key);
    return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

const char *tlm_jws_algorithm_of(EVP_PKEY *key)
{
    static const char *const names[] = {"ES256", "ES384", "PS256"};
    for (size_t i = 0; key != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (fits(key, tlm_jws_algorithm_find(names[i]))) {
            return names[i];
        }
    }
    return NULL;
}

/* DER to r || s (RFC 7518 section 3.4). */
static bool der_to_concat(const unsigned char *der, size_t der_size, size_t size,
                          unsigned char *signature)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_size);
    int half = (int)(size / 2);
    bool done = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, half) == half &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + half, half) == half;
    ECDSA_SIG_free(pair);
    return done;
}

static bool sign(EVP_PKEY *key, const tlm_jws_algorithm *algorithm, const void *data, size_t size,
                 unsigned char made[TLM_SIGNATURE_MAX], size_t *made_size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL; /* owned by the context */
    bool ready = context != NULL && EVP_DigestSignInit_ex(context, &options, algorithm->digest,
                                                          NULL, NULL, key, NULL) == 1;
    if (ready && algorithm->jwa == TLM_JWA_PS256) {
        ready = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    *made_size = TLM_SIGNATURE_MAX;
    bool done = ready && EVP_DigestSign(context, made, made_size, data, size) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return done;
}

static tlm_result find(const char *alg, const tlm_jws_algorithm **algorithm, tlm_error *error)
{
    *algorithm = tlm_jws_algorithm_find(alg);
    if (*algorithm == NULL) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Sign with ES256, ES384, PS256 or RS256.",
                             "signing with %.32s is not supported", alg == NULL ? "nothing" : alg);
    }
    return TLM_OK;
}

tlm_result tlm_jws_sign_pkey(void *context, const char *alg, const void *data, size_t size,
                             unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    EVP_PKEY *key = context;
    const tlm_jws_algorithm *algorithm = NULL;
    tlm_result result = find(alg, &algorithm, error);
    if (result != TLM_OK) {
        return result;
    }
    if (key == NULL || !fits(key, algorithm)) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "ES256 needs a P-256 key, ES384 a P-384 key, RS256 and PS256 an RSA "
                             "key of 2048 to 4096 bits.",
                             "the private key does not fit %s", alg);
    }
    unsigned char made[TLM_SIGNATURE_MAX];
    size_t made_size = 0;
    bool done = sign(key, algorithm, data, size, made, &made_size);
    if (done && algorithm->curve != NULL) {
        done = der_to_concat(made, made_size, algorithm->signature_size, signature);
        made_size = algorithm->signature_size;
    } else if (done) {
        memcpy(signature, made, made_size);
    }
    if (!done) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "signing with %s did not succeed", alg);
    }
    *signature_size = made_size;
    return TLM_OK;
}

static char *encode(const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    char *encoded = text == NULL ? NULL : tlm_base64url_encode(text, strlen(text));
    free(text);
    return encoded;
}

/* Header and payload with a dot between: what is signed. */
static char *signing_input(const tlm_jws_header *header, const json_t *claims)
{
    json_t *members =
        json_pack("{s:s, s:s, s:s}", "alg", header->alg, "kid", header->kid, "typ", header->typ);
    char *first = members == NULL ? NULL : encode(members);
    char *second = encode(claims);
    char *text = NULL;
    if (first == NULL || second == NULL || asprintf(&text, "%s.%s", first, second) < 0) {
        text = NULL;
    }
    free(first);
    free(second);
    json_decref(members);
    return text;
}

static bool text_fits(const char *text)
{
    return text != NULL && text[0] != '\0' && strlen(text) <= TLM_JWS_TEXT_MAX;
}

tlm_result tlm_jws_make(const tlm_jws_header *header, const json_t *claims, tlm_jws_sign sign_with,
                        void *context, char **text, tlm_error *error)
{
    if (header == NULL || !json_is_object(claims) || sign_with == NULL || text == NULL ||
        !text_fits(header->alg) || !text_fits(header->kid) || !text_fits(header->typ)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a JWS is made of alg, kid and typ of 1 to %u bytes, an object and "
                             "somebody who signs",
                             TLM_JWS_TEXT_MAX);
    }
    tlm_json_protect();
    char *input = signing_input(header, claims);
    if (input == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JWS");
    }
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    char *made = NULL;
    tlm_result result =
        sign_with(context, header->alg, input, strlen(input), signature, &size, error);
    if (result == TLM_OK) {
        char *encoded = tlm_base64url_encode(signature, size);
        if (encoded == NULL || asprintf(&made, "%s.%s", input, encoded) < 0) {
            result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JWS");
        }
        free(encoded);
    }
    free(input);
    if (result == TLM_OK) {
        *text = made;
    }
    return result;
}
