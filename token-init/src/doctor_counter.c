/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's check of the token's counter: in the TPM, or a file of the store. */
#include "doctor_checks.h"

#include "counter_report.h"

/* Without the counter the token works; what stands on the counter does not. */
void tlm_check_counter(tlm_exam *exam)
{
    if (exam->provisioned && !exam->job.store.complete) {
        return;
    }
    tlm_counter_report report;
    tlm_counter_look(&exam->job, exam->provisioned, &report);
    if (!report.known || report.ours || (!exam->provisioned && !report.present)) {
        return;
    }
    const bool never_made = !report.present && (report.tpm || !exam->job.store.counter);
    tlm_finding *finding = tlm_exam_add(exam,
                                        never_made       ? "counter-missing"
                                        : report.tpm     ? "counter-foreign"
                                        : report.present ? "counter-damaged"
                                                         : "counter-lost",
                                        never_made ? TLM_FINDING_WARNING : TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "%s",
            never_made       ? "the token has no counter, which protects licenses against rollback"
            : report.tpm     ? "a foreign NV index stands where our counter belongs"
            : report.present ? "the counter's file is damaged"
                             : "the counter's file is lost");
    tlm_say(finding->evidence, "%s", report.error.message);
    tlm_say(finding->command,
            report.tpm && report.present
                ? "look whose it is: %stpm2_nvreadpublic 0x018003E8; if nobody needs it: "
                  "%stlm-token-init provision%s --token-store %s"
                : "%s%stlm-token-init provision%s --token-store %s",
            report.tpm && report.present ? exam->prefix : "", exam->prefix,
            never_made ? "" : " --replace", exam->job.directory);
}
