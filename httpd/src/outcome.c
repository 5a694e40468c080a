/* SPDX-License-Identifier: BSD-2-Clause */
#include "outcome.h"

#include "json_text.h"
#include "problem.h"

/*
 * One row for each result: the status, and another one where the fault lies in the package or list
 * that was sent and not in what this host keeps.
 */
static const struct {
    unsigned status;
    unsigned sent;
} statuses[TLM_RESULT_COUNT] = {
    [TLM_OK] = {MHD_HTTP_OK, 0},
    [TLM_ERR_ARGUMENT] = {MHD_HTTP_BAD_REQUEST, 0},
    [TLM_ERR_MEMORY] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_IO] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, 0},
    [TLM_ERR_EXISTS] = {MHD_HTTP_CONFLICT, 0},
    [TLM_ERR_PERMISSION] = {MHD_HTTP_FORBIDDEN, 0},
    [TLM_ERR_NO_SPACE] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_TOO_LARGE] = {MHD_HTTP_CONTENT_TOO_LARGE, 0},
    [TLM_ERR_FORMAT] = {MHD_HTTP_BAD_REQUEST, 0},
    [TLM_ERR_SETTING] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_UNSUPPORTED] = {MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_BAD_REQUEST},
    [TLM_ERR_DAMAGED] = {MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_BAD_REQUEST},
    [TLM_ERR_FOREIGN] = {MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_FORBIDDEN},
    [TLM_ERR_NEWER] = {MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_BAD_REQUEST},
    [TLM_ERR_INCOMPLETE] = {MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_BAD_REQUEST},
    [TLM_ERR_CRYPTO] = {MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_BAD_REQUEST},
    [TLM_ERR_SIGNATURE] = {MHD_HTTP_FORBIDDEN, 0},
    [TLM_ERR_PIN] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_LOCKED] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_PCR] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_TOKEN] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_TOKEN_UNAVAILABLE] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_NOT_PROVISIONED] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_TPM] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_TPM_UNAVAILABLE] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_PROCESS] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_TIMEOUT] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_BUSY] = {MHD_HTTP_SERVICE_UNAVAILABLE, 0},
    [TLM_ERR_UNTRUSTED] = {MHD_HTTP_FORBIDDEN, 0},
    [TLM_ERR_EXPIRED] = {MHD_HTTP_FORBIDDEN, 0},
    [TLM_ERR_NOT_YET] = {MHD_HTTP_FORBIDDEN, 0},
    [TLM_ERR_REVOKED] = {MHD_HTTP_FORBIDDEN, 0},
    [TLM_ERR_REPLAYED] = {MHD_HTTP_CONFLICT, 0},
    [TLM_ERR_CONFLICT] = {MHD_HTTP_CONFLICT, 0},
    [TLM_ERR_UNLICENSED] = {MHD_HTTP_NOT_FOUND, 0},
    [TLM_ERR_SEATS] = {MHD_HTTP_CONFLICT, 0},
    [TLM_ERR_EXHAUSTED] = {MHD_HTTP_CONFLICT, 0},
    [TLM_ERR_NOT_LOCAL] = {MHD_HTTP_FORBIDDEN, 0},
    [TLM_ERR_ROLLBACK] = {MHD_HTTP_CONFLICT, 0},
    [TLM_ERR_UNAUTHORIZED] = {MHD_HTTP_UNAUTHORIZED, 0},
    [TLM_ERR_RATE] = {MHD_HTTP_TOO_MANY_REQUESTS, 0},
};

unsigned tlm_outcome_status(tlm_result result, tlm_media media)
{
    if ((unsigned)result >= TLM_RESULT_COUNT || statuses[result].status == 0) {
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    bool sent = media == TLM_MEDIA_JOSE && statuses[result].sent != 0;
    return sent ? statuses[result].sent : statuses[result].status;
}

static char *problem_text(const tlm_error *error, const char *url, json_t *members, unsigned status)
{
    tlm_problem problem = {.status = status,
                           .code = tlm_result_code(error->result),
                           .detail = error->message[0] != '\0' ? error->message
                                                               : tlm_result_text(error->result),
                           .hint = error->hint,
                           .instance = url,
                           .members = members};
    return tlm_problem_text(&problem);
}

char *tlm_outcome_problem(const tlm_error *error, const char *url, tlm_reply_head *head)
{
    head->status = tlm_outcome_status(error->result, TLM_MEDIA_NONE);
    return problem_text(error, url, NULL, head->status);
}

char *tlm_outcome_text(const tlm_call *call, tlm_media media, const char *url, tlm_reply_head *head)
{
    head->status = tlm_outcome_status(call->error.result, media);
    head->retry_after = call->retry_after;
    if (call->error.result != TLM_OK) {
        return problem_text(&call->error, url, call->answer, head->status);
    }
    if (call->created) {
        head->status = MHD_HTTP_CREATED;
    }
    return call->answer != NULL ? json_dumps(call->answer, JSON_COMPACT) : NULL;
}
