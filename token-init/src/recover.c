/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/provision.h>

#include <string.h>

#include "job.h"
#include "sealing.h"

static tlm_result load(tlm_job *job, tlm_error *error)
{
    tlm_result result = tlm_store_load(job->directory, &job->store, error);
    if (result != TLM_OK) {
        return result;
    }
    if (job->store.backend != TLM_BACKEND_TPM) {
        return tlm_error_set(
            error, TLM_ERR_UNSUPPORTED, "if its files are damaged, restore the store from a backup",
            "the token in %s is of the softhsm back end: it has no key in a TPM to "
            "bring back",
            job->directory);
    }
    return tlm_job_lock(job, error);
}

static tlm_result recover(tlm_job *job, tlm_provision_report *report, tlm_error *error)
{
    tlm_tpm_name expected = {0};
    bool changed = false;
    bool parent_changed = false;
    tlm_result result = load(job, error);
    if (result == TLM_OK) {
        result = tlm_job_restore_parent(job, &parent_changed, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_need_secrets(job, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_job_stored_name(job, &expected, error);
    if (result == TLM_ERR_NOT_FOUND || result == TLM_ERR_INCOMPLETE) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE, "run: tlm-token-init provision",
                             "provisioning of %s was interrupted before the root key was recorded",
                             job->directory);
    }
    if (result == TLM_OK) {
        result = tlm_job_place_primary(job, &expected, &changed, error);
    }
    report->unchanged = !changed && !parent_changed;
    return result == TLM_OK ? tlm_job_report(job, report, error) : result;
}

tlm_result tlm_recover(const tlm_provision_request *request, tlm_provision_report *report,
                       tlm_error *error)
{
    memset(report, 0, sizeof *report);
    tlm_job job;
    tlm_result result = tlm_job_begin(&job, request, error);
    if (result == TLM_OK) {
        result = recover(&job, report, error);
    }
    tlm_job_end(&job);
    return result;
}

tlm_result tlm_forget_storage(const tlm_provision_request *request, tlm_error *error)
{
    tlm_job job;
    tlm_result result = tlm_job_begin(&job, request, error);
    if (result == TLM_OK) {
        result = tlm_store_load(job.directory, &job.store, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_lock(&job, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_need_token(&job, error);
    }
    if (result == TLM_OK) {
        result = tlm_token_data_remove(job.token, TLM_STORAGE_MARK, error);
    }
    if (result == TLM_ERR_NOT_FOUND && job.token != NULL) {
        (void)tlm_error_set(error, result, "nothing needs to be done",
                            "the token '%s' is not marked with a storage", job.store.label);
    }
    tlm_job_end(&job);
    return result;
}
