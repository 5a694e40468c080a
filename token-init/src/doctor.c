/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/doctor.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tlm/container.h>

#include "doctor_checks.h"

/* In the order in which a person would look: files first, then the way to the TPM, then the TPM. */
static void (*const checks[])(tlm_exam *exam) = {
    tlm_check_directory, tlm_check_record,      tlm_check_modes,   tlm_check_secrets,
    tlm_check_module,    tlm_check_rows,        tlm_check_lock,    tlm_check_build,
    tlm_check_device,    tlm_check_simulated,   tlm_check_lockout, tlm_check_slots,
    tlm_check_handles,   tlm_check_seal_handle, tlm_check_counter,
};

const char *tlm_severity_name(tlm_severity severity)
{
    static const char *const names[] = {"info", "warning", "problem"};
    return (unsigned)severity < sizeof names / sizeof names[0] ? names[severity] : "problem";
}

bool tlm_findings_have_problem(const tlm_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (findings->items[i].severity == TLM_FINDING_PROBLEM) {
            return true;
        }
    }
    return false;
}

bool tlm_doctor_in_container(void)
{
    tlm_container container;
    return tlm_container_look("/", &container);
}

tlm_finding *tlm_exam_add(tlm_exam *exam, const char *id, tlm_severity severity)
{
    tlm_findings *findings = exam->findings;
    /* The table of checks cannot fill the list; if it ever did, the last place is used again. */
    size_t place = findings->count < TLM_FINDINGS_MAX ? findings->count++ : TLM_FINDINGS_MAX - 1;
    tlm_finding *finding = &findings->items[place];
    memset(finding, 0, sizeof *finding);
    finding->id = id;
    finding->severity = severity;
    return finding;
}

bool tlm_exam_found(const tlm_exam *exam, const char *id)
{
    for (size_t i = 0; i < exam->findings->count; i++) {
        if (strcmp(exam->findings->items[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

void tlm_exam_say(char *field, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(field, size, format, arguments);
    va_end(arguments);
}

static void look(tlm_exam *exam)
{
    tlm_job *job = &exam->job;
    exam->provisioned = tlm_store_load(job->directory, &job->store, &exam->store_error) == TLM_OK;
    exam->tpm_wanted = !exam->provisioned || job->store.backend == TLM_BACKEND_TPM;
    if (!exam->tpm_wanted) {
        return;
    }
    if (tlm_tpm_open(exam->settings, &job->candidates, &job->used, &job->tpm, &exam->tpm_error) ==
        TLM_OK) {
        exam->facts_known = tlm_tpm_read_facts(job->tpm, &exam->facts, &exam->tpm_error) == TLM_OK;
    }
}

void tlm_doctor_run(const tlm_settings *settings, bool container, tlm_findings *findings)
{
    memset(findings, 0, sizeof *findings);
    const tlm_provision_request request = {.settings = settings};
    tlm_exam exam = {.settings = settings, .container = container, .findings = findings};
    exam.prefix = container ? "docker exec CONTAINER " : "";
    tlm_error error = {0};
    if (tlm_job_begin(&exam.job, &request, &error) != TLM_OK) {
        tlm_finding *finding = tlm_exam_add(&exam, "memory", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "%s", error.message);
        return;
    }
    look(&exam);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        checks[i](&exam);
    }
    tlm_job_end(&exam.job);
}
