/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ANSWERS_H
#define TLM_ANSWERS_H

/*
 * The prebuilt responses: one for each document, made again when what it says changes, and queued
 * by the server's thread without making anything.
 *
 *     tlm_answers *answers = NULL;
 *     result = tlm_answers_new(&answers, &error);
 *     result = tlm_answers_set(answers, TLM_DOCUMENT_HEALTH, 200, strdup("{\"status\":\"ok\"}"),
 *                              &error);
 *     …
 *     return tlm_answers_send(answers, TLM_DOCUMENT_HEALTH, connection, &status);
 */

#include <microhttpd.h>

#include <tlm/result.h>

#include "routes.h"

typedef struct tlm_answers tlm_answers;

TLM_CHECKED tlm_result tlm_answers_new(tlm_answers **answers, tlm_error *error);

/* The server must have been stopped. Accepts NULL. */
void tlm_answers_free(tlm_answers **answers);

/*
 * Replaces a document; takes `body` (from malloc, also on failure). Requests see the old or the
 * new one, whole. To a `status` below 400 TLM_DOCUMENT_STATUS gets the member uptimeSeconds as its
 * last one, made when it is asked for and at most once a second. On failure the old one stays.
 * Safe beside tlm_answers_send.
 */
TLM_CHECKED tlm_result tlm_answers_set(tlm_answers *answers, tlm_document document, unsigned status,
                                       char *body, tlm_error *error);

/* From now on every new body says Connection: close; set all documents again. */
void tlm_answers_close(tlm_answers *answers);
bool tlm_answers_closing(tlm_answers *answers);

/* Queues the document; `status` is what was sent. MHD_NO where there is none. */
enum MHD_Result tlm_answers_send(tlm_answers *answers, tlm_document document,
                                 struct MHD_Connection *connection, unsigned *status);

#endif
