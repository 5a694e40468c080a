/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PACKAGE_H
#define TLM_PACKAGE_H

/*
 * Packages: licenses on their way to one host, signed by an issuer and encrypted to the host's key.
 * A compact JWE (RSA-OAEP-256, A256GCM) around a compact JWS around the containers;
 * docs/licenses.md.
 *
 *     tlm_package *package = NULL;
 *     result = tlm_package_open(text, size, unwrap, keys, trust, &package, &error);
 *     for (size_t i = 0; i < package->license_count; i++) { … package->licenses[i] … }
 *     tlm_package_free(&package);
 *
 * A vendor makes one with
 *
 *     result = tlm_package_seal(signed_package, size, host_public_key, &text, &error);
 */

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include <tlm/license.h>
#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/trust.h>

#define TLM_PACKAGE_TYP "tlm-package+jwt"
#define TLM_PACKAGE_ENDING ".tlmpkg"
#define TLM_PACKAGE_MEDIA "application/jose"

/* Largest encrypted package in bytes, most containers of one. */
#define TLM_PACKAGE_MAX 1048576U
#define TLM_CONTAINERS_MAX 256U

typedef struct tlm_package {
    char *issuer; /* iss */
    char *kid;    /* of the issuer's key */
    char *jti;
    int64_t issued;       /* iat */
    char fingerprint[65]; /* dest */
    tlm_license **licenses;
    size_t license_count;
} tlm_package;

/*
 * Decrypts the content key of a package; `kid` is the recipient's thumbprint in base64url.
 * TLM_ERR_FOREIGN where no key of ours has it, TLM_ERR_CRYPTO where it was not encrypted to it.
 */
typedef tlm_result (*tlm_package_unwrap)(void *context, const char *kid,
                                         const unsigned char *wrapped, size_t size,
                                         tlm_secret **key, tlm_error *error);

/*
 * Decrypts, verifies the issuer's signature, and every container's (tlm_license_open): all of it or
 * nothing. The error names which signature, which key id, which container. Destination, times and
 * bindings are the caller's to check. Blanks and line ends around the text are not counted.
 */
TLM_CHECKED tlm_result tlm_package_open(const char *text, size_t size, tlm_package_unwrap unwrap,
                                        void *context, const tlm_trust *trust,
                                        tlm_package **package, tlm_error *error);

/* The same for the signed package inside, which a vendor's tool has in clear. */
TLM_CHECKED tlm_result tlm_package_open_signed(const char *text, size_t size,
                                               const tlm_trust *trust, tlm_package **package,
                                               tlm_error *error);
void tlm_package_free(tlm_package **package);

/* Encrypts a signed package to a host. The caller frees the text with free(). */
TLM_CHECKED tlm_result tlm_package_seal(const char *signed_package, size_t size, EVP_PKEY *host,
                                        char **text, tlm_error *error);

/* The kid that a package is encrypted to; nothing is decrypted. */
TLM_CHECKED tlm_result tlm_package_kid(const char *text, size_t size, char kid[44],
                                       tlm_error *error);

#endif
