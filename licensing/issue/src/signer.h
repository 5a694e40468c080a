/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_SIGNER_H
#define TLM_ISSUE_SIGNER_H

/*
 * Keys of vendors and issuers: in a PKCS#11 token, or in a PEM file for trials.
 *
 *     const tlm_signer_config config = {.key = "pkcs11:token=vendor;object=acme",
 *                                       .module = "/usr/lib/softhsm/libsofthsm2.so",
 *                                       .pin_file = "pin"};
 *     result = tlm_signer_open(&config, &signer, &error);
 *     result = tlm_signer_sign(signer, TLM_LICENSE_TYP, claims, &text, &error);
 *     tlm_signer_close(&signer);
 */

#include <stdbool.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <tlm/result.h>

#include "options.h"

typedef struct tlm_signer_config {
    const char *key;      /* pkcs11: URI, or path */
    const char *module;   /* NULL: the URI's module-path */
    const char *pin_file; /* of the three at most one */
    const char *pin_fd;
    bool pin_pad;
    const char *alg; /* NULL: what fits the key */
    const char *kid; /* NULL: the key's thumbprint */
} tlm_signer_config;

typedef struct tlm_signer tlm_signer;

/* What options say of the key of --key. */
tlm_signer_config tlm_signer_config_of(const tlm_issue_options *options);

/*
 * Opens token or file. A key in a file is for trials, and a warning says so. TLM_ERR_SETTING where
 * the options do not go together, TLM_ERR_UNSUPPORTED where key and algorithm do not.
 */
TLM_CHECKED tlm_result tlm_signer_open(const tlm_signer_config *config, tlm_signer **signer,
                                       tlm_error *error);
void tlm_signer_close(tlm_signer **signer);

const char *tlm_signer_alg(const tlm_signer *signer);
const char *tlm_signer_kid(const tlm_signer *signer);

/* Signs claims as a compact JWS; safe under threads. The caller frees the text. */
TLM_CHECKED tlm_result tlm_signer_sign(tlm_signer *signer, const char *typ, const json_t *claims,
                                       char **text, tlm_error *error);

/* The public key as JWK with kid and alg. New reference. */
TLM_CHECKED tlm_result tlm_signer_jwk(const tlm_signer *signer, json_t **jwk, tlm_error *error);

/* The same for a key that need not sign: a public key in PEM will do, and nothing is warned of. */
TLM_CHECKED tlm_result tlm_signer_public(const tlm_signer_config *config, json_t **jwk,
                                         tlm_error *error);

/*
 * Makes a key where config->key says: in the token, or as a new file of mode 0600 (PKCS #8, PEM).
 * `bits` counts for RSA. TLM_ERR_EXISTS where something is there.
 */
TLM_CHECKED tlm_result tlm_signer_make(const tlm_signer_config *config, unsigned bits,
                                       tlm_signer **signer, tlm_error *error);

/* The public key in PEM; the caller frees it. */
TLM_CHECKED tlm_result tlm_signer_pem(const tlm_signer *signer, char **pem, tlm_error *error);

/* Whether a KEY is a pkcs11: URI. */
bool tlm_signer_in_token(const char *key);

#endif
