/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the subcommands of tlm-token-init as mdoc, while building; not installed. */
#include <stdio.h>

#include "options.h"

int main(void)
{
    tlm_command_line_print_mdoc(tlm_options_line(), stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
