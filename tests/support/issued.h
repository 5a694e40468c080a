/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_ISSUED_H
#define TLM_TEST_ISSUED_H

/*
 * A vendor and an issuer of the test's own, with keys in memory, and what they sign.
 *
 *     tlm_issued *issued = tlm_issued_new("ACME");
 *     json_t *claims = tlm_issued_claims(issued, 1, fingerprint,
 *                                        "[{'id':'pro','seats':2,'model':{'type':'perpetual'}}]");
 *     json_object_set_new(claims, "exp", json_integer(1800000000));
 *     char *container = tlm_issued_license(issued, claims);          // takes the claims
 *     tlm_package *package = tlm_issued_package(issued, fingerprint, &container, 1);
 *     …
 *     tlm_package_free(&package);
 *     free(container);
 *     tlm_issued_free(&issued);
 *
 * What fails here fails the test.
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <tlm/package.h>
#include <tlm/revocation.h>
#include <tlm/trust.h>

#define TLM_ISSUED_AT 1750000000 /* iat of what the claims do not say it of */

typedef struct tlm_issued {
    char *vendor; /* its code */
    EVP_PKEY *vendor_key;
    EVP_PKEY *issuer_key;
    char *vendor_kid;
    char *issuer_kid;
    tlm_trust *trust; /* in both */
} tlm_issued;

tlm_issued *tlm_issued_new(const char *vendor);
void tlm_issued_free(tlm_issued **issued);

/* The public keys of vendor and issuer as a JWKS, as a trust file has them; freed with free(). */
char *tlm_issued_jwks(const tlm_issued *issued);

/* The id of license `number`: a UUID; valid until the next eight calls. */
const char *tlm_issued_jti(unsigned number);

/* Claims of license `number`, bound to a TPM with this fingerprint. `features` is JSON, where
 * quotes may be single ones. */
json_t *tlm_issued_claims(const tlm_issued *issued, unsigned number, const char *fingerprint,
                          const char *features);

/* Signs claims, whose reference it takes, as the vendor: a container. */
char *tlm_issued_license(const tlm_issued *issued, json_t *claims);

/* The package inside: signed by the issuer, in clear. And as it is opened, and as it travels. */
char *tlm_issued_signed(const tlm_issued *issued, const char *fingerprint, char *const *containers,
                        size_t count);
tlm_package *tlm_issued_package(const tlm_issued *issued, const char *fingerprint,
                                char *const *containers, size_t count);
char *tlm_issued_sealed(const tlm_issued *issued, const char *fingerprint, char *const *containers,
                        size_t count, EVP_PKEY *host);

/* A revocation list of licenses by their numbers, as text and opened. */
char *tlm_issued_list(const tlm_issued *issued, int64_t serial, const unsigned *numbers,
                      size_t count);
tlm_revocation *tlm_issued_revocation(const tlm_issued *issued, int64_t serial,
                                      const unsigned *numbers, size_t count);

#endif
