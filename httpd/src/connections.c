/* SPDX-License-Identifier: BSD-2-Clause */
#include "connections.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "reply.h"

/* The kernel's TCP_CLOSE_WAIT; netinet/tcp.h names it, but its tcp_info counts no bytes. */
#define STATE_CLOSE_WAIT 8

/* How long a connection above the limit may take to ask and be told so. */
#define OVER_MS 1000

#define LATE_BODY                                                                                  \
    "{\"type\":\"about:blank\",\"title\":\"Request Timeout\",\"status\":408,"                      \
    "\"code\":\"request-timeout\",\"detail\":\"the request did not arrive whole in time\"}"
#define OVER_BODY                                                                                  \
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"                  \
    "\"code\":\"too-many-connections\",\"detail\":\"the limit of connections is reached\"}"

#define HEAD_END                                                                                   \
    "Content-Type: application/problem+json\r\nCache-Control: no-store\r\nConnection: close\r\n"   \
    "\r\n"

static const char late_answer[] =
    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 138\r\n" HEAD_END LATE_BODY;
static const char over_answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 142\r\n"
                                  "Retry-After: " TLM_REPLY_RETRY_AFTER "\r\n" HEAD_END OVER_BODY;

_Static_assert(sizeof LATE_BODY - 1 == 138, "Content-Length of the late answer");
_Static_assert(sizeof OVER_BODY - 1 == 142, "Content-Length of the answer over the limit");

tlm_connection *tlm_connections_add(tlm_connections *connections, int file, int64_t now_ms)
{
    tlm_connection *added = calloc(1, sizeof *added);
    if (added == NULL) {
        return NULL;
    }
    added->file = file;
    added->quiet_ms = now_ms;
    atomic_init(&added->secured, !connections->tls);
    (void)pthread_mutex_lock(&connections->lock);
    added->next = connections->first;
    if (added->next != NULL) {
        added->next->previous = added;
    }
    connections->first = added;
    connections->count++;
    added->over = connections->count > connections->limit;
    (void)pthread_mutex_unlock(&connections->lock);
    return added;
}

void tlm_connections_remove(tlm_connections *connections, tlm_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&connections->lock);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        connections->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    connections->count--;
    (void)pthread_mutex_unlock(&connections->lock);
    free(connection);
}

/* Fills in zeros where the kernel does not tell. */
static void ask_kernel(int file, struct tcp_info *info)
{
    socklen_t size = sizeof *info;
    *info = (struct tcp_info){0};
    (void)getsockopt(file, IPPROTO_TCP, TCP_INFO, info, &size);
}

/*
 * Brings the sweep's view of a connection up to date. Where a request was served since the last
 * look, bytes of the next one may be in already: they count as the last one's, so that a request is
 * never thought older than it is.
 */
static void look(tlm_connection *connection, int64_t now_ms)
{
    unsigned served = atomic_load_explicit(&connection->served, memory_order_relaxed);
    struct tcp_info info;
    ask_kernel(connection->file, &info);
    if (atomic_load_explicit(&connection->calling, memory_order_relaxed)) {
        /* What comes in meanwhile is the next request, which nobody reads before its turn. */
        connection->seen = served - 1;
        connection->half_closed = false;
        connection->gone = false;
        connection->quiet_ms = now_ms;
        connection->busy_ms = 0;
        return;
    }
    bool half_closed = info.tcpi_state == STATE_CLOSE_WAIT;
    connection->gone = half_closed && connection->half_closed && served == connection->seen;
    connection->half_closed = half_closed;
    if (served != connection->seen) {
        connection->seen = served;
        connection->bytes = info.tcpi_bytes_received;
        connection->quiet_ms = now_ms;
        connection->busy_ms = 0;
    } else if (info.tcpi_bytes_received != connection->bytes && connection->busy_ms == 0) {
        connection->busy_ms = now_ms;
    }
}

/* Late by its bytes or, where the kernel does not count them, by idle time and deadline together.
 */
static bool is_late(const tlm_connections *connections, const tlm_connection *connection,
                    int64_t now_ms)
{
    if (!atomic_load_explicit(&connection->secured, memory_order_relaxed)) {
        return now_ms - connection->quiet_ms >= connections->deadline_ms;
    }
    if (connection->busy_ms != 0 && now_ms - connection->busy_ms >= connections->deadline_ms) {
        return true;
    }
    return now_ms - connection->quiet_ms >= connections->idle_ms + connections->deadline_ms;
}

/* Says why and ends the connection; its server thread reads the end and closes the socket. */
static void end_connection(const tlm_connections *connections, tlm_connection *connection,
                           const char *answer, size_t size)
{
    if (!connections->tls) {
        (void)send(connection->file, answer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    (void)shutdown(connection->file, SHUT_RDWR);
    connection->ended = true;
}

tlm_sweep tlm_connections_sweep(tlm_connections *connections, int64_t now_ms)
{
    tlm_sweep done = {0};
    (void)pthread_mutex_lock(&connections->lock);
    for (tlm_connection *at = connections->first; at != NULL; at = at->next) {
        if (at->ended) {
            continue;
        }
        look(at, now_ms);
        bool secured = atomic_load_explicit(&at->secured, memory_order_relaxed);
        if (at->over && secured && now_ms - at->quiet_ms >= OVER_MS) {
            end_connection(connections, at, over_answer, sizeof over_answer - 1);
            done.over++;
        } else if (is_late(connections, at, now_ms)) {
            end_connection(connections, at, late_answer, sizeof late_answer - 1);
            done.late++;
        } else if (at->gone) {
            (void)shutdown(at->file, SHUT_RDWR);
            at->ended = true;
            done.closed++;
        }
    }
    done.left = connections->count;
    (void)pthread_mutex_unlock(&connections->lock);
    return done;
}

tlm_sweep tlm_connections_drain(tlm_connections *connections, int64_t now_ms)
{
    tlm_sweep done = {0};
    (void)pthread_mutex_lock(&connections->lock);
    for (tlm_connection *at = connections->first; at != NULL; at = at->next) {
        if (at->ended) {
            continue;
        }
        look(at, now_ms);
        bool calling = atomic_load_explicit(&at->calling, memory_order_relaxed);
        if (!calling && (at->busy_ms == 0 || at->gone)) {
            /* What was sent to it still gets there; what it asks from now on does not. */
            (void)shutdown(at->file, SHUT_RD);
            at->ended = true;
            done.closed++;
        }
    }
    done.left = connections->count;
    (void)pthread_mutex_unlock(&connections->lock);
    return done;
}
