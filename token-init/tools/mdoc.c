/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the subcommands of tlm-token-init as mdoc, while building; not installed. */
#include <stdio.h>

#include "options.h"

int main(void)
{
    tlm_options_print_mdoc(stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
