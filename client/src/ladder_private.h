/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_LADDER_PRIVATE_H
#define TLM_CLIENT_LADDER_PRIVATE_H

/* When to renew, and how to go on while that fails: arithmetic alone, no clock and no network. */

#include <stdint.h>

#include <tlm-client.h>

typedef struct tlm_ladder {
    int64_t warn; /* milliseconds without contact from which on the level counts */
    int64_t degraded;
    int64_t stop;
} tlm_ladder;

/*
 * Steps from seconds that were configured (0: the default) and the lease's time in milliseconds:
 * half of it, all of it, and all of it and 900 s. No step comes before the one above it.
 */
tlm_ladder tlm_ladder_make(int64_t warn, int64_t degraded, int64_t stop, int64_t ttl);

/* The level after `age` milliseconds without contact. */
tlm_client_level tlm_ladder_level(const tlm_ladder *ladder, int64_t age);

/* Milliseconds from `age` to the next step; INT64_MAX on the last one. */
int64_t tlm_ladder_next(const tlm_ladder *ladder, int64_t age);

/* Delay of a renewal: the last fifth before a third of the lease's time. `random` is any number. */
int64_t tlm_ladder_renew(int64_t ttl, uint32_t random);

/* Delay after the n-th failure in a row, from 1: doubles from one second (less for short leases) to
 * a third of the lease's time, 30 s at most, of which the upper half is random. */
int64_t tlm_ladder_retry(int64_t ttl, unsigned failures, uint32_t random);

#endif
