/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_PROGRESS_H
#define TLM_ISSUE_PROGRESS_H

/* How far a long run is: a bar on a terminal, nothing elsewhere. One caller at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct tlm_progress {
    FILE *stream;
    bool bar;   /* the stream is a terminal, and many are made */
    bool lines; /* one line for each on standard output */
    size_t total;
    size_t done;
    size_t failed;
    int64_t drawn; /* milliseconds of the monotonic clock */
} tlm_progress;

/* Counts one and draws the bar where it is time to. */
void tlm_progress_step(tlm_progress *progress, bool failed);

/* Takes the bar away, so that a message stands in its place. */
void tlm_progress_hide(tlm_progress *progress);

#endif
