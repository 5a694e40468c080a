/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/file.h>
#include <tlm/startup.h>

#include "json_private.h"

/* How long a token that hangs may hold up the end, of the 3 s that there are. */
#define HURRY_MS 1500U

static int64_t system_wall(void *context)
{
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t tlm_service_now(const tlm_licensing *service)
{
    return service->clock.wall != NULL ? service->clock.wall(service->clock.context)
                                       : system_wall(NULL);
}

static int64_t seconds_now(void *context)
{
    const tlm_licensing *service = context;
    return tlm_service_now(service) / 1000;
}

static void nobody(void *context)
{
    (void)context;
}

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for licensing");
}

/* ---- start ---- */

static void release(tlm_licensing *service)
{
    tlm_keyring_stop(&service->ring);
    tlm_trust_box_release(&service->trust);
    json_decref(service->told);
    tlm_view_forget(&service->news);
    tlm_view_forget(&service->known);
    tlm_fingerprint_clear(&service->seen);
    (void)pthread_cond_destroy(&service->wake);
    (void)pthread_mutex_destroy(&service->lock);
    (void)pthread_mutex_destroy(&service->trust_lock);
    free(service->persistence_dir);
    free(service->ledger_dir);
    free(service->trust_dir);
    free(service);
}

static tlm_result fill(tlm_licensing *service, const tlm_licensing_config *config, tlm_error *error)
{
    service->limits = config->limits;
    service->checkpoint_seconds = config->checkpoint_seconds > 0 ? config->checkpoint_seconds : 1;
    service->changed = config->changed != NULL ? config->changed : nobody;
    service->context = config->context;
    service->persistence_dir = strdup(config->persistence_dir);
    service->ledger_dir = tlm_path_join(config->persistence_dir, TLM_LEDGER_DIRECTORY);
    service->trust_dir = config->trust_dir != NULL ? strdup(config->trust_dir) : NULL;
    service->trust = tlm_trust_box_load(config->trust_dir);
    bool filled = service->persistence_dir != NULL && service->ledger_dir != NULL &&
                  service->trust != NULL &&
                  (service->trust_dir != NULL || config->trust_dir == NULL);
    return filled ? TLM_OK : no_memory(error);
}

static tlm_result start_threads(tlm_licensing *service, const tlm_identity_config *identity,
                                tlm_error *error)
{
    const tlm_prover_config prover = {
        .sign = tlm_keyring_sign, .now = seconds_now, .now_context = service};
    tlm_result result = tlm_keyring_start(identity, &service->ring, error);
    if (result == TLM_OK) {
        tlm_prover_config with_ring = prover;
        with_ring.context = service->ring;
        result = tlm_prover_start(&with_ring, &service->prover, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    int failed = pthread_create(&service->worker, NULL, tlm_service_work, service);
    if (failed != 0) {
        tlm_prover_stop(&service->prover);
        errno = failed;
        return tlm_error_set_errno(error, NULL, "starting the thread of licensing");
    }
    return TLM_OK;
}

tlm_result tlm_licensing_start_at(const tlm_licensing_config *config, const tlm_ledger_clock *clock,
                                  tlm_licensing **licensing, tlm_error *error)
{
    if (config == NULL || licensing == NULL || config->persistence_dir == NULL ||
        config->identity == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "licensing needs a persistence directory and an identity");
    }
    tlm_json_protect();
    tlm_licensing *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return no_memory(error);
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_mutex_init(&made->trust_lock, NULL);
    (void)pthread_cond_init(&made->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (clock != NULL) {
        made->clock = *clock;
    }
    tlm_result result = fill(made, config, error);
    if (result == TLM_OK) {
        result = start_threads(made, config->identity, error);
    }
    if (result != TLM_OK) {
        release(made);
        return result;
    }
    *licensing = made;
    return TLM_OK;
}

tlm_result tlm_licensing_start(const tlm_licensing_config *config, tlm_licensing **licensing,
                               tlm_error *error)
{
    return tlm_licensing_start_at(config, NULL, licensing, error);
}

void tlm_licensing_identity(tlm_licensing *licensing, const tlm_identity_view *view)
{
    tlm_identity_view *kept = tlm_view_keep(view);
    if (kept == NULL) {
        return; /* the next view, at the latest of the next probe, will do */
    }
    (void)pthread_mutex_lock(&licensing->lock);
    tlm_identity_view *unseen = licensing->news;
    licensing->news = kept;
    (void)pthread_cond_broadcast(&licensing->wake);
    (void)pthread_mutex_unlock(&licensing->lock);
    tlm_view_forget(&unseen);
}

/* ---- calls ---- */

/* The view whose state is told while there is no ledger. */
static const tlm_identity_view *told_view(const tlm_licensing *service)
{
    return service->news != NULL ? service->news : service->known;
}

void tlm_service_refuse(tlm_licensing *service, tlm_call *call)
{
    const tlm_identity_view *view = told_view(service);
    const tlm_start_description *state =
        tlm_startup_describe(view != NULL ? view->state : TLM_START_PENDING);
    const char *code = state->name;
    if (service->phase == TLM_SERVICE_FAILED) {
        code = tlm_result_code(service->error.result);
        (void)tlm_error_set(&call->error, TLM_ERR_TOKEN_UNAVAILABLE, service->error.hint, "%s",
                            service->error.message);
    } else if (view != NULL && !view->ready && view->error.result != TLM_OK) {
        (void)tlm_error_set(&call->error, TLM_ERR_TOKEN_UNAVAILABLE, view->error.hint, "%s",
                            view->error.message);
    } else {
        if (state->healthy) {
            code = tlm_startup_describe(TLM_START_PENDING)->name;
        }
        (void)tlm_error_set(&call->error, TLM_ERR_TOKEN_UNAVAILABLE, "Wait a moment.",
                            "the licenses are being opened");
    }
    call->answer = json_pack("{s:s}", "code", code);
    call->retry_after = TLM_RETRY_STATE;
}

/* With the lock: whether the identity is there and only the ledger is being opened yet. */
static bool is_opening(const tlm_licensing *service)
{
    const tlm_identity_view *view = told_view(service);
    return service->phase == TLM_SERVICE_WAITING && view != NULL && view->ready;
}

/* With the lock: keeps the call until the ledger is open, or known not to open. */
static void park(tlm_licensing *service, tlm_call *call)
{
    call->next = service->parked;
    service->parked = call;
}

void tlm_service_unpark(tlm_licensing *service)
{
    (void)pthread_mutex_lock(&service->lock);
    tlm_call *call = service->parked;
    service->parked = NULL;
    (void)pthread_mutex_unlock(&service->lock);
    tlm_call *first = NULL;
    while (call != NULL) { /* the last one that came is the first of the list */
        tlm_call *next = call->next;
        call->next = first;
        first = call;
        call = next;
    }
    while (first != NULL) {
        call = first;
        first = call->next;
        tlm_licensing_submit(service, call);
    }
}

/* Whether the call can be taken; else it is answered, or parked. */
static bool admit(tlm_licensing *service, tlm_call *call, bool *parked)
{
    (void)pthread_mutex_lock(&service->lock);
    bool stop = service->stop;
    bool ready = service->phase == TLM_SERVICE_READY ||
                 (call->op == TLM_CALL_KEYS && service->ledger != NULL);
    if (stop) {
        (void)tlm_error_set(&call->error, TLM_ERR_BUSY, "Ask again in a moment.",
                            "the program ends");
        call->retry_after = TLM_RETRY_BUSY;
    } else if (!ready && is_opening(service)) {
        park(service, call);
        *parked = true;
    } else if (!ready) {
        tlm_service_refuse(service, call);
    } else {
        service->jobs++;
    }
    (void)pthread_mutex_unlock(&service->lock);
    return !stop && ready;
}

/* What is proven needs a key; better to say so before anything is granted. */
static tlm_result check_provable(tlm_licensing *service, const tlm_job *job, tlm_error *error)
{
    char kid[44];
    if (!job->proven) {
        return TLM_OK;
    }
    tlm_keyring_attest_kid(service->ring, kid);
    return kid[0] != '\0'
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                               "Provision a token: tlm-token-init provision; or ask without nonce.",
                               "this host has no key that signs statements");
}

static void to_worker(tlm_licensing *service, tlm_job *job)
{
    (void)pthread_mutex_lock(&service->lock);
    if (service->last != NULL) {
        service->last->next = job;
    } else {
        service->first = job;
    }
    service->last = job;
    (void)pthread_cond_broadcast(&service->wake);
    (void)pthread_mutex_unlock(&service->lock);
}

static bool is_for_worker(const tlm_job *job)
{
    return job->call->op == TLM_CALL_ACTIVATE || job->call->op == TLM_CALL_REVOKE ||
           (job->proof != NULL && !job->request.ask.force);
}

void tlm_licensing_submit(tlm_licensing *licensing, tlm_call *call)
{
    tlm_error error = {0};
    call->error = (tlm_error){0};
    call->answer = NULL;
    call->created = false;
    call->retry_after = 0;
    bool parked = false;
    if (!admit(licensing, call, &parked)) {
        if (!parked) {
            call->done(call);
        }
        return;
    }
    tlm_job *job = tlm_job_new(licensing, call);
    if (job == NULL) {
        return;
    }
    tlm_result result = tlm_service_input(job, &error);
    if (result == TLM_OK) {
        result = check_provable(licensing, job, &error);
    }
    if (result == TLM_OK && call->op == TLM_CALL_KEYS) {
        result = tlm_keyring_jwks(licensing->ring, &call->answer, &error);
        if (result == TLM_OK) {
            tlm_job_finish(job);
            return;
        }
    }
    if (result != TLM_OK) {
        tlm_job_fail(job, &error);
    } else if (is_for_worker(job)) {
        to_worker(licensing, job);
    } else {
        tlm_job_submit(job);
    }
}

tlm_result tlm_licensing_reload(tlm_licensing *licensing, tlm_error *error)
{
    return tlm_service_trust_load(licensing, error);
}

/* ---- stop ---- */

/* Waits until every call that was taken is answered, but no longer than a token may hang. */
static void drain(tlm_licensing *service)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HURRY_MS / 1000 + 1;
    int waited = 0;
    (void)pthread_mutex_lock(&service->lock);
    while (service->jobs > 0 && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&service->wake, &service->lock, &until);
    }
    (void)pthread_mutex_unlock(&service->lock);
}

void tlm_licensing_stop(tlm_licensing **licensing)
{
    if (licensing == NULL || *licensing == NULL) {
        return;
    }
    tlm_licensing *gone = *licensing;
    *licensing = NULL;
    (void)pthread_mutex_lock(&gone->lock);
    gone->stop = true;
    (void)pthread_cond_broadcast(&gone->wake);
    (void)pthread_mutex_unlock(&gone->lock);
    tlm_keyring_hurry(gone->ring, HURRY_MS);
    (void)pthread_join(gone->worker, NULL);
    tlm_service_unpark(gone);
    drain(gone);
    tlm_warden_stop(&gone->warden);
    (void)pthread_mutex_lock(&gone->lock);
    tlm_ledger *ledger = gone->ledger;
    gone->ledger = NULL; /* whatever its thread still tells, nothing more is asked */
    (void)pthread_mutex_unlock(&gone->lock);
    tlm_ledger_close(&ledger);
    tlm_prover_stop(&gone->prover);
    release(gone);
}
