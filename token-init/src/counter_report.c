/* SPDX-License-Identifier: BSD-2-Clause */
#include "counter_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/counter.h>
#include <tlm/counter_file.h>
#include <tlm/file.h>

#define PROVISION "run: tlm-token-init provision"

static void look_at_tpm(tlm_job *job, tlm_counter_report *report)
{
    tlm_counter_state state;
    if (job->tpm == NULL || tlm_counter_read_state(job->tpm, &state, &report->error) != TLM_OK) {
        return;
    }
    report->known = true;
    report->present = state.present;
    report->ours = state.ours;
    report->value = state.value;
    (void)snprintf(report->type, sizeof report->type, "%s", state.type);
    if (!state.present) {
        (void)tlm_error_set(&report->error, TLM_ERR_NOT_FOUND, PROVISION,
                            "the TPM has no counter at 0x%08X", TLM_COUNTER_INDEX);
    } else if (!state.ours) {
        (void)tlm_error_set(&report->error, TLM_ERR_FOREIGN,
                            "look whose it is: tpm2_nvreadpublic 0x018003E8; if nobody needs it: "
                            "tlm-token-init provision --replace",
                            "a foreign NV index stands at 0x%08X: %s", TLM_COUNTER_INDEX,
                            state.type);
    }
}

static void look_at_file(const tlm_job *job, tlm_counter_report *report)
{
    tlm_result result = tlm_counter_file_read(job->directory, &report->value, &report->error);
    report->known = true;
    report->ours = result == TLM_OK;
    report->present = result != TLM_ERR_NOT_FOUND;
    (void)snprintf(report->type, sizeof report->type, "file");
    if (!report->present && !job->store.counter) {
        tlm_error_set_hint(&report->error, PROVISION); /* an older store: nothing was lost */
    }
}

void tlm_counter_look(tlm_job *job, bool provisioned, tlm_counter_report *report)
{
    memset(report, 0, sizeof *report);
    report->tpm = !provisioned || job->store.backend == TLM_BACKEND_TPM;
    if (report->tpm) {
        look_at_tpm(job, report);
        return;
    }
    look_at_file(job, report);
}

json_t *tlm_counter_report_to_json(const tlm_job *job, const tlm_counter_report *report)
{
    if (!report->known) {
        return json_null();
    }
    char *path = tlm_path_join(job->directory, TLM_COUNTER_FILE);
    char index[16];
    (void)snprintf(index, sizeof index, "0x%08X", TLM_COUNTER_INDEX);
    json_t *object =
        json_pack("{s:s, s:s, s:b, s:b, s:o, s:o}", "kind", report->tpm ? "tpm" : "file", "place",
                  report->tpm || path == NULL ? index : path, "present", report->present, "ours",
                  report->ours, "type", report->present ? json_string(report->type) : json_null(),
                  "value", report->ours ? json_integer((json_int_t)report->value) : json_null());
    free(path);
    return object;
}
