/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_JSON_H
#define TLM_JSON_H

/*
 * JSON files that a person writes: what is wrong is said with its place, in words.
 *
 *     json_t *root = NULL;
 *     result = tlm_json_read(text, size, path, &root, error);
 *     if (result == TLM_OK && !json_is_object(root)) {
 *         result = tlm_error_set(error, TLM_ERR_SETTING, hint, "%s is %s, not an object", path,
 *                                tlm_json_type(root));
 *     }
 *     json_decref(root);
 */

#include <stddef.h>

#include <jansson.h>

#include <tlm/result.h>

/*
 * Parses one JSON value (RFC 8259) without repeated members. TLM_ERR_SETTING with line and column
 * otherwise. The caller bounds `size`, and releases the root with json_decref.
 */
TLM_CHECKED tlm_result tlm_json_read(const char *text, size_t size, const char *path, json_t **root,
                                     tlm_error *error);

/* "an object", "an integer" …: a value's type in a message. */
const char *tlm_json_type(const json_t *value);

#endif
