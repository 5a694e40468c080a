/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SERVE_H
#define TLM_SERVE_H

/*
 * What the server does with a request, from its first header to the answer: the callbacks of
 * libmicrohttpd, each with the server as its context.
 *
 *     MHD_start_daemon(flags, 0, NULL, NULL, tlm_serve_request, server,
 *                      MHD_OPTION_NOTIFY_COMPLETED, tlm_serve_completed, server,
 *                      MHD_OPTION_NOTIFY_CONNECTION, tlm_serve_connection, server, MHD_OPTION_END);
 */

#include <stdint.h>

#include <microhttpd.h>

#include <tlm/log.h>

#include "connections.h"
#include "server.h"

/* How a request was judged when its headers were in; a request carries a pointer to one. */
typedef enum tlm_verdict {
    TLM_VERDICT_NONE = 0,
    TLM_VERDICT_FOUND, /* the first of TLM_DOCUMENT_COUNT, one for each document */
    TLM_VERDICT_NOT_FOUND = TLM_VERDICT_FOUND + TLM_DOCUMENT_COUNT,
    TLM_VERDICT_WRONG_METHOD,
    TLM_VERDICT_TOO_LARGE,
    TLM_VERDICT_TOO_MANY,
    TLM_VERDICT_OVER_LIMIT,
    TLM_VERDICT_CALL, /* below /api/v1: the connection's record has the request */
    TLM_VERDICT_COUNT
} tlm_verdict;

struct tlm_server {
    struct MHD_Daemon *daemon;
    tlm_tls *tls; /* NULL: plain HTTP */
    tlm_answers *answers;
    tlm_api *api;
    tlm_connections connections;
    tlm_log_limit message_limit;
    tlm_log_limit access_limit;
    tlm_log_limit late_limit;
    tlm_verdict
        verdicts[TLM_VERDICT_COUNT]; /* verdicts[v] == v: what a request's pointer points to */
};

/* Milliseconds of a clock that is never set. */
int64_t tlm_serve_now(void);

/* An MHD_AccessHandlerCallback. */
enum MHD_Result tlm_serve_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state);

/* An MHD_RequestCompletedCallback: sent, or the connection broke. No call is under way then. */
void tlm_serve_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code);

/* An MHD_NotifyConnectionCallback. */
void tlm_serve_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code);

#endif
