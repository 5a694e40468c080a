/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FACTS_H
#define TLM_FACTS_H

/*
 * What the TPM says about itself. The daemon never speaks to a TPM: tlm-tokend does, and writes
 * what it learnt into tokend.json; where nobody serves the token, a child asks:
 * `tlm-token-init status --json`.
 *
 * A thread of its own looks at the file every few seconds, runs the child, where there is no such
 * file, when it is woken for the first time and then once in every interval, keeps the last good
 * answer with its time, and says why the latest one failed.
 *
 *     const char *const words[] = {"status", "--json", NULL};
 *     tlm_facts_config config = {.socket = "/run/tlm/pkcs11.sock", .arguments = words,
 *                                .interval_seconds = 60, .changed = changed};
 *     result = tlm_facts_start(&config, &facts, &error);
 *     tlm_facts_wake(facts);
 *     tlm_facts_state state;
 *     tlm_facts_get(facts, &state);
 *     tlm_facts_state_clear(&state);
 *     tlm_facts_stop(&facts);
 */

#include <time.h>

#include <tlm/result.h>

typedef struct tlm_facts tlm_facts;

typedef struct tlm_facts_config {
    const char *program;            /* NULL: tlm-token-init, wherever it is */
    const char *const *arguments;   /* words behind the program's name, ending with NULL; copied.
                                       NULL: no child is ever run */
    const char *socket;             /* of tlm-tokend, copied; NULL: only children are asked */
    unsigned interval_seconds;      /* between two children */
    unsigned timeout_ms;            /* for one child */
    void (*changed)(void *context); /* called from the thread; must not block */
    void *context;
} tlm_facts_config;

typedef struct tlm_facts_state {
    char *text;      /* one JSON object, or NULL while there was no good answer */
    time_t as_of;    /* when it was given */
    tlm_error error; /* of the latest child; result TLM_OK where it answered */
} tlm_facts_state;

/* A child's answer is at most this long. */
#define TLM_FACTS_MAX 65536U
#define TLM_FACTS_ARGUMENTS 24

TLM_CHECKED tlm_result tlm_facts_start(const tlm_facts_config *config, tlm_facts **facts,
                                       tlm_error *error);

/* Lets the first child run. Later calls change nothing: the interval rules. */
void tlm_facts_wake(tlm_facts *facts);

/* A copy of what is known; clear it. Never waits for a child. */
void tlm_facts_get(tlm_facts *facts, tlm_facts_state *state);
void tlm_facts_state_clear(tlm_facts_state *state);

/*
 * Ends the thread. `changed` is not called any more. Does not wait longer than half a second for a
 * child that is under way: the thread is then left to end with the process. Accepts NULL.
 */
void tlm_facts_stop(tlm_facts **facts);

#endif
