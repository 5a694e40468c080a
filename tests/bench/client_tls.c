/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#define CLIENTS_MAX 64
#define ASK_EVERY_NS 10000000L
#define ANSWER_MAX 4096U
/* Of one run; asked every 10 ms, 100 seconds fill it. */
#define SAMPLES_MAX 10000U

typedef struct storm {
    unsigned port;
    atomic_bool end;
    atomic_bool failed;
    atomic_ulong count;
    gnutls_certificate_credentials_t credentials;
} storm;

/* A full handshake of TLS 1.3 on a new connection; NULL where it failed. Whose key is not asked. */
static gnutls_session_t shake(const storm *of, int *file)
{
    gnutls_session_t session = NULL;
    *file = bench_connect(of->port);
    if (*file < 0) {
        return NULL;
    }
    bool ready = gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_TICKETS) == 0 &&
                 gnutls_priority_set_direct(session, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) == 0 &&
                 gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, of->credentials) == 0;
    if (ready) {
        gnutls_transport_set_int(session, *file);
        int code = 0;
        do {
            code = gnutls_handshake(session);
        } while (code < 0 && gnutls_error_is_fatal(code) == 0);
        ready = code == 0;
    }
    if (!ready) {
        gnutls_deinit(session);
        (void)close(*file);
        return NULL;
    }
    return session;
}

static void *storm_on(void *context)
{
    storm *of = context;
    while (!atomic_load(&of->end)) {
        int file = -1;
        gnutls_session_t session = shake(of, &file);
        if (session == NULL) {
            atomic_store(&of->failed, true);
            break;
        }
        atomic_fetch_add(&of->count, 1);
        gnutls_deinit(session);
        (void)close(file);
    }
    return NULL;
}

/* One GET on a kept connection; its answer is JSON, so it ends with a brace. */
static bool ask(gnutls_session_t session)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    char answer[ANSWER_MAX];
    size_t used = 0;
    if (gnutls_record_send(session, request, sizeof request - 1) != (ssize_t)sizeof request - 1) {
        return false;
    }
    while (used == 0 || answer[used - 1] != '}') {
        ssize_t got = gnutls_record_recv(session, answer + used, sizeof answer - used);
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
    }
    return true;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Asks on one connection while the others shake hands; prints what all of it came to. */
static bool watch(storm *of, gnutls_session_t kept, long seconds)
{
    static int64_t samples[SAMPLES_MAX];
    size_t count = 0;
    unsigned long before = atomic_load(&of->count);
    int64_t begun = bench_now();
    while (bench_now() - begun < (int64_t)seconds * 1000000000 && count < SAMPLES_MAX) {
        int64_t asked = bench_now();
        if (!ask(kept)) {
            return false;
        }
        samples[count++] = bench_now() - asked;
        const struct timespec pause = {.tv_nsec = ASK_EVERY_NS};
        (void)nanosleep(&pause, NULL);
    }
    double shaken = (double)(atomic_load(&of->count) - before);
    double took = (double)(bench_now() - begun) / 1e9;
    if (count == 0 || atomic_load(&of->failed)) {
        return false;
    }
    qsort(samples, count, sizeof samples[0], compare);
    (void)printf("%.0f %lld %lld %lld\n", shaken / took, (long long)samples[count / 2] / 1000,
                 (long long)samples[count * 99 / 100] / 1000, (long long)samples[count - 1] / 1000);
    return true;
}

static bool run(storm *of, long seconds, long clients)
{
    pthread_t threads[CLIENTS_MAX];
    long started = 0;
    int file = -1;
    gnutls_session_t kept = shake(of, &file);
    if (kept == NULL) {
        return false;
    }
    while (started < clients && pthread_create(&threads[started], NULL, storm_on, of) == 0) {
        started++;
    }
    const struct timespec warm = {.tv_nsec = 200000000};
    (void)nanosleep(&warm, NULL);
    bool done = started == clients && watch(of, kept, seconds);
    atomic_store(&of->end, true);
    for (long i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    gnutls_deinit(kept);
    (void)close(file);
    return done;
}

int bench_tls(int argc, char **argv)
{
    long port = 0;
    long seconds = 0;
    long clients = 0;
    if (argc != 3 || !bench_number(argv[0], 1, 65535, &port) ||
        !bench_number(argv[1], 1, 90, &seconds) ||
        !bench_number(argv[2], 1, CLIENTS_MAX, &clients)) {
        (void)fputs("bench-client tls: a port, seconds and a number of clients are needed\n",
                    stderr);
        return 2;
    }
    storm made = {.port = (unsigned)port};
    if (gnutls_certificate_allocate_credentials(&made.credentials) != 0) {
        return 1;
    }
    bool done = run(&made, seconds, clients);
    gnutls_certificate_free_credentials(made.credentials);
    if (!done) {
        (void)fprintf(stderr, "bench-client tls: a handshake or an answer failed at port %ld\n",
                      port);
        return 1;
    }
    return 0;
}
