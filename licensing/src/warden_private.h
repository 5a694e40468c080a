/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_WARDEN_PRIVATE_H
#define TLM_LICENSING_WARDEN_PRIVATE_H

/*
 * The warden ties the ledger to the token while the service runs. At the start, whenever something
 * was consumed (at most every `checkpoint_seconds`), and at the end it makes a checkpoint: an
 * intent is committed, the token's counter and clock are read, the reading is committed. It anchors
 * the audit log's newest entry by a statement of the token, looks for changed components of the
 * host, and lets the ledger look at the clock once a second.
 *
 *     const tlm_warden_config config = {.ledger = ledger, .counter = read_counter, …};
 *     result = tlm_warden_start(&config, &warden, &error);
 *     …
 *     tlm_warden_stop(&warden);      // before tlm_prover_stop and tlm_ledger_close
 *
 * Two threads: one that the token may hold up, and one for the seconds.
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/hardware_feature.h>
#include <tlm/ledger.h>
#include <tlm/result.h>

typedef struct tlm_warden tlm_warden;

/* Milliseconds. */
#define TLM_WARDEN_TICK 1000      /* between two looks at the clock */
#define TLM_WARDEN_HEAD 10000     /* between two looks at the audit log's newest entry */
#define TLM_WARDEN_ANCHOR 3600000 /* between two anchors while there are new entries */
#define TLM_WARDEN_HOST 300000    /* between two looks at the host */
#define TLM_WARDEN_RETRY 1000     /* after a failure; doubles … */
#define TLM_WARDEN_RETRY_MAX 60000
/* So many new entries are anchored before the hour is over. */
#define TLM_WARDEN_ENTRIES 100
/* A token that says so often in a row that it has no counter has none. */
#define TLM_WARDEN_GONE 3U

typedef struct tlm_warden_config {
    tlm_ledger *ledger; /* outlives the warden */
    /* The token's, all called from one thread: tlm_host_keys_counter, tlm_host_keys_clock,
     * tlm_prover_prove (which takes the statement). One call of `counter` takes at most one number;
     * where it fails it may have taken it. NULL: there is none. */
    tlm_result (*counter)(void *context, uint64_t *value, bool *tamper_proof, tlm_error *error);
    tlm_result (*clock)(void *context, tlm_token_clock *clock, tlm_error *error);
    tlm_result (*prove)(void *context, json_t *statement, json_t **proof, tlm_error *error);
    /* How the host is now; what is pointed to stays until the next call. NULL: nobody looks. */
    tlm_result (*look)(void *context, tlm_ledger_host *host, tlm_error *error);
    void *context;               /* of all of them */
    unsigned checkpoint_seconds; /* at least 1 */
} tlm_warden_config;

/* Starts the threads; the first checkpoint is made at once. `config` is copied. */
TLM_CHECKED tlm_result tlm_warden_start(const tlm_warden_config *config, tlm_warden **warden,
                                        tlm_error *error);

/* A last anchor and a last checkpoint, each tried once, where there is news. Accepts NULL. */
void tlm_warden_stop(tlm_warden **warden);

/* The same without threads, for tests: does all that is due at `now` (milliseconds of a steady
 * clock) and returns when to come again. */
TLM_CHECKED tlm_result tlm_warden_make(const tlm_warden_config *config, tlm_warden **warden,
                                       tlm_error *error);
int64_t tlm_warden_turn(tlm_warden *self, int64_t now);

#endif
