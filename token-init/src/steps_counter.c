/* SPDX-License-Identifier: BSD-2-Clause */
/* The counter's step, which provisioning of an older, complete store makes up for. */
#include "steps.h"

#include <tlm/counter.h>
#include <tlm/counter_file.h>
#include <tlm/log.h>

static tlm_result define_index(tlm_job *job, tlm_error *error)
{
    bool changed = false;
    tlm_result result = tlm_job_need_tpm(job, error);
    if (result == TLM_OK) {
        result = tlm_counter_define(job->tpm, job->request->replace, &changed, error);
    }
    job->changed = job->changed || changed;
    return result;
}

/* token.json remembers that there was a file: one that is lost is not made anew in silence. */
static tlm_result note_file(tlm_job *job, tlm_error *error)
{
    if (job->store.counter) {
        return TLM_OK;
    }
    job->store.counter = true;
    job->changed = true;
    return tlm_store_save(&job->store, error);
}

static tlm_result make_file(tlm_job *job, tlm_error *error)
{
    uint64_t value = 0;
    const bool replace = job->request->replace;
    tlm_result result = tlm_counter_file_read(job->directory, &value, error);
    if (result == TLM_OK) {
        return note_file(job, error);
    }
    const bool lost = result == TLM_ERR_NOT_FOUND && job->store.counter;
    if ((result != TLM_ERR_NOT_FOUND && result != TLM_ERR_DAMAGED) ||
        ((lost || result == TLM_ERR_DAMAGED) && !replace)) {
        return result;
    }
    if (lost || result == TLM_ERR_DAMAGED) {
        tlm_log(TLM_LOG_WARNING, "counter_begun_anew", "reason=%s", lost ? "missing" : "damaged");
        result = tlm_counter_file_discard(job->directory, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    job->changed = true;
    result = tlm_counter_file_make(job->directory, error);
    return result == TLM_OK ? note_file(job, error) : result;
}

tlm_result tlm_step_counter(tlm_job *job, tlm_error *error)
{
    return job->store.backend == TLM_BACKEND_TPM ? define_index(job, error) : make_file(job, error);
}

/* Whether the TPM that answers is the one that holds this store's root key. */
static bool is_our_tpm(tlm_job *job)
{
    tlm_tpm_name stored = {0};
    tlm_tpm_object there = {0};
    return tlm_job_stored_name(job, &stored, NULL) == TLM_OK &&
           tlm_tpm_read_object(job->tpm, TLM_HANDLE_SRK, &there, NULL) == TLM_OK && there.present &&
           tlm_tpm_name_equal(&there.name, &stored);
}

tlm_result tlm_step_counter_late(tlm_job *job, tlm_error *error)
{
    if (job->store.backend == TLM_BACKEND_TPM) {
        tlm_error away = {0};
        if (tlm_job_need_tpm(job, &away) != TLM_OK) {
            tlm_log_write_error(TLM_LOG_WARNING, __func__, &away, "counter_not_looked_at", NULL);
            return TLM_OK;
        }
        if (!is_our_tpm(job)) {
            tlm_log(TLM_LOG_WARNING, "counter_not_looked_at",
                    "reason=\"this TPM does not hold the store's root key\"");
            return TLM_OK;
        }
    }
    return tlm_step_counter(job, error);
}
