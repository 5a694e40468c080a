/* SPDX-License-Identifier: BSD-2-Clause */
#include "keeper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/log.h>
#include <tlm/notify.h>

#include "../../src/internal.h"
#include "harden.h"

/* How often the keeper looks at what clients' calls found out. */
#define LOOK_MS 500
#define PROBE_FAILED_MS 2000
#define PROBE_IDLE_MS 30000
#define FACTS_MS 60000
/* Nobody used the token for so long: its keys leave a TPM that nobody else shares among programs.
 */
#define REST_MS 1000
#define DELAY_FIRST_MS 500
#define DELAY_LAST_MS 10000
/* Nothing gets better within seconds, and changed files are noticed meanwhile. */
#define DELAY_LOCKED_MS 30000

struct tlm_keeper {
    tlm_keeper_config config;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping; /* under the mutex */

    _Atomic int64_t since; /* of the keeper's own work with the back end, 0: none */
    _Atomic(const char *) work;

    /* Of the thread alone. */
    tlm_token *token;
    tlm_tokend_state state;
    time_t state_since;
    tlm_error error;
    json_t *tpm;
    unsigned failures;
    unsigned recoveries;
    bool shared;              /* something shares the token's slots among programs */
    unsigned long operations; /* that clients had done at the last look */
    int64_t next_try;
    int64_t next_probe;
    int64_t next_rest; /* 0: it rests */
    int64_t next_facts;
};

static void begin(tlm_keeper *self, const char *work)
{
    atomic_store(&self->work, work);
    atomic_store(&self->since, tlm_clock_now());
}

static void end(tlm_keeper *self)
{
    atomic_store(&self->since, 0);
}

int64_t tlm_keeper_busy_ms(const tlm_keeper *keeper, const char **what)
{
    int64_t now = tlm_clock_now();
    int64_t since = atomic_load(&keeper->since);
    int64_t module = tlm_module_busy_since(what);
    int64_t own = since != 0 ? now - since : 0;
    int64_t call = module != 0 ? now - module : 0;
    if (module == 0) {
        *what = atomic_load(&keeper->work);
    }
    return own > call ? own : call; /* the keeper's work holds the module's, which says more */
}

int64_t tlm_keeper_delay(unsigned failures, tlm_result result)
{
    if (result == TLM_ERR_LOCKED || result == TLM_ERR_PIN) {
        return DELAY_LOCKED_MS;
    }
    int64_t delay = DELAY_FIRST_MS;
    for (unsigned i = 1; i < failures && delay < DELAY_LAST_MS; i++) {
        delay *= 2;
    }
    return delay < DELAY_LAST_MS ? delay : DELAY_LAST_MS;
}

static void write_state(tlm_keeper *self)
{
    tlm_error error = {0};
    tlm_state_report report = {
        .state = self->state, .since = self->state_since, .error = &self->error, .tpm = self->tpm};
    tlm_backend_describe(self->config.source, &report);
    if (tlm_state_file_write(self->config.state_file, &report, &error) != TLM_OK) {
        tlm_log_error(&error, "state_file_failed", NULL);
    }
}

static void log_state(const tlm_keeper *self)
{
    if (self->state != TLM_TOKEND_UNAVAILABLE) {
        tlm_log(TLM_LOG_INFO, "token", "state=%s", tlm_tokend_state_name(self->state));
        tlm_notify("STATUS=the token is %s", tlm_tokend_state_name(self->state));
        return;
    }
    tlm_log_write_error(TLM_LOG_WARNING, __func__, &self->error, "token", "state=unavailable");
    tlm_notify("STATUS=the token is unavailable: %s", self->error.message);
}

/* `error` counts where the state is unavailable. Says nothing where all is as it was. */
static void set_state(tlm_keeper *self, tlm_tokend_state state, const tlm_error *error)
{
    bool same = self->state == state &&
                (state != TLM_TOKEND_UNAVAILABLE || self->error.result == error->result);
    if (self->state != state) {
        self->state_since = time(NULL);
    }
    self->state = state;
    if (state == TLM_TOKEND_UNAVAILABLE) {
        self->error = *error;
    }
    if (!same) {
        log_state(self);
    }
    write_state(self);
}

static void read_facts(tlm_keeper *self)
{
    begin(self, "reading the TPM's facts");
    json_t *tpm = tlm_backend_read_tpm(self->config.source);
    end(self);
    json_decref(self->tpm);
    self->tpm = tpm;
    self->next_facts = tlm_clock_now() + FACTS_MS;
}

static void try_open(tlm_keeper *self)
{
    tlm_error error = {0};
    begin(self, "opening the token");
    tlm_result result = tlm_backend_open(self->config.source, &self->token, &error);
    end(self);
    read_facts(self);
    int64_t now = tlm_clock_now();
    if (result != TLM_OK) {
        self->failures++;
        self->next_try = now + tlm_keeper_delay(self->failures, result);
        set_state(self, TLM_TOKEND_UNAVAILABLE, &error);
        return;
    }
    self->failures = 0;
    self->recoveries = tlm_token_recoveries(self->token);
    self->next_probe = now + PROBE_IDLE_MS;
    tlm_state_report report = {.state = TLM_TOKEND_READY};
    tlm_backend_describe(self->config.source, &report);
    self->shared = !report.simulated;
    tlm_provider_set_hardware(self->config.provider, tlm_backend_hardware(self->config.source));
    tlm_provider_set_token(self->config.provider, self->token);
    set_state(self, TLM_TOKEND_READY, NULL);
}

static void probe(tlm_keeper *self)
{
    tlm_error error = {0};
    bool was_ready = self->state == TLM_TOKEND_READY;
    tlm_result result = tlm_token_probe(self->token, &error);
    int64_t now = tlm_clock_now();
    if (result != TLM_OK) {
        self->next_probe = now + PROBE_FAILED_MS;
        if (was_ready) {
            read_facts(self);
        }
        set_state(self, TLM_TOKEND_UNAVAILABLE, &error);
        return;
    }
    self->next_probe = now + PROBE_IDLE_MS;
    if (!was_ready) {
        read_facts(self);
        set_state(self, TLM_TOKEND_READY, NULL);
    }
}

/* Upstream's module fails after some 65,000 operations: it is begun afresh before. */
static void restart(tlm_keeper *self, unsigned long operations)
{
    tlm_error error = {0};
    tlm_log(TLM_LOG_INFO, "restarting_module", "operations=%lu", operations);
    if (tlm_provider_restart_token(self->config.provider, &error) != TLM_OK) {
        tlm_log_error(&error, "restart_failed", NULL);
        probe(self);
    }
}

/*
 * A simulated TPM has three object slots and no resource manager: two keys that stay loaded leave
 * too few for another program, such as tlm-token-init.
 */
static void rest(tlm_keeper *self)
{
    tlm_error error = {0};
    self->next_rest = 0;
    /* The two lines tell whoever wants the TPM for himself that nobody is at it. */
    tlm_log(TLM_LOG_DEBUG, "token_rests", NULL);
    if (tlm_provider_rest_token(self->config.provider, &error) != TLM_OK) {
        tlm_log_error(&error, "rest_failed", NULL);
        probe(self);
    }
    tlm_log(TLM_LOG_DEBUG, "token_rested", NULL);
    self->operations = tlm_provider_operations(self->config.provider);
}

static void note_recoveries(tlm_keeper *self)
{
    unsigned recoveries = tlm_token_recoveries(self->token);
    if (recoveries != self->recoveries && tlm_token_available(self->token)) {
        tlm_log(TLM_LOG_INFO, "token_recovered", "recoveries=%u", recoveries);
        self->recoveries = recoveries;
    }
}

/*
 * A refused PIN, for one, stays refused for this process; other files may hold the right one. And a
 * directory or device that was made anew is not the one that this process may open.
 */
static void check_outdated(tlm_keeper *self)
{
    if (self->state != TLM_TOKEND_UNAVAILABLE) {
        return;
    }
    if (tlm_harden_outdated()) {
        tlm_log(TLM_LOG_WARNING, "path_changed",
                "reason=\"the store's directory or the TPM's device was made anew; this process "
                "may open the former one alone\"");
        self->config.outdated(self->config.context);
        return;
    }
    if (self->token != NULL && tlm_backend_changed(self->config.source)) {
        tlm_log(TLM_LOG_WARNING, "store_changed",
                "reason=\"the store is another one than the token was opened from\"");
        self->config.outdated(self->config.context);
    }
}

static void tend(tlm_keeper *self)
{
    unsigned long operations = tlm_provider_operations(self->config.provider);
    bool ready = self->state == TLM_TOKEND_READY;
    if (ready && operations >= self->config.restart_after) {
        restart(self, operations);
    }
    if (ready && operations != self->operations) {
        self->next_probe = tlm_clock_now() + PROBE_IDLE_MS; /* clients probe it */
        self->next_rest = self->shared ? 0 : tlm_clock_now() + REST_MS;
    }
    self->operations = operations;
    if (ready && self->next_rest != 0 && tlm_clock_now() >= self->next_rest) {
        rest(self);
    }
    note_recoveries(self);
    if (tlm_token_available(self->token) != ready || tlm_clock_now() >= self->next_probe) {
        probe(self);
    } else if (tlm_clock_now() >= self->next_facts) {
        read_facts(self);
        write_state(self);
    }
    check_outdated(self);
}

/* Whether the thread goes on. */
static bool wait_a_while(tlm_keeper *self)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS % 1000 * 1000000L;
    until.tv_sec += LOOK_MS / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&self->mutex);
    if (!self->stopping) {
        (void)pthread_cond_timedwait(&self->wake, &self->mutex, &until);
    }
    bool going = !self->stopping;
    (void)pthread_mutex_unlock(&self->mutex);
    return going;
}

static void *keep(void *context)
{
    tlm_keeper *self = context;
    do {
        if (self->token != NULL) {
            tend(self);
        } else if (tlm_clock_now() >= self->next_try || tlm_backend_changed(self->config.source)) {
            try_open(self);
            check_outdated(self);
        }
    } while (wait_a_while(self));
    return NULL;
}

tlm_result tlm_keeper_start(const tlm_keeper_config *config, tlm_keeper **keeper, tlm_error *error)
{
    tlm_keeper *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the keeper of the token");
    }
    made->config = *config;
    made->state_since = time(NULL);
    (void)pthread_mutex_init(&made->mutex, NULL);
    (void)pthread_cond_init(&made->wake, NULL);
    write_state(made);
    int failed = pthread_create(&made->thread, NULL, keep, made);
    if (failed != 0) {
        (void)pthread_cond_destroy(&made->wake);
        (void)pthread_mutex_destroy(&made->mutex);
        free(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, "look at ulimit -u",
                             "starting the thread that keeps the token: %s", strerror(failed));
    }
    *keeper = made;
    return TLM_OK;
}

void tlm_keeper_stop(tlm_keeper **keeper)
{
    if (keeper == NULL || *keeper == NULL) {
        return;
    }
    tlm_keeper *gone = *keeper;
    *keeper = NULL;
    (void)pthread_mutex_lock(&gone->mutex);
    gone->stopping = true;
    (void)pthread_cond_signal(&gone->wake);
    (void)pthread_mutex_unlock(&gone->mutex);
    (void)pthread_join(gone->thread, NULL);
    tlm_token_close(&gone->token);
    tlm_state_file_remove(gone->config.state_file);
    json_decref(gone->tpm);
    (void)pthread_cond_destroy(&gone->wake);
    (void)pthread_mutex_destroy(&gone->mutex);
    free(gone);
}
