/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_JSON_TEXT_H
#define TLM_JSON_TEXT_H

/*
 * Small helps around jansson: strings of unknown origin, instants, and the text of a document.
 *
 *     json_t *object = json_object();
 *     int failed = json_object_set_new(object, "path", tlm_json_text(path));
 *     failed |= json_object_set_new(object, "since", tlm_json_time(since));
 *     char *text = tlm_json_finish(object, failed);
 */

#include <time.h>

#include <jansson.h>

/* NULL and "" become null; bytes that are not UTF-8 become '?'. NULL only without memory. */
json_t *tlm_json_text(const char *text);

/* RFC 3339, UTC, whole seconds; null for 0. */
json_t *tlm_json_time(time_t instant);

/*
 * The object as one line of JSON (RFC 8259), and the object is released. NULL where `failed` is set
 * or memory is out. The caller frees the text.
 */
char *tlm_json_finish(json_t *object, int failed);

#endif
