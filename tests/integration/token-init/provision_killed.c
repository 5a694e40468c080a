/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Provisions and is killed right after the step that is named, as by kill -9 or a power cut:
 *
 *     [RECOVERY_KEY=FILE] provision_killed STEP BACKEND PERSISTENCE-DIRECTORY [TCTI]
 *
 * Prints the steps it has done. Ends with status 0 only where no step has that name.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/provision.h>
#include <tlm/settings.h>

static void step_done(void *context, const char *step)
{
    (void)puts(step);
    (void)fflush(stdout);
    if (strcmp(step, context) == 0) {
        (void)raise(SIGKILL);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fputs("usage: provision_killed STEP BACKEND DIRECTORY [TCTI]\n", stderr);
        return 2;
    }
    static char persistence[] = "--persistence-dir";
    static char tcti[] = "--tcti";
    char *words[] = {argv[0], persistence, argv[3], tcti, argc > 4 ? argv[4] : NULL, NULL};
    int count = argc > 4 ? 5 : 3;
    words[count] = NULL;
    tlm_error error = {0};
    tlm_settings settings = {0};
    tlm_settings_outcome outcome;
    tlm_provision_report report = {0};
    tlm_provision_request request = {
        .settings = &settings, .step_done = step_done, .context = argv[1]};
    request.recovery_key = getenv("RECOVERY_KEY");
    int status = 0;
    if (!tlm_backend_from_name(argv[2], &request.backend) ||
        tlm_settings_load(TLM_PROGRAM_TOKEN, count, words, &settings, &outcome, &error) != TLM_OK ||
        !tlm_vault_policy_from_name(settings.vault_policy, &request.policy) ||
        tlm_provision(&request, &report, &error) != TLM_OK) {
        (void)fprintf(stderr, "%s\n%s\n", error.message, error.hint);
        status = 1;
    }
    tlm_provision_report_clear(&report);
    tlm_settings_clear(&settings);
    return status;
}
