/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_COUNTER_REPORT_H
#define TLM_COUNTER_REPORT_H

/* What stands where the token's counter belongs, for status and doctor. Nothing is counted. */

#include <jansson.h>

#include "job.h"

typedef struct tlm_counter_report {
    bool known; /* it could be looked at */
    bool tpm;   /* an NV index, else a file */
    bool present;
    bool ours; /* present and usable */
    uint64_t value;
    char type[64];   /* of what stands there */
    tlm_error error; /* why it is not usable; result TLM_OK where it is */
} tlm_counter_report;

/*
 * `job` has its store loaded, where there is one, and its TPM open, where one answers. Without a
 * store the TPM's index is looked at, which provisioning will need.
 */
void tlm_counter_look(tlm_job *job, bool provisioned, tlm_counter_report *report);

/* A new object for status, null where nothing is known. */
json_t *tlm_counter_report_to_json(const tlm_job *job, const tlm_counter_report *report);

#endif
