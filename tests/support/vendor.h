/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_VENDOR_H
#define TLM_TEST_VENDOR_H

/*
 * A vendor and an issuer of the test's own, whom a trust believes, and what they sign. What goes
 * wrong here fails the test at once. Texts are the caller's to free, claims to release; claims that
 * are given to sign are kept.
 *
 *     tlm_test_vendor vendor;
 *     tlm_test_vendor_make(&vendor, "ES256");
 *     json_t *claims = tlm_test_license_claims(host_fingerprint);
 *     char *license = tlm_test_license(&vendor, claims);
 *     char *package = tlm_test_package(&vendor, host_key, host_fingerprint, &license, 1);
 *     …
 *     tlm_test_vendor_clear(&vendor);
 */

#include <stddef.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <tlm/package.h>
#include <tlm/trust.h>

#define TLM_TEST_VENDOR "ACME"
#define TLM_TEST_ISSUED 1700000000 /* iat of all of it */
#define TLM_TEST_JTI "6f1c2a7e-3b4d-4c5e-8f60-718293a4b5c6"
#define TLM_TEST_PACKAGE_JTI "0b0e4c1e-9f2a-4d56-b7c8-d9e0f1a2b3c4"

typedef struct tlm_test_vendor {
    const char *alg; /* of both keys */
    EVP_PKEY *vendor;
    EVP_PKEY *issuer;
    const char *vendor_kid;
    const char *issuer_kid;
    char *jwks; /* both public keys */
    tlm_trust *trust;
} tlm_test_vendor;

void tlm_test_vendor_make(tlm_test_vendor *vendor, const char *alg);
void tlm_test_vendor_clear(tlm_test_vendor *vendor);

/* A new key for an algorithm, and its entry of a JWKS: `iss` is NULL for an issuer. */
EVP_PKEY *tlm_test_key(const char *alg);
json_t *tlm_test_trusted(EVP_PKEY *key, const char *alg, const char *kid, const char *iss);

/* Claims with one feature `pro` of 5 seats, perpetual; to be changed by the test. */
json_t *tlm_test_license_claims(const char *fingerprint);
json_t *tlm_test_package_claims(const char *fingerprint, char *const licenses[], size_t count);

char *tlm_test_sign(EVP_PKEY *key, const char *alg, const char *kid, const char *typ,
                    const json_t *claims);
char *tlm_test_license(const tlm_test_vendor *vendor, const json_t *claims);
char *tlm_test_signed_package(const tlm_test_vendor *vendor, const json_t *claims);
char *tlm_test_package(const tlm_test_vendor *vendor, EVP_PKEY *host, const char *fingerprint,
                       char *const licenses[], size_t count);
/* A revocation list; `revoked` is kept. */
char *tlm_test_revocation(const tlm_test_vendor *vendor, json_int_t serial, const json_t *revoked);

/* A tlm_package_unwrap with a private key in memory; `context` is the EVP_PKEY. */
tlm_result tlm_test_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                           size_t size, tlm_secret **key, tlm_error *error);

/* header.payload.signature of any bytes, with a signature that fits an algorithm in size alone. */
char *tlm_test_compact(const char *header, const void *payload, size_t size);

#endif
