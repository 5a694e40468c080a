/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_QUEUE_H
#define TLM_LEDGER_QUEUE_H

/*
 * Who waits for seats, in the order of asking: one line for each feature. A place is kept for a
 * client that asks again within 30 seconds. In memory alone: whoever waits asks again anyway.
 *
 *     unsigned position = tlm_queue_join(&queue, &ask, units, steady);
 *     for (w = tlm_queue_first(&queue, "pro", steady); w != NULL; w = w->next) { … }
 *     tlm_queue_leave(&queue, "pro", "c1");
 */

#include <stddef.h>
#include <stdint.h>

#include <tlm/ledger.h>

#include "map.h"

#define TLM_QUEUE_KEPT_MS 30000
/* Most that wait, of all features together; who comes later is told a place and has none. */
#define TLM_QUEUE_MAX 65536U

typedef struct tlm_waiter {
    tlm_ledger_ask ask; /* feature, client and what narrows the choice: the texts below */
    char *client;
    char *vendor;
    char *product;
    char *license;
    int64_t units;
    int64_t asked; /* steady */
    struct tlm_waiter *next;
    struct tlm_waiter *previous;
    struct tlm_line *line;
    char *key;
} tlm_waiter;

typedef struct tlm_line {
    char *feature;
    tlm_waiter *first;
    tlm_waiter *last;
    unsigned count;
} tlm_line;

typedef struct tlm_queue {
    tlm_map lines;   /* tlm_line by feature */
    tlm_map waiters; /* tlm_waiter by feature and client */
    size_t count;
} tlm_queue;

/* The first of a line, NULL for none; who did not ask again in time is out of it. */
tlm_waiter *tlm_queue_first(tlm_queue *queue, const char *feature, int64_t steady);

/* Takes a place at the end, or keeps the one there is; returns the position, from 1. */
unsigned tlm_queue_join(tlm_queue *queue, const tlm_ledger_ask *ask, int64_t units, int64_t steady);

void tlm_queue_leave(tlm_queue *queue, const char *feature, const char *client);
void tlm_queue_clear(tlm_queue *queue);

#endif
