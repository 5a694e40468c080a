/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PROVER_H
#define TLM_PROVER_H

/*
 * Proves statements: collects what comes while the token signs, and signs the root of the next
 * batch. One signature is under way at a time; nobody waits for more than the one under way and
 * their own.
 *
 *     static void proven(void *context, json_t *proof, const tlm_error *error) { … }
 *
 *     tlm_prover *prover = NULL;
 *     result = tlm_prover_start(&config, &prover, &error);
 *     tlm_prover_submit(prover, statement, proven, request);
 *     tlm_prover_stop(&prover);
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/jws.h>
#include <tlm/result.h>

typedef struct tlm_prover tlm_prover;

typedef struct tlm_prover_config {
    tlm_jws_sign sign;      /* called from the prover's thread alone, with alg ES256 */
    void *context;          /* of sign */
    int64_t (*now)(void *); /* seconds since 1970; NULL: the system's clock */
    void *now_context;
} tlm_prover_config;

TLM_CHECKED tlm_result tlm_prover_start(const tlm_prover_config *config, tlm_prover **prover,
                                        tlm_error *error);

/* What goes into every statement and root from now on; before the first call nothing is proven
 * (TLM_ERR_TOKEN_UNAVAILABLE). `kid` is the signing key's thumbprint. Both are copied. */
TLM_CHECKED tlm_result tlm_prover_identify(tlm_prover *prover, const char *fingerprint,
                                           const char *kid, tlm_error *error);

/*
 * Takes `statement` (an object; the reference is the prover's from now on, also on failure), sets
 * its members `fingerprint` and `iat`, and calls `done` once, from the prover's thread or, where it
 * cannot be taken, from the caller's. `proof` is a new object with statement, index, path, root;
 * it is the callee's. On failure it is NULL and `error` says why. More than TLM_BATCH_MAX waiting
 * ones are TLM_ERR_BUSY.
 */
typedef void (*tlm_prover_done)(void *context, json_t *proof, const tlm_error *error);
void tlm_prover_submit(tlm_prover *prover, json_t *statement, tlm_prover_done done, void *context);

/* The same, waiting for it. The caller releases the proof with json_decref. */
TLM_CHECKED tlm_result tlm_prover_prove(tlm_prover *prover, json_t *statement, json_t **proof,
                                        tlm_error *error);

/* Signatures made and statements proven since the start. */
void tlm_prover_counts(tlm_prover *prover, uint64_t *signatures, uint64_t *statements);

/* Ends after the signature that is under way; what waits gets TLM_ERR_TOKEN_UNAVAILABLE. */
void tlm_prover_stop(tlm_prover **prover);

#endif
