/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "problem.h"
#include "reply.h"
#include "request.h"
#include "tls_session.h"

int64_t tlm_serve_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static tlm_connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* What the headers say of the body, as far as it matters to a request that is refused. */
typedef struct announcement {
    bool any;
    bool large; /* more than is read and thrown away, or of unknown size */
} announcement;

static announcement announced_body(struct MHD_Connection *connection)
{
    bool chunked = false;
    unsigned long long size = tlm_request_announced(connection, &chunked);
    return (announcement){.any = chunked || size > 0,
                          .large = chunked || size > TLM_SERVER_BODY_MAX};
}

static tlm_verdict judge(tlm_server *self, const tlm_connection *record, const char *url,
                         const char *method, bool body, tlm_route_match *match)
{
    bool api = tlm_route_is_api(url);
    if (record == NULL || record->over) {
        return TLM_VERDICT_OVER_LIMIT;
    }
    if (api && !record->caller.unix_socket &&
        !tlm_limits_take(tlm_api_limits(self->api), record->caller.key, tlm_serve_now())) {
        return TLM_VERDICT_TOO_MANY;
    }
    switch (tlm_route_find(method, url, match)) {
    case TLM_ROUTE_FOUND:
        break;
    case TLM_ROUTE_WRONG_METHOD:
        return TLM_VERDICT_WRONG_METHOD;
    case TLM_ROUTE_NOT_FOUND:
        return TLM_VERDICT_NOT_FOUND;
    }
    if (api) {
        return TLM_VERDICT_CALL;
    }
    return body ? TLM_VERDICT_TOO_LARGE
                : (tlm_verdict)(TLM_VERDICT_FOUND + (int)match->route->document);
}

/* What is made for one problem. */
typedef struct problem_texts {
    char detail[160];
    char hint[640];
    tlm_route_match match;
} problem_texts;

static tlm_problem wrong_method(const char *url, const char *method, problem_texts *texts)
{
    (void)tlm_route_find(method, url, &texts->match);
    (void)snprintf(texts->detail, sizeof texts->detail, "%.32s is not a method of this path",
                   method);
    (void)snprintf(texts->hint, sizeof texts->hint, "there are: %s", texts->match.allow);
    return (tlm_problem){
        MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed", texts->detail, texts->hint, url, NULL};
}

static tlm_problem not_found(const char *url, problem_texts *texts)
{
    const char *nearest = tlm_route_nearest(url);
    (void)snprintf(texts->hint, sizeof texts->hint, "%s %s",
                   nearest != NULL ? "the nearest path is" : "there are:",
                   nearest != NULL ? nearest : tlm_route_list());
    return (tlm_problem){MHD_HTTP_NOT_FOUND, "not-found", "nothing is at this path",
                         texts->hint,        url,         NULL};
}

static tlm_problem problem_of(tlm_verdict given, const char *url, const char *method,
                              problem_texts *texts)
{
    switch (given) {
    case TLM_VERDICT_WRONG_METHOD:
        return wrong_method(url, method, texts);
    case TLM_VERDICT_TOO_LARGE:
        return (tlm_problem){MHD_HTTP_CONTENT_TOO_LARGE,
                             "content-too-large",
                             "a request of this path has no body",
                             "send it without a body",
                             url,
                             NULL};
    case TLM_VERDICT_TOO_MANY:
        return (tlm_problem){MHD_HTTP_TOO_MANY_REQUESTS,
                             "too-many-requests",
                             "this address makes more requests than it may",
                             "ask less often, or raise REST.RateLimit (--rest-rate)",
                             url,
                             NULL};
    case TLM_VERDICT_OVER_LIMIT:
        return (tlm_problem){MHD_HTTP_SERVICE_UNAVAILABLE,
                             "too-many-connections",
                             "the limit of connections is reached",
                             "try again later, or raise REST.MaxConnections (--rest-connections)",
                             url,
                             NULL};
    default:
        return not_found(url, texts);
    }
}

static enum MHD_Result queue(struct MHD_Connection *connection, const tlm_reply_head *head,
                             char *text)
{
    struct MHD_Response *response = tlm_reply_new(head, text);
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_response(connection, head->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_problem(tlm_server *self, struct MHD_Connection *connection,
                                    tlm_verdict given, const char *url, const char *method,
                                    unsigned *status)
{
    problem_texts texts;
    tlm_problem problem = problem_of(given, url, method, &texts);
    bool close = given == TLM_VERDICT_OVER_LIMIT || tlm_answers_closing(self->answers);
    tlm_reply_head head = {.status = problem.status,
                           .end = close ? TLM_REPLY_CLOSE : TLM_REPLY_KEEP,
                           .allow = given == TLM_VERDICT_WRONG_METHOD ? texts.match.allow : NULL,
                           .retry_after = given == TLM_VERDICT_TOO_MANY ? 1 : 0};
    *status = problem.status;
    return queue(connection, &head, tlm_problem_text(&problem));
}

static void log_access(tlm_server *self, const char *method, const char *url, unsigned status)
{
    char shown[128];
    char path[256];
    char name[48];
    unsigned suppressed = 0;
    if (!tlm_log_enabled(TLM_LOG_DEBUG) || !tlm_log_allow(&self->access_limit, &suppressed)) {
        return;
    }
    url = tlm_route_log_path(url, shown, sizeof shown);
    tlm_log(TLM_LOG_DEBUG, "request", "method=%s path=%s status=%u suppressed=%u",
            tlm_log_quote(method, name, sizeof name), tlm_log_quote(url, path, sizeof path), status,
            suppressed);
}

static enum MHD_Result answer_call(tlm_server *self, struct MHD_Connection *connection,
                                   const char *url, unsigned *status)
{
    const tlm_connection *record = connection_of(connection);
    if (record == NULL || record->request == NULL) {
        return MHD_NO;
    }
    tlm_reply_head head = {.end = tlm_answers_closing(self->answers) ? TLM_REPLY_CLOSE
                                                                     : TLM_REPLY_KEEP};
    char *text = tlm_request_answer(record->request, url, &head);
    *status = head.status;
    return queue(connection, &head, text);
}

static enum MHD_Result answer(tlm_server *self, struct MHD_Connection *connection,
                              tlm_verdict given, const char *url, const char *method)
{
    unsigned status = 0;
    enum MHD_Result result = MHD_NO;
    if (given < TLM_VERDICT_NOT_FOUND) {
        result = tlm_answers_send(self->answers, (tlm_document)(given - TLM_VERDICT_FOUND),
                                  connection, &status);
    } else if (given == TLM_VERDICT_CALL) {
        result = answer_call(self, connection, url, &status);
    } else {
        result = send_problem(self, connection, given, url, method, &status);
    }
    log_access(self, method, url, status);
    return result;
}

/* Whether the request may go on to its body. Without memory it has none and is NULL. */
static bool begin_call(tlm_server *self, struct MHD_Connection *connection, tlm_connection *record,
                       const tlm_route_match *match)
{
    record->request = tlm_request_new(self->api, connection, &record->caller, match);
    if (record->request == NULL) {
        return false;
    }
    const union MHD_ConnectionInfo *info =
        self->tls != NULL ? MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
                          : NULL;
    bool certificate = info != NULL && tlm_tls_session_has_client(info->tls_session, record);
    return tlm_request_judge(record->request, certificate, tlm_serve_now());
}

/*
 * The headers are in. An answer queued here makes libmicrohttpd close the connection, which is what
 * a client above the limit and a body too large to be read get; all others are answered at the end.
 */
static enum MHD_Result begin(tlm_server *self, struct MHD_Connection *connection, const char *url,
                             const char *method, void **state)
{
    tlm_connection *record = connection_of(connection);
    announcement body = announced_body(connection);
    tlm_route_match match;
    tlm_verdict given = judge(self, record, url, method, body.any, &match);
    bool accepted = false;
    *state = &self->verdicts[given];
    if (given == TLM_VERDICT_CALL) {
        accepted = begin_call(self, connection, record, &match);
        if (record->request == NULL) {
            return MHD_NO;
        }
    }
    if (given == TLM_VERDICT_OVER_LIMIT || (body.large && !accepted)) {
        return answer(self, connection, given, url, method);
    }
    return MHD_YES;
}

static void resume(void *context)
{
    MHD_resume_connection(context);
}

/* The service's answer, awaited by the thread that the connection has to itself. */
typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
} waiter;

static void wake(void *context)
{
    waiter *self = context;
    (void)pthread_mutex_lock(&self->lock);
    self->done = true;
    (void)pthread_cond_signal(&self->changed);
    (void)pthread_mutex_unlock(&self->lock);
}

static void submit_and_wait(tlm_request *request)
{
    waiter self = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    tlm_request_submit(request, wake, &self);
    (void)pthread_mutex_lock(&self.lock);
    while (!self.done) {
        (void)pthread_cond_wait(&self.changed, &self.lock);
    }
    (void)pthread_mutex_unlock(&self.lock);
    (void)pthread_cond_destroy(&self.changed);
    (void)pthread_mutex_destroy(&self.lock);
}

/* The request is whole, or its call was answered: true where there is something to say now. */
static bool go_on(tlm_server *self, struct MHD_Connection *connection, tlm_connection *record)
{
    tlm_request *request = record->request;
    if (tlm_request_submitted(request)) {
        tlm_connection_calling(record, false);
        return true;
    }
    if (!tlm_request_prepare(request)) {
        tlm_connection_served(record);
        return true;
    }
    tlm_connection_calling(record, true);
    if (self->tls == NULL) {
        /* In this order: a call may be done before it was handed over. */
        MHD_suspend_connection(connection);
        tlm_request_submit(request, resume, connection);
        return false;
    }
    submit_and_wait(request);
    tlm_connection_calling(record, false);
    return true;
}

enum MHD_Result tlm_serve_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    (void)version;
    tlm_server *self = context;
    if (*state == NULL) {
        return begin(self, connection, url, method, state);
    }
    const tlm_verdict *given = *state;
    tlm_connection *record = connection_of(connection);
    tlm_request *request = record != NULL ? record->request : NULL;
    if (*upload_size > 0) {
        /* What is not for a call is read and thrown away, so that the connection can go on. */
        bool more = request == NULL || tlm_request_take(request, upload, *upload_size);
        *upload_size = 0;
        return more ? MHD_YES : MHD_NO;
    }
    if (request != NULL && !go_on(self, connection, record)) {
        return MHD_YES;
    }
    if (request == NULL && record != NULL) {
        tlm_connection_served(record);
    }
    return answer(self, connection, *given, url, method);
}

static void forget_request(tlm_connection *record)
{
    if (record != NULL) {
        tlm_request_free(&record->request);
    }
}

void tlm_serve_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)code;
    forget_request(connection_of(connection));
    *state = NULL;
}

void tlm_serve_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    tlm_server *self = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        tlm_tls_session_end(*socket_context);
        forget_request(*socket_context);
        tlm_connections_remove(&self->connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    tlm_connection *added =
        info != NULL ? tlm_connections_add(&self->connections, info->connect_fd, tlm_serve_now())
                     : NULL;
    *socket_context = added;
    if (added != NULL) {
        tlm_caller_read(added->file, &added->caller);
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (self->tls != NULL && added != NULL && info != NULL) {
        tlm_tls_session_begin(info->tls_session, added, tlm_tls_current(self->tls));
    }
}
