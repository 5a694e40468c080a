/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_FAKE_ENGINE_H
#define TLM_TEST_FAKE_ENGINE_H

/*
 * A container engine that answers what a test wants, one connection after the other, on a unix
 * socket or on TCP. What goes wrong here fails the test at once.
 *
 *     tlm_fake_engine engine;
 *     tlm_fake_engine_new(&engine);
 *     tlm_fake_engine_vectors(&engine, "docker-20.10");
 *     tlm_fake_engine_rule(&engine, "GET /version", 500, "{}", TLM_FAKE_PLAIN);
 *     tlm_fake_engine_start(&engine, path);
 *     tlm_fake_engine_stop(&engine);
 */

#include <pthread.h>
#include <stddef.h>

typedef enum tlm_fake_engine_manner {
    TLM_FAKE_PLAIN,
    TLM_FAKE_HANG,   /* says nothing until the peer goes */
    TLM_FAKE_DRIP,   /* a byte at a time, for ever */
    TLM_FAKE_BREAK,  /* closes in the middle of the body */
    TLM_FAKE_NO_HTTP /* the body alone, without status line and headers */
} tlm_fake_engine_manner;

#define TLM_FAKE_RULES 12

typedef struct tlm_fake_engine {
    pthread_t thread;
    pthread_mutex_t lock;
    int listener;
    int stop;
    unsigned port;
    char path[108];
    struct {
        char request[160]; /* what the request line begins with, the latest rule first */
        int status;
        char *body;
        size_t size;
        tlm_fake_engine_manner manner;
    } rules[TLM_FAKE_RULES];
    size_t rule_count;
    unsigned asked; /* requests so far */
    unsigned posts;
    unsigned hanging; /* peers that were let wait */
    char last[512];   /* the last request line */
} tlm_fake_engine;

void tlm_fake_engine_new(tlm_fake_engine *self);

/* Whatever begins so is answered so. Rules may be added and taken away while it serves. */
void tlm_fake_engine_rule(tlm_fake_engine *self, const char *request, int status, const char *body,
                          tlm_fake_engine_manner manner);
/* The same with a body that malloc gave, which is taken. */
void tlm_fake_engine_rule_bytes(tlm_fake_engine *self, const char *request, int status, char *body,
                                size_t size, tlm_fake_engine_manner manner);
/* The same with a file of tests/vectors/engine, without its ending. */
void tlm_fake_engine_vector(tlm_fake_engine *self, const char *request, const char *vector);
/* The recorded answers of an engine, and what an engine says of containers it does not have. */
void tlm_fake_engine_vectors(tlm_fake_engine *self, const char *engine);
/* Takes the latest rule away, or all. */
void tlm_fake_engine_unrule(tlm_fake_engine *self);
void tlm_fake_engine_forget_rules(tlm_fake_engine *self);

/* At a path, or where that is NULL on TCP: 127.0.0.1 and self->port. */
void tlm_fake_engine_start(tlm_fake_engine *self, const char *path);
/* Takes the socket and the rules away, too. */
void tlm_fake_engine_stop(tlm_fake_engine *self);

/* A counter of it, while it serves. */
unsigned tlm_fake_engine_count(tlm_fake_engine *self, const unsigned *counter);

#endif
