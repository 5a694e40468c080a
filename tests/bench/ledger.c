/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ledger without what is above it: leases taken and returned by so many clients, each of which
 * asks again as soon as it was answered. Prints durable changes per second, microseconds of one,
 * and how many changes one commit made durable.
 *
 *     bench-ledger DIRECTORY MILLISECONDS CLIENTS
 *
 * DIRECTORY is made, and stays.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/ledger.h>

#include "vendor.h"

#define CLIENTS_MAX 1024
#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct client {
    tlm_ledger_request request;
    char name[32];
    char lease[37];
} client;

static tlm_ledger *ledger;
static client clients[CLIENTS_MAX];
static atomic_bool over;
static atomic_ulong changes;
static atomic_long open_clients;

static void ask(client *of)
{
    tlm_ledger_request *request = &of->request;
    bool held = of->lease[0] != '\0';
    request->op = held ? TLM_LEDGER_RELEASE : TLM_LEDGER_ACQUIRE;
    request->ask = (tlm_ledger_ask){.feature = held ? NULL : BENCH_FEATURE,
                                    .client = held ? NULL : of->name,
                                    .lease = held ? of->lease : NULL,
                                    .units = 1};
    tlm_ledger_submit(ledger, request);
}

/* From the writer's thread. */
static void answered(tlm_ledger_request *request)
{
    client *of = request->context;
    if (request->error.result != TLM_OK) {
        bench_fail("the ledger", request->error.message);
    }
    (void)snprintf(of->lease, sizeof of->lease, "%s",
                   request->op == TLM_LEDGER_ACQUIRE ? request->grant.lease : "");
    tlm_ledger_request_clear(request);
    atomic_fetch_add(&changes, 1);
    if (atomic_load(&over) && of->lease[0] == '\0') {
        atomic_fetch_sub(&open_clients, 1);
        return;
    }
    ask(of);
}

static void activate(const bench_vendor *vendor, const tlm_trust *trust)
{
    tlm_package *package = NULL;
    tlm_error error = {0};
    char *license = bench_vendor_license(vendor, "token", FINGERPRINT, 0);
    json_t *licenses = json_pack("[s]", license);
    char *text = bench_vendor_package(vendor, FINGERPRINT, licenses);
    if (tlm_package_open_signed(text, strlen(text), trust, &package, &error) != TLM_OK) {
        bench_fail("the package", error.message);
    }
    tlm_ledger_request request = {.op = TLM_LEDGER_ACTIVATE, .package = package};
    if (tlm_ledger_run(ledger, &request) != TLM_OK) {
        bench_fail("the activation", request.error.message);
    }
    tlm_ledger_request_clear(&request);
    tlm_package_free(&package);
    free(text);
    json_decref(licenses);
    free(license);
}

static void open_ledger(const char *directory, const bench_vendor *vendor, tlm_trust **trust)
{
    tlm_error error = {0};
    char *jwks = bench_vendor_jwks(vendor);
    if (tlm_trust_new(trust, &error) != TLM_OK ||
        tlm_trust_add(*trust, jwks, strlen(jwks), "bench", &error) != TLM_OK) {
        bench_fail("the trust", error.message);
    }
    free(jwks);
    tlm_ledger_config config = {
        .directory = directory,
        .storage_id = "00000000-0000-4000-8000-000000000000",
        .trust = *trust,
        .host = {.type = TLM_FINGERPRINT_TOKEN, .fingerprint = FINGERPRINT},
        .limits = {.ttl = 300, .ttl_max = 86400, .clock_tolerance = 300},
    };
    if (tlm_ledger_open(&config, &ledger, &error) != TLM_OK) {
        bench_fail(directory, error.message);
    }
}

static json_int_t commits(void)
{
    json_t *summary = tlm_ledger_summary(ledger);
    json_int_t count = json_integer_value(json_object_get(summary, "commits"));
    json_decref(summary);
    return count;
}

static void measure(long milliseconds, long count)
{
    const struct timespec duration = {.tv_sec = milliseconds / 1000,
                                      .tv_nsec = milliseconds % 1000 * 1000000};
    const struct timespec step = {.tv_nsec = 1000000};
    json_int_t before = commits();
    atomic_store(&open_clients, count);
    for (long i = 0; i < count; i++) {
        (void)snprintf(clients[i].name, sizeof clients[i].name, "bench-%ld", i);
        clients[i].request.done = answered;
        clients[i].request.context = &clients[i];
        ask(&clients[i]);
    }
    (void)nanosleep(&duration, NULL);
    unsigned long made = atomic_load(&changes);
    atomic_store(&over, true);
    while (atomic_load(&open_clients) > 0) {
        (void)nanosleep(&step, NULL);
    }
    double all = (double)atomic_load(&changes);
    (void)printf("%.0f %.0f %.1f\n", (double)made * 1000 / (double)milliseconds,
                 (double)milliseconds * 1000 * (double)count / (double)made,
                 all / (double)(commits() - before));
}

int main(int argc, char **argv)
{
    long milliseconds = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    long count = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    if (milliseconds < 1 || milliseconds > 600000 || count < 1 || count > CLIENTS_MAX) {
        (void)fputs("bench-ledger DIRECTORY MILLISECONDS CLIENTS\n", stderr);
        return 2;
    }
    bench_vendor vendor = {0};
    tlm_trust *trust = NULL;
    bench_vendor_make(&vendor);
    open_ledger(argv[1], &vendor, &trust);
    activate(&vendor, trust);
    measure(milliseconds, count);
    tlm_ledger_close(&ledger);
    tlm_trust_free(&trust);
    bench_vendor_clear(&vendor);
    return 0;
}
