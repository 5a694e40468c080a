/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include <tlm/jwk.h>
#include <tlm/jws.h>
#include <tlm/key.h>

#include "json_private.h"
#include "text_private.h"

#define RETURN_TYP "tlm-return+jwt"
#define RETURN_MAX 2048U
/* Seconds by which the clocks of borrower and host may differ, and that a proof is good for. */
#define RETURN_AGE 300
#define HALF 32 /* bytes of r and of s */

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a borrower's key");
}

static bool thumbprint_text(EVP_PKEY *key, char jkt[44])
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    if (tlm_public_thumbprint(key, thumbprint, NULL) != TLM_OK) {
        return false;
    }
    char *text = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    if (text != NULL) {
        tlm_text_copy(jkt, 44, text);
    }
    free(text);
    return text != NULL;
}

tlm_result tlm_service_borrower(const json_t *jwk, char jkt[44], tlm_error *error)
{
    EVP_PKEY *key = NULL;
    tlm_error cause = {0};
    tlm_result result = tlm_jwk_to_public(jwk, &key, &cause);
    if (result == TLM_ERR_MEMORY) {
        return no_memory(error);
    }
    if (result != TLM_OK) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Send the public half of a P-256 key as JWK.",
                             "borrow.key: %s", cause.message);
    }
    const char *alg = tlm_jws_algorithm_of(key);
    if (alg == NULL || strcmp(alg, "ES256") != 0) {
        result = tlm_error_set(error, TLM_ERR_ARGUMENT,
                               "Make one: openssl ecparam -name "
                               "prime256v1 -genkey",
                               "borrow.key is not a P-256 key");
    } else if (!thumbprint_text(key, jkt)) {
        result = no_memory(error);
    }
    EVP_PKEY_free(key);
    return result;
}

/* ---- the key behind a signature ---- */

/*
 * A lease keeps the thumbprint of the borrower's key alone. The key itself follows from a signature
 * of it (SEC 1 section 4.1.6): Q = (s R - e G) / r, for each point R whose x is r. One of them has
 * the thumbprint, or the signature is somebody else's.
 */
typedef struct curve {
    EC_GROUP *group;
    BN_CTX *numbers;
    BIGNUM *r;
    BIGNUM *s;
    BIGNUM *e;
} curve;

static void close_curve(curve *on)
{
    EC_GROUP_free(on->group);
    BN_CTX_free(on->numbers);
    BN_free(on->r);
    BN_free(on->s);
    BN_free(on->e);
}

/* Scales the numbers: e becomes -e/r and s becomes s/r, modulo the order. */
static bool open_curve(curve *on, const unsigned char *signature, const unsigned char *digest)
{
    *on = (curve){.group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1),
                  .numbers = BN_CTX_new(),
                  .r = BN_bin2bn(signature, HALF, NULL),
                  .s = BN_bin2bn(signature + HALF, HALF, NULL),
                  .e = BN_bin2bn(digest, SHA256_DIGEST_LENGTH, NULL)};
    if (on->group == NULL || on->numbers == NULL || on->r == NULL || on->s == NULL ||
        on->e == NULL) {
        return false;
    }
    const BIGNUM *order = EC_GROUP_get0_order(on->group);
    if (BN_is_zero(on->r) || BN_is_zero(on->s) || BN_cmp(on->r, order) >= 0 ||
        BN_cmp(on->s, order) >= 0) {
        return false;
    }
    BIGNUM *inverse = BN_mod_inverse(NULL, on->r, order, on->numbers);
    bool done = inverse != NULL && BN_mod_mul(on->s, on->s, inverse, order, on->numbers) == 1 &&
                BN_mod_mul(on->e, on->e, inverse, order, on->numbers) == 1 &&
                BN_sub(on->e, order, on->e) == 1;
    BN_free(inverse);
    return done;
}

static EVP_PKEY *key_of(const curve *on, const EC_POINT *point)
{
    unsigned char octets[2 * HALF + 1];
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char name[] = "prime256v1";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets, sizeof octets),
        OSSL_PARAM_construct_end()};
    bool done = context != NULL &&
                EC_POINT_point2oct(on->group, point, POINT_CONVERSION_UNCOMPRESSED, octets,
                                   sizeof octets, on->numbers) == sizeof octets &&
                EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    return done ? key : NULL;
}

/* The key that the point with this x and this parity of y leads to; NULL where there is none. */
static EVP_PKEY *candidate(const curve *on, const BIGNUM *x, int odd)
{
    EVP_PKEY *key = NULL;
    EC_POINT *point = EC_POINT_new(on->group);
    EC_POINT *sum = EC_POINT_new(on->group);
    if (point != NULL && sum != NULL &&
        EC_POINT_set_compressed_coordinates(on->group, point, x, odd, on->numbers) == 1 &&
        EC_POINT_mul(on->group, sum, on->e, point, on->s, on->numbers) == 1 &&
        EC_POINT_is_at_infinity(on->group, sum) == 0) {
        key = key_of(on, sum);
    }
    EC_POINT_free(point);
    EC_POINT_free(sum);
    return key;
}

static EVP_PKEY *find_key(const curve *on, const char *jkt)
{
    /* x is r or, where that is still below the prime, r and the order: both parities of each. */
    BIGNUM *x = BN_dup(on->r);
    EVP_PKEY *found = NULL;
    for (int i = 0; i < 4 && x != NULL && found == NULL; i++) {
        char text[44] = "";
        if (i == 2 && BN_add(x, x, EC_GROUP_get0_order(on->group)) != 1) {
            break;
        }
        EVP_PKEY *key = candidate(on, x, i % 2);
        if (key != NULL && thumbprint_text(key, text) && strcmp(text, jkt) == 0) {
            found = key;
            key = NULL;
        }
        EVP_PKEY_free(key);
    }
    BN_free(x);
    ERR_clear_error();
    return found;
}

/* Splits a compact text: what is signed, and the signature. */
static EVP_PKEY *key_behind(const char *text, const char *jkt)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned char *signature = NULL;
    size_t size = 0;
    const char *dot = strrchr(text, '.');
    EVP_PKEY *key = NULL;
    curve on = {0};
    if (dot == NULL ||
        tlm_base64url_decode(dot + 1, strlen(dot + 1), &signature, &size, NULL) != TLM_OK) {
        return NULL;
    }
    if (size == (size_t)2 * HALF &&
        SHA256((const unsigned char *)text, (size_t)(dot - text), digest) != NULL &&
        open_curve(&on, signature, digest)) {
        key = find_key(&on, jkt);
    }
    close_curve(&on);
    free(signature);
    return key;
}

/* ---- the word that a lease is returned ---- */

static tlm_result check_claims(const json_t *claims, const char *lease, int64_t now,
                               tlm_error *error)
{
    const char *named = tlm_json_member(claims, "lease", TLM_UUID_SIZE - 1);
    const json_t *iat = json_object_get(claims, "iat");
    if (named == NULL || strcmp(named, lease) != 0) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                             "the proof is of another lease than %.36s", lease);
    }
    if (!json_is_integer(iat)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the proof has no iat");
    }
    int64_t said = json_integer_value(iat);
    if (said < now - RETURN_AGE || said > now + RETURN_AGE) {
        return tlm_error_set(error, TLM_ERR_EXPIRED, "Set the clocks right and ask again.",
                             "the proof was made at %lld, which is not within %d s of now, %lld",
                             (long long)said, RETURN_AGE, (long long)now);
    }
    return TLM_OK;
}

static tlm_result check_signature(const tlm_jws *jws, const char *jkt, tlm_error *error)
{
    json_t *jwk = NULL;
    EVP_PKEY *key = key_behind(tlm_jws_text(jws), jkt);
    if (key == NULL) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                             "the proof is not signed by the key %s, which the lease was borrowed "
                             "to",
                             jkt);
    }
    tlm_result result = tlm_jwk_from_public(key, &jwk, error);
    if (result == TLM_OK) {
        result = tlm_jws_verify(jws, jwk, "ES256", error);
    }
    json_decref(jwk);
    EVP_PKEY_free(key);
    return result;
}

tlm_result tlm_service_return(const char *proof, const char *lease, const char *jkt, int64_t now,
                              tlm_error *error)
{
    tlm_jws *jws = NULL;
    tlm_result result = tlm_jws_parse(proof, strlen(proof), RETURN_MAX, &jws, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "the proof");
        return result;
    }
    const tlm_jws_header *header = tlm_jws_get_header(jws);
    if (strcmp(header->typ, RETURN_TYP) != 0 || strcmp(header->alg, "ES256") != 0) {
        result = tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                               "the proof is not signed as " RETURN_TYP " with ES256");
    }
    if (result == TLM_OK) {
        result = check_signature(jws, jkt, error);
    }
    if (result == TLM_OK) {
        result = check_claims(tlm_jws_claims(jws), lease, now, error);
    }
    tlm_jws_free(&jws);
    return result;
}
