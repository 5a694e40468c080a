/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_REPLY_H
#define TLM_REPLY_H

/*
 * A response with the headers that all of ours have.
 *
 *     struct MHD_Response *response = tlm_reply_new(200, text, TLM_REPLY_KEEP);
 *     result = MHD_queue_response(connection, 200, response);
 *     MHD_destroy_response(response);
 */

#include <microhttpd.h>

/* What a client is told to do with its connection. */
typedef enum tlm_reply_end { TLM_REPLY_KEEP = 0, TLM_REPLY_CLOSE } tlm_reply_end;

/* A client that finds us not ready is asked to come back after this many seconds. */
#define TLM_REPLY_RETRY_AFTER "5"

/*
 * Takes `body` (JSON from malloc, also on failure, also NULL, which gives NULL). The media type is
 * application/json below status 400 and application/problem+json from there on; 503 carries
 * Retry-After and 405 Allow.
 */
struct MHD_Response *tlm_reply_new(unsigned status, char *body, tlm_reply_end end);

#endif
