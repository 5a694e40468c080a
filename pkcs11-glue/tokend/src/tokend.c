/* SPDX-License-Identifier: BSD-2-Clause */
#include "tokend.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/notify.h>

#include "access.h"
#include "setup.h"

#define WATCH_MS 1000
/* Pause after a connection that could not be accepted for want of descriptors or threads. */
#define ACCEPT_PAUSE_MS 100
#define DRAIN_MS 3000
/* The promise is 5 s; what still hangs then, a TPM for example, is left behind. */
#define STOP_SECONDS 4
#define STOP_MICROSECONDS 500000

static const int watched[] = {SIGTERM, SIGINT, SIGHUP};

static void fill_watched(sigset_t *set)
{
    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        (void)sigaddset(set, watched[i]);
    }
}

void tlm_tokend_block_signals(void)
{
    sigset_t set;
    fill_watched(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    /* A client that goes away is seen as an error of the write. */
    (void)signal(SIGPIPE, SIG_IGN);
    /* So is a limit on the log file's size. */
    (void)signal(SIGXFSZ, SIG_IGN);
}

static tlm_result read_settings_again(tlm_tokend *self, tlm_error *error)
{
    char **words = calloc((size_t)self->argc + 1, sizeof *words);
    if (words == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to read the settings again");
    }
    memcpy(words, self->argv, (size_t)self->argc * sizeof *words);
    tlm_settings settings;
    tlm_settings_outcome outcome;
    tlm_result result =
        tlm_settings_load(TLM_PROGRAM_TOKEND, self->argc, words, &settings, &outcome, error);
    if (result == TLM_OK) {
        tlm_log_set_level(settings.log_level);
        tlm_log(TLM_LOG_INFO, "reloaded", "level=%s", tlm_log_level_name(settings.log_level));
    }
    tlm_settings_clear(&settings);
    free(words);
    return result;
}

/* What cannot be read leaves the former in force, so that a typing error locks nobody out. */
static void reload(tlm_tokend *self)
{
    tlm_error error = {0};
    tlm_notify_reloading();
    if (tlm_log_reopen(&error) != TLM_OK) {
        tlm_log_error(&error, "log_reopen_failed", NULL);
    }
    if (tlm_setup_access(self, &error) != TLM_OK) {
        if (error.result == TLM_ERR_PERMISSION) {
            tlm_error_set_hint(&error, "mend owner and mode; where the directory was made after "
                                       "the start, start tlm-tokend again");
        }
        tlm_log_error(&error, "access_reload_failed", "path=%s", self->access_file);
    }
    if (read_settings_again(self, &error) != TLM_OK) {
        tlm_log_error(&error, "reload_failed", NULL);
    }
    tlm_notify("READY=1");
}

/* Whether the loop goes on. */
static bool take_signal(tlm_tokend *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == (uint32_t)SIGHUP) {
            reload(self);
            continue;
        }
        tlm_log(TLM_LOG_INFO, "stopping", "signal=%s", info.ssi_signo == SIGINT ? "INT" : "TERM");
        return false;
    }
    return true;
}

/*
 * A call of the module that does not return has the token's lock and cannot be cancelled: the
 * clients are given what a dead server gives, and the next process starts with a fresh module.
 */
static void check_hung(const tlm_tokend *self)
{
    const char *what = NULL;
    int64_t busy = tlm_keeper_busy_ms(self->keeper, &what);
    unsigned limit = self->settings->call_timeout;
    if (busy <= (int64_t)limit * 1000) {
        return;
    }
    tlm_log(TLM_LOG_FATAL, "call_hangs",
            "call=\"%s\" seconds=%lld limit=%u hint=\"the token or TPM does not answer; the "
            "program ends to be started afresh; run: tlm-token-init doctor\"",
            what != NULL ? what : "unknown", (long long)(busy / 1000), limit);
    tlm_notify("STATUS=%s has not returned in %u s", what != NULL ? what : "a call", limit);
    tlm_state_file_remove(self->state_file);
    _exit(TLM_EXIT_RESTART);
}

/* Returns the exit status. */
static int loop(tlm_tokend *self)
{
    struct pollfd files[] = {{.fd = self->signals, .events = POLLIN},
                             {.fd = self->wake_file, .events = POLLIN},
                             {.fd = self->endpoint.socket.file, .events = POLLIN}};
    bool accepting = true;
    for (;;) {
        int count = poll(files, accepting ? 3 : 2, accepting ? WATCH_MS : ACCEPT_PAUSE_MS);
        if (count < 0 && errno != EINTR) {
            return TLM_EXIT_FAILURE;
        }
        check_hung(self);
        if (atomic_load(&self->outdated)) {
            return TLM_EXIT_RESTART;
        }
        if (count > 0 && files[1].revents != 0) {
            uint64_t times = 0;
            ssize_t done = read(self->wake_file, &times, sizeof times);
            (void)done;
            tlm_connections_reap(self->connections);
        }
        if (count > 0 && files[0].revents != 0 && !take_signal(self)) {
            return TLM_EXIT_OK;
        }
        bool readable = accepting && count > 0 && files[2].revents != 0;
        accepting =
            !readable || tlm_connections_accept(self->connections, self->endpoint.socket.file);
    }
}

static void overdue(int number)
{
    static const char text[] = TLM_TOKEND ": stopping took too long; what hung was left\n";
    (void)number;
    ssize_t done = write(STDERR_FILENO, text, sizeof text - 1);
    (void)done;
    _exit(TLM_EXIT_FAILURE);
}

static void stop(tlm_tokend *self)
{
    struct itimerval time = {.it_value = {STOP_SECONDS, STOP_MICROSECONDS}};
    (void)signal(SIGALRM, overdue);
    (void)setitimer(ITIMER_REAL, &time, NULL);
    tlm_notify("STOPPING=1");
    /* New clients are refused before the old ones are cut off. */
    tlm_endpoint_close(&self->endpoint);
    size_t left = tlm_connections_stop(self->connections, DRAIN_MS);
    if (left > 0) {
        tlm_log(TLM_LOG_WARNING, "stopped", "hanging=%zu", left);
        tlm_state_file_remove(self->state_file);
        _exit(TLM_EXIT_FAILURE);
    }
    tlm_keeper_stop(&self->keeper);
    tlm_log(TLM_LOG_INFO, "stopped", NULL);
}

static void note_outdated(void *context)
{
    tlm_tokend *self = context;
    uint64_t one = 1;
    atomic_store(&self->outdated, true);
    ssize_t done = write(self->wake_file, &one, sizeof one);
    (void)done;
}

static tlm_result start(tlm_tokend *self, tlm_error *error)
{
    sigset_t set;
    fill_watched(&set);
    self->wake_file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self->wake_file < 0 || self->signals < 0) {
        return tlm_error_set_errno(error, "look at ulimit -n", "making an event descriptor");
    }
    tlm_setup_log_early(self);
    tlm_result result = tlm_setup_harden_early(self, error);
    if (result == TLM_OK) {
        result = tlm_setup_log(self, error);
    }
    if (result == TLM_OK) {
        result = tlm_setup_socket(self, error);
    }
    if (result == TLM_OK) {
        result = tlm_setup_provider(self, error);
    }
    if (result == TLM_OK) {
        result = tlm_setup_harden_late(self, error);
    }
    if (result == TLM_OK) {
        result = tlm_setup_token(self, note_outdated, error);
    }
    return result;
}

int tlm_tokend_run(const tlm_settings *settings, int argc, char **argv)
{
    tlm_error error = {0};
    tlm_tokend self = {
        .settings = settings, .argc = argc, .argv = argv, .wake_file = -1, .signals = -1};
    self.endpoint = TLM_ENDPOINT_CLOSED;
    int status = TLM_EXIT_FAILURE;
    tlm_result result = start(&self, &error);
    if (result == TLM_OK) {
        (void)printf("serving unix:path=%s\n", self.endpoint.socket.path);
        (void)fflush(stdout);
        tlm_log(TLM_LOG_INFO, "serving", "socket=%s", self.endpoint.socket.path);
        tlm_notify("READY=1\nSTATUS=serving %s", self.endpoint.socket.path);
        status = loop(&self);
        stop(&self);
    } else {
        tlm_log_error(&error, "start_failed", NULL);
        status = result == TLM_ERR_SETTING ? TLM_EXIT_SETTING : TLM_EXIT_FAILURE;
    }
    tlm_setup_clear(&self);
    tlm_log_close();
    return status;
}
