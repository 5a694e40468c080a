/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOOL_READ_PRIVATE_H
#define TLM_TOOL_READ_PRIVATE_H

/* Operands: files (or standard input, as -) and ids that become part of a path. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tlm-client.h>

/* At most `max` bytes, with a zero byte behind them; the caller frees them. */
TLM_CLIENT_CHECKED tlm_client_result tlm_tool_read(const char *path, size_t max, char **text,
                                                   size_t *size, tlm_client_error *error);

/* One JSON object. */
TLM_CLIENT_CHECKED tlm_client_result tlm_tool_read_json(const char *path, size_t max,
                                                        json_t **object, tlm_client_error *error);

/* BASE/ID; false, with the error, where the word is no id (a UUID). */
bool tlm_tool_path(const char *base, const char *id, char *path, size_t size,
                   tlm_client_error *error);

#endif
