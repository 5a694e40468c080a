/* SPDX-License-Identifier: BSD-2-Clause */
#define P11_KIT_FUTURE_UNSTABLE_API /* p11-kit/remote.h, stable in fact since 0.23 */
#include "connections.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p11-kit/remote.h>

#include <tlm/log.h>

#include "../../src/internal.h"
#include "audit.h"
#include "guard.h"
#include "peer.h"

/* Of a thread: modules and TSS put a few buffers of some KiB on it. */
#define STACK_SIZE ((size_t)512 * 1024)
/* One user's share of all connections. */
#define SHARE 4U

typedef struct connection {
    struct connection *next;
    tlm_connections *all;
    pthread_t thread;
    int file;
    tlm_peer peer;
    atomic_bool ended;
} connection;

struct tlm_connections {
    tlm_connections_config config;
    connection *first;
    size_t count;
};

static void wake(const tlm_connections *connections)
{
    uint64_t one = 1;
    /* A counter that is full wakes the loop all the same. */
    ssize_t done = write(connections->config.wake, &one, sizeof one);
    (void)done;
}

static void log_too_large(const tlm_peer *peer)
{
    static tlm_log_limit limit = {.burst = 5, .seconds = 60};
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    unsigned suppressed = 0;
    (void)pthread_mutex_lock(&lock);
    bool allowed = tlm_log_allow(&limit, &suppressed);
    (void)pthread_mutex_unlock(&lock);
    if (allowed) {
        tlm_log(TLM_LOG_WARNING, "message_too_large", "uid=%lu pid=%ld bytes=%zu suppressed=%u",
                (unsigned long)peer->uid, (long)peer->pid, TLM_GUARD_BUDGET, suppressed);
    }
}

static void *serve(void *context)
{
    connection *self = context;
    tlm_client *client = NULL;
    tlm_error error = {0};
    if (tlm_client_new(self->all->config.provider, &self->peer, &client, &error) == TLM_OK) {
        tlm_client_enter(client);
        tlm_guard_begin(TLM_GUARD_BUDGET);
        int served = p11_kit_remote_serve_module(tlm_provider_functions(), self->file, self->file);
        if (tlm_guard_end()) {
            log_too_large(&self->peer);
        }
        tlm_client_enter(NULL);
        tlm_client_free(&client);
        tlm_log(TLM_LOG_DEBUG, "client_gone", "uid=%lu pid=%ld orderly=%d",
                (unsigned long)self->peer.uid, (long)self->peer.pid, served == 0);
    } else {
        tlm_log_error(&error, "client_refused", NULL);
    }
    /* The other end must see the end now; the number is given back by the loop alone. */
    (void)shutdown(self->file, SHUT_RDWR);
    atomic_store(&self->ended, true);
    wake(self->all);
    return NULL;
}

tlm_result tlm_connections_new(const tlm_connections_config *config, tlm_connections **connections,
                               tlm_error *error)
{
    tlm_connections *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the connections");
    }
    made->config = *config;
    *connections = made;
    return TLM_OK;
}

static unsigned share_of(const tlm_connections *connections, const tlm_peer *peer)
{
    unsigned maximum = connections->config.maximum;
    bool trusted = peer->uid == 0 || peer->uid == geteuid();
    return trusted || maximum < SHARE ? maximum : maximum / SHARE;
}

static bool is_beyond_limit(const tlm_connections *connections, const tlm_peer *peer)
{
    unsigned own = 0;
    for (const connection *at = connections->first; at != NULL; at = at->next) {
        own += at->peer.uid == peer->uid ? 1U : 0U;
    }
    return connections->count >= connections->config.maximum || own >= share_of(connections, peer);
}

static int start_thread(connection *made)
{
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed != 0) {
        return failed;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    failed = pthread_create(&made->thread, &attributes, serve, made);
    (void)pthread_attr_destroy(&attributes);
    return failed;
}

/* Takes the descriptor over. False where there is no memory or thread for it. */
static bool admit(tlm_connections *connections, int file, const tlm_peer *peer)
{
    connection *made = calloc(1, sizeof *made);
    if (made == NULL) {
        (void)close(file);
        return false;
    }
    *made = (connection){.all = connections, .file = file, .peer = *peer};
    int failed = start_thread(made);
    if (failed != 0) {
        static tlm_log_limit limit = {.burst = 5, .seconds = 60};
        unsigned suppressed = 0;
        if (tlm_log_allow(&limit, &suppressed)) {
            tlm_log(TLM_LOG_ERROR, "no_thread", "cause=\"%s\" suppressed=%u", strerror(failed),
                    suppressed);
        }
        (void)close(file);
        free(made);
        return false;
    }
    made->next = connections->first;
    connections->first = made;
    connections->count++;
    tlm_log(TLM_LOG_DEBUG, "client", "uid=%lu pid=%ld connections=%zu", (unsigned long)peer->uid,
            (long)peer->pid, connections->count);
    return true;
}

static bool receive(tlm_connections *connections, int file)
{
    tlm_peer peer;
    tlm_error error = {0};
    if (tlm_peer_read(file, &peer, &error) != TLM_OK) {
        static tlm_log_limit limit = {.burst = 5, .seconds = 60};
        if (tlm_log_allow(&limit, NULL)) {
            tlm_log_error(&error, "peer_unknown", NULL);
        }
        (void)close(file);
        return true;
    }
    if (is_beyond_limit(connections, &peer)) {
        tlm_audit_refused(&peer, "", TLM_AUDIT_NO_MECHANISM, "connect", CKR_SESSION_COUNT);
        (void)close(file);
        return true;
    }
    return admit(connections, file, &peer);
}

bool tlm_connections_accept(tlm_connections *connections, int listener)
{
    for (;;) {
        int file = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (file >= 0) {
            if (!receive(connections, file)) {
                return false;
            }
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) {
            continue;
        }
        if (errno == EAGAIN) {
            return true;
        }
        static tlm_log_limit limit = {.burst = 5, .seconds = 60};
        if (tlm_log_allow(&limit, NULL)) {
            tlm_error error = {0};
            (void)tlm_error_set_errno(&error, "look at ulimit -n, or lower Pkcs11.MaxClients",
                                      "accepting a client");
            tlm_log_error(&error, "accept_failed", NULL);
        }
        return false;
    }
}

void tlm_connections_reap(tlm_connections *connections)
{
    connection **link = &connections->first;
    while (*link != NULL) {
        connection *at = *link;
        if (!atomic_load(&at->ended)) {
            link = &at->next;
            continue;
        }
        (void)pthread_join(at->thread, NULL);
        (void)close(at->file);
        *link = at->next;
        connections->count--;
        free(at);
    }
}

size_t tlm_connections_count(const tlm_connections *connections)
{
    return connections->count;
}

size_t tlm_connections_stop(tlm_connections *connections, int wait_ms)
{
    for (const connection *at = connections->first; at != NULL; at = at->next) {
        (void)shutdown(at->file, SHUT_RDWR);
    }
    int64_t until = tlm_clock_now() + wait_ms;
    struct pollfd file = {.fd = connections->config.wake, .events = POLLIN};
    for (;;) {
        uint64_t times = 0;
        ssize_t done = read(file.fd, &times, sizeof times);
        (void)done;
        tlm_connections_reap(connections);
        int64_t left = until - tlm_clock_now();
        if (connections->count == 0 || left <= 0) {
            return connections->count;
        }
        (void)poll(&file, 1, (int)left);
    }
}

void tlm_connections_free(tlm_connections **connections)
{
    if (connections == NULL || *connections == NULL) {
        return;
    }
    free(*connections);
    *connections = NULL;
}
