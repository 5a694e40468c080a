/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors beside those of the connections. */
#define OTHER_FILES 16

/* Proportional set size in KiB; -1 where it cannot be read. */
static long memory_of(long pid)
{
    char path[64];
    char line[256];
    long size = -1;
    (void)snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
    FILE *rollup = fopen(path, "re");
    if (rollup == NULL) {
        return -1;
    }
    while (fgets(line, sizeof line, rollup) != NULL) {
        if (strncmp(line, "Pss:", 4) == 0) {
            size = strtol(line + 4, NULL, 10);
        }
    }
    (void)fclose(rollup);
    return size;
}

static bool allow_files(rlim_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < count) {
        return false;
    }
    if (limit.rlim_cur < count) {
        limit.rlim_cur = count;
        return setrlimit(RLIMIT_NOFILE, &limit) == 0;
    }
    return true;
}

/* Each connection asks once: one that was never used costs less than one that is kept alive. */
static bool open_all(unsigned port, long count)
{
    for (long i = 0; i < count; i++) {
        unsigned status = 0;
        int file = bench_connect(port);
        if (file < 0 || !bench_ask(file, "/health", &status) || status != 200) {
            (void)fprintf(stderr, "bench-client idle: connection %ld was not served\n", i + 1);
            return false;
        }
    }
    return true;
}

int bench_idle(int argc, char **argv)
{
    long port = 0;
    long count = 0;
    long pid = 0;
    if (argc != 3 || !bench_number(argv[0], 1, 65535, &port) ||
        !bench_number(argv[1], 1, 100000, &count) || !bench_number(argv[2], 1, 1L << 22, &pid)) {
        (void)fputs("bench-client idle: PORT COUNT PID are needed\n", stderr);
        return 2;
    }
    if (!allow_files((rlim_t)count + OTHER_FILES)) {
        (void)fprintf(stderr, "bench-client idle: ulimit -n does not allow %ld connections\n",
                      count);
        return 1;
    }
    long before = memory_of(pid);
    if (!open_all((unsigned)port, count)) {
        return 1;
    }
    long after = memory_of(pid);
    if (before < 0 || after < 0) {
        (void)fprintf(stderr, "bench-client idle: cannot read the memory of process %ld\n", pid);
        return 1;
    }
    (void)printf("%ld\n", (after - before) * 1024 / count);
    return 0;
}
