/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *help;
} verb;

static int cpu(int argc, char **argv);
static int port(int argc, char **argv);

static const verb verbs[] = {
    {"start", bench_start, "http PATH|line TEXT|lease FEATURE COMMAND…",
     "microseconds from the start of COMMAND to 200 at PATH, to a line that begins with TEXT or\n"
     "    to a lease of FEATURE, and microseconds of CPU it used; {port} in COMMAND is replaced "
     "by\n"
     "    a free port, and COMMAND is ended by SIGTERM then"},
    {"request", bench_request, "PORT PATH COUNT",
     "COUNT requests over one connection, one after the other"},
    {"idle", bench_idle, "PORT COUNT PID",
     "bytes of memory that PID takes for each of COUNT idle connections"},
    {"tls", bench_tls, "PORT SECONDS CLIENTS",
     "full handshakes of TLS 1.3 per second, by so many clients at a time, and microseconds of\n"
     "    GET /health on a kept connection meanwhile: median, 99 %, longest"},
    {"leases", bench_leases, "PORT MILLISECONDS CLIENTS FEATURE",
     "leases taken and returned on a kept connection for each client: changes per second,\n"
     "    microseconds of one, median and 99 %, and how many leases there were in all"},
    {"attest", bench_attest, "PORT MILLISECONDS CLIENTS",
     "nonces answered by statements: per second, microseconds of one, median and 99 %, in all"},
    {"cpu", cpu, "PID", "nanoseconds of CPU that PID has used"},
    {"port", port, "", "a port of 127.0.0.1 that is free"},
};

bool bench_number(const char *text, long minimum, long maximum, long *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= minimum && *number <= maximum;
}

int64_t bench_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t bench_cpu(pid_t pid)
{
    clockid_t clock = 0;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return -1;
    }
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static int cpu(int argc, char **argv)
{
    long pid = 0;
    if (argc != 1 || !bench_number(argv[0], 1, 1L << 22, &pid)) {
        (void)fputs("bench-client cpu: a process number is needed\n", stderr);
        return 2;
    }
    int64_t used = bench_cpu((pid_t)pid);
    if (used < 0) {
        (void)fprintf(stderr, "bench-client cpu: there is no process %ld\n", pid);
        return 1;
    }
    (void)printf("%lld\n", (long long)used);
    return 0;
}

static int port(int argc, char **argv)
{
    unsigned found = bench_free_port();
    (void)argc;
    (void)argv;
    (void)printf("%u\n", found);
    return found != 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    size_t count = sizeof verbs / sizeof verbs[0];
    for (size_t i = 0; argc > 1 && i < count; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run(argc - 2, argv + 2);
        }
    }
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(stderr, "bench-client %s %s\n    %s\n", verbs[i].name, verbs[i].arguments,
                      verbs[i].help);
    }
    return 2;
}
