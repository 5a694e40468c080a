/* SPDX-License-Identifier: BSD-2-Clause */
/* run: a lease around a program */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client_private.h"
#include "tool.h"

#define NOT_FOUND 127
#define NOT_STARTED 126
#define SIGNALLED 128

typedef struct runner {
    pthread_t main;
    atomic_int stopped; /* the result that ended the grace, as tlm_client_result + 1 */
    bool keep_going;
    bool ended_by_us;
    pid_t child;
    int status;
} runner;

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};

/* From the library's thread: the main one has the child, so that no other process is hit. */
static void changed(void *context, tlm_client_lease *lease, tlm_client_level level,
                    const tlm_client_error *cause)
{
    runner *run = context;
    (void)lease;
    if (level == TLM_CLIENT_FINE) {
        (void)fprintf(stderr, "tlm: the lease is held again\n");
    } else {
        (void)fprintf(stderr, "tlm: lease: %s: %s [%s]\n", tlm_client_level_text(level),
                      cause->message, cause->code);
    }
    if (level == TLM_CLIENT_STOP && !run->keep_going) {
        atomic_store(&run->stopped, (int)cause->result + 1);
        (void)pthread_kill(run->main, SIGRTMIN);
    }
}

static int spawn(runner *run, char *const words[], const sigset_t *mask)
{
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int number = posix_spawnattr_init(&attributes);
    if (number != 0) {
        return number;
    }
    /* This program ignores SIGPIPE; the other one has it as it comes. */
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    number = posix_spawnattr_setflags(&attributes,
                                      (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    if (number == 0) {
        number = posix_spawnattr_setsigmask(&attributes, mask);
    }
    if (number == 0) {
        number = posix_spawnattr_setsigdefault(&attributes, &defaults);
    }
    if (number == 0) {
        number = posix_spawnp(&run->child, words[0], NULL, &attributes, words, environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return number;
}

/* A signal of the terminal reaches the whole process group, and so the program too. */
static bool is_terminal(const siginfo_t *info)
{
    return info->si_code == SI_KERNEL && (info->si_signo == SIGINT || info->si_signo == SIGQUIT);
}

static void wait_for_end(runner *run, const sigset_t *set)
{
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(set, &info);
        if (waitpid(run->child, &run->status, WNOHANG) == run->child) {
            return;
        }
        if (number == SIGRTMIN && atomic_load(&run->stopped) != 0) {
            run->ended_by_us = true;
            (void)kill(run->child, SIGTERM);
        } else if (number > 0 && number != SIGCHLD && number != SIGRTMIN && !is_terminal(&info)) {
            (void)kill(run->child, number);
        }
    }
}

static int status_of(const runner *run)
{
    if (run->ended_by_us) {
        tlm_client_result why = (tlm_client_result)(atomic_load(&run->stopped) - 1);
        return why == TLM_CLIENT_REFUSED || why == TLM_CLIENT_SEATS ? TLM_EXIT_REFUSED
                                                                    : TLM_EXIT_AWAY;
    }
    return WIFSIGNALED(run->status) ? SIGNALLED + WTERMSIG(run->status) : WEXITSTATUS(run->status);
}

static int run_program(runner *run, char *const words[], const sigset_t *set, const sigset_t *mask)
{
    int number = spawn(run, words, mask);
    if (number != 0) {
        (void)fprintf(stderr, "tlm: %s: %s\n", words[0], strerror(number));
        return number == ENOENT ? NOT_FOUND : NOT_STARTED;
    }
    wait_for_end(run, set);
    return status_of(run);
}

int tlm_tool_run(const tlm_tool_options *options)
{
    runner run = {.main = pthread_self(), .keep_going = options->keep_going};
    tlm_client *client = NULL;
    tlm_client_lease *lease = NULL;
    tlm_client_ask ask;
    tlm_client_error error;
    sigset_t set;
    sigset_t before;
    (void)signal(SIGPIPE, SIG_IGN); /* who reads our words may go; the lease is to be returned */
    tlm_client_result result = tlm_tool_ask(options, &ask, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_on_change(client, changed, &run, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_acquire(client, &ask, &lease, &error);
    }
    if (result != TLM_CLIENT_OK) {
        tlm_client_free(&client);
        return tlm_tool_failure(&error);
    }
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGRTMIN);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        (void)sigaddset(&set, passed_on[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, &before);
    int status = run_program(&run, options->words, &set, &before);
    if (tlm_client_lease_release(&lease, &error) != TLM_CLIENT_OK) {
        (void)fprintf(stderr, "tlm: the lease could not be returned and runs out: %s\n",
                      error.message);
    }
    tlm_client_free(&client);
    return status;
}
