/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CONNECTIONS_H
#define TLM_CONNECTIONS_H

/*
 * Every open connection, its deadline, and the limit on their number.
 *
 * libmicrohttpd's own timeout starts again with each byte, so a client that drips bytes holds its
 * connection for ever. Here a sweep, once a second, asks the kernel how many bytes each connection
 * received: one that is past the bytes of its last whole request has a request under way, and that
 * must be whole within the deadline. The request path itself costs one store. The sweep also ends
 * connections whose peer sends no more: libmicrohttpd 0.9.75 misses that where the end came with
 * the last bytes, and would keep them until the idle timeout.
 *
 * Under TLS the handshake has the same deadline, counted from the connection's beginning, and what
 * is late gets no answer: bytes beside GnuTLS would only look like a damaged record.
 *
 *     tlm_connection *connection = tlm_connections_add(&connections, file);
 *     tlm_connection_served(connection);             // the request arrived whole
 *     tlm_connections_sweep(&connections, now_ms);   // from another thread
 *     tlm_connections_remove(&connections, connection);
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caller.h"

typedef struct tlm_connection {
    struct tlm_connection *next;
    struct tlm_connection *previous;
    int file;
    bool over;           /* above the limit: is told so and closed */
    bool ended;          /* shut down by the sweep */
    atomic_uint served;  /* requests that arrived whole, and a handshake that came to its end */
    atomic_bool secured; /* the handshake came to its end; always so without TLS */
    atomic_bool calling; /* its request is whole and waits for the licensing service */
    tlm_caller caller;   /* who is at the other end */
    struct tlm_request *request;             /* the one under way, below /api/v1, else NULL */
    struct tlm_tls_credentials *credentials; /* the TLS session's, else NULL */
    unsigned seen;                           /* the sweep's: `served` when it last looked */
    uint64_t bytes;   /* the sweep's: received up to the last whole request */
    int64_t quiet_ms; /* the sweep's: when it was opened, or last served a request */
    int64_t busy_ms;  /* the sweep's: since when a request is under way; 0: none is */
    bool half_closed; /* the sweep's: the peer sends no more */
    bool gone;        /* the sweep's: and nothing was served since that was seen */
} tlm_connection;

typedef struct tlm_connections {
    pthread_mutex_t lock;
    tlm_connection *first;
    size_t count;
    bool tls;
    size_t limit;        /* connections above it are `over` */
    int64_t idle_ms;     /* after which libmicrohttpd closes an idle connection */
    int64_t deadline_ms; /* for a request to arrive whole */
} tlm_connections;

/* What a sweep did, for the log. */
typedef struct tlm_sweep {
    size_t late;   /* shut down: request not whole in time */
    size_t over;   /* shut down: above the limit and silent */
    size_t closed; /* shut down: the peer sends no more; by a drain also idle ones */
    size_t left;   /* connections that are still open */
} tlm_sweep;

/* Adds a connection; NULL where memory is out, which the server treats as being over the limit. */
tlm_connection *tlm_connections_add(tlm_connections *connections, int file, int64_t now_ms);

/* Takes it out and frees it. Call it while the socket is still open: the sweep may be using it. */
void tlm_connections_remove(tlm_connections *connections, tlm_connection *connection);

static inline void tlm_connection_served(tlm_connection *connection)
{
    /* One writer, the server's thread: no locked instruction is needed. */
    unsigned served = atomic_load_explicit(&connection->served, memory_order_relaxed);
    atomic_store_explicit(&connection->served, served + 1, memory_order_relaxed);
}

/*
 * A request waits for the service, or does so no more: meanwhile the peer owes nothing, and the
 * sweep lets it be.
 */
static inline void tlm_connection_calling(tlm_connection *connection, bool calling)
{
    tlm_connection_served(connection);
    atomic_store_explicit(&connection->calling, calling, memory_order_relaxed);
}

/* The TLS handshake is over: what is received from now on is a request. */
static inline void tlm_connection_secured(tlm_connection *connection)
{
    atomic_store_explicit(&connection->secured, true, memory_order_relaxed);
    tlm_connection_served(connection);
}

/*
 * Looks at every connection. One whose request is late gets a 408, one above the limit that does
 * not ask gets a 503, and both are shut down; the server's thread then sees their end.
 */
tlm_sweep tlm_connections_sweep(tlm_connections *connections, int64_t now_ms);

/* Closes what is idle, lets requests under way come to their end. Call it until `left` is 0. */
tlm_sweep tlm_connections_drain(tlm_connections *connections, int64_t now_ms);

#endif
