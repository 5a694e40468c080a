/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_INSPECT_WORDS_H
#define TLM_ISSUE_INSPECT_WORDS_H

/* What one of our files says, in words, to standard output. */

#include <tlm/license.h>

#include "our_file.h"

TLM_CHECKED tlm_result tlm_inspect_print(const tlm_our_file *file, tlm_error *error);

/* "5 seats, 30 days from the first use" */
void tlm_inspect_feature(const tlm_feature *feature);

#endif
