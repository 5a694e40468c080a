/* SPDX-License-Identifier: BSD-2-Clause */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

#include "routes.h"

static int add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES ? 0 : 1;
}

struct MHD_Response *tlm_reply_new(unsigned status, char *body, tlm_reply_end end)
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
    int failed = add(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                     status < 400 ? "application/json; charset=utf-8" : "application/problem+json");
    failed |= add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        failed |= add(response, MHD_HTTP_HEADER_RETRY_AFTER, TLM_REPLY_RETRY_AFTER);
    }
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        failed |= add(response, MHD_HTTP_HEADER_ALLOW, TLM_ROUTE_METHODS);
    }
    if (end == TLM_REPLY_CLOSE) {
        failed |= add(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    if (failed != 0) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}
