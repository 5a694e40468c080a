/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/health.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 512
/* The header and what of the body is shown; the rest is not waited for. */
#define REPLY_MAX 4096

typedef struct exchange {
    int socket;
    int64_t deadline; /* milliseconds of CLOCK_MONOTONIC */
    tlm_health_answer *answer;
} exchange;

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool fail(tlm_health_answer *answer, const char *what, const char *where, const char *why)
{
    (void)snprintf(answer->text, sizeof answer->text, "%s %s: %s", what, where, why);
    return false;
}

/* Waits until the socket is ready for these events, or the deadline. */
static bool wait_for(const exchange *self, short events)
{
    for (;;) {
        int64_t left = self->deadline - now_ms();
        if (left <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        struct pollfd poller = {.fd = self->socket, .events = events};
        int count = poll(&poller, 1, (int)left);
        if (count > 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            return false;
        }
    }
}

static bool open_and_connect(exchange *self, const struct sockaddr *address, socklen_t size)
{
    self->socket = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->socket < 0) {
        return false;
    }
    if (connect(self->socket, address, size) == 0) {
        return true;
    }
    int error = errno;
    socklen_t length = sizeof error;
    if (error == EINPROGRESS && wait_for(self, POLLOUT) &&
        getsockopt(self->socket, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0) {
        return true;
    }
    errno = error == EINPROGRESS ? ETIMEDOUT : error;
    return false;
}

static bool send_all(const exchange *self, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        if (!wait_for(self, POLLOUT)) {
            return false;
        }
        ssize_t sent = send(self->socket, text, size, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR || errno == EAGAIN) {
                continue;
            }
            return false;
        }
        text += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Reads until the end, a full buffer or the deadline; the number of bytes. */
static size_t receive(const exchange *self, char *reply, size_t room)
{
    size_t size = 0;
    while (size < room && wait_for(self, POLLIN)) {
        ssize_t got = recv(self->socket, reply + size, room - size, 0);
        if (got > 0) {
            size += (size_t)got;
        } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            break;
        }
    }
    return size;
}

/* What the peer said goes to a terminal and into docker inspect: bytes that are no text do not. */
static void keep_body(tlm_health_answer *answer, const char *reply)
{
    const char *body = strstr(reply, "\r\n\r\n");
    (void)snprintf(answer->text, sizeof answer->text, "%s", body != NULL ? body + 4 : "");
    for (char *c = answer->text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = ' ';
        }
    }
}

/* One request on the connected socket. The status is 0 where the answer is not HTTP. */
static void exchange_texts(const exchange *self, const char *path, const char *where)
{
    char request[REQUEST_MAX];
    char reply[REPLY_MAX + 1] = {0};
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    if (length < 0 || (size_t)length >= sizeof request) {
        (void)fail(self->answer, "asking", where, "the path is too long");
        return;
    }
    if (!send_all(self, request)) {
        (void)fail(self->answer, "asking", where, strerror(errno));
        return;
    }
    errno = 0;
    size_t size = receive(self, reply, REPLY_MAX);
    reply[size] = '\0';
    self->answer->status = tlm_health_status(reply);
    if (self->answer->status != 0) {
        keep_body(self->answer, reply);
        return;
    }
    (void)fail(self->answer, "asking", where,
               errno == ETIMEDOUT ? "no answer in time" : "the answer is not HTTP");
}

static void ask_port(const tlm_health_ask *ask, int64_t deadline, tlm_health_answer *answer)
{
    char where[sizeof "127.0.0.1:65535"];
    (void)snprintf(where, sizeof where, "127.0.0.1:%u", ask->port);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(ask->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    exchange self = {.socket = -1, .deadline = deadline, .answer = answer};
    if (open_and_connect(&self, (const struct sockaddr *)&address, sizeof address)) {
        exchange_texts(&self, ask->path, where);
    } else {
        (void)fail(answer, "connecting to", where, strerror(errno));
    }
    if (self.socket >= 0) {
        (void)close(self.socket);
    }
}

static bool connect_path(exchange *self, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        return fail(self->answer, "connecting to", path, "a path of 1 to 107 bytes is needed");
    }
    memcpy(address.sun_path, path, length + 1);
    if (!open_and_connect(self, (const struct sockaddr *)&address, sizeof address)) {
        return fail(self->answer, "connecting to", path, strerror(errno));
    }
    return true;
}

static void ask_socket(const tlm_health_ask *ask, int64_t deadline, tlm_health_answer *answer)
{
    exchange self = {.socket = -1, .deadline = deadline, .answer = answer};
    if (connect_path(&self, ask->socket)) {
        exchange_texts(&self, ask->path, ask->socket);
    }
    if (self.socket >= 0) {
        (void)close(self.socket);
    }
}

bool tlm_health_get(const tlm_health_ask *ask, tlm_health_answer *answer)
{
    *answer = (tlm_health_answer){0};
    int64_t start = now_ms();
    /* A TLS server waits for the rest of what it takes for a handshake: leave time to go elsewhere.
     */
    int64_t first = ask->socket != NULL ? ask->timeout_ms / 2 : ask->timeout_ms;
    ask_port(ask, start + first, answer);
    if (answer->status == 0 && ask->socket != NULL) {
        tlm_health_answer other = {0};
        ask_socket(ask, start + ask->timeout_ms, &other);
        if (other.status != 0) {
            *answer = other;
        }
    }
    return answer->status == 200;
}

bool tlm_health_connect(const char *socket, unsigned timeout_ms, tlm_health_answer *answer)
{
    *answer = (tlm_health_answer){0};
    exchange self = {.socket = -1, .deadline = now_ms() + timeout_ms, .answer = answer};
    bool connected = connect_path(&self, socket);
    if (self.socket >= 0) {
        (void)close(self.socket);
    }
    return connected;
}

int tlm_health_status(const char *answer)
{
    static const char begin[] = "HTTP/1.";
    const size_t length = sizeof begin - 1;
    if (strncmp(answer, begin, length) != 0 || (answer[length] != '0' && answer[length] != '1') ||
        answer[length + 1] != ' ') {
        return 0;
    }
    const char *digits = answer + length + 2;
    int status = 0;
    for (size_t i = 0; i < 3; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return 0;
        }
        status = status * 10 + (digits[i] - '0');
    }
    return digits[3] == ' ' || digits[3] == '\r' ? status : 0;
}

uint16_t tlm_health_port(const char *text, uint16_t fallback)
{
    if (text == NULL || text[0] == '\0') {
        return fallback;
    }
    if (text[0] < '0' || text[0] > '9') {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    return errno == 0 && *end == '\0' && value <= UINT16_MAX ? (uint16_t)value : 0;
}
