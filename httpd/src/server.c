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

#include "serve.h"
#include "tls_session.h"

/* Of a connection's thread: GnuTLS and a PKCS#11 module need less than half of it. */
#define STACK_SIZE ((size_t)512 * 1024)
#define DRAIN_STEP_MS 20

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
    self->api = config->api;
    self->tls = config->tls;
    self->connections.tls = config->tls != NULL;
    self->connections.limit = config->connections;
    self->connections.idle_ms = (int64_t)config->idle_seconds * 1000;
    self->connections.deadline_ms = (int64_t)config->deadline_seconds * 1000;
    self->message_limit = (tlm_log_limit){.burst = 10, .seconds = 10};
    self->access_limit = (tlm_log_limit){.burst = 1000, .seconds = 1};
    self->late_limit = (tlm_log_limit){.burst = 5, .seconds = 10};
    for (int i = 0; i < TLM_VERDICT_COUNT; i++) {
        self->verdicts[i] = (tlm_verdict)i;
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
        flags, 0, NULL, NULL, tlm_serve_request, self, MHD_OPTION_EXTERNAL_LOGGER, log_message,
        self, MHD_OPTION_LISTEN_SOCKET, config->listener->file, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)tlm_server_files(config->connections), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)TLM_SERVER_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, config->idle_seconds,
        MHD_OPTION_NOTIFY_CONNECTION, tlm_serve_connection, self, MHD_OPTION_NOTIFY_COMPLETED,
        tlm_serve_completed, self, MHD_OPTION_UNESCAPE_CALLBACK, unescape, self,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, only_tls, tlm_tls_session_certificate,
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
    tlm_sweep done = tlm_connections_sweep(&server->connections, tlm_serve_now());
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
    int64_t end = tlm_serve_now() + (int64_t)wait_ms;
    for (;;) {
        tlm_sweep done = tlm_connections_drain(&server->connections, tlm_serve_now());
        if (done.left == 0 || tlm_serve_now() >= end) {
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
