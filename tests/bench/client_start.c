/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A start that takes longer has failed. */
#define START_NS (20 * (int64_t)1000000000)
#define END_NS (10 * (int64_t)1000000000)
/* Between two looks: small against what is measured, and leaves the processor to it. */
#define LOOK_NS 50000L

#define PORT_MARK "{port}"

extern char **environ;

static void rest(long nanoseconds)
{
    struct timespec step = {.tv_nsec = nanoseconds};
    (void)nanosleep(&step, NULL);
}

static void set_port(char **argv, char *text, size_t size, unsigned port)
{
    for (; *argv != NULL; argv++) {
        if (strcmp(*argv, PORT_MARK) == 0) {
            (void)snprintf(text, size, "%u", port);
            *argv = text;
        }
    }
}

/* What a start is waited for with: a page, a lease, or a line of the output. */
typedef struct goal {
    const char *kind;
    const char *text;
} goal;

static bool ask_once(int file, const goal *of, unsigned *status)
{
    if (strcmp(of->kind, "http") == 0) {
        return bench_ask(file, of->text, status);
    }
    char request[1024];
    size_t size = bench_request_lease(request, sizeof request, of->text, "first");
    return size != 0 && bench_exchange(file, request, size, status);
}

static bool wait_http(unsigned port, const goal *of, int64_t until)
{
    while (bench_now() < until) {
        unsigned status = 0;
        int file = bench_connect(port);
        bool served = file >= 0 && ask_once(file, of, &status) && status / 100 == 2;
        if (file >= 0) {
            (void)close(file);
        }
        if (served) {
            return true;
        }
        rest(LOOK_NS);
    }
    return false;
}

static bool wait_line(int output, const char *text, int64_t until)
{
    char line[1024];
    size_t had = 0;
    size_t wanted = strlen(text);
    while (bench_now() < until) {
        struct pollfd ready = {.fd = output, .events = POLLIN};
        char byte = 0;
        if (poll(&ready, 1, 1000) < 0 || (ready.revents != 0 && read(output, &byte, 1) != 1)) {
            return false;
        }
        if (ready.revents == 0) {
            continue;
        }
        if (byte == '\n') {
            had = 0;
        } else if (had < sizeof line) {
            line[had++] = byte;
        }
        if (had == wanted && memcmp(line, text, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the process ended by itself after SIGTERM, with status 0. */
static bool end(pid_t pid)
{
    int status = 0;
    (void)kill(pid, SIGTERM);
    for (int64_t until = bench_now() + END_NS; bench_now() < until;) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        rest(10 * LOOK_NS);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return false;
}

/* Standard output is a pipe, so that a program which fills it is noticed in both ways to wait. */
static bool spawn(char **argv, pid_t *pid, int *output)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    (void)posix_spawn_file_actions_init(&actions);
    bool done = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0 &&
                posix_spawnp(pid, argv[0], &actions, NULL, argv, environ) == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    *output = ends[0];
    if (!done) {
        (void)close(ends[0]);
    }
    return done;
}

int bench_start(int argc, char **argv)
{
    const goal to = {argc > 0 ? argv[0] : "", argc > 1 ? argv[1] : ""};
    bool line = strcmp(to.kind, "line") == 0;
    if (argc < 3 || (!line && strcmp(to.kind, "http") != 0 && strcmp(to.kind, "lease") != 0)) {
        (void)fputs("bench-client start: http PATH, line TEXT or lease FEATURE, and a command are "
                    "needed\n",
                    stderr);
        return 2;
    }
    char digits[8];
    unsigned port = bench_free_port();
    set_port(argv + 2, digits, sizeof digits, port);
    pid_t pid = 0;
    int output = -1;
    int64_t begun = bench_now();
    if (!spawn(argv + 2, &pid, &output)) {
        (void)fprintf(stderr, "bench-client start: cannot start %s\n", argv[2]);
        return 1;
    }
    bool started = line ? wait_line(output, to.text, begun + START_NS)
                        : wait_http(port, &to, begun + START_NS);
    int64_t took = bench_now() - begun;
    int64_t used = bench_cpu(pid);
    bool ended = end(pid);
    (void)close(output);
    if (!started || !ended) {
        (void)fprintf(stderr, "bench-client start: %s %s\n", argv[2],
                      started ? "did not end well" : "did not get ready");
        return 1;
    }
    (void)printf("%lld %lld\n", (long long)(took / 1000), (long long)(used / 1000));
    return 0;
}
