/* SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_private.h"
#include "exchange_private.h"

#define WAIT_STEP_MS 200
#define RETRY_SECONDS 1U
#define RETRY_SECONDS_MAX 3600U

static bool copy_text(const char *from, const char **to)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

/* The texts of `ask` are this lease's own, and only read through it. */
static void drop_text(const char *text)
{
    void *memory = NULL;
    memcpy(&memory, &text, sizeof memory);
    free(memory);
}

void tlm_lease_free(tlm_client_lease *lease)
{
    if (lease == NULL) {
        return;
    }
    drop_text(lease->ask.feature);
    drop_text(lease->ask.vendor);
    drop_text(lease->ask.product);
    drop_text(lease->ask.license);
    tlm_client_grant_clear(&lease->grant);
    free(lease);
}

static tlm_client_lease *make_lease(tlm_client *client, const tlm_client_ask *ask)
{
    tlm_client_lease *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->client = client;
    made->ask = (tlm_client_ask){.units = ask->units, .ttl = ask->ttl};
    if (!copy_text(ask->feature, &made->ask.feature) ||
        !copy_text(ask->vendor, &made->ask.vendor) ||
        !copy_text(ask->product, &made->ask.product) ||
        !copy_text(ask->license, &made->ask.license)) {
        tlm_lease_free(made);
        return NULL;
    }
    return made;
}

static json_t *new_body(const tlm_client *client, const tlm_client_ask *ask)
{
    json_t *body = tlm_exchange_body(client, ask);
    bool good = body != NULL;
    if (good && ask->units > 0) {
        good = json_object_set_new(body, "units", json_integer(ask->units)) == 0;
    }
    if (good && ask->ttl > 0) {
        good = json_object_set_new(body, "ttl", json_integer(ask->ttl)) == 0;
    }
    if (!good) {
        json_decref(body);
        return NULL;
    }
    return body;
}

tlm_client_result tlm_lease_request(tlm_client *client, const tlm_client_ask *ask,
                                    const char *lease, tlm_client_grant *grant,
                                    tlm_client_error *error)
{
    char path[TLM_EXCHANGE_PATH_SIZE] = "/api/v1/leases";
    tlm_exchange exchange = {.method = "POST",
                             .path = path,
                             .question = {.type = "lease",
                                          .feature = ask->feature,
                                          .license = ask->license,
                                          .client = tlm_client_text(client, TLM_CLIENT_NAME),
                                          .units = ask->units > 0 ? ask->units : 1},
                             .tries = 2,
                             .lease = true};
    if (lease == NULL) {
        exchange.body = new_body(client, ask);
        return tlm_exchange_run(client, &exchange, grant, error);
    }
    if (!tlm_exchange_path(lease, path)) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "not the id of a lease");
    }
    exchange.method = "PUT";
    exchange.question.lease = lease;
    exchange.body = ask->ttl > 0 ? json_pack("{s:I}", "ttl", (json_int_t)ask->ttl) : json_object();
    return tlm_exchange_run(client, &exchange, grant, error);
}

void tlm_lease_renewed(tlm_client_lease *lease, tlm_client_grant *grant, int64_t sent)
{
    const tlm_client *client = lease->client;
    int64_t ttl = grant->ttl * 1000;
    lease->news = lease->grant.lease[0] != '\0' && lease->grant.fence != grant->fence;
    tlm_client_grant_clear(&lease->grant);
    lease->grant = *grant;
    *grant = (tlm_client_grant){0};
    lease->contact = sent;
    lease->ladder = tlm_ladder_make(tlm_client_number(client, TLM_CLIENT_WARN_AFTER),
                                    tlm_client_number(client, TLM_CLIENT_DEGRADED_AFTER),
                                    tlm_client_number(client, TLM_CLIENT_STOP_AFTER), ttl);
    lease->due = sent + tlm_ladder_renew(ttl, tlm_random_below(UINT32_MAX));
    lease->failures = 0;
    lease->lost = false;
    lease->refused = false;
    lease->cause = (tlm_client_error){0};
}

/* Waits before the next turn in the queue; false where the time is over. */
static bool wait_turn(const tlm_client *client, unsigned retry_after, int64_t deadline)
{
    unsigned seconds = retry_after > 0 ? retry_after : RETRY_SECONDS;
    seconds = seconds < RETRY_SECONDS_MAX ? seconds : RETRY_SECONDS_MAX;
    int64_t now = tlm_steady_now();
    /* A little before the time after which the place in the queue is lost. */
    int64_t until = now + (int64_t)seconds * 900;
    if (now >= deadline) {
        return false;
    }
    until = until < deadline ? until : deadline;
    while (now < until && !atomic_load(&client->stopping)) {
        int64_t step = until - now < WAIT_STEP_MS ? until - now : WAIT_STEP_MS;
        (void)poll(NULL, 0, (int)step);
        now = tlm_steady_now();
    }
    return !atomic_load(&client->stopping);
}

tlm_client_result tlm_lease_obtain(tlm_client *client, const tlm_client_ask *ask,
                                   tlm_client_grant *grant, int64_t *sent, tlm_client_error *error)
{
    int64_t deadline = tlm_steady_now() + (int64_t)ask->wait * 1000;
    for (;;) {
        tlm_client_error trouble = {0};
        int64_t begun = tlm_steady_now();
        tlm_client_result result = tlm_lease_request(client, ask, NULL, grant, &trouble);
        if (result != TLM_CLIENT_SEATS || !wait_turn(client, trouble.retry_after, deadline)) {
            if (error != NULL) {
                *error = trouble;
            }
            if (sent != NULL) {
                *sent = begun;
            }
            return result;
        }
        tlm_client_grant_clear(grant);
    }
}

static bool holds(const tlm_client *client, const char *feature)
{
    for (const tlm_client_lease *at = client->leases; at != NULL; at = at->next) {
        if (strcmp(at->ask.feature, feature) == 0) {
            return true;
        }
    }
    return false;
}

static tlm_client_result refuse_second(const char *feature, tlm_client_error *error)
{
    return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "exists",
                       "ask for more units in one lease, or make another client",
                       "this client holds a lease of '%s' already", feature);
}

tlm_client_result tlm_client_acquire(tlm_client *client, const tlm_client_ask *ask,
                                     tlm_client_lease **lease, tlm_client_error *error)
{
    if (lease == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "no place for a lease");
    }
    tlm_client_result result = tlm_client_begin(client, error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_exchange_check(ask, error);
    }
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    bool second = holds(client, ask->feature);
    (void)pthread_mutex_unlock(&client->lock);
    if (second) {
        return refuse_second(ask->feature, error);
    }
    tlm_client_lease *made = make_lease(client, ask);
    if (made == NULL) {
        return tlm_trouble_memory(error);
    }
    tlm_client_grant grant = {0};
    int64_t sent = 0;
    result = tlm_lease_obtain(client, ask, &grant, &sent, error);
    if (result != TLM_CLIENT_OK) {
        tlm_client_grant_clear(&grant);
        tlm_lease_free(made);
        return result;
    }
    tlm_lease_renewed(made, &grant, sent);
    (void)pthread_mutex_lock(&client->lock);
    second = holds(client, ask->feature); /* another thread's, and then the same lease */
    if (!second) {
        made->next = client->leases;
        client->leases = made;
        result = tlm_keeper_start(client, error);
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (second) {
        tlm_lease_free(made);
        return refuse_second(ask->feature, error);
    }
    if (result != TLM_CLIENT_OK) {
        (void)tlm_client_lease_release(&made, NULL);
        return result;
    }
    *lease = made;
    return TLM_CLIENT_OK;
}

tlm_client_level tlm_lease_level_at(const tlm_client_lease *lease, int64_t now)
{
    tlm_client_level level = tlm_ladder_level(&lease->ladder, now - lease->contact);
    if (lease->refused) {
        return TLM_CLIENT_STOP;
    }
    return lease->lost && level < TLM_CLIENT_DEGRADED ? TLM_CLIENT_DEGRADED : level;
}

tlm_client_level tlm_client_lease_level(tlm_client_lease *lease)
{
    if (lease == NULL || lease->client->generation != tlm_fork_generation()) {
        return TLM_CLIENT_STOP;
    }
    (void)pthread_mutex_lock(&lease->client->lock);
    tlm_client_level level = tlm_lease_level_at(lease, tlm_steady_now());
    (void)pthread_mutex_unlock(&lease->client->lock);
    return level;
}

tlm_client_result tlm_client_lease_grant(tlm_client_lease *lease, tlm_client_grant *grant,
                                         tlm_client_error *error)
{
    if (lease == NULL || grant == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                           "no lease, or no place for its grant");
    }
    tlm_client_result result = tlm_client_begin(lease->client, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    (void)pthread_mutex_lock(&lease->client->lock);
    *grant = lease->grant;
    grant->memory = lease->grant.memory != NULL ? strdup(lease->grant.memory) : NULL;
    bool whole = lease->grant.memory == NULL || grant->memory != NULL;
    (void)pthread_mutex_unlock(&lease->client->lock);
    return whole ? TLM_CLIENT_OK : tlm_trouble_memory(error);
}

static void unlink_lease(tlm_client *client, const tlm_client_lease *lease)
{
    for (tlm_client_lease **at = &client->leases; *at != NULL; at = &(*at)->next) {
        if (*at == lease) {
            *at = lease->next;
            return;
        }
    }
}

tlm_client_result tlm_client_lease_release(tlm_client_lease **lease, tlm_client_error *error)
{
    if (lease == NULL || *lease == NULL) {
        return TLM_CLIENT_OK;
    }
    tlm_client_lease *gone = *lease;
    tlm_client *client = gone->client;
    tlm_client_result result = tlm_client_begin(client, error);
    if (result != TLM_CLIENT_OK) {
        *lease = NULL; /* the parent's: see tlm_client_free */
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (client->running && pthread_equal(client->thread, pthread_self()) != 0) {
        (void)pthread_mutex_unlock(&client->lock);
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", "release it from another thread",
                           "a lease cannot be released from a callback");
    }
    while (client->working == gone) {
        (void)pthread_cond_wait(&client->idle, &client->lock);
    }
    unlink_lease(client, gone);
    (void)pthread_mutex_unlock(&client->lock);
    *lease = NULL;
    result =
        gone->lost ? TLM_CLIENT_OK : tlm_exchange_return(client, gone->grant.lease, NULL, 0, error);
    tlm_lease_free(gone);
    return result;
}

/* Marks the lease with this id as returned; it may have been freed meanwhile. */
static void mark_returned(tlm_client *client, const char *id)
{
    (void)pthread_mutex_lock(&client->lock);
    for (tlm_client_lease *at = client->leases; at != NULL; at = at->next) {
        if (strcmp(at->grant.lease, id) == 0) {
            at->lost = true;
            at->refused = true;
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
}

/* The n-th lease that was not returned yet. */
static bool held_at(tlm_client *client, size_t skip, char id[sizeof((tlm_client_grant *)0)->lease])
{
    bool found = false;
    (void)pthread_mutex_lock(&client->lock);
    for (const tlm_client_lease *at = client->leases; at != NULL && !found; at = at->next) {
        if (at->lost) {
            continue;
        }
        found = skip == 0;
        skip -= found ? 0 : 1;
        if (found) {
            (void)snprintf(id, sizeof at->grant.lease, "%s", at->grant.lease);
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
    return found;
}

void tlm_lease_farewell(tlm_client *client)
{
    char id[sizeof((tlm_client_grant *)0)->lease];
    int64_t deadline = tlm_steady_now() + TLM_CLIENT_FAREWELL_MS;
    size_t failed = 0;
    while (held_at(client, failed, id)) {
        int64_t left = deadline - tlm_steady_now();
        if (left <= 0) {
            return;
        }
        if (tlm_exchange_return(client, id, NULL, (long)left, NULL) == TLM_CLIENT_OK) {
            mark_returned(client, id);
        } else {
            failed++; /* runs out by itself */
        }
    }
}
