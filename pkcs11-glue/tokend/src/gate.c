/* SPDX-License-Identifier: BSD-2-Clause */
#include "gate.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

/* Lives on the stack of the thread that waits. */
struct tlm_gate_waiter {
    struct tlm_gate_waiter *next;
    pthread_cond_t turn;
    bool granted;
};

void tlm_gate_init(tlm_gate *gate)
{
    *gate = (tlm_gate){.held = false};
    (void)pthread_mutex_init(&gate->mutex, NULL);
}

void tlm_gate_destroy(tlm_gate *gate)
{
    (void)pthread_mutex_destroy(&gate->mutex);
}

static struct timespec deadline(int64_t wait_ms)
{
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

static void append(tlm_gate *gate, struct tlm_gate_waiter *waiter)
{
    if (gate->last != NULL) {
        gate->last->next = waiter;
    } else {
        gate->first = waiter;
    }
    gate->last = waiter;
    gate->waiting++;
}

static void take_out(tlm_gate *gate, const struct tlm_gate_waiter *waiter)
{
    struct tlm_gate_waiter *before = NULL;
    struct tlm_gate_waiter *at = gate->first;
    while (at != waiter) {
        before = at;
        at = at->next;
    }
    if (before != NULL) {
        before->next = waiter->next;
    } else {
        gate->first = waiter->next;
    }
    if (gate->last == waiter) {
        gate->last = before;
    }
    gate->waiting--;
}

/* With the mutex. */
static bool wait_for_turn(tlm_gate *gate, int64_t wait_ms)
{
    struct tlm_gate_waiter self = {.next = NULL};
    struct timespec until = deadline(wait_ms);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self.turn, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    append(gate, &self);
    int waited = 0;
    while (!self.granted && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&self.turn, &gate->mutex, &until);
    }
    if (!self.granted) {
        take_out(gate, &self);
    }
    (void)pthread_cond_destroy(&self.turn);
    return self.granted;
}

bool tlm_gate_enter(tlm_gate *gate, int64_t wait_ms)
{
    (void)pthread_mutex_lock(&gate->mutex);
    bool entered = !gate->held || wait_for_turn(gate, wait_ms);
    gate->held = gate->held || entered;
    (void)pthread_mutex_unlock(&gate->mutex);
    return entered;
}

void tlm_gate_leave(tlm_gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    struct tlm_gate_waiter *next = gate->first;
    if (next != NULL) {
        /* Handed over while it is held: nobody can step in between. */
        take_out(gate, next);
        next->granted = true;
        (void)pthread_cond_signal(&next->turn);
    } else {
        gate->held = false;
    }
    (void)pthread_mutex_unlock(&gate->mutex);
}
