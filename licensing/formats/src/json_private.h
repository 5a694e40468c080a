/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_JSON_PRIVATE_H
#define TLM_LICENSING_JSON_PRIVATE_H

/* JSON that carries secrets: memory that is wiped when freed, and strict reading. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tlm/result.h>
#include <tlm/secret.h>

/*
 * Makes jansson wipe what it frees, for the whole process: parser buffers and values hold private
 * keys for a moment. The memory stays malloc's, so callers go on freeing texts with free(). Call it
 * before the program has threads; later calls do nothing.
 */
void tlm_json_protect(void);

/* One object without duplicate members and nothing behind it; NULL where it is not that. */
json_t *tlm_json_load(const void *data, size_t size);

/*
 * The same for a text from anywhere: nesting is bounded before it is parsed, and TLM_ERR_FORMAT
 * says of `what` why it is not taken, without showing any of it.
 */
TLM_CHECKED tlm_result tlm_json_parse(const void *data, size_t size, const char *what,
                                      json_t **object, tlm_error *error);

/* A text member of 1 to `max` bytes; NULL where it is missing or of another kind. */
const char *tlm_json_member(const json_t *object, const char *name, size_t max);

/* Whether the object has exactly `count` members, all of them named in `names`. */
bool tlm_json_only(const json_t *object, const char *const names[], size_t count);

/* Writes the object, sorted and compact, into a new secret. */
TLM_CHECKED tlm_result tlm_json_dump(const json_t *object, tlm_secret **text, tlm_error *error);

#endif
