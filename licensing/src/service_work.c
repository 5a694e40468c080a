/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <tlm/log.h>

#include "text_private.h"

/* How soon keys or a ledger that could not be opened are looked at again. */
#define LOOK_AGAIN_SECONDS 10

/* ---- the host as the ledger wants it ---- */

static tlm_ledger_host host_of(const tlm_identity_view *view, const tlm_fingerprint *fallback)
{
    tlm_ledger_host host = {.type = view->fingerprint.type, .fingerprint = view->fingerprint.text};
    if (fallback != NULL) {
        host.fallback = fallback->text;
        host.components = fallback->components;
        host.component_count = fallback->component_count;
    }
    return host;
}

static const tlm_fingerprint *fallback_of(const tlm_identity_view *view)
{
    if (view->has_fallback) {
        return &view->fallback;
    }
    return view->fingerprint.type == TLM_FINGERPRINT_FALLBACK ? &view->fingerprint : NULL;
}

/* ---- what the warden asks for ---- */

static tlm_result read_counter(void *context, uint64_t *value, bool *tamper_proof, tlm_error *error)
{
    tlm_licensing *service = context;
    return tlm_keyring_counter(service->ring, value, tamper_proof, error);
}

static tlm_result read_clock(void *context, tlm_token_clock *clock, tlm_error *error)
{
    tlm_licensing *service = context;
    return tlm_keyring_clock(service->ring, clock, error);
}

static tlm_result prove(void *context, json_t *statement, json_t **proof, tlm_error *error)
{
    tlm_licensing *service = context;
    return tlm_prover_prove(service->prover, statement, proof, error);
}

/* The fingerprint stays that of the start, which is what everybody was told. */
static tlm_result look(void *context, tlm_ledger_host *host, tlm_error *error)
{
    tlm_licensing *service = context;
    tlm_fingerprint fallback = {0};
    tlm_result result = tlm_keyring_look(service->ring, &fallback, error);
    if (result == TLM_OK) {
        tlm_fingerprint_clear(&service->seen);
        service->seen = fallback;
        *host = (tlm_ledger_host){.type = service->type,
                                  .fingerprint = service->fingerprint,
                                  .fallback = service->seen.text,
                                  .components = service->seen.components,
                                  .component_count = service->seen.component_count};
    }
    return result;
}

/* ---- opening ---- */

static tlm_result open_ledger(tlm_licensing *service, const tlm_identity_view *view,
                              tlm_error *error)
{
    char expected[TLM_UUID_SIZE] = "";
    tlm_ledger *ledger = NULL;
    tlm_result result = tlm_keyring_ledger(service->ring, expected, error);
    if (result != TLM_OK && result != TLM_ERR_NOT_FOUND) {
        return result;
    }
    const bool noted = result == TLM_OK;
    (void)pthread_mutex_lock(&service->trust_lock);
    const tlm_ledger_config config = {.directory = service->ledger_dir,
                                      .storage_id = view->storage_id,
                                      .expected_id = noted ? expected : NULL,
                                      .trust = service->trust->trust,
                                      .host = host_of(view, fallback_of(view)),
                                      .limits = service->limits,
                                      .clock = service->clock,
                                      .changed = tlm_service_news,
                                      .context = service};
    result = tlm_ledger_open(&config, &ledger, error);
    if (result == TLM_OK) {
        service->note_due = !noted || strcmp(expected, tlm_ledger_id(ledger)) != 0;
        (void)pthread_mutex_lock(&service->lock);
        service->ledger = ledger;
        (void)pthread_mutex_unlock(&service->lock);
    }
    (void)pthread_mutex_unlock(&service->trust_lock);
    return result;
}

static tlm_result start_warden(tlm_licensing *service, tlm_error *error)
{
    char kid[44];
    tlm_warden *warden = NULL;
    tlm_keyring_attest_kid(service->ring, kid);
    const tlm_warden_config config = {.ledger = service->ledger,
                                      .counter = read_counter,
                                      .clock = read_clock,
                                      .prove = kid[0] != '\0' ? prove : NULL,
                                      .look = look,
                                      .context = service,
                                      .checkpoint_seconds = service->checkpoint_seconds};
    tlm_result result = tlm_warden_start(&config, &warden, error);
    if (result == TLM_OK) {
        (void)pthread_mutex_lock(&service->lock);
        service->warden = warden;
        (void)pthread_mutex_unlock(&service->lock);
    }
    return result;
}

/* A vault that cannot be written is tried again later; the ledger works without. */
static void note_ledger(tlm_licensing *service)
{
    tlm_error error = {0};
    if (tlm_keyring_note_ledger(service->ring, tlm_ledger_id(service->ledger), &error) == TLM_OK) {
        service->note_due = false;
    } else {
        tlm_log_error(&error, "ledger_not_noted", "ledger=%s", tlm_ledger_id(service->ledger));
    }
}

static tlm_result identify(tlm_licensing *service, const tlm_identity_view *view, tlm_error *error)
{
    char kid[44];
    tlm_keyring_attest_kid(service->ring, kid);
    return kid[0] == '\0'
               ? TLM_OK
               : tlm_prover_identify(service->prover, view->fingerprint.text, kid, error);
}

/* Each step is done once; what failed is gone on with the next time. */
static tlm_result open_all(tlm_licensing *service, const tlm_identity_view *view, tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (!service->keys_open) {
        result = tlm_keyring_open(service->ring, view, error);
        service->keys_open = result == TLM_OK;
    }
    if (result == TLM_OK) {
        result = identify(service, view, error);
    }
    if (result == TLM_OK && service->ledger == NULL) {
        result = open_ledger(service, view, error);
    }
    if (result == TLM_OK && service->warden == NULL) {
        service->type = view->fingerprint.type;
        tlm_text_copy(service->fingerprint, sizeof service->fingerprint, view->fingerprint.text);
        result = start_warden(service, error);
    }
    return result;
}

static void set_phase(tlm_licensing *service, tlm_service_phase phase, const tlm_error *error)
{
    (void)pthread_mutex_lock(&service->lock);
    bool news = service->phase != phase || service->error.result != error->result;
    service->phase = phase;
    service->error = *error;
    (void)pthread_mutex_unlock(&service->lock);
    if (!news) {
        return;
    }
    if (phase == TLM_SERVICE_READY) {
        tlm_log(TLM_LOG_INFO, "licensing_ready", "ledger=%s new=%s", tlm_ledger_id(service->ledger),
                tlm_ledger_is_new(service->ledger) ? "yes" : "no");
    } else {
        tlm_log_error(error, "licensing_not_ready", "ledger=\"%s\"", service->ledger_dir);
    }
    if (phase == TLM_SERVICE_READY) {
        tlm_service_news(service);
    } else {
        service->changed(service->context);
    }
}

static void attempt(tlm_licensing *service)
{
    tlm_error error = {0};
    tlm_result result = open_all(service, service->known, &error);
    if (result == TLM_OK) {
        error = (tlm_error){0};
    }
    set_phase(service, result == TLM_OK ? TLM_SERVICE_READY : TLM_SERVICE_FAILED, &error);
    if (result == TLM_OK && service->note_due) {
        note_ledger(service);
    }
}

/* ---- news of the identity ---- */

static bool same_fallback(const tlm_identity_view *left, const tlm_identity_view *right)
{
    const tlm_fingerprint *a = fallback_of(left);
    const tlm_fingerprint *b = fallback_of(right);
    return a == b || (a != NULL && b != NULL && strcmp(a->text, b->text) == 0);
}

static void tell_host(tlm_licensing *service, const tlm_identity_view *view)
{
    tlm_error error = {0};
    const tlm_ledger_host host = host_of(view, fallback_of(view));
    if (tlm_ledger_set_host(service->ledger, &host, &error) != TLM_OK) {
        tlm_log_error(&error, "host_not_told", "fingerprint=%s", host.fingerprint);
    }
}

/* With the news taken: the view that licenses are judged by is the last ready one. */
static void take_view(tlm_licensing *service, tlm_identity_view *view)
{
    bool told = service->phase == TLM_SERVICE_READY && view->ready;
    bool tell = told && !same_fallback(service->known, view);
    if (tell) {
        tell_host(service, view);
    }
    if (!view->ready && service->phase != TLM_SERVICE_WAITING) {
        tlm_view_forget(&view); /* the token is away; what was opened stays */
        return;
    }
    (void)pthread_mutex_lock(&service->lock);
    tlm_identity_view *old = service->known;
    service->known = view;
    (void)pthread_mutex_unlock(&service->lock);
    tlm_view_forget(&old);
}

/* ---- jobs that need the token, or time ---- */

static tlm_result open_package(tlm_licensing *service, tlm_job *job, tlm_error *error)
{
    tlm_trust_box *trust = tlm_trust_box_get(service);
    tlm_result result = tlm_package_open(job->call->text, job->call->size, tlm_keyring_unwrap,
                                         service->ring, trust->trust, &job->package, error);
    tlm_trust_box_release(&trust);
    return result;
}

static tlm_result open_list(tlm_licensing *service, tlm_job *job, tlm_error *error)
{
    tlm_trust_box *trust = tlm_trust_box_get(service);
    tlm_result result =
        tlm_revocation_open(job->call->text, job->call->size, trust->trust, &job->list, error);
    tlm_trust_box_release(&trust);
    return result;
}

/*
 * A key that nobody knows may have come since the files were read: they are read again, so that a
 * first license takes no signal to the program.
 */
static tlm_result open_text(tlm_licensing *service, tlm_job *job,
                            tlm_result (*open)(tlm_licensing *, tlm_job *, tlm_error *),
                            tlm_error *error)
{
    tlm_result result = open(service, job, error);
    if (result != TLM_ERR_UNTRUSTED || !tlm_trust_runtime() || service->trust_dir == NULL) {
        return result;
    }
    tlm_error unread = {0}; /* a file that cannot be taken is in the log and in the status */
    if (tlm_service_trust_load(service, &unread) == TLM_OK || unread.result != TLM_ERR_MEMORY) {
        service->changed(service->context);
        result = open(service, job, error);
    }
    return result;
}

/* A lease that is not borrowed needs no proof, and one that is there none of another key. */
static tlm_result check_return(tlm_licensing *service, tlm_job *job, tlm_error *error)
{
    tlm_ledger_request request = {.op = TLM_LEDGER_LEASE,
                                  .ask = {.lease = job->call->id, .peer = job->call->peer}};
    tlm_result result = tlm_ledger_run(service->ledger, &request);
    if (result != TLM_OK) {
        *error = request.error;
    } else if (request.grant.borrowed) {
        result = tlm_service_return(job->proof, job->call->id, request.grant.jkt,
                                    tlm_service_now(service) / 1000, error);
    }
    job->request.ask.proven = result == TLM_OK;
    tlm_ledger_request_clear(&request);
    return result;
}

static void do_job(tlm_licensing *service, tlm_job *job)
{
    tlm_error error = {0};
    tlm_result result = TLM_OK;
    switch (job->call->op) {
    case TLM_CALL_ACTIVATE:
        result = open_text(service, job, open_package, &error);
        break;
    case TLM_CALL_REVOKE:
        result = open_text(service, job, open_list, &error);
        break;
    default:
        result = check_return(service, job, &error);
        break;
    }
    if (result != TLM_OK) {
        tlm_job_fail(job, &error);
    } else {
        tlm_job_submit(job);
    }
}

/* ---- the thread ---- */

/* With the lock: waits for something to do, or for the time to look again. */
static void wait_for_work(tlm_licensing *service)
{
    bool again = service->phase == TLM_SERVICE_FAILED || service->note_due;
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_AGAIN_SECONDS;
    int waited = 0;
    while (!service->stop && service->news == NULL && service->first == NULL &&
           waited != ETIMEDOUT) {
        waited = again ? pthread_cond_timedwait(&service->wake, &service->lock, &until)
                       : pthread_cond_wait(&service->wake, &service->lock);
    }
}

static tlm_job *take_job(tlm_licensing *service)
{
    tlm_job *job = service->first;
    if (job != NULL) {
        service->first = job->next;
        service->last = service->first == NULL ? NULL : service->last;
    }
    return job;
}

/* One round: a view, or a look at what failed, or one job. */
static void turn(tlm_licensing *service, tlm_identity_view *view, tlm_job *job)
{
    if (view != NULL) {
        take_view(service, view);
    }
    const tlm_identity_view *known = service->known;
    if (job == NULL && service->phase != TLM_SERVICE_READY && known != NULL && known->ready) {
        attempt(service);
    } else if (job == NULL && service->note_due) {
        note_ledger(service);
    }
    if (job != NULL) {
        do_job(service, job);
    }
}

void *tlm_service_work(void *licensing)
{
    tlm_licensing *service = licensing;
    (void)pthread_mutex_lock(&service->lock);
    for (;;) {
        wait_for_work(service);
        tlm_identity_view *view = service->news;
        tlm_job *job = view == NULL ? take_job(service) : NULL;
        service->news = NULL;
        if (service->stop && job == NULL) {
            (void)pthread_mutex_unlock(&service->lock);
            tlm_view_forget(&view);
            break;
        }
        (void)pthread_mutex_unlock(&service->lock);
        turn(service, view, job);
        (void)pthread_mutex_lock(&service->lock);
    }
    return NULL;
}
