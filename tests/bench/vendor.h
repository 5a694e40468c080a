/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_VENDOR_H
#define BENCH_VENDOR_H

/*
 * A vendor who is its own issuer, with keys of the moment: what scripts/bench activates and
 * verifies. Whatever fails ends the program with a message.
 *
 *     bench_vendor vendor = {0};
 *     bench_vendor_make(&vendor);
 *     char *text = bench_vendor_license(&vendor, "token", fingerprint, 0);
 *     char *jwks = bench_vendor_jwks(&vendor);
 *     bench_vendor_clear(&vendor);
 */

#include <stdint.h>

#include <jansson.h>
#include <openssl/evp.h>

/* The feature of license 0; license n has bench-n. */
#define BENCH_FEATURE "bench"

typedef struct bench_key {
    EVP_PKEY *key; /* P-256 */
    char *kid;
} bench_key;

typedef struct bench_vendor {
    bench_key vendor;
    bench_key issuer;
    int64_t now; /* seconds since 1970 */
} bench_vendor;

void bench_vendor_make(bench_vendor *vendor);
void bench_vendor_clear(bench_vendor *vendor);

/* A license of one perpetual feature with a million seats; the caller frees the text. */
char *bench_vendor_license(const bench_vendor *vendor, const char *binding, const char *fingerprint,
                           unsigned number);

/* A package of these licenses for a host, as it is signed; the caller frees it. */
char *bench_vendor_package(const bench_vendor *vendor, const char *fingerprint, json_t *licenses);

/* Both public keys as a host's trust file; the caller frees the text. */
char *bench_vendor_jwks(const bench_vendor *vendor);

_Noreturn void bench_fail(const char *what, const char *message);

#endif
