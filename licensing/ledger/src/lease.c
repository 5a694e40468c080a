/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "text_private.h"

/* Milliseconds of usage time that a lease holds and has not run through yet. */
static int64_t unused(const tlm_lease *lease, int64_t now)
{
    int64_t left = lease->expires > now ? lease->expires - now : 0;
    int64_t all = 0;
    if (__builtin_mul_overflow(left, lease->units, &all) || all > lease->reserved) {
        return lease->reserved;
    }
    return all;
}

static tlm_result over(const tlm_ledger *ledger, const tlm_choice *choice, tlm_pool *pool,
                       tlm_error *error)
{
    pool->refusal = TLM_ERR_EXHAUSTED;
    return tlm_explain(ledger, choice, pool, error);
}

/*
 * Gives the lease its end: `span` from now, but not beyond the end of the license or the model. An
 * end that was promised before stays, if it can be kept. Usage time is taken for all of it at once:
 * a crash loses what was left of it and gives nothing twice.
 */
static tlm_result set_term(tlm_ledger *ledger, const tlm_choice *choice, tlm_lease *lease,
                           int64_t span, tlm_error *error)
{
    tlm_pool *pool = lease->pool;
    int64_t now = ledger->now;
    int64_t back = unused(lease, now);
    int64_t expires = tlm_time_add(now, span);
    int64_t ends = tlm_pool_ends(pool, now);
    bool same_units = lease->units == choice->units;
    expires = expires < ends ? expires : ends;
    if (same_units && lease->expires > expires) {
        expires = lease->expires;
    }
    int64_t left = tlm_pool_time_left(pool);
    if (left != TLM_NEVER) {
        int64_t most = tlm_time_add(now, (left + back) / choice->units);
        expires = expires < most ? expires : most;
        if (expires <= now) {
            return over(ledger, choice, pool, error);
        }
        pool->used -= back;
        lease->reserved = (expires - now) * choice->units;
        pool->used += lease->reserved;
    }
    pool->in_use += choice->units - lease->units;
    lease->units = choice->units;
    lease->expires = expires;
    lease->renewed = now;
    ledger->touched = true;
    return TLM_OK;
}

static tlm_result check_ttl(const tlm_ledger *ledger, int64_t ttl, int64_t *span, tlm_error *error)
{
    if (ttl < 0 || ttl > ledger->limits.ttl_max) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "the limit is Licensing.MaxLeaseTtl",
                             "ttl has to be 1 to %lld seconds", (long long)ledger->limits.ttl_max);
    }
    *span = tlm_time_of(ttl != 0 ? ttl : ledger->limits.ttl, 1000);
    return TLM_OK;
}

static tlm_result check_borrowing(const tlm_ledger *ledger, const tlm_ledger_ask *ask,
                                  int64_t *span, tlm_error *error)
{
    int64_t most = ledger->limits.borrow_max;
    if (ask->borrow == 0) {
        return TLM_OK;
    }
    if (most == 0) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "set Licensing.MaxBorrow to the days that are allowed",
                             "this host lends no seats");
    }
    if (ask->borrow < 0 || ask->borrow > most) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "the limit is Licensing.MaxBorrow",
                             "a seat is borrowed for 1 to %lld seconds", (long long)most);
    }
    if (ask->borrow_jkt == NULL || strlen(ask->borrow_jkt) != 43) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a borrowed lease needs the thumbprint of the borrower's key");
    }
    *span = tlm_time_of(ask->borrow, 1000);
    return TLM_OK;
}

static tlm_result check_ask(const tlm_ledger *ledger, const tlm_ledger_ask *ask, int64_t *units,
                            int64_t *span, tlm_error *error)
{
    tlm_result result = tlm_ask_feature(ask, error);
    if (result == TLM_OK) {
        result = tlm_ask_client(ask->client, error);
    }
    if (result == TLM_OK) {
        result = tlm_ask_units(ask->units, units, error);
    }
    if (result == TLM_OK) {
        result = check_ttl(ledger, ask->ttl, span, error);
    }
    return result == TLM_OK ? check_borrowing(ledger, ask, span, error) : result;
}

/* Larger than every number before, also than those of a ledger that was put back. */
static int64_t next_fence(tlm_ledger *ledger)
{
    int64_t now = tlm_time_of(tlm_ledger_wall(ledger), 1000);
    bool ahead = now > ledger->fence && now < TLM_FENCE_MAX;
    ledger->fence = ahead ? now : ledger->fence + 1;
    ledger->fence_moved = true;
    ledger->touched = true;
    return ledger->fence;
}

static tlm_result tell(tlm_ledger *ledger, const char *event, const tlm_lease *lease,
                       const char *peer, const char *reason, tlm_error *error)
{
    return tlm_ledger_audit(ledger, event,
                            json_pack("{s:s, s:s, s:s, s:s, s:I, s:s*, s:s*}", "lease", lease->id,
                                      "client", lease->client, "feature", lease->pool->name,
                                      "license", lease->pool->record->license->jti, "units",
                                      (json_int_t)lease->units, "peer", peer, "reason", reason),
                            error);
}

/* Borrowing is always told of; leases where the operator wants it. */
static tlm_result tell_of_grant(tlm_ledger *ledger, const tlm_lease *lease, bool borrowed,
                                const tlm_ledger_ask *ask, tlm_error *error)
{
    if (borrowed) {
        return tell(ledger, "borrowed", lease, ask->peer, NULL, error);
    }
    return ledger->limits.audit_leases
               ? tell(ledger, "lease-granted", lease, ask->peer, NULL, error)
               : TLM_OK;
}

static tlm_result grant_new(tlm_ledger *ledger, tlm_ledger_request *request,
                            const tlm_choice *choice, int64_t span)
{
    const tlm_ledger_ask *ask = &request->ask;
    tlm_error *error = &request->error;
    tlm_lease lease = {.granted = ledger->now};
    tlm_result result = tlm_choose(ledger, choice, &lease.pool, &request->grant.position, error);
    if (result == TLM_OK) {
        result = tlm_uuid_make(lease.id, error);
    }
    if (result == TLM_OK) {
        result = set_term(ledger, choice, &lease, span, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    (void)snprintf(lease.client, sizeof lease.client, "%s", ask->client);
    if (ask->borrow != 0) {
        (void)snprintf(lease.jkt, sizeof lease.jkt, "%s", ask->borrow_jkt);
    }
    lease.fence = next_fence(ledger);
    result = tlm_first_use(ledger, lease.pool, ask->client, error);
    if (result == TLM_OK) {
        result = tlm_lease_add(ledger, &lease, error);
    }
    if (result == TLM_OK) {
        result = tlm_pool_save(ledger, lease.pool, error);
    }
    if (result == TLM_OK) {
        result = tell_of_grant(ledger, &lease, ask->borrow != 0, ask, error);
    }
    if (result == TLM_OK) {
        tlm_queue_leave(&ledger->queue, ask->feature, ask->client);
        ledger->consumed = true;
        result = tlm_grant_fill(ledger, lease.pool, &lease, request);
    }
    return result;
}

/* Writes a lease that got another term, and its pool. */
static tlm_result change(tlm_ledger *ledger, tlm_ledger_request *request, const tlm_choice *choice,
                         tlm_lease *lease, int64_t span)
{
    tlm_error *error = &request->error;
    int64_t before = lease->units;
    tlm_result result = tlm_judge(ledger, choice, lease->pool, &request->grant.position, error);
    if (result == TLM_OK) {
        result = set_term(ledger, choice, lease, span, error);
    }
    if (result == TLM_OK) {
        result = tlm_lease_update(ledger, lease, before, error);
    }
    if (result == TLM_OK) {
        result = tlm_pool_save(ledger, lease->pool, error);
    }
    return result == TLM_OK ? tlm_grant_fill(ledger, lease->pool, lease, request) : result;
}

/* A client that has its lease already: the same one, renewed, with as many units as it asks for. */
static tlm_result grant_again(tlm_ledger *ledger, tlm_ledger_request *request, tlm_choice *choice,
                              tlm_lease *lease, int64_t span)
{
    const tlm_ledger_ask *ask = &request->ask;
    bool borrowed = lease->jkt[0] != '\0';
    if (ask->borrow != 0 && borrowed && strcmp(lease->jkt, ask->borrow_jkt) != 0) {
        return tlm_error_set(&request->error, TLM_ERR_CONFLICT,
                             "return it with its own key first, or have an administrator end it",
                             "%s has borrowed %s already, with another key", ask->client,
                             ask->feature);
    }
    if (borrowed) {
        tlm_result result = tlm_grant_fill(ledger, lease->pool, lease, request);
        request->grant.repeated = true;
        return result;
    }
    choice->own = lease->pool;
    choice->own_units = lease->units;
    choice->units = ask->units != 0 ? choice->units : lease->units;
    if (ask->borrow != 0) {
        (void)snprintf(lease->jkt, sizeof lease->jkt, "%s", ask->borrow_jkt);
    }
    tlm_result result = change(ledger, request, choice, lease, span);
    if (result == TLM_OK && ask->borrow != 0) {
        result = tell(ledger, "borrowed", lease, ask->peer, NULL, &request->error);
    }
    if (result == TLM_OK) {
        tlm_queue_leave(&ledger->queue, ask->feature, ask->client);
        ledger->consumed = true;
        request->grant.repeated = true;
    }
    return result;
}

/* Whether what the client has can go on; where it cannot, another license may have the feature. */
static bool goes_on(const tlm_ledger *ledger, const tlm_lease *lease)
{
    return tlm_record_state(lease->pool->record, ledger->now) == TLM_LICENSE_ACTIVE &&
           lease->pool->feature != NULL;
}

tlm_result tlm_op_acquire(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_choice choice = {.purpose = TLM_FOR_LEASE, .ask = &request->ask};
    tlm_lease lease;
    bool found = false;
    int64_t span = 0;
    tlm_result result = check_ask(ledger, &request->ask, &choice.units, &span, &request->error);
    if (result == TLM_OK) {
        result = tlm_lease_of_client(ledger, &request->ask, &lease, &found, &request->error);
    }
    if (result != TLM_OK) {
        return result;
    }
    return found && goes_on(ledger, &lease) ? grant_again(ledger, request, &choice, &lease, span)
                                            : grant_new(ledger, request, &choice, span);
}

tlm_result tlm_op_renew(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_lease lease;
    int64_t span = 0;
    tlm_result result = check_ttl(ledger, request->ask.ttl, &span, &request->error);
    if (result == TLM_OK) {
        result = tlm_lease_read(ledger, request->ask.lease, &lease, &request->error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (lease.jkt[0] != '\0') {
        return tlm_grant_fill(ledger, lease.pool, &lease, request); /* its end stays */
    }
    const tlm_ledger_ask ask = {
        .feature = lease.pool->name, .client = lease.client, .local = request->ask.local};
    const tlm_choice choice = {.purpose = TLM_FOR_LEASE,
                               .ask = &ask,
                               .units = lease.units,
                               .own = lease.pool,
                               .own_units = lease.units};
    return change(ledger, request, &choice, &lease, span);
}

/* Gives back seats, and the usage time that did not run. */
static tlm_result give_back(tlm_ledger *ledger, const tlm_lease *lease, tlm_error *error)
{
    tlm_pool *pool = lease->pool;
    ledger->touched = true;
    pool->in_use -= lease->units;
    if (pool->model == TLM_MODEL_USAGE_TIME) {
        pool->used -= unused(lease, ledger->now);
    }
    tlm_result result = tlm_lease_remove(ledger, lease, error);
    return result == TLM_OK ? tlm_pool_save(ledger, pool, error) : result;
}

static tlm_result tell_of_release(tlm_ledger *ledger, const tlm_lease *lease,
                                  const tlm_ledger_ask *ask, tlm_error *error)
{
    if (ask->force) {
        return tell(ledger, "lease-forced", lease, ask->peer, ask->reason, error);
    }
    if (lease->jkt[0] != '\0') {
        return tell(ledger, "returned", lease, ask->peer, NULL, error);
    }
    return ledger->limits.audit_leases
               ? tell(ledger, "lease-released", lease, ask->peer, NULL, error)
               : TLM_OK;
}

tlm_result tlm_op_release(tlm_ledger *ledger, tlm_ledger_request *request)
{
    const tlm_ledger_ask *ask = &request->ask;
    tlm_error *error = &request->error;
    tlm_lease lease;
    tlm_result result = tlm_lease_read(ledger, ask->lease, &lease, error);
    if (result != TLM_OK) {
        return result;
    }
    if (lease.jkt[0] != '\0' && !ask->proven && !ask->force) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "return it with the key that it was borrowed with: tlm lease return",
                             "lease %s is borrowed, and nothing proves that it is the borrower who "
                             "returns it",
                             lease.id);
    }
    result = give_back(ledger, &lease, error);
    if (result == TLM_OK) {
        result = tell_of_release(ledger, &lease, ask, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    return tlm_ledger_answer(request, json_pack("{s:s, s:o?}", "lease", lease.id, "returned",
                                                tlm_instant_json(ledger->now)));
}

tlm_result tlm_op_lease(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_lease lease;
    tlm_result result = tlm_lease_read(ledger, request->ask.lease, &lease, &request->error);
    return result == TLM_OK ? tlm_grant_fill(ledger, lease.pool, &lease, request) : result;
}
