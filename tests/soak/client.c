/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An application that uses the token through p11-kit's client module, over and over:
 *
 *     soak-client MODULE sign|random|mixed COUNT [patient]
 *
 * sign: ES256 with tlm-attest, each signature verified with the public key. random: one byte.
 * mixed: a signature in every hundred. MODULE is p11-kit-client.so, P11_KIT_SERVER_ADDRESS names
 * the socket. With "patient" the token may be away for a while; without, that is a failure.
 *
 * Prints "done=N away=N wrong=N recoveries=N". Exit status: 0 all done, 1 an error, 2 a wrong
 * answer, which is never excused.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/key.h>
#include <tlm/token.h>

#define PATIENCE_SECONDS 60

typedef struct soak {
    tlm_token *token;
    tlm_key *key;
    const char *kind;
    bool patient;
    unsigned long done;
    unsigned long away;
    unsigned long wrong;
} soak;

/* The token asks for no PIN: its owner knows who we are. */
static tlm_result no_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    (void)context;
    (void)error;
    *pin = NULL;
    return TLM_OK;
}

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static int complain(const char *what, const tlm_error *error)
{
    (void)fprintf(stderr, "soak-client: %s: %s (%s)\n", what, error->message, error->hint);
    return 1;
}

static tlm_result sign_once(soak *of, unsigned long number, tlm_error *error)
{
    char text[64];
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    int length = snprintf(text, sizeof text, "statement %lu", number);
    tlm_result result =
        tlm_key_sign(of->key, TLM_JWA_ES256, text, (size_t)length, signature, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    return tlm_public_verify(tlm_key_public(of->key), TLM_JWA_ES256, text, (size_t)length,
                             signature, size, error);
}

static tlm_result work_once(soak *of, unsigned long number, tlm_error *error)
{
    bool sign =
        strcmp(of->kind, "sign") == 0 || (strcmp(of->kind, "mixed") == 0 && number % 100 == 0);
    unsigned char byte = 0;
    return sign ? sign_once(of, number, error) : tlm_token_random(of->token, &byte, 1, error);
}

static int work(soak *of, unsigned long count)
{
    time_t last = time(NULL);
    while (of->done < count) {
        tlm_error error = {0};
        tlm_result result = work_once(of, of->done, &error);
        if (result == TLM_OK) {
            of->done++;
            last = time(NULL);
        } else if (result == TLM_ERR_SIGNATURE) {
            of->wrong++;
            return complain("a wrong answer", &error) + 1;
        } else if (!of->patient || time(NULL) - last > PATIENCE_SECONDS) {
            return complain(of->kind, &error);
        } else {
            of->away++;
            pause_ms(20);
        }
    }
    return 0;
}

static int run(soak *of, const char *module, unsigned long count)
{
    tlm_token_config config = {.module = module, .uri = "pkcs11:token=tlm", .pin = no_pin};
    tlm_error error = {0};
    if (tlm_token_open(&config, &of->token, &error) != TLM_OK) {
        return complain("opening the token", &error);
    }
    if (tlm_key_find(of->token, "tlm-attest", &of->key, &error) != TLM_OK) {
        int status = complain("finding the key", &error);
        tlm_token_close(&of->token);
        return status;
    }
    int status = work(of, count);
    (void)printf("done=%lu away=%lu wrong=%lu recoveries=%u\n", of->done, of->away, of->wrong,
                 tlm_token_recoveries(of->token));
    tlm_key_free(&of->key);
    tlm_token_close(&of->token);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fprintf(stderr, "usage: soak-client MODULE sign|random|mixed COUNT [patient]\n");
        return 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    soak of = {.kind = argv[2], .patient = argc > 4 && strcmp(argv[4], "patient") == 0};
    return run(&of, argv[1], strtoul(argv[3], NULL, 10));
}
