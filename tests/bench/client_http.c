/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 65536U

int bench_connect(unsigned port)
{
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0) {
        return -1;
    }
    struct timeval patience = {.tv_sec = 10};
    int on = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(file, (const struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(file);
        return -1;
    }
    return file;
}

unsigned bench_free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool found = file >= 0 && bind(file, (const struct sockaddr *)&at, sizeof at) == 0 &&
                 getsockname(file, (struct sockaddr *)&at, &size) == 0;
    if (file >= 0) {
        (void)close(file);
    }
    return found ? ntohs(at.sin_port) : 0;
}

size_t bench_answer_size(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\nContent-Length:");
    if (body == NULL || length == NULL || length > body) {
        return 0;
    }
    return (size_t)(body + 4 - text) + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

unsigned bench_answer_status(const char *text)
{
    static const char line[] = "HTTP/1.1 ";
    return strncmp(text, line, sizeof line - 1) == 0
               ? (unsigned)strtoul(text + sizeof line - 1, NULL, 10)
               : 0;
}

bool bench_exchange(int file, const char *request, size_t size, unsigned *status)
{
    static char answer[ANSWER_MAX];
    if (send(file, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
        return false;
    }
    size_t had = 0;
    size_t whole = 0;
    while (whole == 0 || had < whole) {
        ssize_t got = recv(file, answer + had, sizeof answer - 1 - had, 0);
        if (got <= 0) {
            return false;
        }
        had += (size_t)got;
        answer[had] = '\0';
        whole = bench_answer_size(answer);
    }
    *status = bench_answer_status(answer);
    return *status != 0;
}

bool bench_ask(int file, const char *path, unsigned *status)
{
    char request[256];
    int size =
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    return size > 0 && (size_t)size < sizeof request &&
           bench_exchange(file, request, (size_t)size, status);
}

size_t bench_request_lease(char *request, size_t room, const char *feature, const char *client)
{
    char body[512];
    int size =
        snprintf(body, sizeof body, "{\"feature\":\"%s\",\"client\":\"%s\"}", feature, client);
    if (size < 0 || (size_t)size >= sizeof body) {
        return 0;
    }
    size = snprintf(request, room,
                    "POST /api/v1/leases HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                    size, body);
    return size > 0 && (size_t)size < room ? (size_t)size : 0;
}

int bench_request(int argc, char **argv)
{
    long port = 0;
    long count = 0;
    if (argc != 3 || !bench_number(argv[0], 1, 65535, &port) ||
        !bench_number(argv[2], 1, 1000000, &count)) {
        (void)fputs("bench-client request: PORT PATH COUNT are needed\n", stderr);
        return 2;
    }
    int file = bench_connect((unsigned)port);
    for (long i = 0; i < count; i++) {
        unsigned status = 0;
        if (file < 0 || !bench_ask(file, argv[1], &status) || status != 200) {
            (void)fprintf(stderr, "bench-client request: %s was not answered with 200\n", argv[1]);
            return 1;
        }
    }
    (void)close(file);
    return 0;
}
