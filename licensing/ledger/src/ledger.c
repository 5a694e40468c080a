/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/log.h>

#include "text_private.h"

static int64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t tlm_ledger_wall(const tlm_ledger *ledger)
{
    return ledger->clock.wall != NULL ? ledger->clock.wall(ledger->clock.context)
                                      : milliseconds(CLOCK_REALTIME);
}

int64_t tlm_ledger_steady(const tlm_ledger *ledger)
{
    return ledger->clock.steady != NULL ? ledger->clock.steady(ledger->clock.context)
                                        : milliseconds(CLOCK_BOOTTIME);
}

int64_t tlm_ledger_time(const tlm_ledger *ledger, int64_t wall)
{
    int64_t seen = ledger->guard.marks.high_water;
    return wall < seen && seen - wall <= ledger->guard.tolerance ? seen : wall;
}

/* The rows that say whose ledger this is. */
static tlm_result found_ledger(tlm_ledger *ledger, const tlm_ledger_config *config,
                               tlm_error *error)
{
    tlm_result result = tlm_uuid_make(ledger->id, error);
    const char *const rows[][2] = {
        {"ledger", ledger->id},
        {"storage", config->storage_id != NULL ? config->storage_id : ""},
        {"fingerprint", ledger->host.fingerprint},
        {"type", tlm_fingerprint_type_name(ledger->host.type)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows && result == TLM_OK; i++) {
        result = tlm_meta_set(ledger, rows[i][0], rows[i][1], error);
    }
    if (result == TLM_OK) {
        result = tlm_ledger_audit(
            ledger, "created",
            json_pack("{s:s, s:s}", "ledger", ledger->id, "fingerprint", ledger->host.fingerprint),
            error);
    }
    return result;
}

static tlm_result foreign(const tlm_ledger *ledger, const char *what, const char *theirs,
                          const char *ours, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FOREIGN,
                         "put the ledger of this host back, or move this one away and activate the "
                         "licenses again",
                         "%s was made for the %s %s, and this is %s", ledger->database.path, what,
                         theirs, ours);
}

/* A token's key does not change; a fallback fingerprint may, and the licenses are judged by it. */
static tlm_result check_owner(tlm_ledger *ledger, const tlm_ledger_config *config, tlm_error *error)
{
    char storage[TLM_UUID_SIZE];
    char fingerprint[65];
    char type[16];
    tlm_result result = tlm_meta_get(ledger, "ledger", ledger->id, sizeof ledger->id, error);
    if (result == TLM_OK) {
        result = tlm_meta_get(ledger, "storage", storage, sizeof storage, error);
    }
    if (result == TLM_OK) {
        result = tlm_meta_get(ledger, "fingerprint", fingerprint, sizeof fingerprint, error);
    }
    if (result == TLM_OK) {
        result = tlm_meta_get(ledger, "type", type, sizeof type, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    const char *ours = config->storage_id != NULL ? config->storage_id : "";
    if (strcmp(storage, ours) != 0) {
        return foreign(ledger, "installation", storage, ours, error);
    }
    bool fallback = strcmp(type, tlm_fingerprint_type_name(TLM_FINGERPRINT_FALLBACK)) == 0 ||
                    ledger->host.type == TLM_FINGERPRINT_FALLBACK;
    if (!fallback && strcmp(fingerprint, ledger->host.fingerprint) != 0) {
        return foreign(ledger, "host with fingerprint", fingerprint, ledger->host.fingerprint,
                       error);
    }
    return TLM_OK;
}

/* A crash between making the tables and these rows leaves a ledger without an id: new as well. */
static tlm_result identify(tlm_ledger *ledger, const tlm_ledger_config *config, tlm_error *error)
{
    char id[TLM_UUID_SIZE];
    tlm_result result = tlm_meta_get(ledger, "ledger", id, sizeof id, error);
    ledger->is_new = id[0] == '\0';
    if (result != TLM_OK || !ledger->is_new) {
        return result == TLM_OK ? check_owner(ledger, config, error) : result;
    }
    return TLM_OK;
}

static tlm_result load(tlm_ledger *ledger, const tlm_ledger_config *config, tlm_error *error)
{
    sqlite3 *db = ledger->database.db;
    int64_t wall = tlm_ledger_wall(ledger);
    bool missing = ledger->is_new && config->expected_id != NULL;
    tlm_result result = tlm_guard_load(&ledger->guard, db, &ledger->limits, missing, wall, error);
    if (result == TLM_OK) {
        ledger->last_now = tlm_ledger_time(ledger, ledger->guard.marks.high_water);
        ledger->steady = tlm_ledger_steady(ledger);
        result = tlm_guard_observe(&ledger->guard, db, wall, ledger->steady, error);
    }
    ledger->now = tlm_ledger_time(ledger, wall);
    if (result == TLM_OK && ledger->is_new) {
        result = found_ledger(ledger, config, error);
    }
    if (result == TLM_OK && !ledger->is_new && config->expected_id != NULL &&
        strcmp(config->expected_id, ledger->id) != 0) {
        result = tlm_guard_replaced(&ledger->guard, db, wall, error);
    }
    if (result == TLM_OK) {
        result = tlm_records_load(ledger, error);
    }
    if (result == TLM_OK) {
        result = tlm_leases_expire(ledger, error);
    }
    if (result == TLM_OK) {
        result = tlm_fallback_keep(ledger, error);
    }
    if (result == TLM_OK) {
        result = tlm_binding_judge(ledger, error);
    }
    if (result == TLM_OK && !ledger->is_new) {
        result = tlm_ledger_audit(ledger, "opened",
                                  json_pack("{s:s, s:s}", "state",
                                            tlm_guard_state_name(ledger->guard.state), "version",
                                            TLM_VERSION),
                                  error);
    }
    return result;
}

/* Everything of opening in one transaction: a refused or broken ledger stays as it was. */
static tlm_result open_all(tlm_ledger *ledger, const tlm_ledger_config *config, tlm_error *error)
{
    tlm_result result = tlm_host_take(&ledger->host, &config->host, error);
    if (result == TLM_OK) {
        result = tlm_database_open(config->directory, config->vfs, &ledger->database, error);
    }
    if (result == TLM_OK) {
        result = tlm_query_run(&ledger->database, TLM_Q_BEGIN, error, "");
    }
    if (result == TLM_OK) {
        result = identify(ledger, config, error);
    }
    if (result == TLM_OK) {
        result = load(ledger, config, error);
    }
    if (result == TLM_OK) {
        result = tlm_query_run(&ledger->database, TLM_Q_COMMIT, error, "");
    }
    ledger->touched = false;
    return result;
}

static void free_ledger(tlm_ledger *ledger)
{
    tlm_records_free(ledger);
    tlm_fallbacks_free(ledger);
    tlm_queue_clear(&ledger->queue);
    tlm_database_close(&ledger->database);
    (void)pthread_cond_destroy(&ledger->wake);
    (void)pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

tlm_result tlm_ledger_open(const tlm_ledger_config *config, tlm_ledger **ledger, tlm_error *error)
{
    *ledger = NULL;
    tlm_ledger *made = calloc(1, sizeof *made);
    if (made == NULL || pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the ledger");
    }
    if (pthread_cond_init(&made->wake, NULL) != 0) {
        (void)pthread_mutex_destroy(&made->lock);
        free(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the ledger");
    }
    made->trust = config->trust;
    made->limits = config->limits;
    made->clock = config->clock;
    made->changed = config->changed;
    made->context = config->context;
    tlm_result result = open_all(made, config, error);
    if (result == TLM_OK) {
        tlm_figures_take(made, true);
        if (pthread_create(&made->thread, NULL, tlm_writer_run, made) != 0) {
            result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no thread for the ledger");
        }
    }
    if (result != TLM_OK) {
        free_ledger(made);
        return result;
    }
    *ledger = made;
    return TLM_OK;
}

void tlm_ledger_submit(tlm_ledger *ledger, tlm_ledger_request *request)
{
    request->error = (tlm_error){0};
    request->next = NULL;
    (void)pthread_mutex_lock(&ledger->lock);
    *(ledger->last != NULL ? &ledger->last->next : &ledger->first) = request;
    ledger->last = request;
    (void)pthread_cond_signal(&ledger->wake);
    (void)pthread_mutex_unlock(&ledger->lock);
}

static void wake(tlm_ledger_request *request)
{
    tlm_waiting *self = request->context;
    (void)pthread_mutex_lock(&self->lock);
    self->done = true;
    (void)pthread_cond_signal(&self->wake);
    (void)pthread_mutex_unlock(&self->lock);
}

static tlm_result run_with(tlm_ledger *ledger, tlm_ledger_request *request, const void *given)
{
    tlm_waiting waiting = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .given = given};
    request->done = wake;
    request->context = &waiting;
    tlm_ledger_submit(ledger, request);
    (void)pthread_mutex_lock(&waiting.lock);
    while (!waiting.done) {
        (void)pthread_cond_wait(&waiting.wake, &waiting.lock);
    }
    (void)pthread_mutex_unlock(&waiting.lock);
    (void)pthread_cond_destroy(&waiting.wake);
    (void)pthread_mutex_destroy(&waiting.lock);
    request->done = NULL;
    request->context = NULL;
    return request->error.result;
}

tlm_result tlm_ledger_run(tlm_ledger *ledger, tlm_ledger_request *request)
{
    return run_with(ledger, request, NULL);
}

void tlm_ledger_request_clear(tlm_ledger_request *request)
{
    tlm_grant_clear(&request->grant);
    json_decref(request->answer);
    request->answer = NULL;
    request->error = (tlm_error){0};
}

const char *tlm_ledger_id(const tlm_ledger *ledger)
{
    return ledger->id;
}

bool tlm_ledger_is_new(const tlm_ledger *ledger)
{
    return ledger->is_new;
}

bool tlm_ledger_dirty(const tlm_ledger *ledger)
{
    return atomic_load(&ledger->dirty);
}

static tlm_result run_own(tlm_ledger *ledger, int op, const void *given, tlm_error *error)
{
    tlm_ledger_request request = {.op = (tlm_ledger_op)op};
    tlm_result result = run_with(ledger, &request, given);
    if (result != TLM_OK && error != NULL) {
        *error = request.error;
    }
    tlm_ledger_request_clear(&request);
    return result;
}

tlm_result tlm_ledger_set_host(tlm_ledger *ledger, const tlm_ledger_host *host, tlm_error *error)
{
    return run_own(ledger, TLM_LEDGER_SET_HOST, host, error);
}

tlm_result tlm_ledger_set_trust(tlm_ledger *ledger, const tlm_trust *trust, tlm_error *error)
{
    return run_own(ledger, TLM_LEDGER_SET_TRUST, trust, error);
}

void tlm_ledger_close(tlm_ledger **ledger)
{
    tlm_ledger *self = ledger != NULL ? *ledger : NULL;
    if (self == NULL) {
        return;
    }
    *ledger = NULL;
    (void)pthread_mutex_lock(&self->lock);
    self->stopping = true;
    (void)pthread_cond_signal(&self->wake);
    (void)pthread_mutex_unlock(&self->lock);
    (void)pthread_join(self->thread, NULL);
    free_ledger(self);
}
