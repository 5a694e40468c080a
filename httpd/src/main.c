/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/settings.h>

#include "about.h"
#include "daemon.h"

static void print_help(void)
{
    (void)printf("Usage: %s [OPTION]...\n"
                 "Proves who this host is with a key inside its TPM, and tells it over REST.\n\n",
                 TLM_SERVICE);
    tlm_settings_print_help(TLM_PROGRAM_DAEMON, stdout);
    (void)printf(
        "\nPaths: /health /ready /status /fingerprint /fingerprint/fallback, and below\n"
        "       /api/v1 keys attest leases check usage licenses revocations state audit\n"
        "HTTPS: --rest-tls-certificate and --rest-tls-key, files or pkcs11: URIs.\n"
        "Signals: SIGTERM and SIGINT end it; SIGHUP opens the log again, reads its level,\n"
        "         the certificate of HTTPS, admin.token and client.token.\n"
        "Exit status: 0 ended by a signal, 1 failure, 2 wrong setting.\n"
        "See %s(8) and %s.json(5).\n",
        TLM_SERVICE, TLM_SERVICE);
}

/* Whatever is wrong with them, a file that cannot be read included, it is the settings. */
static int complain(const tlm_error *error)
{
    (void)fprintf(stderr, "%s: %s\n", TLM_SERVICE, error->message);
    if (error->hint[0] != '\0') {
        (void)fprintf(stderr, "%s\n", error->hint);
    }
    return error->result == TLM_ERR_MEMORY ? TLM_EXIT_FAILURE : TLM_EXIT_SETTING;
}

/* A stream that could not be written in full must not look like success. */
static int flushed(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? TLM_EXIT_OK : TLM_EXIT_FAILURE;
}

static int act(const tlm_settings *settings, const tlm_settings_outcome *outcome, int argc,
               char **argv)
{
    switch (outcome->action) {
    case TLM_ACTION_HELP:
        print_help();
        return flushed();
    case TLM_ACTION_VERSION:
        tlm_about_print_version(stdout);
        return flushed();
    case TLM_ACTION_CHECK_CONFIG:
        tlm_settings_print(TLM_PROGRAM_DAEMON, settings, stdout);
        return flushed();
    case TLM_ACTION_RUN:
        break;
    }
    return tlm_daemon_run(settings, argc, argv);
}

static int run(int argc, char **argv)
{
    /* Parsing takes the flags out of argv, and SIGHUP parses them once more: it gets the original.
     */
    char **words = calloc((size_t)argc + 1, sizeof *words);
    if (words == NULL) {
        (void)fprintf(stderr, "%s: no memory\n", TLM_SERVICE);
        return TLM_EXIT_FAILURE;
    }
    memcpy(words, argv, (size_t)argc * sizeof *words);
    tlm_error error = {0};
    tlm_settings settings;
    tlm_settings_outcome outcome;
    int status = TLM_EXIT_SETTING;
    if (tlm_settings_load(TLM_PROGRAM_DAEMON, argc, words, &settings, &outcome, &error) != TLM_OK) {
        status = complain(&error);
    } else {
        status = act(&settings, &outcome, argc, argv);
    }
    tlm_settings_clear(&settings);
    free(words);
    return status;
}

int main(int argc, char **argv)
{
    tlm_daemon_block_signals();
    return argc > 0 ? run(argc, argv) : TLM_EXIT_SETTING;
}
