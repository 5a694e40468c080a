/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_KEYRING_PRIVATE_H
#define TLM_LICENSING_KEYRING_PRIVATE_H

/*
 * The host's keys behind a thread of their own. A token may hang in a call for minutes; whoever
 * waits for it here waits no longer than is reasonable, and at the end not at all.
 *
 *     tlm_keyring *ring = NULL;
 *     result = tlm_keyring_start(&identity_config, &ring, &error);
 *     result = tlm_keyring_open(ring, view, &error);
 *     result = tlm_package_open(text, size, tlm_keyring_unwrap, ring, trust, &package, &error);
 *     tlm_keyring_hurry(ring, 2000);   // the end is near: all of it within 2 s
 *     tlm_keyring_stop(&ring);
 *
 * All functions are safe under threads and wait for the token, tlm_keyring_attest_kid and
 * tlm_keyring_jwks excepted. A call that hangs is TLM_ERR_TOKEN_UNAVAILABLE for who asked for it;
 * its thread is left to itself.
 */

#include <tlm/host_keys.h>
#include <tlm/identity.h>

typedef struct tlm_keyring tlm_keyring;

/* The strings of `identity` are copied. */
TLM_CHECKED tlm_result tlm_keyring_start(const tlm_identity_config *identity, tlm_keyring **ring,
                                         tlm_error *error);

/* tlm_host_keys_open; keys that are open already are closed first. */
TLM_CHECKED tlm_result tlm_keyring_open(tlm_keyring *ring, const tlm_identity_view *view,
                                        tlm_error *error);

/* As their namesakes of tlm/host_keys.h; a context is the ring. Before the opening
 * TLM_ERR_TOKEN_UNAVAILABLE. */
tlm_result tlm_keyring_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                              size_t size, tlm_secret **key, tlm_error *error);
tlm_result tlm_keyring_sign(void *context, const char *alg, const void *data, size_t size,
                            unsigned char *signature, size_t *signature_size, tlm_error *error);
TLM_CHECKED tlm_result tlm_keyring_counter(tlm_keyring *ring, uint64_t *value, bool *tamper_proof,
                                           tlm_error *error);
TLM_CHECKED tlm_result tlm_keyring_clock(tlm_keyring *ring, tlm_token_clock *clock,
                                         tlm_error *error);
TLM_CHECKED tlm_result tlm_keyring_look(tlm_keyring *ring, tlm_fingerprint *fallback,
                                        tlm_error *error);
TLM_CHECKED tlm_result tlm_keyring_ledger(tlm_keyring *ring, char id[37], tlm_error *error);
TLM_CHECKED tlm_result tlm_keyring_note_ledger(tlm_keyring *ring, const char *id, tlm_error *error);

/* Of the opening; "" where there is no such key. */
void tlm_keyring_attest_kid(tlm_keyring *ring, char kid[44]);
TLM_CHECKED tlm_result tlm_keyring_jwks(tlm_keyring *ring, json_t **jwks, tlm_error *error);

/* From now on every wait ends within `milliseconds` from this call. */
void tlm_keyring_hurry(tlm_keyring *ring, unsigned milliseconds);

/* Closes the keys, within what tlm_keyring_hurry left or a second. Accepts NULL. */
void tlm_keyring_stop(tlm_keyring **ring);

#endif
