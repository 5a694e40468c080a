/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/notify.h>

#include "daemon_api.h"
#include "daemon_container.h"
#include "daemon_setup.h"
#include "daemon_tls.h"
#include "documents.h"

#define SWEEP_MS 1000
#define DRAIN_MS 3000
#define DRAIN_LAST_MS 200
/* The promise is 5 s; what still hangs then, a TPM for example, is left behind. */
#define STOP_SECONDS 4
#define STOP_MICROSECONDS 700000

static const int watched[] = {SIGTERM, SIGINT, SIGHUP};

static void fill_watched(sigset_t *set)
{
    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        (void)sigaddset(set, watched[i]);
    }
}

void tlm_daemon_block_signals(void)
{
    sigset_t set;
    fill_watched(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    /* A peer that goes away, p11-kit's server among them, is seen as an error of the write. */
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Called from the threads of identity and facts. */
static void wake(void *context)
{
    const tlm_daemon *self = context;
    uint64_t one = 1;
    /* A counter that is full wakes the loop all the same. */
    ssize_t done = write(self->wake_file, &one, sizeof one);
    (void)done;
}

/* The line that scripts wait for: once, when the fingerprint can be had. */
static void print_ready(tlm_daemon *self, const tlm_identity_view *view)
{
    if (self->told_ready || !view->ready || !view->has_fingerprint || !tlm_daemon_tls_ready(self)) {
        return;
    }
    self->told_ready = true;
    const char *remark = view->simulated         ? " (simulated, not hardware-bound)"
                         : !view->hardware_bound ? " (not hardware-bound)"
                                                 : "";
    (void)printf("ready %s fingerprint=%s backend=%s%s\n", self->url, view->fingerprint.text,
                 view->backend, remark);
    (void)fflush(stdout);
    tlm_log(TLM_LOG_INFO, "ready", "url=%s fingerprint=%s backend=%s simulated=%d hardwareBound=%d",
            self->url, view->fingerprint.text, view->backend, view->simulated,
            view->hardware_bound);
}

/* Tells log and service manager where the state is another one than before. */
static void tell_state(tlm_daemon *self, const tlm_identity_view *view)
{
    if (view->state == TLM_START_PENDING) {
        return;
    }
    const char *kind = tlm_status_kind(view);
    const char *state = tlm_startup_describe(view->state)->name;
    if (self->told_kind != NULL && strcmp(self->told_kind, kind) == 0 &&
        self->told_state == view->state) {
        return;
    }
    self->told_kind = kind;
    self->told_state = view->state;
    tlm_ailment ailment;
    if (tlm_status_ailment(view, &ailment)) {
        char message[640];
        char hint[640];
        tlm_log(TLM_LOG_WARNING, "degraded", "state=%s code=%s reason=%s remedy=%s", state,
                ailment.code, tlm_log_quote(ailment.message, message, sizeof message),
                tlm_log_quote(ailment.hint, hint, sizeof hint));
        tlm_notify("STATUS=degraded (%s): %s", state, ailment.message);
        return;
    }
    tlm_log(TLM_LOG_INFO, "state", "state=%s kind=%s backend=%s", state, kind, view->backend);
    tlm_notify("STATUS=%s at %s, %s start on %s", view->ready ? "ready" : "serving", self->url,
               kind, view->backend);
}

static void take_facts(tlm_daemon *self, tlm_facts_state *facts)
{
    *facts = (tlm_facts_state){.text = NULL};
    if (self->facts == NULL) {
        return;
    }
    tlm_facts_get(self->facts, facts);
    if (facts->error.result != TLM_OK) {
        (void)tlm_notices_raise(&self->notices, "tpm-facts", &facts->error);
    } else {
        (void)tlm_notices_clear(&self->notices, "tpm-facts");
    }
}

/* Makes every answer anew from what identity and facts say now. */
static tlm_result publish(tlm_daemon *self, tlm_error *error)
{
    static const tlm_identity_view pending = {.state = TLM_START_PENDING, .backend = "none"};
    const tlm_identity_view *view =
        self->identity != NULL ? tlm_identity_view_get(self->identity) : &pending;
    tlm_facts_state facts;
    take_facts(self, &facts);
    tlm_daemon_tls_tell(self);
    tlm_daemon_api_tell(self, view);
    tlm_daemon_container_tell(self, view);
    self->source.view = view;
    self->source.facts = facts.text;
    self->source.facts_as_of = facts.as_of;
    tlm_result result = tlm_documents_publish(self->answers, &self->source, error);
    tlm_facts_state_clear(&facts);
    tell_state(self, view);
    print_ready(self, view);
    bool tpm = view->holder == TLM_HOLDER_TPM || view->holder == TLM_HOLDER_NONE;
    if (self->facts != NULL && tpm && view->state != TLM_START_PENDING) {
        /* Only now: the child must not compete with the start for the TPM and the processor. */
        tlm_facts_wake(self->facts);
    }
    self->source.view = NULL;
    if (view != &pending) {
        tlm_identity_view_release(&view);
    }
    return result;
}

static void publish_or_log(tlm_daemon *self)
{
    tlm_error error = {0};
    if (publish(self, &error) != TLM_OK) {
        tlm_log_error(&error, "publish_failed", NULL);
    }
}

static tlm_result reload_level(tlm_daemon *self, tlm_error *error)
{
    char **words = calloc((size_t)self->argc + 1, sizeof *words);
    if (words == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to read the settings again");
    }
    memcpy(words, self->argv, (size_t)self->argc * sizeof *words);
    tlm_settings settings;
    tlm_settings_outcome outcome;
    tlm_result result =
        tlm_settings_load(TLM_PROGRAM_DAEMON, self->argc, words, &settings, &outcome, error);
    if (result == TLM_OK) {
        tlm_log_set_level(settings.log_level);
        tlm_log(TLM_LOG_INFO, "reloaded", "level=%s", tlm_log_level_name(settings.log_level));
    }
    tlm_settings_clear(&settings);
    free(words);
    return result;
}

/* SIGHUP: the log file is opened again, the level read again, certificate and key too; flags still
 * win over the file. */
static void reload(tlm_daemon *self)
{
    tlm_error error = {0};
    tlm_notify_reloading();
    if (tlm_log_reopen(&error) != TLM_OK) {
        (void)tlm_notices_raise(&self->notices, "log-file", &error);
        tlm_log_error(&error, "log_reopen_failed", NULL);
    } else {
        (void)tlm_notices_clear(&self->notices, "log-file");
    }
    if (reload_level(self, &error) != TLM_OK) {
        (void)tlm_notices_raise(&self->notices, "reload", &error);
        tlm_log_error(&error, "reload_failed", NULL);
    } else {
        (void)tlm_notices_clear(&self->notices, "reload");
    }
    if (self->tls != NULL) {
        tlm_tls_reload(self->tls);
    }
    tlm_daemon_api_reload(self);
    publish_or_log(self);
    tlm_notify("READY=1");
}

/* Whether the loop goes on. */
static bool take_signal(tlm_daemon *self, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == (uint32_t)SIGHUP) {
            reload(self);
            continue;
        }
        tlm_log(TLM_LOG_INFO, "stopping", "signal=%s", info.ssi_signo == SIGINT ? "INT" : "TERM");
        return false;
    }
    return true;
}

static void loop(tlm_daemon *self, int signals)
{
    struct pollfd files[2] = {{.fd = signals, .events = POLLIN},
                              {.fd = self->wake_file, .events = POLLIN}};
    for (;;) {
        int count = poll(files, 2, SWEEP_MS);
        if (count < 0 && errno != EINTR) {
            return;
        }
        if (count > 0 && files[1].revents != 0) {
            uint64_t times = 0;
            ssize_t done = read(self->wake_file, &times, sizeof times);
            (void)done;
            publish_or_log(self);
        }
        if (count > 0 && files[0].revents != 0 && !take_signal(self, signals)) {
            return;
        }
        if (count == 0 && tlm_daemon_api_moved(self)) {
            publish_or_log(self);
        }
        tlm_server_sweep(self->server);
        if (self->admin_server != NULL) {
            tlm_server_sweep(self->admin_server);
        }
    }
}

static void overdue(int number)
{
    static const char text[] = "TLLicenseManager: stopping took too long; what hung was left\n";
    (void)number;
    ssize_t done = write(STDERR_FILENO, text, sizeof text - 1);
    (void)done;
    _exit(TLM_EXIT_FAILURE);
}

static void arm_watchdog(void)
{
    struct itimerval time = {.it_value = {STOP_SECONDS, STOP_MICROSECONDS}};
    (void)signal(SIGALRM, overdue);
    (void)setitimer(ITIMER_REAL, &time, NULL);
}

/* Waits for the requests of both servers; how many connections are left. */
static size_t drain(tlm_daemon *self, unsigned wait_ms)
{
    struct timespec before;
    struct timespec after;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    size_t left = tlm_server_drain(self->server, wait_ms);
    if (self->admin_server == NULL) {
        return left;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t gone =
        (int64_t)(after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    unsigned rest = gone < (int64_t)wait_ms ? wait_ms - (unsigned)gone : 0;
    return left + tlm_server_drain(self->admin_server, rest);
}

static void stop(tlm_daemon *self)
{
    arm_watchdog();
    tlm_notify("STOPPING=1\nSTATUS=finishing requests");
    tlm_answers_close(self->answers);
    publish_or_log(self);
    size_t left = drain(self, DRAIN_MS);
    tlm_daemon_api_stop(self);
    if (left > 0) {
        /* Calls that took so long were answered by the service's end. */
        left = drain(self, DRAIN_LAST_MS);
    }
    tlm_facts_stop(&self->facts);
    tlm_daemon_container_stop(self);
    tlm_server_stop(&self->admin_server);
    tlm_server_stop(&self->server);
    tlm_tls_stop(&self->tls);
    tlm_identity_stop(&self->identity);
    tlm_log(TLM_LOG_INFO, "stopped", "cut_off=%zu", left);
}

static tlm_result serve(tlm_daemon *self, tlm_error *error)
{
    tlm_result result = tlm_answers_new(&self->answers, error);
    if (result == TLM_OK) {
        result = publish(self, error);
    }
    if (result == TLM_OK) {
        result = tlm_setup_server(self, error);
    }
    if (result == TLM_OK) {
        tlm_daemon_api_serve(self);
        /* Once more, with what the server's own start had to tell. */
        result = publish(self, error);
    }
    return result;
}

static tlm_result start(tlm_daemon *self, tlm_error *error)
{
    self->wake_file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_file < 0) {
        return tlm_error_set_errno(error, "look at ulimit -n", "making an event descriptor");
    }
    tlm_result result = tlm_setup_paths(self, error);
    if (result == TLM_OK) {
        tlm_setup_log(self);
        tlm_daemon_container_look(self);
        tlm_setup_limits(self);
        result = tlm_setup_listener(self, error);
    }
    if (result == TLM_OK) {
        result = tlm_daemon_tls_setup(self, wake, error);
    }
    if (result == TLM_OK) {
        result = tlm_daemon_api_setup(self, error);
    }
    if (result == TLM_OK) {
        result = serve(self, error);
    }
    if (result == TLM_OK) {
        tlm_log(TLM_LOG_INFO, "listening", "address=%s url=%s", self->listener.bound, self->url);
        tlm_notify("READY=1\nSTATUS=serving %s", self->url);
        result = tlm_setup_identity(self, wake, error);
    }
    if (result == TLM_OK) {
        result = tlm_daemon_api_start(self, wake, error);
    }
    if (result == TLM_OK) {
        result = tlm_setup_facts(self, wake, error);
    }
    if (result == TLM_OK) {
        result = tlm_daemon_container_start(self, wake, error);
    }
    if (result == TLM_OK) {
        result = tlm_daemon_tls_start(self, error);
    }
    return result;
}

static int exit_status(tlm_result result)
{
    return result == TLM_ERR_SETTING ? TLM_EXIT_SETTING : TLM_EXIT_FAILURE;
}

int tlm_daemon_run(const tlm_settings *settings, int argc, char **argv)
{
    tlm_error error = {0};
    tlm_daemon self = {.settings = settings, .argc = argc, .argv = argv, .wake_file = -1};
    self.listener.file = -1;
    self.admin_socket = TLM_ADMIN_SOCKET_CLOSED;
    int status = TLM_EXIT_OK;
    sigset_t set;
    fill_watched(&set);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    tlm_result result = signals >= 0 ? start(&self, &error)
                                     : tlm_error_set_errno(&error, "look at ulimit -n",
                                                           "making a signal descriptor");
    if (result == TLM_OK) {
        loop(&self, signals);
        stop(&self);
    } else {
        tlm_log_error(&error, "start_failed", NULL);
        status = exit_status(result);
    }
    tlm_setup_clear(&self);
    tlm_log_close();
    if (signals >= 0) {
        (void)close(signals);
    }
    return status;
}
