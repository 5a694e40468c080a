/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's checks of a TPM that answers: lockout, slots, handles, whose token it is. */
#include "doctor_checks.h"

#include <stdio.h>
#include <string.h>

void tlm_check_simulated(tlm_exam *exam)
{
    if (exam->provisioned && exam->job.store.backend == TLM_BACKEND_SOFTHSM) {
        tlm_finding *finding = tlm_exam_add(exam, "softhsm", TLM_FINDING_INFO);
        tlm_say(finding->cause, "the token is a SoftHSM one: it is not hardware-bound");
        tlm_say(finding->evidence, "%s/token.json", exam->job.directory);
        return;
    }
    if (exam->facts_known && exam->facts.simulated) {
        tlm_finding *finding = tlm_exam_add(exam, "simulated", TLM_FINDING_INFO);
        tlm_say(finding->cause, "the TPM is a simulated one: it is not hardware-bound");
        tlm_say(finding->evidence, "%s, vendor '%s'", exam->job.used->conf, exam->facts.vendor);
    }
}

void tlm_check_lockout(tlm_exam *exam)
{
    const tlm_tpm_facts *facts = &exam->facts;
    if (!exam->facts_known || (!facts->in_lockout && facts->lockout_counter == 0)) {
        return;
    }
    tlm_finding *finding =
        tlm_exam_add(exam, facts->in_lockout ? "lockout" : "lockout-counter",
                     facts->in_lockout ? TLM_FINDING_PROBLEM : TLM_FINDING_WARNING);
    tlm_say(finding->cause, "%s",
            facts->in_lockout
                ? "the TPM is in lockout: it refuses even the right PIN"
                : "the TPM has counted failed authorizations (a power cut counts as one)");
    tlm_say(finding->evidence, "%u of %u tries used; one is forgotten each %u seconds",
            facts->lockout_counter, facts->max_tries, facts->recovery_seconds);
    tlm_say(finding->command,
            "wait %u seconds without trying, or: %stpm2_dictionarylockout --clear-lockout "
            "(add -p AUTH where the lockout hierarchy has one)",
            facts->recovery_seconds, exam->prefix);
}

void tlm_exam_add_slots(tlm_exam *exam, const char *evidence)
{
    if (tlm_exam_found(exam, "tpm-slots")) {
        return;
    }
    tlm_finding *finding = tlm_exam_add(exam, "tpm-slots", TLM_FINDING_WARNING);
    tlm_say(finding->cause, "the object slots of the TPM are taken, and it has no resource manager "
                            "to share them");
    tlm_say(finding->evidence, "%s", evidence);
    tlm_say(finding->command, "%stpm2_flushcontext -T %s -t (end the daemon first)", exam->prefix,
            exam->job.used->conf);
}

void tlm_check_slots(tlm_exam *exam)
{
    char evidence[64];
    /* Behind a resource manager a client sees its own objects only. */
    if (!exam->facts_known || !exam->job.used->simulated || exam->facts.transient_count < 3) {
        return;
    }
    (void)snprintf(evidence, sizeof evidence, "%zu transient objects are loaded",
                   exam->facts.transient_count);
    tlm_exam_add_slots(exam, evidence);
}

static void say_foreign_tpm(tlm_exam *exam, const char *stored)
{
    tlm_finding *finding = tlm_exam_add(exam, "foreign-tpm", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "the token belongs to another TPM, or this one was cleared");
    tlm_say(finding->evidence, "from the store's seed this TPM (%s %s) makes another key than %s",
            exam->facts.manufacturer, exam->facts.vendor, stored);
    tlm_say(finding->command,
            "attach the TPM that made it; or, for a new identity: %smv %s %s.old && "
            "%stlm-token-init provision",
            exam->prefix, exam->job.directory, exam->job.directory, exam->prefix);
}

static void say_missing(tlm_exam *exam, const char *stored)
{
    tlm_finding *finding = tlm_exam_add(exam, "handle-missing", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "the root key was evicted from the TPM");
    tlm_say(finding->evidence, "nothing stands at 0x810003E8; the store expects %s", stored);
    tlm_say(finding->command, "%stlm-token-init recover --token-store %s", exam->prefix,
            exam->job.directory);
}

static void say_foreign_object(tlm_exam *exam, const tlm_tpm_object *there, const char *command)
{
    char name[2 * TLM_TPM_NAME_MAX + 1];
    tlm_tpm_name_text(&there->name, name);
    tlm_finding *finding = tlm_exam_add(exam, "handle-foreign", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "a foreign object stands at the handle of our root key");
    tlm_say(finding->evidence, "0x810003E8: %s, name %s", there->type, name);
    tlm_say(finding->command,
            "look whose it is: %stpm2_readpublic -c 0x810003E8; if nobody needs it: "
            "%stlm-token-init %s --replace --token-store %s",
            exam->prefix, exam->prefix, command, exam->job.directory);
}

/* Whether this TPM makes the stored key from the seed; true also where it cannot be told. */
static bool seed_fits(tlm_exam *exam, const tlm_tpm_name *stored)
{
    const tlm_store_secrets *secrets = &exam->job.secrets;
    tlm_error error = {0};
    tlm_primary primary = {0};
    if (secrets->tpm_seed == NULL || secrets->tpm_auth == NULL) {
        return true;
    }
    if (tlm_primary_create(exam->job.tpm, secrets->tpm_seed, secrets->tpm_auth, &primary, &error) !=
        TLM_OK) {
        tlm_finding *finding = tlm_exam_add(exam, "primary-failed", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "the TPM does not make the root key");
        tlm_say(finding->evidence, "%s", error.message);
        tlm_say(finding->command, "%s", error.hint);
        return true;
    }
    bool same = tlm_tpm_name_equal(&primary.name, stored);
    tlm_primary_close(exam->job.tpm, &primary);
    return same;
}

void tlm_check_handles(tlm_exam *exam)
{
    tlm_tpm_object there;
    tlm_tpm_name stored = {0};
    char text[2 * TLM_TPM_NAME_MAX + 1];
    if (!exam->facts_known ||
        tlm_tpm_read_object(exam->job.tpm, TLM_HANDLE_SRK, &there, NULL) != TLM_OK) {
        return;
    }
    bool known = exam->provisioned && tlm_job_stored_name(&exam->job, &stored, NULL) == TLM_OK;
    if (!known) {
        /* Before provisioning an object there is in the way. In between it may be ours, and so it
         * may where a store is there that this user cannot read. */
        if (there.present && !exam->provisioned &&
            exam->store_error.result == TLM_ERR_NOT_PROVISIONED) {
            say_foreign_object(exam, &there, "provision");
        }
        return;
    }
    if ((there.present && tlm_tpm_name_equal(&there.name, &stored)) ||
        tlm_exam_found(exam, "foreign-tpm")) {
        return;
    }
    tlm_tpm_name_text(&stored, text);
    if (!seed_fits(exam, &stored)) {
        say_foreign_tpm(exam, text);
    } else if (there.present) {
        say_foreign_object(exam, &there, "recover");
    } else {
        say_missing(exam, text);
    }
}
