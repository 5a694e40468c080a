/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_GATE_H
#define TLM_GATE_H

/*
 * A lock that is given in the order of asking. A mutex may be taken again and again by the thread
 * that just left it; here a client waits for at most one call of each other client.
 *
 *     if (!tlm_gate_enter(&gate, 120000)) {
 *         return CKR_DEVICE_ERROR;
 *     }
 *     …
 *     tlm_gate_leave(&gate);
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct tlm_gate_waiter;

typedef struct tlm_gate {
    pthread_mutex_t mutex;
    struct tlm_gate_waiter *first;
    struct tlm_gate_waiter *last;
    unsigned waiting;
    bool held;
} tlm_gate;

void tlm_gate_init(tlm_gate *gate);
/* When nobody is inside or waits. */
void tlm_gate_destroy(tlm_gate *gate);

/* Waits for its turn, at most `wait_ms` milliseconds. False: the time was up, not inside. */
bool tlm_gate_enter(tlm_gate *gate, int64_t wait_ms);
void tlm_gate_leave(tlm_gate *gate);

#endif
