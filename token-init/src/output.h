/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_OUTPUT_H
#define TLM_OUTPUT_H

/* What tlm-token-init prints: errors to stderr, the rest to stdout. */

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include <tlm/doctor.h>
#include <tlm/result.h>
#include <tlm/settings.h>

/* Exit statuses of the subcommands. */
enum { EXIT_DONE = 0, EXIT_PROBLEM = 1, EXIT_USAGE = 2 };

void tlm_output_error(const tlm_error *error);
/* Prints the error and returns the exit status that fits it. */
int tlm_output_failure(const tlm_error *error);
void tlm_output_version(void);

/* Writes text to a file that does not exist yet, or to stdout where `path` is NULL. */
TLM_CHECKED tlm_result tlm_output_new_file(const char *path, const char *text, mode_t mode,
                                           tlm_error *error);

/* Prints an object and takes over the reference; false, with a message, where there is none. */
bool tlm_output_json(json_t *object);

/* The object of tlm_status_read for people. */
void tlm_output_status(const json_t *status);
void tlm_output_findings(const tlm_findings *findings);

/* Label of the token in the settings' store; the caller frees it. */
TLM_CHECKED tlm_result tlm_output_store_label(const tlm_settings *settings, char **label,
                                              tlm_error *error);

#endif
