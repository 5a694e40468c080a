/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_BODY_H
#define TLM_BODY_H

/*
 * What comes with a request: collected up to a stated maximum, then read strictly.
 *
 *     tlm_body body;
 *     tlm_body_begin(&body, TLM_BODY_JSON_MAX);
 *     tlm_body_add(&body, data, size);               // as often as there is more
 *     result = tlm_body_object(&body, &object, &error);
 *     tlm_body_clear(&body);
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tlm/result.h>

/* Objects and arrays in each other. */
#define TLM_BODY_DEPTH_MAX 8U

typedef struct tlm_body {
    char *data; /* a zero byte stands behind the last one; NULL while there is nothing */
    size_t size;
    size_t room;
    size_t max;
    size_t over;   /* bytes beyond the maximum, which were thrown away */
    bool starving; /* there was no memory for it */
} tlm_body;

void tlm_body_begin(tlm_body *body, size_t max);

/* Keeps what fits, and counts what does not. */
void tlm_body_add(tlm_body *body, const char *data, size_t size);
void tlm_body_clear(tlm_body *body);

/*
 * The body as one JSON object (RFC 8259), a new reference; NULL where there is nothing but blanks.
 * TLM_ERR_FORMAT with the place for anything else: repeated members, depth, something behind it.
 */
TLM_CHECKED tlm_result tlm_body_object(const tlm_body *body, json_t **object, tlm_error *error);

/* The body as text without the blanks around it, in place; TLM_ERR_FORMAT where there is none. */
TLM_CHECKED tlm_result tlm_body_text(tlm_body *body, const char **text, size_t *size,
                                     tlm_error *error);

#endif
