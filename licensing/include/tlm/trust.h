/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TRUST_H
#define TLM_TRUST_H

/*
 * Whom this host believes: the public keys of vendors and issuers, as JWKS (RFC 7517 section 5).
 *
 * Each key has `kid`, `alg` (ES256, ES384, RS256, PS256) and `tlm:use` (`vendor` or `issuer`), a
 * vendor's also `tlm:iss`, the vendor code whose licenses it signs. Keys that were compiled in win:
 * a file that brings another key under their `kid` is an error, and the compiled-in one stays.
 *
 *     tlm_trust *trust = NULL;
 *     result = tlm_trust_new(&trust, &error);
 *     result = tlm_trust_add(trust, text, size, "vendor.jwks", &error);
 *     result = tlm_trust_vendor(trust, kid, "ACME", &key, &error);
 *     tlm_trust_free(&trust);
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tlm/result.h>

/* Largest JWKS, in bytes, and most keys of all of them. */
#define TLM_JWKS_MAX 262144U
#define TLM_TRUST_KEYS_MAX 1024U

typedef enum tlm_trust_use { TLM_TRUST_VENDOR, TLM_TRUST_ISSUER } tlm_trust_use;

typedef struct tlm_trust_key {
    const char *kid;
    const char *alg;
    const char *iss; /* vendor code; NULL for an issuer */
    const json_t *jwk;
    tlm_trust_use use;
    const char *origin; /* "compiled in", or the path of the file */
} tlm_trust_key;

typedef struct tlm_trust tlm_trust;

/* With the keys that were compiled in (TLM_TRUST_JWKS), if there are any. */
TLM_CHECKED tlm_result tlm_trust_new(tlm_trust **trust, tlm_error *error);
void tlm_trust_free(tlm_trust **trust);

/*
 * Adds every key of a JWKS or none. `origin` is what messages call it; it is copied. A private key
 * is TLM_ERR_FORMAT and says so, one that does not fit its algorithm (or RSA below 2048 bits)
 * TLM_ERR_UNSUPPORTED. The same key under the same `kid` again is no error, and may be for another
 * use or vendor, too, unless it was compiled in; another key is TLM_ERR_CONFLICT.
 */
TLM_CHECKED tlm_result tlm_trust_add(tlm_trust *trust, const char *text, size_t size,
                                     const char *origin, tlm_error *error);

/*
 * Adds every *.jwks of a directory in the order of their names; none is no error. Only for builds
 * with runtime trust (tlm_trust_runtime); the files and the directory belong to root or the
 * effective user and nobody else writes them (TLM_ERR_PERMISSION). A file that cannot be taken is
 * left out, the others are added, and the first such error is returned.
 */
TLM_CHECKED tlm_result tlm_trust_add_directory(tlm_trust *trust, const char *directory,
                                               tlm_error *error);

/* Whether this build takes keys from files, and how many keys it was compiled with. */
bool tlm_trust_runtime(void);
size_t tlm_trust_compiled_in(void);

size_t tlm_trust_count(const tlm_trust *trust);
const tlm_trust_key *tlm_trust_at(const tlm_trust *trust, size_t index);

/*
 * The key with this `kid`, for this use: TLM_ERR_UNTRUSTED names the kid and, where there is such a
 * key for another use or another vendor, that. The key is the trust's.
 */
TLM_CHECKED tlm_result tlm_trust_vendor(const tlm_trust *trust, const char *kid, const char *iss,
                                        const tlm_trust_key **key, tlm_error *error);
TLM_CHECKED tlm_result tlm_trust_issuer(const tlm_trust *trust, const char *kid,
                                        const tlm_trust_key **key, tlm_error *error);

#endif
