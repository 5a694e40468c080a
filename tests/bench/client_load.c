/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Many clients of the daemon in one thread: each has a connection that is kept, and asks again as
 * soon as it was answered. What is asked before everything is warm is not counted.
 */

#define CLIENTS_MAX 1024
#define REQUEST_MAX 1024U
#define ANSWER_MAX 16384U
#define EVENTS 64
#define WARM_NS 200000000LL
/* After the time is over every lease is returned; and without any answer the daemon hangs. */
#define PATIENCE_MS 20000
/* Times are counted for each microsecond, longer ones as the longest. */
#define TIMES_MAX 2000000U

typedef struct peer {
    int file;
    unsigned number; /* of the client */
    unsigned long round;
    bool done;
    int64_t asked;
    char lease[40]; /* that it holds; "" for none */
    size_t had;
    char answer[ANSWER_MAX];
} peer;

typedef struct load {
    const char *verb;
    const char *feature;
    /* Writes the next request, after the time is over (0: there is none) or before. */
    size_t (*next)(const struct load *of, peer *from, char *request, bool over);
    bool (*took)(struct load *of, peer *from, unsigned status);
    peer *links;
    long count;
    long open;
    int64_t begun; /* counting begins */
    int64_t end;
    unsigned long counted;
    unsigned long leases; /* all of them */
    unsigned *times;
} load;

static size_t next_lease(const load *of, peer *from, char *request, bool over)
{
    char client[32];
    if (from->lease[0] == '\0') {
        (void)snprintf(client, sizeof client, "bench-%u", from->number);
        return over ? 0 : bench_request_lease(request, REQUEST_MAX, of->feature, client);
    }
    int size =
        snprintf(request, REQUEST_MAX,
                 "DELETE /api/v1/leases/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", from->lease);
    return size > 0 ? (size_t)size : 0;
}

static bool took_lease(load *of, peer *from, unsigned status)
{
    static const char member[] = "\"lease\":\"";
    if (from->lease[0] != '\0') {
        from->lease[0] = '\0';
        return status == 200;
    }
    const char *id = strstr(from->answer, member);
    if ((status != 200 && status != 201) || id == NULL) {
        return false;
    }
    id += sizeof member - 1;
    size_t size = strcspn(id, "\"");
    if (size == 0 || size >= sizeof from->lease) {
        return false;
    }
    memcpy(from->lease, id, size);
    from->lease[size] = '\0';
    of->leases++;
    return true;
}

static size_t next_nonce(const load *of, peer *from, char *request, bool over)
{
    char body[64];
    (void)of;
    if (over) {
        return 0;
    }
    int length = snprintf(body, sizeof body, "{\"nonce\":\"%u-%lu\"}", from->number, from->round);
    int size = snprintf(request, REQUEST_MAX,
                        "POST /api/v1/attest HTTP/1.1\r\nHost: localhost\r\n"
                        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                        length, body);
    return length > 0 && size > 0 ? (size_t)size : 0;
}

static bool took_statement(load *of, peer *from, unsigned status)
{
    (void)of;
    return status == 200 && strstr(from->answer, "\"root\":\"") != NULL;
}

/* False where the connection broke. A client that has nothing more to ask is done. */
static bool ask(load *of, peer *from)
{
    char request[REQUEST_MAX];
    from->asked = bench_now();
    size_t size = of->next(of, from, request, from->asked >= of->end);
    if (size == 0) {
        from->done = true;
        of->open--;
        return true;
    }
    from->round++;
    from->had = 0;
    return send(from->file, request, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void count(load *of, const peer *from)
{
    int64_t now = bench_now();
    if (from->asked < of->begun || now > of->end) {
        return;
    }
    size_t time = (size_t)(now - from->asked) / 1000;
    of->times[time < TIMES_MAX ? time : TIMES_MAX - 1]++;
    of->counted++;
}

static bool answered(load *of, peer *from)
{
    ssize_t got = recv(from->file, from->answer + from->had, sizeof from->answer - 1 - from->had,
                       MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got <= 0) {
        (void)fprintf(stderr, "bench-client %s: a connection was closed\n", of->verb);
        return false;
    }
    from->had += (size_t)got;
    from->answer[from->had] = '\0';
    size_t whole = bench_answer_size(from->answer);
    if (whole == 0 || from->had < whole) {
        return true;
    }
    count(of, from);
    if (!of->took(of, from, bench_answer_status(from->answer))) {
        (void)fprintf(stderr, "bench-client %s: was answered with\n%.1000s\n", of->verb,
                      from->answer);
        return false;
    }
    return ask(of, from);
}

static bool run(load *of, int poll)
{
    for (long i = 0; i < of->count; i++) {
        if (!ask(of, &of->links[i])) {
            return false;
        }
    }
    while (of->open > 0) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poll, events, EVENTS, PATIENCE_MS);
        if (count == 0 || (count < 0 && errno != EINTR)) {
            (void)fprintf(stderr, "bench-client %s: no answer\n", of->verb);
            return false;
        }
        for (int i = 0; i < count; i++) {
            peer *from = events[i].data.ptr;
            if (!from->done && !answered(of, from)) {
                return false;
            }
        }
    }
    return true;
}

static bool connect_all(load *of, unsigned port, int poll)
{
    for (long i = 0; i < of->count; i++) {
        peer *one = &of->links[i];
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = one}};
        one->number = (unsigned)i;
        one->file = bench_connect(port);
        if (one->file < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, one->file, &event) != 0) {
            (void)fprintf(stderr, "bench-client %s: cannot connect to port %u\n", of->verb, port);
            return false;
        }
        of->open++;
    }
    return true;
}

static size_t quantile(const load *of, unsigned long percent)
{
    unsigned long before = 0;
    size_t time = 0;
    while (time < TIMES_MAX - 1 && (before += of->times[time]) * 100 < of->counted * percent) {
        time++;
    }
    return time;
}

static bool measure(load *of, unsigned port, long milliseconds)
{
    int poll = epoll_create1(EPOLL_CLOEXEC);
    of->links = calloc((size_t)of->count, sizeof *of->links);
    of->times = calloc(TIMES_MAX, sizeof *of->times);
    bool done = poll >= 0 && of->links != NULL && of->times != NULL && connect_all(of, port, poll);
    of->begun = bench_now() + WARM_NS;
    of->end = of->begun + (int64_t)milliseconds * 1000000;
    done = done && run(of, poll) && of->counted > 0;
    if (done) {
        (void)printf("%.0f %zu %zu %lu\n", (double)of->counted * 1000 / (double)milliseconds,
                     quantile(of, 50), quantile(of, 99),
                     of->leases != 0 ? of->leases : of->counted);
    }
    (void)close(poll);
    free(of->links);
    free(of->times);
    return done;
}

static int begin(load *of, int argc, char **argv, int needed)
{
    long port = 0;
    long milliseconds = 0;
    if (argc != needed || !bench_number(argv[0], 1, 65535, &port) ||
        !bench_number(argv[1], 1, 3600000, &milliseconds) ||
        !bench_number(argv[2], 1, CLIENTS_MAX, &of->count)) {
        (void)fprintf(stderr, "bench-client %s: PORT MILLISECONDS CLIENTS%s are needed\n", of->verb,
                      needed == 4 ? " FEATURE" : "");
        return 2;
    }
    return measure(of, (unsigned)port, milliseconds) ? 0 : 1;
}

int bench_leases(int argc, char **argv)
{
    load leases = {.verb = "leases",
                   .feature = argc == 4 ? argv[3] : NULL,
                   .next = next_lease,
                   .took = took_lease};
    return begin(&leases, argc, argv, 4);
}

int bench_attest(int argc, char **argv)
{
    load attest = {.verb = "attest", .next = next_nonce, .took = took_statement};
    return begin(&attest, argc, argv, 3);
}
