/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_REPLY_H
#define TLM_REPLY_H

/*
 * A response with the headers that all of ours have.
 *
 *     tlm_reply_head head = {.status = 405, .allow = "GET, HEAD"};
 *     struct MHD_Response *response = tlm_reply_new(&head, text);
 *     result = MHD_queue_response(connection, head.status, response);
 *     MHD_destroy_response(response);
 */

#include <microhttpd.h>

/* What a client is told to do with its connection. */
typedef enum tlm_reply_end { TLM_REPLY_KEEP = 0, TLM_REPLY_CLOSE } tlm_reply_end;

/* A client that finds us not ready is asked to come back after this many seconds. */
#define TLM_REPLY_RETRY_SECONDS 5U
#define TLM_REPLY_RETRY_AFTER "5"

typedef struct tlm_reply_head {
    unsigned status;
    tlm_reply_end end;
    const char *allow;    /* of 405: the methods that there are, else NULL */
    unsigned retry_after; /* seconds; 0: none, but for 503 */
} tlm_reply_head;

/*
 * Takes `body` (JSON from malloc, also on failure, also NULL, which gives NULL). The media type is
 * application/json below status 400 and application/problem+json from there on; 503 carries
 * Retry-After and 401 WWW-Authenticate.
 */
struct MHD_Response *tlm_reply_new(const tlm_reply_head *head, char *body);

#endif
