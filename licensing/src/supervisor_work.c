/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor_work.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include <tlm/tokend_report.h>

/* The time that one which runs on its own gets to come back before one is started in its place. */
#define GRACE_MS 2000

int64_t tlm_supervisor_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void tlm_supervisor_wake(tlm_supervisor *self)
{
    uint64_t one = 1;
    /* A counter that is full wakes the thread all the same. */
    ssize_t done = write(self->wake_file, &one, sizeof one);
    (void)done;
}

void tlm_supervisor_tell(tlm_supervisor *self)
{
    (void)pthread_mutex_lock(&self->lock);
    self->changes++;
    (void)pthread_cond_broadcast(&self->news);
    (void)pthread_mutex_unlock(&self->lock);
    if (self->changed != NULL) {
        self->changed(self->context);
    }
}

void tlm_supervisor_settle(tlm_supervisor *self, const tlm_error *error)
{
    static const tlm_error none = {.result = TLM_OK};
    const tlm_error *reason = error != NULL ? error : &none;
    (void)pthread_mutex_lock(&self->lock);
    bool news = strcmp(self->error.message, reason->message) != 0;
    self->needed = false;
    self->error = *reason;
    (void)pthread_mutex_unlock(&self->lock);
    if (news) {
        tlm_supervisor_tell(self);
    }
}

/* Sees who serves; starts a child where nobody does, one is needed, and its time has come. */
static void look_after(tlm_supervisor *self)
{
    tlm_error error = {0};
    (void)pthread_mutex_lock(&self->lock);
    bool needed = self->needed;
    (void)pthread_mutex_unlock(&self->lock);
    if (!needed || tlm_supervisor_child(self) != 0 || tlm_supervisor_now_ms() < self->not_before) {
        return;
    }
    tlm_result result = tlm_tokend_connect(self->socket, &error);
    if (result == TLM_OK) {
        self->others = true;
        self->failures = 0;
        tlm_supervisor_settle(self, NULL);
    } else if (result != TLM_ERR_NOT_FOUND || !self->may_start) {
        tlm_supervisor_settle(self, &error);
    } else if (self->others) {
        self->others = false;
        self->not_before = tlm_supervisor_now_ms() + GRACE_MS;
    } else {
        tlm_supervisor_start_child(self);
    }
}

static void watch_directory(tlm_supervisor *self)
{
    if (self->watch_file >= 0) {
        return;
    }
    int file = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (file >= 0 && inotify_add_watch(file, self->directory,
                                       IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR) < 0) {
        (void)close(file);
        file = -1;
    }
    self->watch_file = file;
}

/* Whether something happened to the socket or the report. */
static bool take_events(tlm_supervisor *self)
{
    _Alignas(struct inotify_event) char buffer[4096];
    const char *socket_name = strrchr(self->socket, '/') + 1;
    const char *report_name = strrchr(self->report, '/') + 1;
    bool ours = false;
    ssize_t size = 0;
    while ((size = read(self->watch_file, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < size;) {
            struct inotify_event event;
            memcpy(&event, buffer + at, sizeof event);
            const char *name = buffer + at + sizeof event;
            ours = ours || (event.len > 0 &&
                            (strcmp(name, socket_name) == 0 || strcmp(name, report_name) == 0));
            if ((event.mask & IN_IGNORED) != 0) { /* the directory went away */
                (void)close(self->watch_file);
                self->watch_file = -1;
                return true;
            }
            at += (ssize_t)(sizeof event + event.len);
        }
    }
    return ours;
}

/* Milliseconds until something is due without an event; -1: nothing is. */
static int next_due(tlm_supervisor *self)
{
    (void)pthread_mutex_lock(&self->lock);
    bool running = self->child != 0;
    bool needed = self->needed;
    (void)pthread_mutex_unlock(&self->lock);
    if (running) {
        return self->pidfd >= 0 ? -1 : TLM_SUPERVISOR_SLICE_MS;
    }
    int64_t left = self->not_before - tlm_supervisor_now_ms();
    return !needed ? -1 : left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static bool asked_to_stop(tlm_supervisor *self)
{
    (void)pthread_mutex_lock(&self->lock);
    bool stopping = self->stopping;
    (void)pthread_mutex_unlock(&self->lock);
    return stopping;
}

void *tlm_supervisor_work(void *context)
{
    tlm_supervisor *self = context;
    while (!asked_to_stop(self)) {
        tlm_supervisor_reap(self);
        look_after(self);
        watch_directory(self);
        struct pollfd files[] = {{.fd = self->wake_file, .events = POLLIN},
                                 {.fd = self->watch_file, .events = POLLIN},
                                 {.fd = self->pidfd, .events = POLLIN}};
        if (poll(files, sizeof files / sizeof *files, next_due(self)) <= 0) {
            continue;
        }
        if (files[0].revents != 0) {
            uint64_t times = 0;
            ssize_t done = read(self->wake_file, &times, sizeof times);
            (void)done;
        }
        if (files[1].revents != 0 && take_events(self)) {
            tlm_supervisor_tell(self);
        }
    }
    tlm_supervisor_end_child(self);
    return NULL;
}
