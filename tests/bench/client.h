/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

/*
 * What the verbs of bench-client share. Results go to standard output as plain numbers; a message
 * and status 1 say that nothing was measured.
 *
 *     int file = bench_connect(port);
 *     if (file >= 0 && bench_ask(file, "/health", &status)) { … status == 200 … }
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Nanoseconds of a clock that never goes back. */
int64_t bench_now(void);

/*
 * Nanoseconds of CPU that a process has used, -1 where there is none: what /proc/PID/stat counts,
 * without its rounding to 10 ms.
 */
int64_t bench_cpu(pid_t pid);

/* A connected socket to 127.0.0.1, or -1. Its reads and writes end after ten seconds. */
int bench_connect(unsigned port);

/* A port of 127.0.0.1 that is free now; 0 where there is none. */
unsigned bench_free_port(void);

/* One GET over an open connection; reads the whole answer. False where the connection broke. */
bool bench_ask(int file, const char *path, unsigned *status);

/* The same with a request of one's own. */
bool bench_exchange(int file, const char *request, size_t size, unsigned *status);

/* Bytes that an answer takes as a whole, 0 while its headers are not there; and its status. */
size_t bench_answer_size(const char *text);
unsigned bench_answer_status(const char *text);

/* The request for a lease; its size, 0 where it does not fit. */
size_t bench_request_lease(char *request, size_t room, const char *feature, const char *client);

/* A number from `minimum` to `maximum` in decimal; false otherwise. */
bool bench_number(const char *text, long minimum, long maximum, long *number);

int bench_start(int argc, char **argv);
int bench_request(int argc, char **argv);
int bench_idle(int argc, char **argv);
int bench_leases(int argc, char **argv);
int bench_attest(int argc, char **argv);
int bench_tls(int argc, char **argv);

#endif
