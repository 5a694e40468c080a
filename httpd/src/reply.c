/* SPDX-License-Identifier: BSD-2-Clause */
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES ? 0 : 1;
}

static int add_retry(struct MHD_Response *response, const tlm_reply_head *head)
{
    unsigned seconds = head->retry_after;
    if (seconds == 0 && head->status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        seconds = TLM_REPLY_RETRY_SECONDS;
    }
    if (seconds == 0) {
        return 0;
    }
    char text[16];
    (void)snprintf(text, sizeof text, "%u", seconds);
    return add(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

struct MHD_Response *tlm_reply_new(const tlm_reply_head *head, char *body)
{
    if (body == NULL) {
        return NULL;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body);
        return NULL;
    }
    int failed =
        add(response, MHD_HTTP_HEADER_CONTENT_TYPE,
            head->status < 400 ? "application/json; charset=utf-8" : "application/problem+json");
    failed |= add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    failed |= add_retry(response, head);
    if (head->allow != NULL) {
        failed |= add(response, MHD_HTTP_HEADER_ALLOW, head->allow);
    }
    if (head->status == MHD_HTTP_UNAUTHORIZED) {
        failed |= add(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
    if (head->end == TLM_REPLY_CLOSE) {
        failed |= add(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    if (failed != 0) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}
