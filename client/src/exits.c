/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_private.h"
#include "link_private.h"

#define SIGNALS 4U

/* Signals that return leases, and what they did before. */
static struct {
    int number;
    bool installed;
    struct sigaction before;
} slots[SIGNALS] = {
    {.number = SIGTERM}, {.number = SIGINT}, {.number = SIGHUP}, {.number = SIGQUIT}};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static tlm_client *clients;
static atomic_uint generation;
static int signal_pipe[2] = {-1, -1};
static pid_t owner;

static void count_fork(void)
{
    (void)atomic_fetch_add(&generation, 1);
}

static void start_counting(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

unsigned tlm_fork_generation(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, start_counting);
    return atomic_load(&generation);
}

/* The lock is held throughout, so that no client is freed meanwhile. */
static void return_everything(void)
{
    (void)pthread_mutex_lock(&lock);
    for (tlm_client *client = clients; client != NULL; client = client->next) {
        if (client->generation == tlm_fork_generation()) {
            atomic_store(&client->stopping, true);
            tlm_keeper_wake(client);
            tlm_lease_farewell(client);
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

static unsigned first_generation;

static void at_exit(void)
{
    if (tlm_fork_generation() == first_generation) {
        return_everything();
    }
}

/* libcurl and OpenSSL undo themselves at exit too: what is registered later comes earlier. */
static void prepare(void)
{
    tlm_link_start();
    first_generation = tlm_fork_generation();
    (void)atexit(at_exit);
}

void tlm_exits_add(tlm_client *client)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, prepare);
    (void)pthread_mutex_lock(&lock);
    client->next = clients;
    clients = client;
    (void)pthread_mutex_unlock(&lock);
}

void tlm_exits_remove(tlm_client *client)
{
    (void)pthread_mutex_lock(&lock);
    for (tlm_client **at = &clients; *at != NULL; at = &(*at)->next) {
        if (*at == client) {
            *at = client->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

static size_t slot_of(int number)
{
    size_t slot = 0;
    while (slot < SIGNALS && slots[slot].number != number) {
        slot++;
    }
    return slot;
}

static bool is_default(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_DFL;
}

static void act_by_default(int number)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};
    sigset_t only;
    (void)sigemptyset(&only);
    (void)sigaddset(&only, number);
    (void)sigaction(number, &none, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    (void)raise(number);
}

/* Only what a handler may do: the work is the watching thread's. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    size_t slot = slot_of(number);
    const struct sigaction *before = &slots[slot].before;
    bool ours = getpid() == owner; /* a forked child has the handler and none of the leases */
    if (ours) {
        const unsigned char word = (unsigned char)number;
        (void)!write(signal_pipe[1], &word, sizeof word);
    }
    if (!is_default(before) && (before->sa_flags & SA_SIGINFO) != 0) {
        before->sa_sigaction(number, info, context);
    } else if (!is_default(before)) {
        before->sa_handler(number);
    } else if (!ours) {
        act_by_default(number);
    }
    errno = saved;
}

static void *watch(void *context)
{
    (void)context;
    unsigned char word = 0;
    for (;;) {
        ssize_t got = read(signal_pipe[0], &word, sizeof word);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got != (ssize_t)sizeof word) {
            return NULL;
        }
        return_everything();
        size_t slot = slot_of(word);
        if (slot < SIGNALS && is_default(&slots[slot].before)) {
            act_by_default(word);
        }
    }
}

static bool start_watch(void)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    if (owner == getpid()) {
        return true;
    }
    if (pipe2(signal_pipe, O_CLOEXEC) != 0) {
        return false;
    }
    (void)fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    int number = pthread_create(&thread, NULL, watch, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number != 0) {
        errno = number;
        return false;
    }
    (void)pthread_detach(thread);
    owner = getpid();
    return true;
}

static tlm_client_result install(size_t slot, tlm_client_error *error)
{
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    (void)sigfillset(&ours.sa_mask);
    struct sigaction before;
    if (sigaction(slots[slot].number, NULL, &before) != 0) {
        return tlm_trouble(error, TLM_CLIENT_FAILED, "io", NULL, "signal %d: %s",
                           slots[slot].number, strerror(errno));
    }
    if ((before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_IGN) {
        return TLM_CLIENT_OK;
    }
    slots[slot].before = before;
    /* What the application chose for its own handler stays. */
    ours.sa_flags |= before.sa_flags & (SA_ONSTACK | SA_NODEFER);
    if (!is_default(&before) && (before.sa_flags & SA_RESTART) == 0) {
        ours.sa_flags &= ~SA_RESTART;
    }
    if (sigaction(slots[slot].number, &ours, NULL) != 0) {
        return tlm_trouble(error, TLM_CLIENT_FAILED, "io", NULL, "signal %d: %s",
                           slots[slot].number, strerror(errno));
    }
    slots[slot].installed = true;
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_client_release_on_signal(int number, tlm_client_error *error)
{
    size_t slot = slot_of(number);
    if (slot == SIGNALS) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument",
                           "one of SIGTERM, SIGINT, SIGHUP and SIGQUIT",
                           "signal %d is none that returns leases", number);
    }
    tlm_client_result result = TLM_CLIENT_OK;
    (void)pthread_mutex_lock(&lock);
    if (!start_watch()) {
        result = tlm_trouble(error, TLM_CLIENT_FAILED, "process", NULL,
                             "no thread to wait for signals: %s", strerror(errno));
    } else if (!slots[slot].installed) {
        result = install(slot, error);
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}
