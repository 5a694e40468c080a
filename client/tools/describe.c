/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints parts of the manual page and the shell completion, while building; not installed. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(const tlm_command_line *line, FILE *stream);
    } parts[] = {{"subcommands", tlm_command_line_print_mdoc},
                 {"options", tlm_command_line_print_mdoc_common},
                 {"completion", tlm_command_line_print_completion}};
    for (size_t i = 0; argc == 2 && i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            parts[i].print(tlm_tool_line(), stdout);
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    return 2;
}
