/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_COMMAND_LINE_INTERNAL_H
#define TLM_COMMAND_LINE_INTERNAL_H

#include <stdbool.h>

#include <tlm/command_line.h>

/* Whether an option is one of the subcommand; of NULL those of every subcommand are. */
bool tlm_option_fits(const tlm_option_row *row, const char *command);

/* Bytes of the group in "group word"; 0 where the name is one word. */
size_t tlm_command_group(const char *name);

/* Whether the operands are what stands behind "--". */
bool tlm_command_is_behind(const tlm_command_row *command);

#endif
