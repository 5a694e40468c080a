/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An application of tlm-tokend: signatures with tlm-attest (ES256) or tlm-srk (RS256) through
 * p11-kit's client module. P11_KIT_SERVER_ADDRESS names the socket.
 *
 *     bench-socket MODULE ES256|RS256 sign COUNT     nanoseconds of each signature, median
 *     bench-socket MODULE ES256|RS256 spread COUNT   the same, median and 99 %
 *     bench-socket MODULE ES256|RS256 first          nanoseconds from here to the first signature;
 *                                                    tried until the token is there
 *     bench-socket MODULE ES256|RS256 hold           prints "held" and keeps the session open until
 *                                                    its input ends
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tlm/key.h>
#include <tlm/token.h>

#define COUNT_MAX 100000UL
#define GIVE_UP_NS 60000000000
#define LOOK_NS 1000000

static int64_t now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static tlm_result no_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    (void)context;
    (void)error;
    *pin = NULL;
    return TLM_OK;
}

static tlm_result open_key(const char *module, tlm_jwa algorithm, tlm_token **token, tlm_key **key,
                           tlm_error *error)
{
    tlm_token_config config = {.module = module, .uri = "pkcs11:token=tlm", .pin = no_pin};
    tlm_result result = tlm_token_open(&config, token, error);
    if (result == TLM_OK) {
        result =
            tlm_key_find(*token, algorithm == TLM_JWA_ES256 ? "tlm-attest" : "tlm-srk", key, error);
    }
    return result;
}

static tlm_result sign(tlm_key *key, tlm_jwa algorithm, tlm_error *error)
{
    static const unsigned char data[200] = "what is signed";
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    return tlm_key_sign(key, algorithm, data, sizeof data, signature, &size, error);
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static tlm_result measure(tlm_key *key, tlm_jwa algorithm, unsigned long count, bool spread,
                          tlm_error *error)
{
    int64_t *times = calloc(count, sizeof *times);
    if (times == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %lu times", count);
    }
    tlm_result result = sign(key, algorithm, error); /* the key is loaded then */
    for (unsigned long i = 0; i < count && result == TLM_OK; i++) {
        int64_t begun = now();
        result = sign(key, algorithm, error);
        times[i] = now() - begun;
    }
    if (result == TLM_OK) {
        qsort(times, count, sizeof *times, compare);
        (void)printf("%lld", (long long)times[count / 2]);
        if (spread) {
            (void)printf(" %lld", (long long)times[count * 99 / 100]);
        }
        (void)printf("\n");
    }
    free(times);
    return result;
}

static tlm_result first(const char *module, tlm_jwa algorithm, tlm_error *error)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    int64_t begun = now();
    tlm_result result = TLM_OK;
    do {
        tlm_token *token = NULL;
        tlm_key *key = NULL;
        result = open_key(module, algorithm, &token, &key, error);
        if (result == TLM_OK) {
            result = sign(key, algorithm, error);
        }
        if (result == TLM_OK) {
            (void)printf("%lld\n", (long long)(now() - begun));
        }
        tlm_key_free(&key);
        tlm_token_close(&token);
        (void)nanosleep(&pause, NULL);
    } while (result != TLM_OK && now() - begun < GIVE_UP_NS);
    return result;
}

static tlm_result hold(tlm_key *key, tlm_jwa algorithm, tlm_error *error)
{
    char byte = 0;
    tlm_result result = sign(key, algorithm, error);
    (void)printf("held\n");
    (void)fflush(stdout);
    while (result == TLM_OK && read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return result;
}

static tlm_result run(int argc, char **argv, tlm_error *error)
{
    tlm_jwa algorithm = strcmp(argv[2], "ES256") == 0 ? TLM_JWA_ES256 : TLM_JWA_RS256;
    unsigned long count = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
    if (strcmp(argv[3], "first") == 0) {
        return first(argv[1], algorithm, error);
    }
    if (count == 0 || count > COUNT_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "1 to %lu signatures", COUNT_MAX);
    }
    tlm_token *token = NULL;
    tlm_key *key = NULL;
    tlm_result result = open_key(argv[1], algorithm, &token, &key, error);
    if (result == TLM_OK) {
        result = strcmp(argv[3], "hold") == 0
                     ? hold(key, algorithm, error)
                     : measure(key, algorithm, count, strcmp(argv[3], "spread") == 0, error);
    }
    tlm_key_free(&key);
    tlm_token_close(&token);
    return result;
}

int main(int argc, char **argv)
{
    tlm_error error = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 4) {
        (void)fprintf(stderr, "bench-socket: MODULE, algorithm and what to do are needed\n");
        return 2;
    }
    if (run(argc, argv, &error) != TLM_OK) {
        (void)fprintf(stderr, "bench-socket: %s (%s)\n", error.message, error.hint);
        return 1;
    }
    return 0;
}
