/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SEAL_COMMAND_H
#define TLM_SEAL_COMMAND_H

/* Rows of the table of subcommands: seal and reseal. */

#include "options.h"

int tlm_command_seal(const tlm_settings *settings, const tlm_options *options);
int tlm_command_reseal(const tlm_settings *settings, const tlm_options *options);

#endif
