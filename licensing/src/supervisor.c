/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor_private.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/process.h>
#include <tlm/tokend_report.h>

#define PROGRAM "tlm-tokend"
/* It ends so after a call of the module that never returned: the next one may well go through. */
#define STATUS_STUCK 70
#define BACKOFF_FIRST_MS 500
#define BACKOFF_LAST_MS 30000
/* A child that lived so long was well: what ended it is no reason to wait. */
#define SETTLED_MS 60000
/* The time that one which runs on its own gets to come back before one is started in its place. */
#define GRACE_MS 2000
/* Together with the daemon's other work at its end this stays below its five seconds. */
#define STOP_MS 1200
/* How often an old kernel without pidfd_open is asked whether the child ended. */
#define SLICE_MS 50

struct tlm_supervisor {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    int wake_file;
    char *socket;
    char *directory; /* of the socket */
    char *report;
    char *program;
    char *arguments[TLM_SUPERVISOR_ARGUMENTS_MAX + 1];
    bool may_start;
    bool ended; /* of the owner alone: the thread was joined */
    void (*changed)(void *context);
    void *context;

    /* Of the thread alone. */
    int watch_file; /* inotify on the directory; -1 where there is none yet */
    int pidfd;
    int64_t started;
    int64_t not_before;
    unsigned failures;
    bool others; /* somebody else was seen to serve */

    /* Under the lock. */
    pid_t child;
    unsigned long changes;
    bool needed;
    bool stopping;
    tlm_error error; /* why the latest need was not met; TLM_OK while it is looked after */
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wake(tlm_supervisor *self)
{
    uint64_t one = 1;
    /* A counter that is full wakes the thread all the same. */
    ssize_t done = write(self->wake_file, &one, sizeof one);
    (void)done;
}

/* Tells everybody who waits here, and the owner. */
static void tell(tlm_supervisor *self)
{
    (void)pthread_mutex_lock(&self->lock);
    self->changes++;
    (void)pthread_cond_broadcast(&self->news);
    (void)pthread_mutex_unlock(&self->lock);
    if (self->changed != NULL) {
        self->changed(self->context);
    }
}

/*
 * The need is met, or cannot be: `error` then says why. The same reason is told once: the owner
 * answers news with another look, and so with the same need.
 */
static void settle_need(tlm_supervisor *self, const tlm_error *error)
{
    static const tlm_error none = {.result = TLM_OK};
    const tlm_error *reason = error != NULL ? error : &none;
    (void)pthread_mutex_lock(&self->lock);
    bool news = strcmp(self->error.message, reason->message) != 0;
    self->needed = false;
    self->error = *reason;
    (void)pthread_mutex_unlock(&self->lock);
    if (news) {
        tell(self);
    }
}

/* ---- the child ---- */

/* The directory of the socket, where an ordinary user often may not make one. */
static tlm_result prepare_directory(const tlm_supervisor *self, tlm_error *error)
{
    tlm_result result = tlm_directory_make(self->directory, 0755, error);
    if (result == TLM_OK && access(self->directory, W_OK | X_OK) != 0) {
        result = tlm_error_set_errno(error, NULL, "writing to %s", self->directory);
    }
    if (result != TLM_OK) {
        tlm_error_prefix(error, "the token's socket %s cannot be made", self->socket);
        tlm_error_set_hint(error,
                           "Name a socket that uid %u can make: --pkcs11-socket PATH, for example "
                           "in the directory $XDG_RUNTIME_DIR",
                           (unsigned)geteuid());
    }
    return result;
}

static tlm_result spawn(tlm_supervisor *self, pid_t *child, tlm_error *error)
{
    char *found = self->program != NULL ? strdup(self->program) : tlm_process_find(PROGRAM);
    if (found == NULL) {
        return tlm_error_set(
            error, TLM_ERR_NOT_FOUND, "Install " PROGRAM " beside TLLicenseManager or in PATH.",
            "nobody serves the token's socket %s, and " PROGRAM ", which would, was not found",
            self->socket);
    }
    /* So that it goes where this program is killed; posix_spawn itself cannot say that. */
    char *setpriv = tlm_process_find("setpriv");
    const char *words[TLM_SUPERVISOR_ARGUMENTS_MAX + 6] = {setpriv, "--pdeathsig", "TERM", "--",
                                                           found};
    for (size_t i = 0; self->arguments[i] != NULL; i++) {
        words[i + 5] = self->arguments[i];
    }
    if (setpriv == NULL) {
        tlm_log(TLM_LOG_WARNING, "tokend_not_bound", "reason=\"%s\"",
                "there is no setpriv (util-linux): " PROGRAM " stays where this program is killed");
    }
    tlm_result result = tlm_process_spawn(setpriv != NULL ? words : words + 4, child, error);
    free(setpriv);
    free(found);
    return result;
}

static void count_failure(tlm_supervisor *self, bool at_once)
{
    int64_t wait = BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < self->failures && wait < BACKOFF_LAST_MS; i++) {
        wait *= 2;
    }
    wait = wait < BACKOFF_LAST_MS ? wait : BACKOFF_LAST_MS;
    self->not_before = now_ms() + (at_once && self->failures == 0 ? 0 : wait);
    self->failures++;
}

static void start_child(tlm_supervisor *self)
{
    tlm_error error = {0};
    pid_t child = 0;
    tlm_result result = prepare_directory(self, &error);
    if (result == TLM_OK) {
        result = spawn(self, &child, &error);
    }
    if (result != TLM_OK) {
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "tokend_not_started", NULL);
        count_failure(self, false);
        settle_need(self, &error);
        return;
    }
    self->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    self->started = now_ms();
    (void)pthread_mutex_lock(&self->lock);
    self->child = child;
    self->error = (tlm_error){.result = TLM_OK};
    (void)pthread_mutex_unlock(&self->lock);
    tlm_log(TLM_LOG_INFO, "tokend_started", "pid=%d socket=\"%s\"", (int)child, self->socket);
    tell(self);
}

static void note_end(tlm_supervisor *self, pid_t child, int status)
{
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (self->pidfd >= 0) {
        (void)close(self->pidfd);
        self->pidfd = -1;
    }
    if (now_ms() - self->started >= SETTLED_MS) {
        self->failures = 0;
    }
    count_failure(self, code == STATUS_STUCK);
    tlm_error error = {0};
    (void)tlm_error_set(&error, TLM_ERR_PROCESS,
                        "Its last lines are on standard error and in its log; it is started again "
                        "by itself.",
                        PROGRAM ", which serves the token, ended with %s %d",
                        WIFSIGNALED(status) ? "signal" : "status",
                        WIFSIGNALED(status) ? WTERMSIG(status) : code);
    tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "tokend_ended",
                        "pid=%d status=%d restart_ms=%lld", (int)child, code,
                        (long long)(self->not_before - now_ms()));
    (void)pthread_mutex_lock(&self->lock);
    self->child = 0;
    self->needed = true;
    self->error = error;
    (void)pthread_mutex_unlock(&self->lock);
    tell(self);
}

static void reap(tlm_supervisor *self)
{
    int status = 0;
    pid_t child = tlm_supervisor_child(self);
    if (child != 0 && waitpid(child, &status, WNOHANG) == child) {
        note_end(self, child, status);
    }
}

static void end_child(tlm_supervisor *self)
{
    pid_t child = tlm_supervisor_child(self);
    int status = 0;
    if (child == 0) {
        return;
    }
    (void)kill(child, SIGTERM);
    int64_t until = now_ms() + STOP_MS;
    pid_t gone = 0;
    while ((gone = waitpid(child, &status, WNOHANG)) == 0 && now_ms() < until) {
        struct pollfd file = {.fd = self->pidfd, .events = POLLIN};
        (void)poll(&file, 1, self->pidfd >= 0 ? (int)(until - now_ms()) + 1 : SLICE_MS);
    }
    if (gone == 0) {
        tlm_log(TLM_LOG_WARNING, "tokend_killed", "pid=%d reason=\"%s\"", (int)child,
                "it did not end by itself");
        (void)kill(child, SIGKILL);
        gone = waitpid(child, &status, 0);
    }
    if (self->pidfd >= 0) {
        (void)close(self->pidfd);
        self->pidfd = -1;
    }
    (void)pthread_mutex_lock(&self->lock);
    self->child = 0;
    (void)pthread_mutex_unlock(&self->lock);
}

/* ---- the thread ---- */

/* Sees who serves; starts a child where nobody does, one is needed, and its time has come. */
static void look_after(tlm_supervisor *self)
{
    tlm_error error = {0};
    (void)pthread_mutex_lock(&self->lock);
    bool needed = self->needed;
    (void)pthread_mutex_unlock(&self->lock);
    if (!needed || tlm_supervisor_child(self) != 0 || now_ms() < self->not_before) {
        return;
    }
    tlm_result result = tlm_tokend_connect(self->socket, &error);
    if (result == TLM_OK) {
        self->others = true;
        self->failures = 0;
        settle_need(self, NULL);
    } else if (result != TLM_ERR_NOT_FOUND || !self->may_start) {
        settle_need(self, &error);
    } else if (self->others) {
        self->others = false;
        self->not_before = now_ms() + GRACE_MS;
    } else {
        start_child(self);
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
        return self->pidfd >= 0 ? -1 : SLICE_MS;
    }
    int64_t left = self->not_before - now_ms();
    return !needed ? -1 : left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static bool asked_to_stop(tlm_supervisor *self)
{
    (void)pthread_mutex_lock(&self->lock);
    bool stopping = self->stopping;
    (void)pthread_mutex_unlock(&self->lock);
    return stopping;
}

static void *work(void *context)
{
    tlm_supervisor *self = context;
    while (!asked_to_stop(self)) {
        reap(self);
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
            tell(self);
        }
    }
    end_child(self);
    return NULL;
}

/* ---- for the owner ---- */

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
            return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL, "too many words for " PROGRAM);
        }
        self->arguments[i] = strdup(config->arguments[i]);
        whole = whole && self->arguments[i] != NULL;
    }
    return whole ? TLM_OK
                 : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to look after " PROGRAM);
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
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to look after " PROGRAM);
    }
    make_primitives(self);
    self->pidfd = -1;
    self->watch_file = -1;
    self->wake_file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    tlm_result result = self->wake_file >= 0 ? copy_config(self, config, error)
                                             : tlm_error_set_errno(error, "look at ulimit -n",
                                                                   "making an event descriptor");
    if (result == TLM_OK && pthread_create(&self->thread, NULL, work, self) != 0) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, "look at the limits: ulimit -u",
                               "no thread to look after " PROGRAM);
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
    while (self->changes == seen && now_ms() < until) {
        (void)pthread_cond_timedwait(&self->news, &self->lock, &limit);
    }
}

/* Under the lock: asks the thread to look, once for each wait. */
static void ask(tlm_supervisor *self, bool *asked)
{
    if (!*asked && self->child == 0) {
        *asked = true;
        self->needed = true;
        wake(self);
    }
}

/* Under the lock: why nobody serves, as far as it is known. */
static tlm_result say_why(const tlm_supervisor *self, tlm_error *error)
{
    if (self->child != 0) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE,
                             "Wait a moment; where this stays, see its lines in the log.",
                             PROGRAM " (process %d) was started and does not serve %s yet",
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
    int64_t until = now_ms() + timeout_ms;
    bool asked = false;
    while (result == TLM_ERR_NOT_FOUND && !stop->asked(stop->context)) {
        (void)pthread_mutex_lock(&self->lock);
        ask(self, &asked);
        if ((self->child == 0 && self->error.result != TLM_OK) || now_ms() >= until) {
            result = say_why(self, error);
            (void)pthread_mutex_unlock(&self->lock);
            return result;
        }
        int64_t slice = now_ms() + SLICE_MS;
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
    wait_news(self, seen, now_ms() + timeout_ms);
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
    wake(self);
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
