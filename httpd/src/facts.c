/* SPDX-License-Identifier: BSD-2-Clause */
#include "facts.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <tlm/log.h>
#include <tlm/process.h>

#define PROGRAM "tlm-token-init"
#define STOP_MS 500

struct tlm_facts {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wakened;
    bool awake;
    bool stopping;
    tlm_facts_state state;
    char *program;
    char *arguments[TLM_FACTS_ARGUMENTS + 1];
    unsigned interval_seconds;
    unsigned timeout_ms;
    void (*changed)(void *context);
    void *context;
};

/* The last line that the child wrote to standard error: nearly always the reason. */
static const char *last_line(char *errors)
{
    if (errors == NULL) {
        return "";
    }
    size_t size = strlen(errors);
    while (size > 0 && (errors[size - 1] == '\n' || errors[size - 1] == ' ')) {
        errors[--size] = '\0';
    }
    const char *line = strrchr(errors, '\n');
    return line != NULL ? line + 1 : errors;
}

/* Takes the object out of the child's answer: what a failed child printed still counts. */
static tlm_result parse_answer(tlm_process_output *output, char **text, tlm_error *error)
{
    json_error_t where;
    json_t *object =
        output->text != NULL ? json_loadb(output->text, output->size, 0, &where) : NULL;
    if (json_is_object(object)) {
        *text = json_dumps(object, JSON_COMPACT);
    }
    json_decref(object);
    if (*text != NULL) {
        return TLM_OK;
    }
    if (output->status != 0) {
        return tlm_error_set(
            error, TLM_ERR_PROCESS, "run it by hand: " PROGRAM " status, then " PROGRAM " doctor",
            PROGRAM " status ended with %d: %s", output->status, last_line(output->errors));
    }
    return tlm_error_set(error, TLM_ERR_FORMAT,
                         "install " PROGRAM " and TLLicenseManager of one version",
                         PROGRAM " status did not print a JSON object");
}

static tlm_result ask(const tlm_facts *self, char **text, tlm_error *error)
{
    char *found = self->program != NULL ? strdup(self->program) : tlm_process_find(PROGRAM);
    if (found == NULL) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "install " PROGRAM " beside TLLicenseManager or in PATH",
                             PROGRAM ", which asks the TPM for its facts, was not found");
    }
    const char *words[TLM_FACTS_ARGUMENTS + 2] = {found};
    for (size_t i = 0; i < TLM_FACTS_ARGUMENTS && self->arguments[i] != NULL; i++) {
        words[i + 1] = self->arguments[i];
    }
    tlm_process_output output = {0};
    tlm_result result = tlm_process_run(words, self->timeout_ms, TLM_FACTS_MAX, &output, error);
    if (result == TLM_OK) {
        result = parse_answer(&output, text, error);
    }
    tlm_process_output_clear(&output);
    free(found);
    return result;
}

/* Under the lock. Takes `text`. */
static void keep(tlm_facts *self, tlm_result result, char *text, const tlm_error *error)
{
    if (result == TLM_OK) {
        free(self->state.text);
        self->state.text = text;
        self->state.as_of = time(NULL);
        self->state.error = (tlm_error){.result = TLM_OK};
    } else {
        self->state.error = *error;
    }
}

/* Waits on the condition until `until` (monotonic), or for ever where it is NULL. */
static bool wait_for(tlm_facts *self, const struct timespec *until)
{
    while (!self->stopping && (until != NULL || !self->awake)) {
        if (until == NULL) {
            (void)pthread_cond_wait(&self->wakened, &self->lock);
        } else if (pthread_cond_timedwait(&self->wakened, &self->lock, until) != 0) {
            break;
        }
    }
    return !self->stopping;
}

static void *work(void *context)
{
    tlm_facts *self = context;
    (void)pthread_mutex_lock(&self->lock);
    bool going = wait_for(self, NULL);
    while (going) {
        (void)pthread_mutex_unlock(&self->lock);
        char *text = NULL;
        tlm_error error = {0};
        tlm_result result = ask(self, &text, &error);
        /* Only this thread writes the state. The same trouble every minute is told once. */
        if (result != TLM_OK && strcmp(error.message, self->state.error.message) != 0) {
            tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "tpm_facts_failed", NULL);
        }
        struct timespec next;
        (void)clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_sec += (time_t)self->interval_seconds;
        (void)pthread_mutex_lock(&self->lock);
        keep(self, result, text, &error);
        if (!self->stopping && self->changed != NULL) {
            self->changed(self->context);
        }
        going = wait_for(self, &next);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void destroy(tlm_facts *self)
{
    for (size_t i = 0; i < TLM_FACTS_ARGUMENTS; i++) {
        free(self->arguments[i]);
    }
    free(self->program);
    tlm_facts_state_clear(&self->state);
    (void)pthread_cond_destroy(&self->wakened);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

static tlm_result copy_words(tlm_facts *self, const tlm_facts_config *config, tlm_error *error)
{
    bool whole = true;
    if (config->program != NULL) {
        self->program = strdup(config->program);
        whole = self->program != NULL;
    }
    for (size_t i = 0; config->arguments[i] != NULL; i++) {
        if (i == TLM_FACTS_ARGUMENTS) {
            return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL, "too many words for " PROGRAM);
        }
        self->arguments[i] = strdup(config->arguments[i]);
        whole = whole && self->arguments[i] != NULL;
    }
    return whole
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the words of " PROGRAM);
}

static void make_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

tlm_result tlm_facts_start(const tlm_facts_config *config, tlm_facts **facts, tlm_error *error)
{
    *facts = NULL;
    tlm_facts *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the facts of the TPM");
    }
    (void)pthread_mutex_init(&self->lock, NULL);
    make_condition(&self->wakened);
    self->interval_seconds = config->interval_seconds;
    self->timeout_ms = config->timeout_ms;
    self->changed = config->changed;
    self->context = config->context;
    tlm_result result = copy_words(self, config, error);
    if (result == TLM_OK && pthread_create(&self->thread, NULL, work, self) != 0) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, "look at the limits: ulimit -u",
                               "no thread for the facts of the TPM");
    }
    if (result != TLM_OK) {
        destroy(self);
        return result;
    }
    *facts = self;
    return TLM_OK;
}

void tlm_facts_wake(tlm_facts *facts)
{
    (void)pthread_mutex_lock(&facts->lock);
    if (!facts->awake) {
        facts->awake = true;
        (void)pthread_cond_signal(&facts->wakened);
    }
    (void)pthread_mutex_unlock(&facts->lock);
}

void tlm_facts_get(tlm_facts *facts, tlm_facts_state *state)
{
    (void)pthread_mutex_lock(&facts->lock);
    *state = facts->state;
    state->text = facts->state.text != NULL ? strdup(facts->state.text) : NULL;
    (void)pthread_mutex_unlock(&facts->lock);
}

void tlm_facts_state_clear(tlm_facts_state *state)
{
    free(state->text);
    *state = (tlm_facts_state){.text = NULL};
}

void tlm_facts_stop(tlm_facts **facts)
{
    tlm_facts *self = *facts;
    *facts = NULL;
    if (self == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&self->lock);
    self->stopping = true;
    (void)pthread_cond_signal(&self->wakened);
    (void)pthread_mutex_unlock(&self->lock);
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += STOP_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    if (pthread_timedjoin_np(self->thread, NULL, &until) == 0) {
        destroy(self);
    } else {
        (void)pthread_detach(self->thread);
    }
}
