/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ENGINE_WATCH_H
#define TLM_ENGINE_WATCH_H

/*
 * Asks the container engine (engine.h) from a thread of its own: at the start, then once in every
 * interval, more rarely while it does not answer. No request ever waits for it.
 *
 *     tlm_engine_watch_config config = {.question = {.host = settings->docker_host, .id = id},
 *                                       .changed = wake, .context = self};
 *     result = tlm_engine_watch_start(&config, &watch, &error);
 *     tlm_engine_facts facts;
 *     result = tlm_engine_watch_copy(watch, &facts, &error);
 *     tlm_engine_facts_clear(&facts);
 *     tlm_engine_watch_stop(&watch);
 */

#include "engine.h"

typedef struct tlm_engine_watch tlm_engine_watch;

typedef struct tlm_engine_watch_config {
    tlm_engine_question question;   /* copied */
    unsigned interval_ms;           /* between two asks; 0: a minute */
    unsigned interval_max_ms;       /* where nobody answers, it doubles up to this; 0: 5 minutes */
    void (*changed)(void *context); /* other facts than before; from the thread; must not block */
    void *context;
} tlm_engine_watch_config;

/*
 * Starts the thread. A host that cannot be one is not refused, as DOCKER_HOST may be set for other
 * programs: the facts say unreachable and why, and there is no thread.
 */
TLM_CHECKED tlm_result tlm_engine_watch_start(const tlm_engine_watch_config *config,
                                              tlm_engine_watch **watch, tlm_error *error);

/*
 * What is known now; TLM_ENGINE_NONE until the first ask is over. To be cleared. Never waits for
 * the engine.
 */
TLM_CHECKED tlm_result tlm_engine_watch_copy(tlm_engine_watch *watch, tlm_engine_facts *facts,
                                             tlm_error *error);

/* Ends the thread at once, also in the middle of an ask. Accepts a pointer to NULL. */
void tlm_engine_watch_stop(tlm_engine_watch **watch);

#endif
