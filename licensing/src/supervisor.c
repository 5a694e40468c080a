/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor_work.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <tlm/tokend_report.h>

static void destroy(tlm_supervisor *self)
{
    for (size_t i = 0; i < TLM_SUPERVISOR_ARGUMENTS_MAX; i++) {
        free(self->arguments[i]);
    }
    if (self->wake_file >= 0) {
        (void)close(self->wake_file);
    }
    if (self->watch_file >= 0) {
        (void)close(self->watch_file);
    }
    free(self->socket);
    free(self->directory);
    free(self->report);
    free(self->program);
    (void)pthread_cond_destroy(&self->news);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

static tlm_result copy_config(tlm_supervisor *self, const tlm_supervisor_config *config,
                              tlm_error *error)
{
    const char *slash = config->socket != NULL ? strrchr(config->socket, '/') : NULL;
    if (slash == NULL || config->socket[0] != '/' || slash[1] == '\0') {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "Name one like /run/tlm/pkcs11.sock: --pkcs11-socket PATH",
                             "the token's socket '%s' is no absolute path",
                             config->socket != NULL ? config->socket : "");
    }
    size_t parent = slash == config->socket ? 1 : (size_t)(slash - config->socket);
    self->socket = strdup(config->socket);
    self->directory = strndup(config->socket, parent);
    self->report = tlm_tokend_report_path(config->socket);
    self->program = config->program != NULL ? strdup(config->program) : NULL;
    self->may_start = config->arguments != NULL;
    self->changed = config->changed;
    self->context = config->context;
    bool whole = self->socket != NULL && self->directory != NULL && self->report != NULL &&
                 (config->program == NULL || self->program != NULL);
    for (size_t i = 0; self->may_start && config->arguments[i] != NULL; i++) {
        if (i == TLM_SUPERVISOR_ARGUMENTS_MAX) {
            return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                                 "too many words for " TLM_TOKEND_PROGRAM);
        }
        self->arguments[i] = strdup(config->arguments[i]);
        whole = whole && self->arguments[i] != NULL;
    }
    return whole ? TLM_OK
                 : tlm_error_set(error, TLM_ERR_MEMORY, NULL,
                                 "no memory to look after " TLM_TOKEND_PROGRAM);
}

static void make_primitives(tlm_supervisor *self)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->news, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

tlm_result tlm_supervisor_start(const tlm_supervisor_config *config, tlm_supervisor **supervisor,
                                tlm_error *error)
{
    tlm_supervisor *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL,
                             "no memory to look after " TLM_TOKEND_PROGRAM);
    }
    make_primitives(self);
    self->pidfd = -1;
    self->watch_file = -1;
    self->wake_file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    tlm_result result = self->wake_file >= 0 ? copy_config(self, config, error)
                                             : tlm_error_set_errno(error, "look at ulimit -n",
                                                                   "making an event descriptor");
    if (result == TLM_OK && pthread_create(&self->thread, NULL, tlm_supervisor_work, self) != 0) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, "look at the limits: ulimit -u",
                               "no thread to look after " TLM_TOKEND_PROGRAM);
    }
    if (result != TLM_OK) {
        destroy(self);
        return result;
    }
    *supervisor = self;
    return TLM_OK;
}

/* Under the lock: waits while `seen` is the latest change, at most until `until`. */
static void wait_news(tlm_supervisor *self, unsigned long seen, int64_t until)
{
    const struct timespec limit = {.tv_sec = (time_t)(until / 1000),
                                   .tv_nsec = (long)(until % 1000) * 1000000L};
    while (self->changes == seen && tlm_supervisor_now_ms() < until) {
        (void)pthread_cond_timedwait(&self->news, &self->lock, &limit);
    }
}

/* Under the lock: asks the thread to look, once for each wait. */
static void ask(tlm_supervisor *self, bool *asked)
{
    if (!*asked && self->child == 0) {
        *asked = true;
        self->needed = true;
        tlm_supervisor_wake(self);
    }
}

/* Under the lock: why nobody serves, as far as it is known. */
static tlm_result say_why(const tlm_supervisor *self, tlm_error *error)
{
    if (self->child != 0) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE,
                             "Wait a moment; where this stays, see its lines in the log.",
                             TLM_TOKEND_PROGRAM
                             " (process %d) was started and does not serve %s yet",
                             (int)self->child, self->socket);
    }
    if (self->error.result != TLM_OK && error != NULL) {
        *error = self->error;
    }
    return self->error.result != TLM_OK ? self->error.result : TLM_ERR_NOT_FOUND;
}

tlm_result tlm_supervisor_await(tlm_supervisor *self, const tlm_stop_check *stop,
                                unsigned timeout_ms, tlm_error *error)
{
    unsigned long seen = tlm_supervisor_changes(self);
    tlm_result result = tlm_tokend_connect(self->socket, error);
    int64_t until = tlm_supervisor_now_ms() + timeout_ms;
    bool asked = false;
    while (result == TLM_ERR_NOT_FOUND && !stop->asked(stop->context)) {
        (void)pthread_mutex_lock(&self->lock);
        ask(self, &asked);
        if ((self->child == 0 && self->error.result != TLM_OK) ||
            tlm_supervisor_now_ms() >= until) {
            result = say_why(self, error);
            (void)pthread_mutex_unlock(&self->lock);
            return result;
        }
        int64_t slice = tlm_supervisor_now_ms() + TLM_SUPERVISOR_SLICE_MS;
        wait_news(self, seen, slice < until ? slice : until);
        seen = self->changes;
        (void)pthread_mutex_unlock(&self->lock);
        result = tlm_tokend_connect(self->socket, NULL);
    }
    return result;
}

unsigned long tlm_supervisor_changes(tlm_supervisor *self)
{
    (void)pthread_mutex_lock(&self->lock);
    unsigned long changes = self->changes;
    (void)pthread_mutex_unlock(&self->lock);
    return changes;
}

void tlm_supervisor_wait_change(tlm_supervisor *self, unsigned long seen, unsigned timeout_ms)
{
    (void)pthread_mutex_lock(&self->lock);
    wait_news(self, seen, tlm_supervisor_now_ms() + timeout_ms);
    (void)pthread_mutex_unlock(&self->lock);
}

pid_t tlm_supervisor_child(tlm_supervisor *self)
{
    (void)pthread_mutex_lock(&self->lock);
    pid_t child = self->child;
    (void)pthread_mutex_unlock(&self->lock);
    return child;
}

const char *tlm_supervisor_report(const tlm_supervisor *self)
{
    return self->report;
}

void tlm_supervisor_end(tlm_supervisor *self)
{
    if (self == NULL || self->ended) {
        return;
    }
    (void)pthread_mutex_lock(&self->lock);
    self->stopping = true;
    (void)pthread_mutex_unlock(&self->lock);
    tlm_supervisor_wake(self);
    (void)pthread_join(self->thread, NULL);
    self->ended = true;
}

void tlm_supervisor_stop(tlm_supervisor **supervisor)
{
    if (supervisor == NULL || *supervisor == NULL) {
        return;
    }
    tlm_supervisor_end(*supervisor);
    destroy(*supervisor);
    *supervisor = NULL;
}
