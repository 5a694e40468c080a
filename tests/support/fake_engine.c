/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_engine.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

void tlm_fake_engine_rule_bytes(tlm_fake_engine *self, const char *request, int status, char *body,
                                size_t size, tlm_fake_engine_manner manner)
{
    (void)pthread_mutex_lock(&self->lock);
    assert_true(self->rule_count < TLM_FAKE_RULES);
    size_t at = self->rule_count++;
    (void)snprintf(self->rules[at].request, sizeof self->rules[at].request, "%s", request);
    self->rules[at].status = status;
    self->rules[at].body = body;
    self->rules[at].size = size;
    self->rules[at].manner = manner;
    (void)pthread_mutex_unlock(&self->lock);
}

void tlm_fake_engine_rule(tlm_fake_engine *self, const char *request, int status, const char *body,
                          tlm_fake_engine_manner manner)
{
    char *copy = strdup(body);
    assert_non_null(copy);
    tlm_fake_engine_rule_bytes(self, request, status, copy, strlen(copy), manner);
}

void tlm_fake_engine_forget_rules(tlm_fake_engine *self)
{
    (void)pthread_mutex_lock(&self->lock);
    while (self->rule_count > 0) {
        free(self->rules[--self->rule_count].body);
    }
    (void)pthread_mutex_unlock(&self->lock);
}

void tlm_fake_engine_unrule(tlm_fake_engine *self)
{
    (void)pthread_mutex_lock(&self->lock);
    free(self->rules[--self->rule_count].body);
    (void)pthread_mutex_unlock(&self->lock);
}

void tlm_fake_engine_vector(tlm_fake_engine *self, const char *request, const char *vector)
{
    char path[512];
    (void)snprintf(path, sizeof path, TLM_TEST_VECTORS "/engine/%s.json", vector);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *body = calloc(1, 65536);
    assert_non_null(body);
    size_t size = fread(body, 1, 65536, file);
    assert_int_equal(fclose(file), 0);
    tlm_fake_engine_rule_bytes(self, request, 200, body, size, TLM_FAKE_PLAIN);
}

void tlm_fake_engine_vectors(tlm_fake_engine *self, const char *engine)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s-version", engine);
    tlm_fake_engine_vector(self, "GET /version ", name);
    (void)snprintf(name, sizeof name, "%s-container", engine);
    tlm_fake_engine_vector(self, "GET /v1.", name);
    (void)snprintf(name, sizeof name, "%s-image", engine);
    tlm_fake_engine_vector(self, "GET /v1.41/images/", name);
    tlm_fake_engine_rule(self, "POST ", 404, "{\"message\":\"No such container: 0000\"}",
                         TLM_FAKE_PLAIN);
}

static void send_all(int file, const char *data, size_t size)
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
static void wait_for_peer(tlm_fake_engine *self, int file, bool drip)
{
    struct pollfd files[2] = {{.fd = file, .events = POLLIN | POLLRDHUP},
                              {.fd = self->stop, .events = POLLIN}};
    while (poll(files, 2, drip ? 20 : -1) == 0) {
        send_all(file, " ", 1);
    }
}

static void answer(tlm_fake_engine *self, int file, const char *request)
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
    tlm_fake_engine_manner manner = i > 0 ? self->rules[i - 1].manner : TLM_FAKE_PLAIN;
    char *body = malloc(size + 1);
    if (body != NULL && size > 0) {
        memcpy(body, self->rules[i - 1].body, size);
    }
    self->hanging += manner == TLM_FAKE_HANG || manner == TLM_FAKE_DRIP ? 1 : 0;
    (void)pthread_mutex_unlock(&self->lock);
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n"
                          "Location: http://localhost/version\r\nContent-Length: %zu\r\n\r\n",
                          status, manner == TLM_FAKE_PLAIN ? size : size + 1000000);
    if (manner == TLM_FAKE_HANG) {
        wait_for_peer(self, file, false);
    } else if (body != NULL) {
        send_all(file, head, manner == TLM_FAKE_NO_HTTP ? 0 : (size_t)length);
        send_all(file, body, size);
    }
    if (manner == TLM_FAKE_DRIP) {
        wait_for_peer(self, file, true);
    }
    free(body);
}

static void serve(tlm_fake_engine *self, int file)
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
    answer(self, file, request);
}

static void *work(void *context)
{
    tlm_fake_engine *self = context;
    struct pollfd files[2] = {{.fd = self->listener, .events = POLLIN},
                              {.fd = self->stop, .events = POLLIN}};
    while (poll(files, 2, -1) > 0 && files[1].revents == 0) {
        int file = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
        if (file >= 0) {
            serve(self, file);
            (void)close(file);
        }
    }
    return NULL;
}

static void bind_listener(tlm_fake_engine *self, const char *path)
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

void tlm_fake_engine_new(tlm_fake_engine *self)
{
    *self = (tlm_fake_engine){.listener = -1};
    (void)pthread_mutex_init(&self->lock, NULL);
}

void tlm_fake_engine_start(tlm_fake_engine *self, const char *path)
{
    self->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(self->stop >= 0);
    bind_listener(self, path);
    assert_int_equal(pthread_create(&self->thread, NULL, work, self), 0);
}

void tlm_fake_engine_stop(tlm_fake_engine *self)
{
    assert_int_equal(eventfd_write(self->stop, 1), 0);
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    (void)close(self->listener);
    (void)close(self->stop);
    if (self->path[0] != '\0') {
        (void)unlink(self->path);
    }
    tlm_fake_engine_forget_rules(self);
    (void)pthread_mutex_destroy(&self->lock);
}

unsigned tlm_fake_engine_count(tlm_fake_engine *self, const unsigned *counter)
{
    (void)pthread_mutex_lock(&self->lock);
    unsigned count = *counter;
    (void)pthread_mutex_unlock(&self->lock);
    return count;
}
