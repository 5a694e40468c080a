/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_INSTANT_H
#define TLM_ISSUE_INSTANT_H

/* Instants as people write them: RFC 3339 with an offset, or a date. */

#include <stdbool.h>
#include <stdint.h>

/*
 * Seconds since 1970 of "2026-01-31T12:00:00+01:00", "2026-01-31T12:00:00Z" or "2026-01-31". A date
 * is its begin in UTC or, with `end`, the begin of the next day. False for anything else, days that
 * no calendar has, and years before 1970.
 */
bool tlm_instant_parse(const char *text, bool end, int64_t *seconds);

/* "2026-01-31T12:00:00Z"; "?" where the year has not four digits. `text` has room for 24 bytes. */
#define TLM_INSTANT_TEXT 24U
const char *tlm_instant_text(int64_t seconds, char text[TLM_INSTANT_TEXT]);

#endif
