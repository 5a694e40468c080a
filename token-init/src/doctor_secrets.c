/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's checks of the secrets: where they rest, whether they open, and what is in the way.
 */
#include "doctor_checks.h"

/* What the finding is called, and its command where the error has none that fits here. */
static const struct {
    tlm_result result;
    const char *id;
    const char *cause;
    const char *command;
} causes[] = {
    {TLM_ERR_PCR, "pcr-changed", "the boot state is not the one the secrets were sealed under",
     "reseal --recovery-key FILE"},
    {TLM_ERR_EXISTS, "seal-handle-foreign",
     "a foreign object stands at the handle of the sealed secrets' parent", "recover --replace"},
    {TLM_ERR_FOREIGN, "foreign-tpm", "the token belongs to another TPM, or this one was cleared",
     NULL},
};

static void say_unreadable(tlm_exam *exam, const tlm_error *error)
{
    const char *directory = exam->job.directory;
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (causes[i].result != error->result) {
            continue;
        }
        tlm_finding *finding = tlm_exam_add(exam, causes[i].id, TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "%s", causes[i].cause);
        tlm_say(finding->evidence, "%s", error->message);
        if (causes[i].command != NULL) {
            tlm_say(finding->command, "%stlm-token-init %s --token-store %s", exam->prefix,
                    causes[i].command, directory);
        } else {
            tlm_say(finding->command, "%s", error->hint);
        }
        return;
    }
    tlm_finding *finding = tlm_exam_add(exam, "secrets", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "the secrets of the token cannot be read");
    tlm_say(finding->evidence, "%s", error->message);
    tlm_say(finding->command, "%s", error->hint);
}

static void say_clear(tlm_exam *exam)
{
    tlm_finding *finding = tlm_exam_add(exam, "secrets-clear", TLM_FINDING_WARNING);
    tlm_say(finding->cause, "the PINs and the seed stand in a file in clear");
    tlm_say(finding->evidence, "%s/secrets.json; the TPM could hold them", exam->job.directory);
    tlm_say(finding->command, "%stlm-token-init seal --token-store %s", exam->prefix,
            exam->job.directory);
}

void tlm_check_secrets(tlm_exam *exam)
{
    tlm_error error = {0};
    tlm_job *job = &exam->job;
    if (!exam->provisioned) {
        return;
    }
    tlm_secrets_place place = tlm_secrets_where(&job->store);
    if (place == TLM_SECRETS_SEALED && !exam->facts_known) {
        return; /* why the TPM does not answer is told by other checks */
    }
    if (tlm_job_open_secrets(job, &error) == TLM_OK) {
        if (place == TLM_SECRETS_CLEAR && job->store.backend == TLM_BACKEND_TPM) {
            say_clear(exam);
        }
        return;
    }
    if (error.result == TLM_ERR_NO_SPACE && error.domain == TLM_DOMAIN_TPM) {
        /* A tlm-tokend that serves two keys leaves too few slots of a simulated TPM: that says
         * nothing of the secrets. */
        tlm_exam_add_slots(exam, error.message);
        return;
    }
    /* Wrong modes are findings of their own. */
    if (error.result == TLM_ERR_PERMISSION && exam->findings->count > 0) {
        return;
    }
    if (!job->store.complete && place == TLM_SECRETS_NONE) {
        return;
    }
    say_unreadable(exam, &error);
}

void tlm_check_seal_handle(tlm_exam *exam)
{
    tlm_tpm_object there;
    if (!exam->provisioned || !exam->facts_known || tlm_exam_found(exam, "foreign-tpm") ||
        tlm_secrets_where(&exam->job.store) != TLM_SECRETS_SEALED ||
        tlm_tpm_read_object(exam->job.tpm, TLM_HANDLE_SEAL, &there, NULL) != TLM_OK ||
        there.present) {
        return;
    }
    /* The secrets open all the same, as long as the owner hierarchy needs no authorization. */
    tlm_finding *finding = tlm_exam_add(exam, "seal-handle-missing", TLM_FINDING_WARNING);
    tlm_say(finding->cause, "the parent of the sealed secrets was evicted from the TPM");
    tlm_say(finding->evidence, "nothing stands at 0x810003E9");
    tlm_say(finding->command, "%stlm-token-init recover --token-store %s", exam->prefix,
            exam->job.directory);
}
