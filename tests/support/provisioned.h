/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_PROVISIONED_H
#define TLM_TEST_PROVISIONED_H

/*
 * The token that tests/support/with-token made, for integration suites.
 *
 *     tlm_provisioned at;
 *     tlm_provisioned_open(&at);
 *     tlm_key *key = tlm_provisioned_key(&at, "tlm-srk");
 *     …
 *     tlm_key_free(&key);
 *     tlm_provisioned_close(&at);
 *
 * What goes wrong here fails the test at once.
 */

#include <tlm/key.h>
#include <tlm/secrets.h>
#include <tlm/store.h>
#include <tlm/token.h>

typedef struct tlm_provisioned {
    tlm_store store;
    tlm_store_secrets secrets;
    tlm_token *token;
} tlm_provisioned;

/* Loads the store TLM_TEST_STORE, exports its environment and opens its token. */
void tlm_provisioned_open(tlm_provisioned *at);
void tlm_provisioned_close(tlm_provisioned *at);

tlm_key *tlm_provisioned_key(const tlm_provisioned *at, const char *label);

/* Signs and verifies; TLM_ERR_SIGNATURE where the token's signature does not verify. */
tlm_result tlm_provisioned_sign(tlm_key *key, tlm_jwa algorithm, tlm_error *error);

/* An environment name that must be set. */
const char *tlm_provisioned_env(const char *name);

#endif
