/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOKEND_CONNECTIONS_H
#define TLM_TOKEND_CONNECTIONS_H

/*
 * The clients of the socket: one thread for each, so that one that says nothing, or half a message,
 * or does not read its answers, holds only its own.
 *
 *     result = tlm_connections_new(&config, &connections, &error);
 *     …                                            where poll(2) finds the socket readable:
 *     tlm_connections_accept(connections, endpoint.file);
 *     …                                            where `config.wake` is readable:
 *     tlm_connections_reap(connections);
 *     …
 *     size_t left = tlm_connections_stop(connections, 3000);
 *     tlm_connections_free(&connections);          where left is 0
 *
 * All functions are for one thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>

#include "provider.h"

typedef struct tlm_connections tlm_connections;

typedef struct tlm_connections_config {
    tlm_provider *provider;
    unsigned maximum; /* at a time; every user but root and our own may have a quarter of them */
    int wake;         /* an eventfd(2), written to when a connection has ended */
} tlm_connections_config;

TLM_CHECKED tlm_result tlm_connections_new(const tlm_connections_config *config,
                                           tlm_connections **connections, tlm_error *error);

/*
 * Accepts all that wait. Those beyond a limit are closed at once, with a line in the audit. False
 * where the process is out of descriptors or threads: try again a little later.
 */
bool tlm_connections_accept(tlm_connections *connections, int listener);

/* Takes away what has ended. */
void tlm_connections_reap(tlm_connections *connections);

size_t tlm_connections_count(const tlm_connections *connections);

/*
 * Cuts all connections and waits for their threads, at most `wait_ms`. Returns how many are left:
 * they hang in the back end, and nothing they use may be freed.
 */
size_t tlm_connections_stop(tlm_connections *connections, int wait_ms);

/* Where none is left. Accepts NULL. */
void tlm_connections_free(tlm_connections **connections);

#endif
