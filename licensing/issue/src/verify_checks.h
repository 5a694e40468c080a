/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_VERIFY_CHECKS_H
#define TLM_ISSUE_VERIFY_CHECKS_H

/* What a host would check of a file, one by one. */

#include <stdbool.h>
#include <stdint.h>

#include <tlm/license.h>
#include <tlm/trust.h>

#include "host_file.h"
#include "options.h"
#include "our_file.h"

/* Enough for a package with as many licenses as fit, times and binding of each. */
#define TLM_CHECKS_MAX 1024U

typedef struct tlm_check {
    const char *name;
    bool ok;
    tlm_result result;
    char message[256];
} tlm_check;

typedef struct tlm_checks {
    tlm_check items[TLM_CHECKS_MAX];
    size_t count;
    size_t failed;
} tlm_checks;

/* What the file is held against; what was not given is NULL. */
typedef struct tlm_verify_inputs {
    tlm_trust *trust;
    tlm_host_file *host;
    json_t *keys; /* of --keys */
    int64_t now;
} tlm_verify_inputs;

TLM_CHECKED tlm_result tlm_verify_inputs_read(const tlm_issue_options *options,
                                              tlm_verify_inputs *inputs, tlm_error *error);
void tlm_verify_inputs_clear(tlm_verify_inputs *inputs);

/* Fills the checks, passed and failed. An error is one of usage: an input that is missing. */
TLM_CHECKED tlm_result tlm_verify_file(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                                       tlm_checks *checks, tlm_error *error);

#endif
