/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SERVER_H
#define TLM_SERVER_H

/*
 * The HTTP server: libmicrohttpd with one epoll thread, routes, limits and deadlines. With TLS it
 * has one thread for each connection: a handshake waits for the token's signature, and only its own
 * peer may be kept waiting by that.
 *
 * A request that waits for the licensing service is suspended; under TLS its own thread waits
 * (libmicrohttpd 0.9.75 wakes suspended threads of connections through one shared event, which the
 * first of them takes from the others).
 *
 *     tlm_server_config config = {.listener = &listener, .answers = answers, .api = api,
 *                                 .connections = 2048, .idle_seconds = 60, .deadline_seconds = 10};
 *     tlm_server *server = NULL;
 *     result = tlm_server_start(&config, &server, &error);
 *     tlm_server_sweep(server);      // once a second
 *     tlm_server_drain(server, 3000);
 *     tlm_server_stop(&server);
 */

#include <stddef.h>

#include <tlm/result.h>

#include "answers.h"
#include "api.h"
#include "listen.h"
#include "tls.h"

typedef struct tlm_server tlm_server;

typedef struct tlm_server_config {
    tlm_listener *listener; /* the server takes its socket over */
    tlm_answers *answers;   /* all documents set; outlives the server */
    tlm_api *api;           /* outlives the server */
    tlm_tls *tls;           /* NULL: plain HTTP; outlives the server */
    unsigned connections;   /* served at a time; more are answered with 503 */
    unsigned idle_seconds;
    unsigned deadline_seconds;
} tlm_server_config;

/* A request line and its headers must fit, with what libmicrohttpd keeps beside them. */
#define TLM_SERVER_CONNECTION_MEMORY 8192U

/* Of a request that is refused, so much of its body is read; a larger one ends the connection. */
#define TLM_SERVER_BODY_MAX 65536U

/* How many descriptors `connections` connections need, with the room for saying 503 to more. */
size_t tlm_server_files(unsigned connections);

/* Starts to answer. Signals that the program waits for must be blocked before. */
TLM_CHECKED tlm_result tlm_server_start(const tlm_server_config *config, tlm_server **server,
                                        tlm_error *error);

/* Ends connections whose request is late. For one thread other than the server's, once a second. */
void tlm_server_sweep(tlm_server *server);

/*
 * Takes no more connections, closes idle ones, and waits up to `wait_ms` for requests under way.
 * Returns how many connections were still open then.
 */
size_t tlm_server_drain(tlm_server *server, unsigned wait_ms);

/*
 * Closes what is open and ends the thread. Every call must have been answered: tlm_api_close and
 * tlm_licensing_stop come before. Accepts NULL.
 */
void tlm_server_stop(tlm_server **server);

#endif
