/* SPDX-License-Identifier: BSD-2-Clause */
#include "child_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 50

/* One run, shared by the caller and the thread that waits for the child; the last one frees it. */
typedef struct child {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned users;
    bool done;
    char *argv[TLM_CHILD_ARGUMENTS_MAX + 1];
    unsigned timeout_ms;
    size_t max;
    tlm_result result;
    tlm_process_output output;
    tlm_error error;
} child;

static void release(child *self)
{
    (void)pthread_mutex_lock(&self->lock);
    bool last = --self->users == 0;
    (void)pthread_mutex_unlock(&self->lock);
    if (!last) {
        return;
    }
    for (size_t i = 0; self->argv[i] != NULL; i++) {
        free(self->argv[i]);
    }
    tlm_process_output_clear(&self->output);
    (void)pthread_cond_destroy(&self->ended);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

static void *run(void *argument)
{
    child *self = argument;
    tlm_process_output output = {0};
    tlm_error error = {0};
    tlm_result result = tlm_process_run((const char *const *)self->argv, self->timeout_ms,
                                        self->max, &output, &error);
    (void)pthread_mutex_lock(&self->lock);
    self->result = result;
    self->output = output;
    self->error = error;
    self->done = true;
    (void)pthread_cond_signal(&self->ended);
    (void)pthread_mutex_unlock(&self->lock);
    release(self);
    return NULL;
}

static child *make(const char *const argv[], unsigned timeout_ms, size_t max)
{
    child *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->ended, NULL);
    made->users = 1;
    made->timeout_ms = timeout_ms;
    made->max = max;
    for (size_t i = 0; argv[i] != NULL; i++) {
        char *copy = i < TLM_CHILD_ARGUMENTS_MAX ? strdup(argv[i]) : NULL;
        made->argv[i < TLM_CHILD_ARGUMENTS_MAX ? i : TLM_CHILD_ARGUMENTS_MAX] = copy;
        if (copy == NULL) {
            release(made);
            return NULL;
        }
    }
    return made;
}

/* Detached: nobody joins a thread that may outlive the caller. */
static bool begin(child *self)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    self->users = 2;
    bool begun = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                 pthread_create(&thread, &attributes, run, self) == 0;
    (void)pthread_attr_destroy(&attributes);
    if (!begun) {
        self->users = 1;
    }
    return begun;
}

static bool wait_for(child *self, const tlm_stop_check *stop)
{
    (void)pthread_mutex_lock(&self->lock);
    while (!self->done && (stop == NULL || stop->asked == NULL || !stop->asked(stop->context))) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        (void)pthread_cond_timedwait(&self->ended, &self->lock, &until);
    }
    bool done = self->done;
    (void)pthread_mutex_unlock(&self->lock);
    return done;
}

tlm_result tlm_child_run(const char *const argv[], unsigned timeout_ms, size_t max,
                         const tlm_stop_check *stop, tlm_process_output *output, tlm_error *error)
{
    child *self = make(argv, timeout_ms, max);
    if (self == NULL || !begin(self)) {
        if (self != NULL) {
            release(self);
        }
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory or thread to run %s", argv[0]);
    }
    tlm_result result = TLM_ERR_TIMEOUT;
    if (wait_for(self, stop)) {
        result = self->result;
        *output = self->output;
        memset(&self->output, 0, sizeof self->output);
        if (error != NULL) {
            *error = self->error;
        }
    } else {
        (void)tlm_error_set(error, result, NULL, "%s was not waited for: this program ends",
                            argv[0]);
    }
    release(self);
    return result;
}
