/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor_work.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/process.h>

/* It ends so after a call of the module that never returned: the next one may well go through. */
#define STATUS_STUCK 70
#define BACKOFF_FIRST_MS 500
#define BACKOFF_LAST_MS 30000
/* A child that lived so long was well: what ended it is no reason to wait. */
#define SETTLED_MS 60000
/* Together with the daemon's other work at its end this stays below its five seconds. */
#define STOP_MS 1200

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
    char *found =
        self->program != NULL ? strdup(self->program) : tlm_process_find(TLM_TOKEND_PROGRAM);
    if (found == NULL) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "Install " TLM_TOKEND_PROGRAM " beside TLLicenseManager or in PATH.",
                             "nobody serves the token's socket %s, and " TLM_TOKEND_PROGRAM
                             ", which would, was not found",
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
                "there is no setpriv (util-linux): " TLM_TOKEND_PROGRAM
                " stays where this program is killed");
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
    self->not_before = tlm_supervisor_now_ms() + (at_once && self->failures == 0 ? 0 : wait);
    self->failures++;
}

void tlm_supervisor_start_child(tlm_supervisor *self)
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
        tlm_supervisor_settle(self, &error);
        return;
    }
    self->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    self->started = tlm_supervisor_now_ms();
    (void)pthread_mutex_lock(&self->lock);
    self->child = child;
    self->error = (tlm_error){.result = TLM_OK};
    (void)pthread_mutex_unlock(&self->lock);
    tlm_log(TLM_LOG_INFO, "tokend_started", "pid=%d socket=\"%s\"", (int)child, self->socket);
    tlm_supervisor_tell(self);
}

static void note_end(tlm_supervisor *self, pid_t child, int status)
{
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (self->pidfd >= 0) {
        (void)close(self->pidfd);
        self->pidfd = -1;
    }
    if (tlm_supervisor_now_ms() - self->started >= SETTLED_MS) {
        self->failures = 0;
    }
    count_failure(self, code == STATUS_STUCK);
    tlm_error error = {0};
    (void)tlm_error_set(&error, TLM_ERR_PROCESS,
                        "Its last lines are on standard error and in its log; it is started again "
                        "by itself.",
                        TLM_TOKEND_PROGRAM ", which serves the token, ended with %s %d",
                        WIFSIGNALED(status) ? "signal" : "status",
                        WIFSIGNALED(status) ? WTERMSIG(status) : code);
    tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "tokend_ended",
                        "pid=%d status=%d restart_ms=%lld", (int)child, code,
                        (long long)(self->not_before - tlm_supervisor_now_ms()));
    (void)pthread_mutex_lock(&self->lock);
    self->child = 0;
    self->needed = true;
    self->error = error;
    (void)pthread_mutex_unlock(&self->lock);
    tlm_supervisor_tell(self);
}

void tlm_supervisor_reap(tlm_supervisor *self)
{
    int status = 0;
    pid_t child = tlm_supervisor_child(self);
    if (child != 0 && waitpid(child, &status, WNOHANG) == child) {
        note_end(self, child, status);
    }
}

void tlm_supervisor_end_child(tlm_supervisor *self)
{
    pid_t child = tlm_supervisor_child(self);
    int status = 0;
    if (child == 0) {
        return;
    }
    (void)kill(child, SIGTERM);
    int64_t until = tlm_supervisor_now_ms() + STOP_MS;
    pid_t gone = 0;
    while ((gone = waitpid(child, &status, WNOHANG)) == 0 && tlm_supervisor_now_ms() < until) {
        struct pollfd file = {.fd = self->pidfd, .events = POLLIN};
        (void)poll(&file, 1,
                   self->pidfd >= 0 ? (int)(until - tlm_supervisor_now_ms()) + 1
                                    : TLM_SUPERVISOR_SLICE_MS);
    }
    if (gone == 0) {
        tlm_log(TLM_LOG_WARNING, "tokend_killed", "pid=%d reason=\"%s\"", (int)child,
                "it did not end by itself");
        (void)kill(child, SIGKILL);
        (void)waitpid(child, &status, 0);
    }
    if (self->pidfd >= 0) {
        (void)close(self->pidfd);
        self->pidfd = -1;
    }
    (void)pthread_mutex_lock(&self->lock);
    self->child = 0;
    (void)pthread_mutex_unlock(&self->lock);
}
