/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HOST_KEYS_H
#define TLM_HOST_KEYS_H

/*
 * What licensing does with the host's keys, once the identity is ready: opens packages, signs
 * statements, reads counter and clock. A session of its own beside the identity's, through the same
 * module (a module that two handles of one process use is loaded once).
 *
 *     tlm_host_keys *keys = NULL;
 *     result = tlm_host_keys_open(&config, &keys, &error);
 *     result = tlm_package_open(text, size, tlm_host_keys_unwrap, keys, trust, &package, &error);
 *     tlm_host_keys_close(&keys);
 *
 * All functions may block on the token and are for threads that nobody waits for; they are safe
 * under threads.
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/hardware_feature.h>
#include <tlm/identity.h>
#include <tlm/result.h>
#include <tlm/secret.h>

typedef struct tlm_host_keys tlm_host_keys;

typedef struct tlm_host_keys_config {
    const tlm_identity_config *identity; /* the same that the identity was started with */
    const tlm_identity_view *view;       /* a healthy one: has_fingerprint */
} tlm_host_keys_config;

/* Opens token or key file. Nothing of `config` is kept. */
TLM_CHECKED tlm_result tlm_host_keys_open(const tlm_host_keys_config *config, tlm_host_keys **keys,
                                          tlm_error *error);
void tlm_host_keys_close(tlm_host_keys **keys);

/*
 * A tlm_package_unwrap. Decrypts with tlm-srk or, where `kid` is the fallback's, with the local key
 * of the vault, which is opened for it and closed again. TLM_ERR_FOREIGN names both kids.
 */
tlm_result tlm_host_keys_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                                size_t size, tlm_secret **key, tlm_error *error);

/* A tlm_jws_sign with tlm-attest. TLM_ERR_UNSUPPORTED where the host has only a key file. */
tlm_result tlm_host_keys_sign(void *context, const char *alg, const void *data, size_t size,
                              unsigned char *signature, size_t *signature_size, tlm_error *error);

/* Thumbprint of tlm-attest in base64url; "" where there is none. */
const char *tlm_host_keys_attest_kid(const tlm_host_keys *keys);

/* The host's public keys as JWKS: tlm-attest (use sig) and tlm-srk (use enc). New reference. */
TLM_CHECKED tlm_result tlm_host_keys_jwks(const tlm_host_keys *keys, json_t **jwks,
                                          tlm_error *error);

/* See tlm/hardware_feature.h; TLM_ERR_UNSUPPORTED where the token has none. */
TLM_CHECKED tlm_result tlm_host_keys_counter(tlm_host_keys *keys, uint64_t *value,
                                             bool *tamper_proof, tlm_error *error);
TLM_CHECKED tlm_result tlm_host_keys_clock(tlm_host_keys *keys, tlm_token_clock *clock,
                                           tlm_error *error);

/*
 * Looks at the host's components anew: the fallback fingerprint as a start would make it now. Opens
 * the vault, in which salt and local key are, and closes it again. The caller clears it.
 */
TLM_CHECKED tlm_result tlm_host_keys_look(tlm_host_keys *keys, tlm_fingerprint *fallback,
                                          tlm_error *error);

/*
 * The id of the ledger that belongs to this host's files, kept in vault.bin so that a ledger that
 * was taken away is missed. TLM_ERR_NOT_FOUND where none was noted. Noting writes vault.bin.
 */
TLM_CHECKED tlm_result tlm_host_keys_ledger(tlm_host_keys *keys, char id[37], tlm_error *error);
TLM_CHECKED tlm_result tlm_host_keys_note_ledger(tlm_host_keys *keys, const char *id,
                                                 tlm_error *error);

#endif
