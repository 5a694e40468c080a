/* SPDX-License-Identifier: BSD-2-Clause */
#include "vendor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/rand.h>

#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/license.h>
#include <tlm/package.h>

#define VENDOR_CODE "BENCH"
#define SEATS 1000000
#define UUID_SIZE 37U

void bench_fail(const char *what, const char *message)
{
    (void)fprintf(stderr, "%s: %s\n", what, message);
    exit(1);
}

static void make_key(bench_key *key)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_error error = {0};
    key->key = EVP_EC_gen("P-256");
    if (key->key == NULL || tlm_public_thumbprint(key->key, thumbprint, &error) != TLM_OK) {
        bench_fail("a key", error.message);
    }
    key->kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
}

static void clear_key(bench_key *key)
{
    EVP_PKEY_free(key->key);
    free(key->kid);
}

void bench_vendor_make(bench_vendor *vendor)
{
    make_key(&vendor->vendor);
    make_key(&vendor->issuer);
    vendor->now = (int64_t)time(NULL);
}

void bench_vendor_clear(bench_vendor *vendor)
{
    clear_key(&vendor->vendor);
    clear_key(&vendor->issuer);
}

static void make_uuid(char uuid[UUID_SIZE])
{
    unsigned char bytes[16];
    size_t at = 0;
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        bench_fail("a UUID", "OpenSSL gave no random bytes");
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0FU) | 0x40U);
    bytes[8] = (unsigned char)((bytes[8] & 0x3FU) | 0x80U);
    for (size_t i = 0; i < sizeof bytes; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        at += (size_t)snprintf(uuid + at, UUID_SIZE - at, "%s%02x", dash, bytes[i]);
    }
}

/* Takes the claims. */
static char *sign(const bench_key *key, const char *type, json_t *claims)
{
    const tlm_jws_header header = {.alg = "ES256", .kid = key->kid, .typ = type};
    char *text = NULL;
    tlm_error error = {0};
    if (claims == NULL ||
        tlm_jws_make(&header, claims, tlm_jws_sign_pkey, key->key, &text, &error) != TLM_OK) {
        bench_fail(type, error.message);
    }
    json_decref(claims);
    return text;
}

char *bench_vendor_license(const bench_vendor *vendor, const char *binding, const char *fingerprint,
                           unsigned number)
{
    char feature[32] = BENCH_FEATURE;
    char jti[UUID_SIZE];
    make_uuid(jti);
    if (number != 0) {
        (void)snprintf(feature, sizeof feature, BENCH_FEATURE "-%u", number);
    }
    return sign(&vendor->vendor, TLM_LICENSE_TYP,
                json_pack("{s:s, s:s, s:s, s:I, s:{s:s, s:s, s:s}, s:{s:s, s:s},"
                          " s:[{s:s, s:i, s:{s:s}}]}",
                          "iss", VENDOR_CODE, "sub", "A customer", "jti", jti, "iat",
                          (json_int_t)vendor->now, "product", "id", feature, "name", "A product",
                          "version", "1.0", "binding", "type", binding, "fingerprint", fingerprint,
                          "features", "id", feature, "seats", SEATS, "model", "type", "perpetual"));
}

char *bench_vendor_package(const bench_vendor *vendor, const char *fingerprint, json_t *licenses)
{
    char jti[UUID_SIZE];
    make_uuid(jti);
    return sign(&vendor->issuer, TLM_PACKAGE_TYP,
                json_pack("{s:s, s:s, s:I, s:{s:s}, s:O}", "iss", VENDOR_CODE, "jti", jti, "iat",
                          (json_int_t)vendor->now, "dest", "fingerprint", fingerprint, "containers",
                          licenses));
}

static json_t *jwk_of(const bench_key *key, const char *use)
{
    char *text = NULL;
    tlm_error error = {0};
    if (tlm_public_to_jwk(key->key, &text, &error) != TLM_OK) {
        bench_fail("a JWK", error.message);
    }
    json_t *jwk = json_loads(text, 0, NULL);
    free(text);
    if (jwk == NULL || json_object_set_new(jwk, "alg", json_string("ES256")) != 0 ||
        json_object_set_new(jwk, "tlm:use", json_string(use)) != 0) {
        bench_fail("a JWK", "no memory");
    }
    return jwk;
}

char *bench_vendor_jwks(const bench_vendor *vendor)
{
    json_t *signs = jwk_of(&vendor->vendor, "vendor");
    (void)json_object_set_new(signs, "tlm:iss", json_string(VENDOR_CODE));
    json_t *jwks = json_pack("{s:[o, o]}", "keys", signs, jwk_of(&vendor->issuer, "issuer"));
    char *text = jwks != NULL ? json_dumps(jwks, JSON_COMPACT) : NULL;
    json_decref(jwks);
    if (text == NULL) {
        bench_fail("a JWKS", "no memory");
    }
    return text;
}
