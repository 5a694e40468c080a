/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LIMITS_H
#define TLM_LIMITS_H

/*
 * How much one address may ask, and how often it may be wrong: a table of fixed size, so that many
 * addresses cost no memory. Where it has no room for one more, the one of its neighbors that was
 * quiet for longest is forgotten.
 *
 *     tlm_limits *limits = NULL;
 *     result = tlm_limits_new(1000, &limits, &error);
 *     if (!tlm_limits_take(limits, caller.key, now_ms)) { … }         // 429
 *     unsigned seconds = tlm_limits_barred(limits, caller.key, now_ms);
 *     tlm_limits_wrong(limits, caller.key, now_ms);                   // a wrong token
 *     tlm_limits_free(&limits);
 */

#include <stdbool.h>
#include <stdint.h>

#include <tlm/result.h>

/* So many wrong tokens within so long bar an address for the rest of that time. */
#define TLM_LIMITS_WRONG 10U
#define TLM_LIMITS_WRONG_SECONDS 60U

typedef struct tlm_limits tlm_limits;

/* `rate`: requests a second, and twice as many at once; 0: without limit. */
TLM_CHECKED tlm_result tlm_limits_new(unsigned rate, tlm_limits **limits, tlm_error *error);
void tlm_limits_free(tlm_limits **limits);

/* Takes one request; false where there is none left at this moment. Safe under threads. */
bool tlm_limits_take(tlm_limits *limits, const uint64_t key[2], int64_t now_ms);

/* Counts a wrong token. */
void tlm_limits_wrong(tlm_limits *limits, const uint64_t key[2], int64_t now_ms);

/* Seconds for which this address may send no token; 0: it may. */
unsigned tlm_limits_barred(tlm_limits *limits, const uint64_t key[2], int64_t now_ms);

#endif
