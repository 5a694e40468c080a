/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_OUTPUT_H
#define TLM_ISSUE_OUTPUT_H

/* What tlm-issue prints and writes: errors and progress to stderr, the rest to stdout. */

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include <tlm/result.h>

/* Exit statuses. */
enum { TLM_EXIT_DONE = 0, TLM_EXIT_FAILED = 1, TLM_EXIT_USAGE = 2 };

void tlm_output_error(const tlm_error *error);
void tlm_output_warning(const char *format, ...) TLM_PRINTF(1, 2);

/* Prints the error and returns the exit status that fits it. */
int tlm_output_failure(const tlm_error *error);
void tlm_output_version(void);

/* Prints an object and takes over the reference; false, with a message, where there is none. */
bool tlm_output_json(json_t *object);

/* A line of a report: the label in a column, then the text with control characters masked. */
void tlm_output_line(const char *label, const char *format, ...) TLM_PRINTF(2, 3);

/*
 * Writes text and a line end to `path` in one step, or to stdout where that is NULL. A file that is
 * there is TLM_ERR_EXISTS, or with `force` replaced.
 */
TLM_CHECKED tlm_result tlm_output_write(const char *path, const char *text, bool force,
                                        tlm_error *error);

#endif
