/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/jwk.h>

#include <stdlib.h>
#include <string.h>

#include <tlm/key.h>

#include "json_private.h"
#include "jwk_private.h"

#define RSA_BITS_MIN 2048U
/* Small local keys are made in test builds alone. */
#ifdef TLM_FASTCRYPT
#define HOST_BITS_MIN 1024U
#else
#define HOST_BITS_MIN RSA_BITS_MIN
#endif
#define RSA_BITS_MAX 4096U
/* Of RSA-16384: what is too large is told by its bits. */
#define NUMBER_DIGITS_MAX 2731U

typedef struct number {
    unsigned char *bytes;
    size_t size;
} number;

static const struct {
    const char *name;
    size_t size;
} curves[] = {{"P-256", 32}, {"P-384", 48}};

bool tlm_jwk_is_private(const json_t *jwk)
{
    static const char *const members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (json_object_get(jwk, members[i]) != NULL) {
            return true;
        }
    }
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    return kty != NULL && strcmp(kty, "oct") == 0;
}

static tlm_result read_number(const json_t *jwk, const char *name, number *to, tlm_error *error)
{
    const char *text = tlm_json_member(jwk, name, NUMBER_DIGITS_MAX);
    if (text == NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "%s of a JWK is missing, or not a text of 1 to %u digits", name,
                             NUMBER_DIGITS_MAX);
    }
    tlm_result result = tlm_base64url_decode(text, strlen(text), &to->bytes, &to->size, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s of a JWK", name);
    }
    return result;
}

static unsigned bits_of(const number *of)
{
    size_t first = 0;
    while (first < of->size && of->bytes[first] == 0) {
        first++;
    }
    unsigned bits = (unsigned)(of->size - first) * 8;
    for (unsigned top = first < of->size ? of->bytes[first] : 0x80U; (top & 0x80U) == 0;
         top <<= 1U) {
        bits--;
    }
    return bits;
}

static tlm_result read_rsa(const json_t *jwk, unsigned least, number *n, number *e,
                           tlm_error *error)
{
    tlm_result result = read_number(jwk, "n", n, error);
    if (result == TLM_OK) {
        result = read_number(jwk, "e", e, error);
    }
    if (result != TLM_OK || n->bytes == NULL || e->bytes == NULL) {
        return result;
    }
    if (bits_of(n) < least || bits_of(n) > RSA_BITS_MAX) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA key of 2048 to 4096 bits.",
                             "an RSA key of %u bits is not accepted", bits_of(n));
    }
    if (bits_of(e) < 2 || bits_of(e) > 64 || (e->bytes[e->size - 1] & 1U) == 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, "Use the exponent 65537: AQAB.",
                             "the exponent of an RSA key cannot be one");
    }
    return TLM_OK;
}

static tlm_result read_ec(const json_t *jwk, const char **curve, number *point, tlm_error *error)
{
    const char *name = tlm_json_member(jwk, "crv", 16);
    size_t size = 0;
    for (size_t i = 0; name != NULL && i < sizeof curves / sizeof curves[0]; i++) {
        size = strcmp(curves[i].name, name) == 0 ? curves[i].size : size;
    }
    if (size == 0) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use a P-256 or a P-384 key.",
                             "an EC key of another curve than P-256 and P-384 is not accepted");
    }
    number x = {.bytes = NULL};
    number y = {.bytes = NULL};
    tlm_result result = read_number(jwk, "x", &x, error);
    if (result == TLM_OK) {
        result = read_number(jwk, "y", &y, error);
    }
    if (result == TLM_OK && (x.size != size || y.size != size)) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                               "x and y of a %s key need %zu bytes each", name, size);
    }
    point->bytes = result == TLM_OK ? malloc(2 * size + 1) : NULL;
    if (point->bytes != NULL && x.bytes != NULL && y.bytes != NULL) {
        point->bytes[0] = 0x04; /* uncompressed, SEC 1 section 2.3.3 */
        memcpy(point->bytes + 1, x.bytes, size);
        memcpy(point->bytes + 1 + size, y.bytes, size);
        point->size = 2 * size + 1;
        *curve = name;
    } else if (result == TLM_OK) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a public key");
    }
    free(x.bytes);
    free(y.bytes);
    return result;
}

static tlm_result rsa_to_public(const json_t *jwk, EVP_PKEY **key, tlm_error *error)
{
    number n = {.bytes = NULL};
    number e = {.bytes = NULL};
    tlm_result result = read_rsa(jwk, HOST_BITS_MIN, &n, &e, error);
    if (result == TLM_OK) {
        result = tlm_public_from_rsa(n.bytes, n.size, e.bytes, e.size, key, error);
    }
    free(n.bytes);
    free(e.bytes);
    return result;
}

static tlm_result ec_to_public(const json_t *jwk, EVP_PKEY **key, tlm_error *error)
{
    const char *curve = NULL;
    number point = {.bytes = NULL};
    tlm_result result = read_ec(jwk, &curve, &point, error);
    if (result == TLM_OK) {
        result = tlm_public_from_point(curve, point.bytes, point.size, key, error);
    }
    free(point.bytes);
    return result;
}

tlm_result tlm_jwk_to_public(const json_t *jwk, EVP_PKEY **key, tlm_error *error)
{
    if (!json_is_object(jwk) || key == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a public key takes a JWK");
    }
    if (tlm_jwk_is_private(jwk)) {
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "Give the public half alone, and take the private one for known.",
                             "a JWK is a private or a symmetric key");
    }
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    if (kty != NULL && strcmp(kty, "RSA") == 0) {
        return rsa_to_public(jwk, key, error);
    }
    if (kty != NULL && strcmp(kty, "EC") == 0) {
        return ec_to_public(jwk, key, error);
    }
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA, P-256 or P-384 key.",
                         "kty of a JWK is neither RSA nor EC");
}

tlm_result tlm_jwk_from_public(EVP_PKEY *key, json_t **jwk, tlm_error *error)
{
    char *text = NULL;
    if (jwk == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a JWK takes a public key");
    }
    tlm_result result = tlm_public_to_jwk(key, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    json_t *made = tlm_json_load(text, strlen(text));
    free(text);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JWK");
    }
    *jwk = made;
    return TLM_OK;
}

/* Bytes of a signature by this key, which is checked on the way. */
static tlm_result signature_size_of(const json_t *jwk, const tlm_jws_algorithm *algorithm,
                                    size_t *size, tlm_error *error)
{
    if (algorithm->curve != NULL) {
        *size = algorithm->signature_size;
        return TLM_OK;
    }
    number n = {.bytes = NULL};
    number e = {.bytes = NULL};
    tlm_result result = read_rsa(jwk, RSA_BITS_MIN, &n, &e, error);
    if (result == TLM_OK) {
        *size = (bits_of(&n) + 7) / 8;
    }
    free(n.bytes);
    free(e.bytes);
    return result;
}

tlm_result tlm_jwk_for(const json_t *jwk, const tlm_jws_algorithm *algorithm, json_t **key,
                       size_t *signature_size, tlm_error *error)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    bool ec = algorithm->curve != NULL;
    if (kty == NULL || strcmp(kty, algorithm->kty) != 0 ||
        (ec && (crv == NULL || strcmp(crv, algorithm->curve) != 0))) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "ES256 needs a P-256 key, ES384 a P-384 key, RS256 and PS256 an RSA "
                             "key.",
                             "a key does not fit %s", algorithm->name);
    }
    tlm_result result = signature_size_of(jwk, algorithm, signature_size, error);
    if (result != TLM_OK) {
        return result;
    }
    const char *first = ec ? "x" : "n";
    const char *second = ec ? "y" : "e";
    json_t *made = json_pack("{s:s, s:s, s:s*, s:O?, s:O?}", "alg", algorithm->name, "kty", kty,
                             "crv", ec ? crv : NULL, first, json_object_get(jwk, first), second,
                             json_object_get(jwk, second));
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a public key");
    }
    *key = made;
    return TLM_OK;
}
