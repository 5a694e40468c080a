/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <stdlib.h>

/* The last thing that is done for a call; who stops the service waits for it. */
static void answer(tlm_licensing *service, tlm_call *call)
{
    call->done(call);
    (void)pthread_mutex_lock(&service->lock);
    service->jobs--;
    (void)pthread_cond_broadcast(&service->wake);
    (void)pthread_mutex_unlock(&service->lock);
}

tlm_job *tlm_job_new(tlm_licensing *service, tlm_call *call)
{
    tlm_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        (void)tlm_error_set(&call->error, TLM_ERR_MEMORY, NULL, "no memory for a request");
        answer(service, call);
        return NULL;
    }
    job->service = service;
    job->call = call;
    return job;
}

void tlm_job_finish(tlm_job *job)
{
    tlm_licensing *service = job->service;
    tlm_call *call = job->call;
    if (call->error.result != TLM_OK && call->answer == NULL) {
        tlm_service_explain(job);
    }
    tlm_ledger_request_clear(&job->request);
    tlm_package_free(&job->package);
    tlm_revocation_free(&job->list);
    free(job);
    answer(service, call);
}

void tlm_job_fail(tlm_job *job, const tlm_error *error)
{
    json_decref(job->call->answer);
    job->call->answer = NULL;
    job->call->created = false;
    job->call->error = *error;
    tlm_job_finish(job);
}

/* From the prover's thread. */
static void proven(void *context, json_t *proof, const tlm_error *error)
{
    tlm_job *job = context;
    if (proof == NULL) {
        tlm_job_fail(job, error);
        return;
    }
    int failed = json_object_update(job->call->answer, proof);
    json_decref(proof);
    if (failed != 0) {
        tlm_error cause = {0};
        (void)tlm_error_set(&cause, TLM_ERR_MEMORY, NULL, "no memory for the answer");
        tlm_job_fail(job, &cause);
        return;
    }
    tlm_job_finish(job);
}

/* From the ledger's writer, after the commit. */
static void decided(tlm_ledger_request *request)
{
    tlm_job *job = request->context;
    tlm_error error = {0};
    if (request->error.result != TLM_OK) {
        tlm_job_fail(job, &request->error);
        return;
    }
    if (tlm_service_answer(job, &error) != TLM_OK) {
        tlm_job_fail(job, &error);
        return;
    }
    if (job->proven) {
        tlm_prover_submit(job->service->prover, tlm_service_statement(job), proven, job);
        return;
    }
    tlm_job_finish(job);
}

void tlm_job_submit(tlm_job *job)
{
    job->request.package = job->package;
    job->request.list = job->list;
    job->request.done = decided;
    job->request.context = job;
    tlm_ledger_submit(job->service->ledger, &job->request);
}
