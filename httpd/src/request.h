/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_REQUEST_H
#define TLM_REQUEST_H

/*
 * One request below /api/v1: who may, its body, the call, the answer.
 *
 *     tlm_request *request = tlm_request_new(api, connection, caller, &match);
 *     tlm_request_judge(request, now_ms);                 // the headers are in
 *     tlm_request_take(request, data, size);              // its body, bit by bit
 *     if (tlm_request_prepare(request)) {                 // it is whole
 *         tlm_request_submit(request, resume, context);   // resume: once, from any thread
 *         …
 *     }
 *     text = tlm_request_answer(request, url, &head);
 *     tlm_request_free(&request);
 *
 * A request that is refused goes the same way without a call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "api.h"
#include "caller.h"
#include "reply.h"
#include "routes.h"

typedef struct tlm_request tlm_request;

/* The texts and objects outlive the request; `match` is copied. NULL where memory is out. */
tlm_request *tlm_request_new(tlm_api *api, struct MHD_Connection *connection,
                             const tlm_caller *caller, const tlm_route_match *match);
void tlm_request_free(tlm_request **request);

/*
 * Judges what the headers say: who asks, query, kind and size of the body. `certificate`: the peer
 * showed one. False where the request is refused.
 */
bool tlm_request_judge(tlm_request *request, bool certificate, int64_t now_ms);

/*
 * A part of the body. False where the peer goes on and on behind what it may send: the connection
 * is not worth keeping.
 */
bool tlm_request_take(tlm_request *request, const char *data, size_t size);

/* The body is whole: makes the call of it. False where it is refused, or was before. */
bool tlm_request_prepare(tlm_request *request);

/*
 * Hands the call over. `done` is called once, from any thread, perhaps before this returns; also
 * where calls are not taken now.
 */
void tlm_request_submit(tlm_request *request, void (*done)(void *context), void *context);

/* Whether the call was handed over, so that its answer is there when the handler is called again.
 */
bool tlm_request_submitted(const tlm_request *request);

/* The answer as text, which the caller frees, and what its head says. */
char *tlm_request_answer(const tlm_request *request, const char *url, tlm_reply_head *head);

/* The size of the body that the headers announce; `chunked`: it is not known. */
unsigned long long tlm_request_announced(struct MHD_Connection *connection, bool *chunked);

#endif
