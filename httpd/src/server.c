/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include <tlm/log.h>

#include "connections.h"
#include "problem.h"
#include "reply.h"
#include "tls_session.h"

/* Of a connection's thread: GnuTLS and a PKCS#11 module need less than half of it. */
#define STACK_SIZE ((size_t)512 * 1024)
#define DRAIN_STEP_MS 20

/* How a request was judged when its headers were in; a request carries a pointer to one. */
typedef enum verdict {
    VERDICT_NONE = 0,
    VERDICT_FOUND, /* the first of TLM_DOCUMENT_COUNT, one for each document */
    VERDICT_NOT_FOUND = VERDICT_FOUND + TLM_DOCUMENT_COUNT,
    VERDICT_WRONG_METHOD,
    VERDICT_TOO_LARGE,
    VERDICT_OVER_LIMIT,
    VERDICT_COUNT
} verdict;

struct tlm_server {
    struct MHD_Daemon *daemon;
    tlm_tls *tls; /* NULL: plain HTTP */
    tlm_answers *answers;
    tlm_connections connections;
    tlm_log_limit message_limit;
    tlm_log_limit access_limit;
    tlm_log_limit late_limit;
    verdict verdicts[VERDICT_COUNT]; /* verdicts[v] == v: what a request's pointer points to */
};

static int64_t now_ms(void)
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

/*
 * The size of the body that the headers announce; a chunked one may be of any size. libmicrohttpd
 * has refused a Content-Length that is not a number before.
 */
static unsigned long long announced_body(struct MHD_Connection *connection)
{
    const char *length = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(
            connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING,
            sizeof MHD_HTTP_HEADER_TRANSFER_ENCODING - 1, NULL, NULL) == MHD_YES) {
        return TLM_SERVER_BODY_MAX + 1ULL;
    }
    if (MHD_lookup_connection_value_n(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH,
                                      sizeof MHD_HTTP_HEADER_CONTENT_LENGTH - 1, &length,
                                      &size) == MHD_YES &&
        length != NULL) {
        return strtoull(length, NULL, 10);
    }
    return 0;
}

static verdict judge(const char *url, const char *method, bool body)
{
    const tlm_route *route = tlm_route_find(url);
    if (route == NULL) {
        return VERDICT_NOT_FOUND;
    }
    if (!tlm_route_allows(method)) {
        return VERDICT_WRONG_METHOD;
    }
    if (body) {
        return VERDICT_TOO_LARGE;
    }
    return (verdict)(VERDICT_FOUND + (int)route->document);
}

/* Fills the problem of a verdict; `text` holds what is made for this request. */
static tlm_problem problem_of(verdict given, const char *url, const char *method, char *text,
                              size_t size)
{
    switch (given) {
    case VERDICT_WRONG_METHOD:
        (void)snprintf(text, size, "%.32s is not a method of this path", method);
        return (tlm_problem){MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed", text,
                             "use GET or HEAD", url};
    case VERDICT_TOO_LARGE:
        return (tlm_problem){MHD_HTTP_CONTENT_TOO_LARGE, "content-too-large",
                             "a request of this path has no body", "send it without a body", url};
    case VERDICT_OVER_LIMIT:
        return (tlm_problem){MHD_HTTP_SERVICE_UNAVAILABLE, "too-many-connections",
                             "the limit of connections is reached",
                             "try again later, or raise REST.MaxConnections (--rest-connections)",
                             url};
    default:
        break;
    }
    const char *nearest = tlm_route_nearest(url);
    if (nearest != NULL) {
        (void)snprintf(text, size, "the nearest path is %s", nearest);
    } else {
        (void)snprintf(text, size, "there are: %s", tlm_route_list());
    }
    return (tlm_problem){MHD_HTTP_NOT_FOUND, "not-found", "nothing is at this path", text, url};
}

static enum MHD_Result send_problem(tlm_server *self, struct MHD_Connection *connection,
                                    verdict given, const char *url, const char *method,
                                    unsigned *status)
{
    char text[160];
    tlm_problem problem = problem_of(given, url, method, text, sizeof text);
    bool close = given == VERDICT_OVER_LIMIT || tlm_answers_closing(self->answers);
    struct MHD_Response *response = tlm_reply_new(problem.status, tlm_problem_text(&problem),
                                                  close ? TLM_REPLY_CLOSE : TLM_REPLY_KEEP);
    *status = problem.status;
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_response(connection, problem.status, response);
    MHD_destroy_response(response);
    return result;
}

static void log_access(tlm_server *self, const char *method, const char *url, unsigned status)
{
    char path[256];
    char name[48];
    unsigned suppressed = 0;
    if (!tlm_log_allow(&self->access_limit, &suppressed)) {
        return;
    }
    tlm_log(TLM_LOG_DEBUG, "request", "method=%s path=%s status=%u suppressed=%u",
            tlm_log_quote(method, name, sizeof name), tlm_log_quote(url, path, sizeof path), status,
            suppressed);
}

static enum MHD_Result answer(tlm_server *self, struct MHD_Connection *connection, verdict given,
                              const char *url, const char *method)
{
    unsigned status = 0;
    enum MHD_Result result = MHD_NO;
    if (given < VERDICT_NOT_FOUND) {
        result = tlm_answers_send(self->answers, (tlm_document)(given - VERDICT_FOUND), connection,
                                  &status);
    } else {
        result = send_problem(self, connection, given, url, method, &status);
    }
    if (tlm_log_enabled(TLM_LOG_DEBUG)) {
        log_access(self, method, url, status);
    }
    return result;
}

/*
 * The headers are in. An answer queued here makes libmicrohttpd close the connection, which is what
 * a client above the limit and a body too large to be read get; all others are answered at the end.
 */
static enum MHD_Result begin(tlm_server *self, struct MHD_Connection *connection, const char *url,
                             const char *method, void **state)
{
    const tlm_connection *record = connection_of(connection);
    unsigned long long body = announced_body(connection);
    verdict given = judge(url, method, body > 0);
    if (record == NULL || record->over) {
        given = VERDICT_OVER_LIMIT;
    }
    *state = &self->verdicts[given];
    if (given == VERDICT_OVER_LIMIT || body > TLM_SERVER_BODY_MAX) {
        return answer(self, connection, given, url, method);
    }
    return MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    (void)version;
    (void)upload;
    tlm_server *self = context;
    if (*state == NULL) {
        return begin(self, connection, url, method, state);
    }
    if (*upload_size > 0) {
        *upload_size = 0; /* read and refused, so that the connection can go on */
        return MHD_YES;
    }
    const verdict *given = *state;
    tlm_connection *record = connection_of(connection);
    if (record != NULL) {
        tlm_connection_served(record);
    }
    return answer(self, connection, *given, url, method);
}

static void connection_changed(void *context, struct MHD_Connection *connection,
                               void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    tlm_server *self = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        tlm_tls_session_end(*socket_context);
        tlm_connections_remove(&self->connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    tlm_connection *added =
        info != NULL ? tlm_connections_add(&self->connections, info->connect_fd, now_ms()) : NULL;
    *socket_context = added;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (self->tls != NULL && added != NULL && info != NULL) {
        tlm_tls_session_begin(info->tls_session, added, tlm_tls_current(self->tls));
    }
}

/* "%00" stays as it is: a decoded one would end the path early and let "/health%00x" pass. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    if (strstr(text, "%00") != NULL) {
        return strlen(text);
    }
    return MHD_http_unescape(text);
}

/* What libmicrohttpd has to say is nearly always about what a peer sent. */
static void log_message(void *context, const char *format, va_list arguments) TLM_PRINTF(2, 0);

static void log_message(void *context, const char *format, va_list arguments)
{
    tlm_server *self = context;
    unsigned suppressed = 0;
    if (!tlm_log_enabled(TLM_LOG_INFO) || !tlm_log_allow(&self->message_limit, &suppressed)) {
        return;
    }
    char text[512];
    char quoted[640];
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    tlm_log(TLM_LOG_INFO, "http_message", "text=%s suppressed=%u",
            tlm_log_quote(text, quoted, sizeof quoted), suppressed);
}

/* Connections that are accepted above the limit, to be told so. */
static unsigned reserve(unsigned connections)
{
    unsigned part = connections / 4;
    return part < 32 ? 32 : part > 1024 ? 1024 : part;
}

size_t tlm_server_files(unsigned connections)
{
    return (size_t)connections + reserve(connections);
}

static void prepare(tlm_server *self, const tlm_server_config *config)
{
    self->answers = config->answers;
    self->tls = config->tls;
    self->connections.tls = config->tls != NULL;
    self->connections.limit = config->connections;
    self->connections.idle_ms = (int64_t)config->idle_seconds * 1000;
    self->connections.deadline_ms = (int64_t)config->deadline_seconds * 1000;
    self->message_limit = (tlm_log_limit){.burst = 10, .seconds = 10};
    self->access_limit = (tlm_log_limit){.burst = 1000, .seconds = 1};
    self->late_limit = (tlm_log_limit){.burst = 5, .seconds = 10};
    for (int i = 0; i < VERDICT_COUNT; i++) {
        self->verdicts[i] = (verdict)i;
    }
}

static struct MHD_Daemon *start_daemon(tlm_server *self, const tlm_server_config *config)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    /* What stands behind the first MHD_OPTION_END is not read. */
    enum MHD_OPTION only_tls = MHD_OPTION_END;
    if (config->tls != NULL) {
        flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC |
                MHD_USE_ERROR_LOG | MHD_USE_TLS;
        only_tls = MHD_OPTION_HTTPS_CERT_CALLBACK2;
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, self, MHD_OPTION_EXTERNAL_LOGGER, log_message, self,
        MHD_OPTION_LISTEN_SOCKET, config->listener->file, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)tlm_server_files(config->connections), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)TLM_SERVER_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, config->idle_seconds,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, self, MHD_OPTION_UNESCAPE_CALLBACK,
        unescape, self, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, only_tls, tlm_tls_session_certificate,
        MHD_OPTION_HTTPS_PRIORITIES, TLM_TLS_PRIORITIES, MHD_OPTION_THREAD_STACK_SIZE, STACK_SIZE,
        MHD_OPTION_END);
}

tlm_result tlm_server_start(const tlm_server_config *config, tlm_server **server, tlm_error *error)
{
    *server = NULL;
    tlm_server *self = calloc(1, sizeof *self);
    if (self == NULL || pthread_mutex_init(&self->connections.lock, NULL) != 0) {
        free(self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the REST interface");
    }
    prepare(self, config);
    self->daemon = start_daemon(self, config);
    if (self->daemon == NULL) {
        (void)pthread_mutex_destroy(&self->connections.lock);
        free(self);
        return tlm_error_set_errno(error, "the log names the cause; look at ulimit -a",
                                   "starting the REST interface at %s", config->listener->bound);
    }
    config->listener->file = -1;
    *server = self;
    return TLM_OK;
}

void tlm_server_sweep(tlm_server *server)
{
    tlm_sweep done = tlm_connections_sweep(&server->connections, now_ms());
    unsigned suppressed = 0;
    if ((done.late > 0 || done.over > 0) && tlm_log_allow(&server->late_limit, &suppressed)) {
        tlm_log(TLM_LOG_WARNING, "connections_ended",
                "late_requests=%zu over_limit=%zu open=%zu suppressed=%u", done.late, done.over,
                done.left, suppressed);
    }
}

size_t tlm_server_drain(tlm_server *server, unsigned wait_ms)
{
    int listener = MHD_quiesce_daemon(server->daemon);
    if (listener >= 0) {
        (void)close(listener);
    }
    int64_t end = now_ms() + (int64_t)wait_ms;
    for (;;) {
        tlm_sweep done = tlm_connections_drain(&server->connections, now_ms());
        if (done.left == 0 || now_ms() >= end) {
            return done.left;
        }
        struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000000L};
        (void)nanosleep(&step, NULL);
    }
}

void tlm_server_stop(tlm_server **server)
{
    tlm_server *self = *server;
    *server = NULL;
    if (self == NULL) {
        return;
    }
    MHD_stop_daemon(self->daemon);
    (void)pthread_mutex_destroy(&self->connections.lock);
    free(self);
}
