/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_COMMAND_LINE_INTERNAL_H
#define TLM_COMMAND_LINE_INTERNAL_H

#include <stdbool.h>

#include <tlm/command_line.h>

/* Whether an option is one of the subcommand. */
bool tlm_option_fits(const tlm_option_row *row, const char *command);

#endif
