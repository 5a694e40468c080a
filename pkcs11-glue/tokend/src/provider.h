/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PROVIDER_H
#define TLM_PROVIDER_H

/*
 * The PKCS#11 v2.40 functions that tlm-tokend serves: many applications over one token.
 *
 * Each connection is an application of its own, with its sessions, its login and its view of the
 * objects. Nothing of it lasts in the back end: an operation is collected here and carried out as
 * one transaction (tlm_token_run), so that applications cannot disturb each other, the back end's
 * login can be renewed between any two of them, and a token that was brought back is used on
 * without the application noticing. Object handles are ours and survive a recovery.
 *
 *     tlm_provider *provider = NULL;
 *     result = tlm_provider_new(&config, &provider, &error);
 *     tlm_provider_set_token(provider, token);
 *     …                                          in the thread of a connection:
 *     tlm_client *client = NULL;
 *     if (tlm_client_new(provider, &peer, &client, &error) == TLM_OK) {
 *         tlm_client_enter(client);
 *         p11_kit_remote_serve_module(tlm_provider_functions(), fd, fd);
 *         tlm_client_enter(NULL);
 *         tlm_client_free(&client);
 *     }
 *
 * There is one slot. It has a token as long as tlm_provider_set_token gave one and the peer is
 * known to the access table; else C_GetSlotList(CK_TRUE) is empty and the slot's token calls answer
 * CKR_TOKEN_NOT_PRESENT.
 */

#include <stdint.h>

#include <p11-kit/pkcs11.h>

#include <tlm/result.h>
#include <tlm/token.h>

#include "access.h"
#include "hardware.h"
#include "peer.h"

typedef struct tlm_provider tlm_provider;
typedef struct tlm_client tlm_client;

#define TLM_PROVIDER_SLOT 0UL

typedef struct tlm_provider_config {
    const tlm_access *access;
    const tlm_hardware *hardware; /* NULL: no hardware feature objects */
    unsigned sessions;            /* at most so many for each client; one more: CKR_SESSION_COUNT */
    unsigned wait_seconds;        /* for the calls of others; then CKR_DEVICE_ERROR. 0: 120 */
} tlm_provider_config;

/* `access` and `hardware` are used until the provider is freed; so is the token that is set. */
TLM_CHECKED tlm_result tlm_provider_new(const tlm_provider_config *config, tlm_provider **provider,
                                        tlm_error *error);
/* After its last client. Accepts NULL. */
void tlm_provider_free(tlm_provider **provider);

/*
 * Another counter and clock than those of the configuration, once and before
 * tlm_provider_set_token; used until the provider is freed.
 */
void tlm_provider_set_hardware(tlm_provider *provider, const tlm_hardware *hardware);

/* Gives the provider its opened and logged-in token, once. Safe under threads. */
void tlm_provider_set_token(tlm_provider *provider, tlm_token *token);

/*
 * Another access table, for the clients that come from now on; those that are there keep theirs, so
 * every table lives as long as the provider. Safe under threads.
 */
void tlm_provider_set_access(tlm_provider *provider, const tlm_access *access);

/*
 * For a watchdog; none of them waits. How long the call that is in the back end now has been there,
 * in milliseconds (0: none is), and how many transactions there were since the module was last
 * brought back.
 */
int64_t tlm_provider_busy_ms(const tlm_provider *provider);
unsigned long tlm_provider_operations(const tlm_provider *provider);

/*
 * Between two transactions: C_Finalize, C_Initialize, login. Clients notice a pause and nothing
 * else. TLM_ERR_TIMEOUT where the turn did not come, TLM_ERR_NOT_FOUND without a token; else what
 * the recovery ladder says, and later calls try again.
 */
TLM_CHECKED tlm_result tlm_provider_restart_token(tlm_provider *provider, tlm_error *error);

/*
 * Between two transactions: logs in afresh where private keys were used, so that a TPM without a
 * resource manager has its object slots back. Results as above.
 */
TLM_CHECKED tlm_result tlm_provider_rest_token(tlm_provider *provider, tlm_error *error);

/* A connection's state; free it when the connection has ended. */
TLM_CHECKED tlm_result tlm_client_new(tlm_provider *provider, const tlm_peer *peer,
                                      tlm_client **client, tlm_error *error);
void tlm_client_free(tlm_client **client);

/*
 * Calls of tlm_provider_functions in this thread are this client's; NULL: nobody's. A client is in
 * one thread at a time.
 */
void tlm_client_enter(tlm_client *client);

/* One list for all clients. Without a client in the thread: CKR_CRYPTOKI_NOT_INITIALIZED. */
CK_FUNCTION_LIST *tlm_provider_functions(void);

#endif
