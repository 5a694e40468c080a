/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_PROOF_PRIVATE_H
#define TLM_CLIENT_PROOF_PRIVATE_H

/* Whether the host's key stands behind an answer. */

#include <jansson.h>

#include <tlm-client.h>

/* What was asked, to compare the statement with; NULL where it does not matter. */
typedef struct tlm_proof_question {
    const char *type; /* "lease", "check", "usage" */
    const char *nonce;
    const char *feature;
    const char *client;
    const char *lease;
    const char *license;
    const char *request;
    long long units; /* 0: does not matter */
} tlm_proof_question;

/*
 * Verifies statement, path, signature and nonce of an answer (tlm/statement.h) with the host's
 * keys, and that statement, answer and question say the same. TLM_CLIENT_UNPROVEN otherwise.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_proof_check(tlm_client *client, const json_t *body,
                                                     const tlm_proof_question *question,
                                                     tlm_client_error *error);

/* Whether requests carry a nonce and answers are verified. */
bool tlm_proof_wanted(const tlm_client *client);

/* ---- host_keys.c ---- */

/*
 * The host's keys (JWKS): of an option, of the daemon where their kid is pinned or on the first use
 * with a trust file. `received` (may be NULL) stands in for the daemon's answer when a kid is
 * pinned. TLM_CLIENT_UNPROVEN where no option says whom to believe. With the client's key_lock
 * held; the keys are the client's.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_host_keys_find(tlm_client *client, const json_t *received,
                                                        const json_t **keys,
                                                        tlm_client_error *error);

/* Thumbprint (RFC 7638) of an EC or RSA public key as JWK, base64url; false for others. */
bool tlm_host_keys_thumbprint(const json_t *jwk, char thumbprint[44]);

#endif
