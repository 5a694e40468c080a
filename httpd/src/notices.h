/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_NOTICES_H
#define TLM_NOTICES_H

/*
 * What is wrong with the program itself while it goes on: the log file, the facts, the limits.
 * /status shows them under `errors`. Used by one thread.
 *
 *     tlm_notices notices = {0};
 *     tlm_notices_raise(&notices, "log-file", &error);
 *     tlm_notices_clear(&notices, "log-file");
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <tlm/result.h>

#define TLM_NOTICES_MAX 16

typedef struct tlm_notice {
    const char *code; /* a constant; NULL: free place */
    tlm_error error;
    time_t since;
} tlm_notice;

typedef struct tlm_notices {
    tlm_notice items[TLM_NOTICES_MAX];
} tlm_notices;

/*
 * Adds a notice, or renews its text; `since` stays that of the first. True where anything changed.
 * `code` is a string constant. A list that is full keeps what it has.
 */
bool tlm_notices_raise(tlm_notices *notices, const char *code, const tlm_error *error);

/* Takes a notice away; true where it was there. */
bool tlm_notices_clear(tlm_notices *notices, const char *code);

#endif
