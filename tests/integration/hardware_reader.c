/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads counter or clock of a token through a module, as the licensing layer does:
 *
 *     hardware_reader MODULE count TIMES
 *     hardware_reader MODULE clock
 *
 * Prints a number a line, or the members of the clock. While the token is away it tries again, for
 * half a minute in all. Ends with status 1 and the error otherwise.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/hardware_feature.h>

#define PAUSE_MS 50
#define PATIENCE (30000 / PAUSE_MS)

static bool worth_waiting(tlm_result result, unsigned *patience)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    if ((result != TLM_ERR_TOKEN_UNAVAILABLE && result != TLM_ERR_TOKEN) || *patience == 0) {
        return false;
    }
    (*patience)--;
    (void)nanosleep(&pause, NULL);
    return true;
}

static tlm_result count(tlm_token *token, unsigned long times, unsigned patience, tlm_error *error)
{
    unsigned long done = 0;
    while (done < times) {
        uint64_t value = 0;
        bool tamper_proof = false;
        tlm_result result = tlm_token_counter_next(token, &value, &tamper_proof, error);
        if (result == TLM_OK) {
            (void)printf("%" PRIu64 " %d\n", value, tamper_proof);
            done++;
        } else if (!worth_waiting(result, &patience)) {
            return result;
        }
    }
    return TLM_OK;
}

static tlm_result tell_clock(tlm_token *token, tlm_error *error)
{
    tlm_token_clock now = {0};
    tlm_result result = tlm_token_clock_read(token, &now, error);
    if (result == TLM_OK) {
        (void)printf("system=%" PRIu64 "\nms=%" PRIu64 "\nresets=%u\nrestarts=%u\n",
                     now.system_seconds, now.clock_ms, now.reset_count, now.restart_count);
        (void)printf("safe=%d\ncounted=%d\ntamper_proof=%d\n", now.safe, now.counted,
                     now.tamper_proof);
    }
    return result;
}

int main(int argc, char **argv)
{
    const bool counting = argc == 4 && strcmp(argv[2], "count") == 0;
    if (!counting && !(argc == 3 && strcmp(argv[2], "clock") == 0)) {
        (void)fputs("usage: hardware_reader MODULE count TIMES | clock\n", stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* the test watches the lines come */
    tlm_error error = {0};
    tlm_token *token = NULL;
    const tlm_token_config config = {
        .module = argv[1], .uri = "pkcs11:token=tlm", .read_only = true};
    tlm_result result = tlm_token_open(&config, &token, &error);
    if (result == TLM_OK) {
        unsigned patience = getenv("IMPATIENT") != NULL ? 0 : PATIENCE;
        result = counting ? count(token, strtoul(argv[3], NULL, 10), patience, &error)
                          : tell_clock(token, &error);
    }
    if (result != TLM_OK) {
        (void)fprintf(stderr, "[%s] %s\n%s\n", tlm_result_code(result), error.message, error.hint);
    }
    if (token != NULL) {
        (void)fprintf(stderr, "recoveries=%u\n", tlm_token_recoveries(token));
    }
    tlm_token_close(&token);
    return result == TLM_OK ? 0 : 1;
}
