/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

#define INTERVAL_MS 60000U
#define INTERVAL_MAX_MS 300000U
/* An engine that has just gone is mostly being restarted: a part of the interval, first. */
#define RETRY_PART 12U

struct tlm_engine_watch {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wakened;
    bool stopping;
    tlm_engine *engine;
    tlm_engine_facts facts;
    unsigned interval_ms;
    unsigned interval_max_ms;
    unsigned retry_ms; /* the next wait while nobody answers; 0: it does */
    void (*changed)(void *context);
    void *context;
};

static void tell_answer(const tlm_engine_facts *facts)
{
    char name[300];
    char image[600];
    if (!facts->known) {
        tlm_log(TLM_LOG_INFO, "container_unknown",
                "host=%s engine=%s api=%s access=%s reason=\"the engine does not know this "
                "container by its id or host name\"",
                facts->host, tlm_log_quote(facts->engine_version, name, sizeof name),
                facts->api_version, tlm_engine_access_name(facts->access));
        return;
    }
    char version[80];
    tlm_log(TLM_LOG_INFO, "container_known",
            "host=%s engine=%s api=%s access=%s id=%s name=%s image=%s status=%s", facts->host,
            tlm_log_quote(facts->engine_version, version, sizeof version), facts->api_version,
            tlm_engine_access_name(facts->access), facts->id,
            tlm_log_quote(facts->name, name, sizeof name),
            tlm_log_quote(facts->image, image, sizeof image), facts->status);
}

/* Each state is told once, and again when it is another one: not once a minute. */
static void tell(const tlm_engine_facts *before, const tlm_engine_facts *facts, bool first)
{
    bool same_state = before->state == facts->state;
    switch (facts->state) {
    case TLM_ENGINE_NONE:
        if (first || !same_state) {
            tlm_log(TLM_LOG_DEBUG, "no_container_engine", "host=%s", facts->host);
        }
        break;
    case TLM_ENGINE_UNREACHABLE:
        if (!same_state || strcmp(before->error.message, facts->error.message) != 0) {
            tlm_log_write_error(TLM_LOG_WARNING, __func__, &facts->error,
                                "container_engine_unreachable", NULL);
        }
        break;
    case TLM_ENGINE_ANSWERING:
        if (!same_state || strcmp(before->id, facts->id) != 0 || before->access != facts->access) {
            tell_answer(facts);
        }
        break;
    }
}

/* Under the lock. Takes the facts. */
static void keep(tlm_engine_watch *self, tlm_engine_facts *facts, bool first)
{
    bool news = !tlm_engine_facts_same(&self->facts, facts);
    bool quiet = self->stopping;
    if (!quiet) {
        tell(&self->facts, facts, first);
    }
    tlm_engine_facts_clear(&self->facts);
    self->facts = *facts;
    if (news && !quiet && self->changed != NULL) {
        self->changed(self->context);
    }
}

static unsigned next_wait(tlm_engine_watch *self)
{
    if (self->facts.state != TLM_ENGINE_UNREACHABLE) {
        self->retry_ms = 0;
        return self->interval_ms;
    }
    unsigned wait = self->retry_ms > 0 ? self->retry_ms * 2 : self->interval_ms / RETRY_PART + 1;
    self->retry_ms = wait < self->interval_max_ms ? wait : self->interval_max_ms;
    return self->retry_ms;
}

/* Under the lock, which is given up meanwhile. False where the thread is to end. */
static bool rest(tlm_engine_watch *self, unsigned wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    while (!self->stopping) {
        if (pthread_cond_timedwait(&self->wakened, &self->lock, &until) != 0) {
            break;
        }
    }
    return !self->stopping;
}

static void *work(void *context)
{
    tlm_engine_watch *self = context;
    bool first = true;
    bool going = true;
    (void)pthread_mutex_lock(&self->lock);
    while (going && !self->stopping) {
        (void)pthread_mutex_unlock(&self->lock);
        tlm_engine_facts facts;
        /* What went wrong is in the facts, too. */
        tlm_result result = tlm_engine_ask(self->engine, &facts, NULL);
        (void)result;
        (void)pthread_mutex_lock(&self->lock);
        keep(self, &facts, first);
        first = false;
        going = rest(self, next_wait(self));
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void destroy(tlm_engine_watch *self)
{
    tlm_engine_close(&self->engine);
    tlm_engine_facts_clear(&self->facts);
    (void)pthread_cond_destroy(&self->wakened);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

static void make_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

/* A host that cannot be one is told like an engine that does not answer. */
static tlm_result open_engine(tlm_engine_watch *self, const tlm_engine_question *question,
                              tlm_error *error)
{
    tlm_error cause = {.result = TLM_OK};
    tlm_result result = tlm_engine_open(question, &self->engine, &cause);
    if (result == TLM_ERR_SETTING || result == TLM_ERR_UNSUPPORTED) {
        self->facts = (tlm_engine_facts){.state = TLM_ENGINE_UNREACHABLE, .error = cause};
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &cause, "container_engine_unreachable",
                            NULL);
        return TLM_OK;
    }
    if (result != TLM_OK && error != NULL) {
        *error = cause;
    }
    return result;
}

tlm_result tlm_engine_watch_start(const tlm_engine_watch_config *config, tlm_engine_watch **watch,
                                  tlm_error *error)
{
    *watch = NULL;
    tlm_engine_watch *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to ask a container engine");
    }
    (void)pthread_mutex_init(&self->lock, NULL);
    make_condition(&self->wakened);
    self->interval_ms = config->interval_ms > 0 ? config->interval_ms : INTERVAL_MS;
    self->interval_max_ms = config->interval_max_ms > 0 ? config->interval_max_ms : INTERVAL_MAX_MS;
    self->changed = config->changed;
    self->context = config->context;
    tlm_result result = open_engine(self, &config->question, error);
    if (result == TLM_OK && self->engine != NULL) {
        self->running = pthread_create(&self->thread, NULL, work, self) == 0;
        if (!self->running) {
            result = tlm_error_set(error, TLM_ERR_MEMORY, "look at the limits: ulimit -u",
                                   "no thread to ask the container engine");
        }
    }
    if (result != TLM_OK) {
        destroy(self);
        return result;
    }
    *watch = self;
    return TLM_OK;
}

tlm_result tlm_engine_watch_copy(tlm_engine_watch *watch, tlm_engine_facts *facts, tlm_error *error)
{
    (void)pthread_mutex_lock(&watch->lock);
    tlm_result result = tlm_engine_facts_copy(&watch->facts, facts, error);
    (void)pthread_mutex_unlock(&watch->lock);
    return result;
}

void tlm_engine_watch_stop(tlm_engine_watch **watch)
{
    tlm_engine_watch *self = *watch;
    *watch = NULL;
    if (self == NULL) {
        return;
    }
    if (self->running) {
        (void)pthread_mutex_lock(&self->lock);
        self->stopping = true;
        (void)pthread_cond_signal(&self->wakened);
        (void)pthread_mutex_unlock(&self->lock);
        tlm_engine_interrupt(self->engine);
        (void)pthread_join(self->thread, NULL);
    }
    destroy(self);
}
