/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_INPUT_H
#define TLM_ISSUE_INPUT_H

/* Files that are read, and "-" for standard input. */

#include <stddef.h>

#include <tlm/result.h>

/* As tlm_file_read; "-" reads standard input to its end. The caller frees the text. */
TLM_CHECKED tlm_result tlm_input_read(const char *path, size_t max, char **text, size_t *size,
                                      tlm_error *error);

/* How messages call it: the path, or "standard input". */
const char *tlm_input_name(const char *path);

#endif
