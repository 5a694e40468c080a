/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <tlm/log.h>
#include <tlm/settings.h>

#include "options.h"
#include "output.h"

static int usage(const tlm_error *error)
{
    tlm_output_error(error);
    return 2;
}

static int run(const tlm_settings *settings, char *const words[])
{
    tlm_error error = {0};
    /* A person at a terminal reads messages, not events, unless a level was asked for. */
    bool chosen = settings->origin[TLM_SETTING_log_level] != TLM_ORIGIN_DEFAULT;
    const tlm_log_config log = {.level = chosen ? settings->log_level : TLM_LOG_ERROR,
                                .format = TLM_LOG_TEXT,
                                .to_stderr = true};
    if (tlm_log_open(&log, &error) != TLM_OK) {
        return usage(&error);
    }
    tlm_options options = {.json = false};
    size_t which = 0;
    int status =
        tlm_command_line_parse(tlm_options_line(), words, &options, &which, &error) == TLM_OK
            ? tlm_commands[which].run(settings, &options)
            : usage(&error);
    tlm_command_line_clear(tlm_options_line(), &options);
    return status;
}

static int help(char *const words[])
{
    const tlm_command_line *line = tlm_options_line();
    tlm_command_line_print_help(
        line, words[0] != NULL ? tlm_command_line_find(line, words[0], NULL) : NULL, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    /* Secrets pass through this process: no core file, nothing readable for others. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    /* tpm2-tss writes to stderr what our own errors say better; a user's own level stays. */
    (void)setenv("TSS2_LOG", "all+none", 0);

    tlm_error error = {0};
    tlm_settings settings;
    tlm_settings_outcome outcome = {0};
    int status = 0;
    if (tlm_settings_load(TLM_PROGRAM_TOKEN, argc, argv, &settings, &outcome, &error) != TLM_OK) {
        status = usage(&error);
    } else if (outcome.action == TLM_ACTION_HELP) {
        status = help(argv + outcome.first_argument);
    } else if (outcome.action == TLM_ACTION_VERSION) {
        tlm_output_version();
    } else if (outcome.action == TLM_ACTION_CHECK_CONFIG) {
        tlm_settings_print(TLM_PROGRAM_TOKEN, &settings, stdout);
    } else {
        status = run(&settings, argv + outcome.first_argument);
    }
    tlm_settings_clear(&settings);
    tlm_log_close();
    return status;
}
