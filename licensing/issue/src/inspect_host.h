/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_INSPECT_HOST_H
#define TLM_ISSUE_INSPECT_HOST_H

/* Files in JSON: key sets, and what hosts say. */

#include "our_file.h"

TLM_CHECKED tlm_result tlm_inspect_host_print(const tlm_our_file *file, tlm_error *error);

#endif
