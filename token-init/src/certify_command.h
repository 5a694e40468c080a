/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CERTIFY_COMMAND_H
#define TLM_CERTIFY_COMMAND_H

/* Rows of the table of subcommands: csr and install-cert. */

#include "options.h"

int tlm_command_csr(const tlm_settings *settings, const tlm_options *options);
int tlm_command_install_certificate(const tlm_settings *settings, const tlm_options *options);

#endif
