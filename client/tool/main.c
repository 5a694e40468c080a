/* SPDX-License-Identifier: BSD-2-Clause */
#include <locale.h>
#include <string.h>

#include "tool.h"

int main(int argc, char **argv)
{
    tlm_client_error error;
    tlm_tool_options options;
    (void)setlocale(LC_CTYPE, ""); /* texts of licenses are UTF-8 */
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        tlm_tool_print_help(NULL, stdout);
        return TLM_EXIT_DONE;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        return tlm_tool_version(NULL);
    }
    if (tlm_tool_parse(argv + 1, &options, &error) != TLM_CLIENT_OK) {
        return tlm_tool_failure(&error);
    }
    if (options.help) {
        tlm_tool_print_help(options.command, stdout);
        return TLM_EXIT_DONE;
    }
    return options.command->run(&options);
}
