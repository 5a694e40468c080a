/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/identity.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlm/log.h>

#include "identity_private.h"
#include "json_private.h"

#define PROBE_MS 5000
#define RETRY_FIRST_MS 250
#define RETRY_LAST_MS 10000
/* A module cannot say when a lockout ends, and asking in vain must never prolong it; tlm-tokend
 * can, and asks nothing in vain. */
#define RETRY_LOCKED_MS 600000
#define NEVER_MS (-1)
#define DIAGNOSE_SECONDS 60
/* How long a call of the token is waited for at the end. */
#define STOP_SECONDS 1

/* ---- the thread ---- */

/*
 * Waits `wait` milliseconds, for ever where negative, or until something changed; returns whether
 * the thread shall end.
 */
static bool wait_or_stop(tlm_identity *identity, long wait, bool *roused)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait / 1000;
    until.tv_nsec += wait % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&identity->lock);
    int result = 0;
    while (!identity->stop && !identity->roused && result == 0) {
        result = wait < 0 ? pthread_cond_wait(&identity->wake, &identity->lock)
                          : pthread_cond_timedwait(&identity->wake, &identity->lock, &until);
    }
    bool stop = identity->stop;
    *roused = identity->roused;
    identity->roused = false;
    (void)pthread_mutex_unlock(&identity->lock);
    return stop;
}

/* Called from the supervisor's thread: tlm-tokend came, went, or has something new to tell. */
static void rouse(void *context)
{
    tlm_identity *identity = context;
    (void)pthread_mutex_lock(&identity->lock);
    identity->roused = true;
    (void)pthread_cond_signal(&identity->wake);
    (void)pthread_mutex_unlock(&identity->lock);
}

static bool stop_asked(void *context)
{
    tlm_identity *identity = context;
    (void)pthread_mutex_lock(&identity->lock);
    bool stop = identity->stop;
    (void)pthread_mutex_unlock(&identity->lock);
    return stop;
}

tlm_stop_check tlm_identity_stop_check(tlm_identity *identity)
{
    return (tlm_stop_check){.asked = stop_asked, .context = identity};
}

static void log_state(const tlm_identity *identity)
{
    const tlm_start_description *what = tlm_startup_describe(identity->state);
    if (what->healthy) {
        tlm_log(TLM_LOG_INFO, "identity_ready", "state=%s fingerprint=%s type=%s storage=%s",
                what->name, identity->fingerprint.text,
                tlm_fingerprint_type_name(identity->fingerprint.type), identity->storage_id);
    } else {
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &identity->error, "identity_degraded",
                            "state=%s", what->name);
    }
}

static bool is_healthy(const tlm_identity *identity)
{
    return tlm_startup_describe(identity->state)->healthy;
}

/* States in which only a change of the files can help, so that nothing is opened before that. */
static bool waits_for_files(tlm_start_state state)
{
    switch (state) {
    case TLM_START_FILES_MISSING:
    case TLM_START_PERSISTENCE_MISSING:
    case TLM_START_VAULT_MISSING:
    case TLM_START_PERSISTENCE_DAMAGED:
    case TLM_START_VAULT_DAMAGED:
    case TLM_START_FOREIGN:
    case TLM_START_OTHER_STORAGE:
    case TLM_START_NEWER:
        return true;
    default:
        return false;
    }
}

static long next_retry(const tlm_identity *identity, long last)
{
    if (!tlm_startup_describe(identity->state)->retry) {
        return NEVER_MS;
    }
    if (identity->state == TLM_START_TOKEN_LOCKED && !identity->holder.served) {
        return RETRY_LOCKED_MS;
    }
    long next = last <= 0 ? RETRY_FIRST_MS : last * 2;
    return next < RETRY_LAST_MS ? next : RETRY_LAST_MS;
}

/*
 * Failures whose cause only the TPM knows. A tlm-tokend that runs on its own may reach a TPM that
 * we do not: then its word is all there is, and the doctor would only find that.
 */
static bool needs_doctor(const tlm_identity *identity)
{
    return identity->holder.kind == TLM_HOLDER_TPM && identity->supervisor != NULL &&
           tlm_supervisor_child(identity->supervisor) != 0 &&
           (identity->state == TLM_START_TOKEN_UNAVAILABLE ||
            identity->state == TLM_START_PIN_REFUSED);
}

/* Puts the doctor's answer in the place of what the module said, which is the same for all. */
static void show_diagnosis(tlm_identity *identity)
{
    const tlm_diagnosis *diagnosis = &identity->diagnosis;
    if (!diagnosis->known || !needs_doctor(identity)) {
        return;
    }
    const tlm_start_findings findings = {
        .persistence = TLM_FOUND_UNOPENED, .vault = TLM_FOUND_UNOPENED, .token = diagnosis->found};
    identity->token_found = diagnosis->found;
    tlm_identity_enter(identity, tlm_startup_decide(&findings), &diagnosis->detail);
}

/* The doctor is asked once a minute while a failure lasts, after the failure was published. */
static void diagnose(tlm_identity *identity)
{
    tlm_diagnosis *diagnosis = &identity->diagnosis;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (!needs_doctor(identity) ||
        (diagnosis->asked && now.tv_sec - diagnosis->when.tv_sec < DIAGNOSE_SECONDS)) {
        return;
    }
    const tlm_stop_check stop = tlm_identity_stop_check(identity);
    diagnosis->asked = true;
    diagnosis->when = now;
    diagnosis->detail = diagnosis->cause;
    diagnosis->detail.hint[0] = '\0';
    diagnosis->found = tlm_holder_diagnose(&identity->config, &stop, &identity->holder,
                                           identity->token_found, &diagnosis->detail);
    diagnosis->known = diagnosis->detail.hint[0] != '\0';
    if (diagnosis->known) {
        show_diagnosis(identity);
        log_state(identity);
        tlm_identity_publish(identity);
    }
}

static void forget_diagnosis(tlm_identity *identity)
{
    identity->diagnosis.asked = false;
    identity->diagnosis.known = false;
}

static void attempt(tlm_identity *identity)
{
    tlm_start_state before = identity->state;
    tlm_watch now;
    tlm_watch_look(&identity->config, &now);
    bool same = tlm_watch_same(&now, &identity->watch);
    /* "foreign" may be the token's: then what tlm-tokend says of it changes. */
    bool token_same = before != TLM_START_FOREIGN || tlm_watch_same_report(&now, &identity->watch);
    if (same && token_same && waits_for_files(before)) {
        return;
    }
    if (!same) {
        forget_diagnosis(identity);
    }
    tlm_identity_evaluate(identity);
    identity->diagnosis.cause = identity->detail;
    show_diagnosis(identity);
    if (identity->state != before) {
        log_state(identity);
    }
    tlm_identity_publish(identity);
    if (is_healthy(identity)) {
        tlm_identity_finish(identity);
        tlm_identity_publish(identity);
        forget_diagnosis(identity);
    } else {
        diagnose(identity);
    }
}

/* The token was opened by this process before: it recovers by itself when it is asked. */
static void probe(tlm_identity *identity)
{
    tlm_start_state before = identity->state;
    if (tlm_identity_probe(identity)) {
        identity->diagnosis.cause = identity->detail;
        if (identity->state != before) {
            log_state(identity);
        }
        tlm_identity_publish(identity);
    }
    if (is_healthy(identity)) {
        forget_diagnosis(identity);
    } else {
        diagnose(identity);
    }
}

static void *run(void *argument)
{
    tlm_identity *identity = argument;
    long wait = 0;
    bool healthy = false;
    bool roused = false;
    do {
        if (identity->settled != TLM_START_PENDING) {
            probe(identity);
        } else {
            attempt(identity);
        }
        /* The first retry after a healthy spell, or after news, comes soon again. */
        wait = is_healthy(identity) ? PROBE_MS : next_retry(identity, healthy || roused ? 0 : wait);
        healthy = is_healthy(identity);
    } while (!wait_or_stop(identity, wait, &roused));
    /* Here, where the one who ends us waits for a while and no longer: another user of the module
     * may have a call in it that hangs. */
    tlm_holder_close(&identity->holder);
    return NULL;
}

/* ---- start and stop ---- */

static void release(tlm_identity *identity)
{
    tlm_storage_clear(&identity->storage);
    tlm_fingerprint_clear(&identity->fingerprint);
    tlm_fingerprint_clear(&identity->fallback);
    tlm_holder_close(&identity->holder);
    tlm_supervisor_stop(&identity->supervisor);
    if (identity->lock_file >= 0) {
        (void)close(identity->lock_file);
    }
    tlm_view_box_release(identity->current);
    tlm_identity_config_clear(&identity->config);
    (void)pthread_cond_destroy(&identity->wake);
    (void)pthread_mutex_destroy(&identity->lock);
    free(identity);
}

/* Whom a provisioned token is used through. Starts nothing yet but a thread. */
static tlm_result begin_supervisor(tlm_identity *identity, const char *const *words,
                                   tlm_error *error)
{
    const tlm_identity_config *config = &identity->config;
    if (config->module != NULL || config->socket == NULL) {
        return TLM_OK;
    }
    const tlm_supervisor_config supervisor = {
        .socket = config->socket, .arguments = words, .changed = rouse, .context = identity};
    tlm_result result = tlm_client_export_environment(config->socket, error);
    return result == TLM_OK ? tlm_supervisor_start(&supervisor, &identity->supervisor, error)
                            : result;
}

static bool make_primitives(tlm_identity *identity)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&identity->lock, NULL) != 0) {
        return false;
    }
    bool made = pthread_condattr_init(&attributes) == 0;
    if (made) {
        made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&identity->wake, &attributes) == 0;
        (void)pthread_condattr_destroy(&attributes);
    }
    if (!made) {
        (void)pthread_mutex_destroy(&identity->lock);
    }
    return made;
}

tlm_result tlm_identity_start(const tlm_identity_config *config, tlm_identity **identity,
                              tlm_error *error)
{
    if (config == NULL || identity == NULL || config->persistence_dir == NULL ||
        config->store_dir == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "an identity needs a persistence directory and a token store");
    }
    tlm_json_protect();
    tlm_identity *made = calloc(1, sizeof *made);
    if (made == NULL || !make_primitives(made)) {
        free(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the identity");
    }
    made->lock_file = -1;
    made->state_since = time(NULL);
    made->current = tlm_view_box_new();
    if (!tlm_identity_config_copy(config, &made->config) || made->current == NULL) {
        release(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the identity");
    }
    tlm_view_box_edit(made->current)->state_since = made->state_since;
    tlm_result result = begin_supervisor(made, config->tokend, error);
    if (result != TLM_OK) {
        release(made);
        return result;
    }
    int failed = pthread_create(&made->thread, NULL, run, made);
    if (failed != 0) {
        release(made);
        errno = failed;
        return tlm_error_set_errno(error, NULL, "starting the identity's thread");
    }
    *identity = made;
    return TLM_OK;
}

void tlm_identity_stop(tlm_identity **identity)
{
    if (identity == NULL || *identity == NULL) {
        return;
    }
    tlm_identity *gone = *identity;
    (void)pthread_mutex_lock(&gone->lock);
    gone->stop = true;
    (void)pthread_cond_signal(&gone->wake);
    (void)pthread_mutex_unlock(&gone->lock);
    /* A call that hangs is tlm-tokend's; it ends with that. */
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_SECONDS;
    if (pthread_timedjoin_np(gone->thread, NULL, &until) != 0) {
        tlm_supervisor_end(gone->supervisor);
        (void)pthread_join(gone->thread, NULL);
    }
    release(gone);
    *identity = NULL;
}
