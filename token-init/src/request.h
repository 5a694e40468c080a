/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_REQUEST_H
#define TLM_REQUEST_H

/* What the subcommands that change the token have in common. */

#include <tlm/provision.h>

#include "options.h"

/* Settings and options as a request; TLM_ERR_SETTING where a value is wrong. */
TLM_CHECKED tlm_result tlm_command_request(const tlm_settings *settings, const tlm_options *options,
                                           tlm_provision_request *request, tlm_error *error);

/* Prints the report, `done` being what was done, and returns the exit status. */
int tlm_command_report(const tlm_provision_report *report, const tlm_options *options,
                       const char *done);

#endif
