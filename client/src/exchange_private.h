/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_EXCHANGE_PRIVATE_H
#define TLM_CLIENT_EXCHANGE_PRIVATE_H

/* A question with a nonce, its answer, the proof that they belong together, and the grant. */

#include <stdbool.h>

#include <jansson.h>

#include <tlm-client.h>

#include "proof_private.h"

typedef struct tlm_exchange {
    const char *method;
    const char *path;
    json_t *body;                /* the exchange's from now on; may be NULL where memory was out */
    tlm_proof_question question; /* nonce is filled in */
    unsigned tries;
    bool lease;    /* the answer is one */
    bool proven;   /* a nonce and proof whatever TLM_CLIENT_VERIFY says */
    json_t **kept; /* gets the answer; NULL: not needed */
} tlm_exchange;

/* The caller clears `grant` in every case. */
TLM_CLIENT_CHECKED tlm_client_result tlm_exchange_run(tlm_client *client, tlm_exchange *exchange,
                                                      tlm_client_grant *grant,
                                                      tlm_client_error *error);

/* The members of a question that every one has; NULL without memory. */
json_t *tlm_exchange_body(const tlm_client *client, const tlm_client_ask *ask);

/* TLM_CLIENT_ARGUMENT for what the daemon would refuse anyway: docs/rest.md. */
TLM_CLIENT_CHECKED tlm_client_result tlm_exchange_check(const tlm_client_ask *ask,
                                                        tlm_client_error *error);

/* Path of a lease; false where the id is not one. */
#define TLM_EXCHANGE_PATH_SIZE 64U
bool tlm_exchange_path(const char *lease, char path[TLM_EXCHANGE_PATH_SIZE]);

/* DELETE of a lease within `timeout` ms (0: the client's), also while the client is stopping. A
 * `proof` is the borrower's, or NULL. A lease that is gone already is success. */
TLM_CLIENT_CHECKED tlm_client_result tlm_exchange_return(tlm_client *client, const char *lease,
                                                         const char *proof, long timeout,
                                                         tlm_client_error *error);

#endif
