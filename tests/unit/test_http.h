/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_HTTP_H
#define TLM_TEST_HTTP_H

/*
 * A client of HTTP that says exactly what a test wants said.
 *
 *     http_reply got;
 *     int file = http_open(port);
 *     http_ask(file, "GET", "/health", &got);
 *     assert_int_equal(got.status, 200);
 */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static inline void http_patience(int file)
{
    struct timeval patience = {.tv_sec = 10};
    assert_int_equal(setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
}

static inline int http_open(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    assert_int_equal(connect(file, (struct sockaddr *)&to, sizeof to), 0);
    int on = 1;
    /* Head and body are sent apart, and the second must not wait for the first's receipt. */
    assert_int_equal(setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    http_patience(file);
    return file;
}

static inline void http_send(int file, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t done = send(file, text, size, MSG_NOSIGNAL);
        assert_true(done > 0);
        text += done;
        size -= (size_t)done;
    }
}

/* One answer, whole by its Content-Length; "" where the connection ended first. */
typedef struct http_reply {
    char text[8192];
    unsigned status;
    const char *body;
} http_reply;

static inline bool http_whole(const http_reply *got, size_t used, bool head)
{
    const char *end = strstr(got->text, "\r\n\r\n");
    const char *length = strstr(got->text, "Content-Length: ");
    if (end == NULL || length == NULL) {
        return false;
    }
    size_t body = head ? 0 : strtoul(length + 16, NULL, 10);
    return used >= (size_t)(end + 4 - got->text) + body;
}

static inline void http_receive(int file, http_reply *got, bool head)
{
    size_t used = 0;
    *got = (http_reply){.status = 0};
    got->body = got->text;
    while (used < sizeof got->text - 1 && !http_whole(got, used, head)) {
        ssize_t more = recv(file, got->text + used, sizeof got->text - 1 - used, 0);
        if (more <= 0) {
            return;
        }
        used += (size_t)more;
        got->text[used] = '\0';
    }
    assert_memory_equal(got->text, "HTTP/1.1 ", 9);
    got->status = (unsigned)strtoul(got->text + 9, NULL, 10);
    got->body = strstr(got->text, "\r\n\r\n") + 4;
}

static inline void http_ask(int file, const char *method, const char *path, http_reply *got)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, path);
    http_send(file, text);
    http_receive(file, got, strcmp(method, "HEAD") == 0);
}

static inline bool http_closed(int file)
{
    char byte;
    return recv(file, &byte, 1, 0) <= 0;
}

static inline void http_pause(long ms)
{
    struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&step, NULL);
}

#endif
