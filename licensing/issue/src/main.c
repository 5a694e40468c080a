/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <tlm/log.h>

#include "json_private.h"
#include "options.h"
#include "output.h"

static int run(char *const words[])
{
    tlm_error error = {0};
    tlm_issue_options options = {.json = false};
    size_t which = 0;
    int status = TLM_EXIT_DONE;
    if (tlm_command_line_parse(tlm_issue_line(), words, &options, &which, &error) != TLM_OK) {
        status = tlm_output_failure(&error);
    } else if (options.help) {
        tlm_command_line_print_help(tlm_issue_line(), &tlm_issue_commands[which].row, stdout);
    } else {
        status = tlm_issue_commands[which].run(&options);
    }
    tlm_command_line_clear(tlm_issue_line(), &options);
    return status;
}

int main(int argc, char **argv)
{
    /* Keys of trials pass through this process: no core file, nothing readable for others. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    tlm_json_protect();

    tlm_error error = {0};
    const tlm_log_config log = {.level = TLM_LOG_ERROR, .format = TLM_LOG_TEXT, .to_stderr = true};
    if (tlm_log_open(&log, &error) != TLM_OK) {
        return tlm_output_failure(&error);
    }
    const char *first = argc > 1 ? argv[1] : "";
    int status = TLM_EXIT_DONE;
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        tlm_command_line_print_help(tlm_issue_line(), NULL, stdout);
    } else if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        tlm_output_version();
    } else {
        status = run(argv + 1);
    }
    tlm_log_close();
    return status;
}
