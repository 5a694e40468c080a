/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_ENGINE_FIXTURE_H
#define TLM_TEST_ENGINE_FIXTURE_H

/*
 * A container engine that answers what a test wants, one connection after the other, on a unix
 * socket or on TCP.
 *
 *     engine_new(&engine);
 *     engine_vectors(&engine, "docker-20.10");
 *     engine_start(&engine, path);                    path NULL: on TCP, at engine.port
 *     engine_rule(&engine, "GET /version", 500, "{}", PLAIN);
 *     engine_stop(&engine);
 */

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef enum engine_manner {
    PLAIN,
    HANG,   /* says nothing until the peer goes */
    DRIP,   /* a byte at a time, for ever */
    BREAK,  /* closes in the middle of the body */
    NO_HTTP /* the body alone, without status line and headers */
} engine_manner;

#define ENGINE_RULES 12

typedef struct engine_fake {
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
        engine_manner manner;
    } rules[ENGINE_RULES];
    size_t rule_count;
    unsigned asked; /* requests so far */
    unsigned posts;
    unsigned hanging; /* peers that were let wait */
    char last[512];   /* the last request line */
} engine_fake;

static void engine_rule_bytes(engine_fake *self, const char *request, int status, char *body,
                              size_t size, engine_manner manner)
{
    (void)pthread_mutex_lock(&self->lock);
    assert_true(self->rule_count < ENGINE_RULES);
    size_t at = self->rule_count++;
    (void)snprintf(self->rules[at].request, sizeof self->rules[at].request, "%s", request);
    self->rules[at].status = status;
    self->rules[at].body = body;
    self->rules[at].size = size;
    self->rules[at].manner = manner;
    (void)pthread_mutex_unlock(&self->lock);
}

static void engine_rule(engine_fake *self, const char *request, int status, const char *body,
                        engine_manner manner)
{
    char *copy = strdup(body);
    assert_non_null(copy);
    engine_rule_bytes(self, request, status, copy, strlen(copy), manner);
}

static void engine_forget_rules(engine_fake *self)
{
    (void)pthread_mutex_lock(&self->lock);
    while (self->rule_count > 0) {
        free(self->rules[--self->rule_count].body);
    }
    (void)pthread_mutex_unlock(&self->lock);
}

/* Takes the latest rule away. */
static inline void engine_unrule(engine_fake *self)
{
    (void)pthread_mutex_lock(&self->lock);
    free(self->rules[--self->rule_count].body);
    (void)pthread_mutex_unlock(&self->lock);
}

static void engine_vector(engine_fake *self, const char *request, const char *vector)
{
    char path[512];
    (void)snprintf(path, sizeof path, TLM_ENGINE_VECTORS "/%s.json", vector);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *body = calloc(1, 65536);
    assert_non_null(body);
    size_t size = fread(body, 1, 65536, file);
    assert_int_equal(fclose(file), 0);
    engine_rule_bytes(self, request, 200, body, size, PLAIN);
}

/* The recorded answers of an engine, and what an engine says of containers it does not have. */
static void engine_vectors(engine_fake *self, const char *engine)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s-version", engine);
    engine_vector(self, "GET /version ", name);
    (void)snprintf(name, sizeof name, "%s-container", engine);
    engine_vector(self, "GET /v1.", name);
    (void)snprintf(name, sizeof name, "%s-image", engine);
    engine_vector(self, "GET /v1.41/images/", name);
    engine_rule(self, "POST ", 404, "{\"message\":\"No such container: 0000\"}", PLAIN);
}

static void engine_send(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = send(file, data, size, MSG_NOSIGNAL);
        if (done <= 0) {
            return;
        }
        data += done;
        size -= (size_t)done;
    }
}

/* Until the peer or the test has had enough. */
static void engine_wait(engine_fake *self, int file, bool drip)
{
    struct pollfd files[2] = {{.fd = file, .events = POLLIN | POLLRDHUP},
                              {.fd = self->stop, .events = POLLIN}};
    while (poll(files, 2, drip ? 20 : -1) == 0) {
        engine_send(file, " ", 1);
    }
}

static void engine_answer(engine_fake *self, int file, const char *request)
{
    char head[256];
    (void)pthread_mutex_lock(&self->lock);
    size_t i = self->rule_count;
    while (i > 0 &&
           strncmp(request, self->rules[i - 1].request, strlen(self->rules[i - 1].request)) != 0) {
        i--;
    }
    int status = i > 0 ? self->rules[i - 1].status : 404;
    size_t size = i > 0 ? self->rules[i - 1].size : 0;
    engine_manner manner = i > 0 ? self->rules[i - 1].manner : PLAIN;
    char *body = malloc(size + 1);
    if (body != NULL && size > 0) {
        memcpy(body, self->rules[i - 1].body, size);
    }
    self->hanging += manner == HANG || manner == DRIP ? 1 : 0;
    (void)pthread_mutex_unlock(&self->lock);
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n"
                          "Location: http://localhost/version\r\nContent-Length: %zu\r\n\r\n",
                          status, manner == PLAIN ? size : size + 1000000);
    if (manner == HANG) {
        engine_wait(self, file, false);
    } else if (body != NULL) {
        engine_send(file, head, manner == NO_HTTP ? 0 : (size_t)length);
        engine_send(file, body, size);
    }
    if (manner == DRIP) {
        engine_wait(self, file, true);
    }
    free(body);
}

static void engine_serve(engine_fake *self, int file)
{
    char request[2048] = "";
    size_t size = 0;
    while (size < sizeof request - 1 && strstr(request, "\r\n\r\n") == NULL) {
        ssize_t done = recv(file, request + size, sizeof request - 1 - size, 0);
        if (done <= 0) {
            return;
        }
        size += (size_t)done;
        request[size] = '\0';
    }
    request[strcspn(request, "\r\n")] = '\0';
    (void)pthread_mutex_lock(&self->lock);
    self->asked++;
    self->posts += strncmp(request, "POST ", 5) == 0 ? 1 : 0;
    (void)snprintf(self->last, sizeof self->last, "%s", request);
    (void)pthread_mutex_unlock(&self->lock);
    engine_answer(self, file, request);
}

static void *engine_work(void *context)
{
    engine_fake *self = context;
    struct pollfd files[2] = {{.fd = self->listener, .events = POLLIN},
                              {.fd = self->stop, .events = POLLIN}};
    while (poll(files, 2, -1) > 0 && files[1].revents == 0) {
        int file = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
        if (file >= 0) {
            engine_serve(self, file);
            (void)close(file);
        }
    }
    return NULL;
}

static void engine_bind(engine_fake *self, const char *path)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in inet;
    } address = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof address.inet;
    if (path != NULL) {
        address.local.sun_family = AF_UNIX;
        (void)snprintf(address.local.sun_path, sizeof address.local.sun_path, "%s", path);
        (void)snprintf(self->path, sizeof self->path, "%s", path);
        size = sizeof address.local;
    } else {
        address.inet = (struct sockaddr_in){.sin_family = AF_INET,
                                            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    }
    self->listener = socket(path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(self->listener >= 0);
    assert_int_equal(bind(self->listener, &address.any, size), 0);
    assert_int_equal(listen(self->listener, 8), 0);
    if (path == NULL) {
        assert_int_equal(getsockname(self->listener, &address.any, &size), 0);
        self->port = ntohs(address.inet.sin_port);
    }
}

static void engine_new(engine_fake *self)
{
    *self = (engine_fake){.listener = -1};
    (void)pthread_mutex_init(&self->lock, NULL);
}

static void engine_start(engine_fake *self, const char *path)
{
    self->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(self->stop >= 0);
    engine_bind(self, path);
    assert_int_equal(pthread_create(&self->thread, NULL, engine_work, self), 0);
}

static void engine_stop(engine_fake *self)
{
    assert_int_equal(eventfd_write(self->stop, 1), 0);
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    (void)close(self->listener);
    (void)close(self->stop);
    if (self->path[0] != '\0') {
        (void)unlink(self->path);
    }
    engine_forget_rules(self);
    (void)pthread_mutex_destroy(&self->lock);
}

static unsigned engine_count(engine_fake *self, const unsigned *counter)
{
    (void)pthread_mutex_lock(&self->lock);
    unsigned count = *counter;
    (void)pthread_mutex_unlock(&self->lock);
    return count;
}

#endif
