/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_KEEPER_H
#define TLM_KEEPER_H

/*
 * The thread that brings the token up and keeps it there: opens it (again and again, with backoff,
 * while it cannot be had), probes it, restarts its module before upstream's limit of operations,
 * and writes the state file at every change.
 *
 *     tlm_keeper *keeper = NULL;
 *     result = tlm_keeper_start(&config, &keeper, &error);
 *     …                                            once a second, elsewhere:
 *     if (tlm_keeper_busy_ms(keeper, &what) > limit) { … }
 *     tlm_keeper_stop(&keeper);
 */

#include <stdbool.h>
#include <stdint.h>

#include <tlm/result.h>

#include "backend.h"
#include "provider.h"

typedef struct tlm_keeper tlm_keeper;

typedef struct tlm_keeper_config {
    tlm_backend_source *source;
    tlm_provider *provider;
    const char *state_file;
    unsigned restart_after; /* operations */
    /* Called in the keeper's thread where the token that was opened is no longer the store's one:
     * the process has to be started afresh. */
    void (*outdated)(void *context);
    void *context;
} tlm_keeper_config;

/* Writes the state "starting" and starts the thread. The configuration is copied. */
TLM_CHECKED tlm_result tlm_keeper_start(const tlm_keeper_config *config, tlm_keeper **keeper,
                                        tlm_error *error);

/*
 * Ends the thread, closes the token and removes the state file. After the last client: the provider
 * has the token. Accepts NULL.
 */
void tlm_keeper_stop(tlm_keeper **keeper);

/*
 * For how long the present call of the back end has lasted, the keeper's own or a client's, in
 * milliseconds; 0 where there is none. *what says which, a text that is never freed. Never blocks.
 */
int64_t tlm_keeper_busy_ms(const tlm_keeper *keeper, const char **what);

/* Milliseconds to wait after `failures` attempts in a row of which the last ended with `result`. */
int64_t tlm_keeper_delay(unsigned failures, tlm_result result);

#endif
