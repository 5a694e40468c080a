/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ATTEST_COMMAND_H
#define TLM_ATTEST_COMMAND_H

/* Rows of the table of subcommands: attest and verify-attestation. */

#include "options.h"

int tlm_command_attest(const tlm_settings *settings, const tlm_options *options);
int tlm_command_verify_attestation(const tlm_settings *settings, const tlm_options *options);

#endif
