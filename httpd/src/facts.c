/* SPDX-License-Identifier: BSD-2-Clause */
#include "facts.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/process.h>
#include <tlm/tokend_report.h>

#define PROGRAM "tlm-token-init"
#define STOP_MS 500
#define LOOK_SECONDS 2

struct tlm_facts {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wakened;
    bool awake;
    bool stopping;
    tlm_facts_state state;
    char *socket;
    char *report; /* path of tokend.json; NULL where there is no socket */
    struct stat seen;
    bool from_report; /* the state is of the report that was seen */
    bool may_ask;
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

/* Whether the report is another file than the one that was seen. */
static bool report_changed(tlm_facts *self)
{
    struct stat now = {0};
    if (stat(self->report, &now) != 0) {
        now = (struct stat){0};
    }
    bool same = now.st_ino == self->seen.st_ino && now.st_size == self->seen.st_size &&
                now.st_mtim.tv_sec == self->seen.st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == self->seen.st_mtim.tv_nsec;
    self->seen = now;
    return !same;
}

/* What `status --json` would say, from the report; false where that knows no TPM. */
static bool read_report(const tlm_facts *self, char **text)
{
    char *file = NULL;
    size_t size = 0;
    if (tlm_file_read(self->report, TLM_FACTS_MAX, &file, &size, NULL) != TLM_OK) {
        return false;
    }
    json_t *report = json_loadb(file, size, 0, NULL);
    json_t *tpm = json_object_get(report, "tpm");
    json_t *cause = json_object_get(report, "error");
    json_t *tcti = json_object_get(report, "tcti");
    json_t *facts = !json_is_object(tpm)
                        ? NULL
                        : json_pack("{s:O, s:{s:O?, s:s, s:b, s:[]}, s:[O*]}", "tpm", tpm, "tcti",
                                    "conf", tcti, "origin", "tlm-tokend", "simulated",
                                    json_is_true(json_object_get(report, "simulated")) ? 1 : 0,
                                    "passedOver", "errors", cause);
    *text = facts != NULL ? json_dumps(facts, JSON_COMPACT) : NULL;
    json_decref(facts);
    json_decref(report);
    free(file);
    return *text != NULL;
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
static void keep(tlm_facts *self, tlm_result result, char *text, time_t as_of,
                 const tlm_error *error)
{
    if (result == TLM_OK) {
        free(self->state.text);
        self->state.text = text;
        self->state.as_of = as_of;
        self->state.error = (tlm_error){.result = TLM_OK};
    } else {
        self->state.error = *error;
    }
}

/*
 * One look, without the lock; only this thread writes the state. `due`: the interval is over. The
 * file of a tlm-tokend that was killed stays behind: somebody must serve the socket, asked when the
 * file is new and once in every interval. False where there is nothing new.
 */
static bool look(tlm_facts *self, bool due, tlm_result *result, char **text, time_t *as_of,
                 tlm_error *error)
{
    bool changed = self->report != NULL && report_changed(self);
    if (self->report != NULL && (changed || due)) {
        bool served = tlm_tokend_connect(self->socket, NULL) == TLM_OK;
        bool was = self->from_report;
        self->from_report = served && read_report(self, text);
        if (self->from_report) {
            *as_of = self->seen.st_mtim.tv_sec;
            return changed || !was;
        }
    }
    if (self->from_report || !due || !self->may_ask) {
        return false;
    }
    *as_of = time(NULL);
    *result = ask(self, text, error);
    /* The same trouble every minute is told once. */
    if (*result != TLM_OK && strcmp(error->message, self->state.error.message) != 0) {
        tlm_log_write_error(TLM_LOG_WARNING, __func__, error, "tpm_facts_failed", NULL);
    }
    return true;
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

static time_t monotonic(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void *work(void *context)
{
    tlm_facts *self = context;
    time_t due = 0;
    (void)pthread_mutex_lock(&self->lock);
    bool going = wait_for(self, NULL);
    while (going) {
        (void)pthread_mutex_unlock(&self->lock);
        char *text = NULL;
        time_t as_of = 0;
        tlm_error error = {0};
        tlm_result result = TLM_OK;
        bool over = monotonic() >= due;
        bool news = look(self, over, &result, &text, &as_of, &error);
        due = over ? monotonic() + (time_t)self->interval_seconds : due;
        (void)pthread_mutex_lock(&self->lock);
        if (news) {
            keep(self, result, text, as_of, &error);
        } else {
            free(text);
        }
        if (news && !self->stopping && self->changed != NULL) {
            self->changed(self->context);
        }
        struct timespec next;
        (void)clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_sec += self->report != NULL && self->interval_seconds > LOOK_SECONDS
                           ? LOOK_SECONDS
                           : (time_t)self->interval_seconds;
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
    free(self->socket);
    free(self->report);
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
    if (config->socket != NULL) {
        self->socket = strdup(config->socket);
        self->report = tlm_tokend_report_path(config->socket);
        whole = whole && self->socket != NULL && self->report != NULL;
    }
    self->may_ask = config->arguments != NULL;
    for (size_t i = 0; self->may_ask && config->arguments[i] != NULL; i++) {
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
