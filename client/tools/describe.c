/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints parts of the manual page and the shell completion, while building; not installed. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(FILE *stream);
    } parts[] = {{"subcommands", tlm_tool_print_mdoc},
                 {"options", tlm_tool_print_options_mdoc},
                 {"completion", tlm_tool_print_completion}};
    for (size_t i = 0; argc == 2 && i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            parts[i].print(stdout);
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    return 2;
}
