/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client_private.h"

/* Between two questions of a lease that the license refuses: it may be licensed anew. */
#define REFUSED_MS 60000

typedef struct outcome {
    tlm_client_result result;
    tlm_client_error error;
    tlm_client_grant grant;
    int64_t sent;
    bool lost;
} outcome;

/* One request, and a second one where the daemon has no such lease any more. Without the lock. */
static void ask_daemon(tlm_client *client, const tlm_client_lease *lease, const char *id,
                       outcome *got)
{
    got->sent = tlm_steady_now();
    got->result =
        tlm_lease_request(client, &lease->ask, got->lost ? NULL : id, &got->grant, &got->error);
    if (got->result == TLM_CLIENT_GONE && !got->lost) {
        got->lost = true;
        tlm_client_grant_clear(&got->grant);
        got->sent = tlm_steady_now();
        got->result = tlm_lease_request(client, &lease->ask, NULL, &got->grant, &got->error);
    }
}

static bool is_refusal(const tlm_client_error *error)
{
    /* A rolled back state is the operator's to mend: as if the daemon were away meanwhile. */
    return error->result == TLM_CLIENT_REFUSED && strcmp(error->code, "rollback") != 0;
}

static void settle(tlm_client_lease *lease, outcome *got)
{
    int64_t now = tlm_steady_now();
    int64_t ttl = lease->grant.ttl * 1000;
    if (got->result == TLM_CLIENT_OK) {
        tlm_lease_renewed(lease, &got->grant, got->sent);
        return;
    }
    lease->cause = got->error;
    lease->lost = got->lost;
    lease->failures++;
    lease->refused = is_refusal(&got->error);
    lease->due = now + (lease->refused
                            ? REFUSED_MS
                            : tlm_ladder_retry(ttl, lease->failures, tlm_random_below(UINT32_MAX)));
    if (got->result == TLM_CLIENT_SEATS && got->error.retry_after > 0 &&
        got->error.retry_after < 3600) {
        lease->due = now + (int64_t)got->error.retry_after * 900;
    }
}

/* What one lease met, every other one that is due would meet too: without a wait for each. */
static void share_absence(tlm_client *client, const tlm_client_lease *met, int64_t now)
{
    for (tlm_client_lease *at = client->leases; at != NULL; at = at->next) {
        if (at != met && at->due <= now) {
            outcome same = {.result = met->cause.result, .error = met->cause, .lost = at->lost};
            settle(at, &same);
        }
    }
}

static void finish_work(tlm_client *client)
{
    client->working = NULL;
    (void)pthread_cond_broadcast(&client->idle);
}

static void work_on(tlm_client *client, tlm_client_lease *lease)
{
    outcome got = {.lost = lease->lost};
    char id[sizeof lease->grant.lease];
    (void)snprintf(id, sizeof id, "%s", lease->grant.lease);
    client->working = lease;
    (void)pthread_mutex_unlock(&client->lock);
    ask_daemon(client, lease, id, &got);
    (void)pthread_mutex_lock(&client->lock);
    if (!atomic_load(&client->stopping)) {
        settle(lease, &got);
        if (got.result == TLM_CLIENT_AWAY) {
            share_absence(client, lease, tlm_steady_now());
        }
    }
    tlm_client_grant_clear(&got.grant);
    finish_work(client);
}

/* Tells of one change, without the lock; true where there was one. */
static bool tell(tlm_client *client, int64_t now)
{
    for (tlm_client_lease *at = client->leases; at != NULL; at = at->next) {
        tlm_client_level level = tlm_lease_level_at(at, now);
        if (level == at->told && !at->news) {
            continue;
        }
        at->told = level;
        at->news = false;
        if (client->changed == NULL) {
            continue;
        }
        tlm_client_error cause = at->cause;
        client->working = at;
        (void)pthread_mutex_unlock(&client->lock);
        client->changed(client->context, at, level, &cause);
        (void)pthread_mutex_lock(&client->lock);
        finish_work(client);
        return true;
    }
    return false;
}

static tlm_client_lease *first_due(const tlm_client *client)
{
    tlm_client_lease *first = NULL;
    for (tlm_client_lease *at = client->leases; at != NULL; at = at->next) {
        first = first == NULL || at->due < first->due ? at : first;
    }
    return first;
}

/* When something is to be done next: a request, or a step of the ladder to tell of. */
static int64_t next_event(const tlm_client *client, int64_t now)
{
    int64_t next = INT64_MAX;
    for (const tlm_client_lease *at = client->leases; at != NULL; at = at->next) {
        int64_t step = tlm_ladder_next(&at->ladder, now - at->contact);
        next = at->due < next ? at->due : next;
        if (step != INT64_MAX && now + step < next) {
            next = now + step;
        }
    }
    return next;
}

/* Sleeps until `when`, or until somebody wakes. A clock that counts through suspension: after it
 * what is overdue is done at once. */
static void sleep_until(const tlm_client *client, int64_t when)
{
    struct itimerspec at = {0};
    uint64_t count = 0;
    if (when != INT64_MAX) {
        when = when > 1 ? when : 1; /* zero would disarm */
        at.it_value.tv_sec = when / 1000;
        at.it_value.tv_nsec = (when % 1000) * 1000000L;
    }
    (void)timerfd_settime(client->timer, TFD_TIMER_ABSTIME, &at, NULL);
    struct pollfd waits[] = {{.fd = client->timer, .events = POLLIN},
                             {.fd = client->wake, .events = POLLIN}};
    (void)poll(waits, 2, -1);
    if ((waits[1].revents & POLLIN) != 0) {
        (void)!read(client->wake, &count, sizeof count);
    }
}

static void *keep(void *context)
{
    tlm_client *client = context;
    (void)pthread_mutex_lock(&client->lock);
    while (!atomic_load(&client->stopping)) {
        int64_t now = tlm_steady_now();
        if (tell(client, now)) {
            continue;
        }
        tlm_client_lease *lease = first_due(client);
        if (lease != NULL && lease->due <= now) {
            work_on(client, lease);
            continue;
        }
        int64_t when = next_event(client, now);
        (void)pthread_mutex_unlock(&client->lock);
        sleep_until(client, when);
        (void)pthread_mutex_lock(&client->lock);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return NULL;
}

static tlm_client_result open_clocks(tlm_client *client, tlm_client_error *error)
{
    if (client->timer < 0) {
        client->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    }
    if (client->wake < 0) {
        client->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    return client->timer >= 0 && client->wake >= 0
               ? TLM_CLIENT_OK
               : tlm_trouble(error, TLM_CLIENT_FAILED, "io", "raise the limit: ulimit -n",
                             "no timer for the renewal of leases: %s", strerror(errno));
}

tlm_client_result tlm_keeper_start(tlm_client *client, tlm_client_error *error)
{
    if (client->running) {
        tlm_keeper_wake(client);
        return TLM_CLIENT_OK;
    }
    tlm_client_result result = open_clocks(client, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    int number = pthread_create(&client->thread, NULL, keep, client);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number != 0) {
        return tlm_trouble(error, TLM_CLIENT_FAILED, "process", NULL,
                           "no thread for the renewal of leases: %s", strerror(number));
    }
    client->running = true;
    return TLM_CLIENT_OK;
}

void tlm_keeper_wake(tlm_client *client)
{
    const uint64_t one = 1;
    if (client->wake >= 0) {
        (void)!write(client->wake, &one, sizeof one);
    }
}

void tlm_keeper_stop(tlm_client *client)
{
    (void)pthread_mutex_lock(&client->lock);
    bool running = client->running;
    (void)pthread_mutex_unlock(&client->lock);
    if (running && pthread_equal(client->thread, pthread_self()) == 0) {
        tlm_keeper_wake(client);
        (void)pthread_join(client->thread, NULL);
        client->running = false;
    }
    if (!client->running && client->timer >= 0) {
        (void)close(client->timer);
        (void)close(client->wake);
        client->timer = -1;
        client->wake = -1;
    }
}
