/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <tlm/log.h>

/*
 * One thread owns the file. It takes whatever waits, does it in one transaction, commits, and
 * answers then: what was told is durable, and a hundred answers cost one fsync.
 */

/* Most requests of one transaction. */
#define BATCH_MAX 256U

static const struct {
    tlm_ledger_apply apply;
    bool writes;
} ops[TLM_LEDGER_ALL_OPS] = {
    [TLM_LEDGER_ACQUIRE] = {tlm_op_acquire, true},
    [TLM_LEDGER_RENEW] = {tlm_op_renew, true},
    [TLM_LEDGER_RELEASE] = {tlm_op_release, true},
    [TLM_LEDGER_LEASE] = {tlm_op_lease, false},
    [TLM_LEDGER_LEASES] = {tlm_op_leases, false},
    [TLM_LEDGER_CHECK] = {tlm_op_check, true},
    [TLM_LEDGER_USE] = {tlm_op_use, true},
    [TLM_LEDGER_ACTIVATE] = {tlm_op_activate, true},
    [TLM_LEDGER_LICENSES] = {tlm_op_licenses, false},
    [TLM_LEDGER_LICENSE] = {tlm_op_license, false},
    [TLM_LEDGER_REMOVE] = {tlm_op_remove, true},
    [TLM_LEDGER_REVOKE] = {tlm_op_revoke, true},
    [TLM_LEDGER_REVOCATIONS] = {tlm_op_revocations, false},
    [TLM_LEDGER_STATE] = {tlm_op_state, false},
    [TLM_LEDGER_ACCEPT] = {tlm_op_accept, true},
    [TLM_LEDGER_AUDIT] = {tlm_op_audit, false},
    [TLM_LEDGER_INTENT] = {tlm_op_intent, true},
    [TLM_LEDGER_CHECKPOINT] = {tlm_op_checkpoint, true},
    [TLM_LEDGER_ANCHOR] = {tlm_op_anchor, true},
    [TLM_LEDGER_TICK] = {tlm_op_tick, true},
    [TLM_LEDGER_SET_HOST] = {tlm_op_set_host, true},
    [TLM_LEDGER_SET_TRUST] = {tlm_op_set_trust, false},
};

/* Memory as the file has it, after a rollback. */
static tlm_result load_again(tlm_ledger *ledger, tlm_error *error)
{
    tlm_result result = tlm_records_load(ledger, error);
    if (result == TLM_OK) {
        result = tlm_guard_load(&ledger->guard, ledger->database.db, &ledger->limits, false,
                                tlm_ledger_wall(ledger), error);
    }
    ledger->stale = result != TLM_OK;
    ledger->touched = ledger->stale;
    return result;
}

static bool in_transaction(const tlm_ledger *ledger)
{
    return sqlite3_get_autocommit(ledger->database.db) == 0;
}

/* Gives the transaction up and everything that it told memory. */
static void roll_back(tlm_ledger *ledger)
{
    tlm_error error = {0};
    if (in_transaction(ledger) &&
        tlm_query_run(&ledger->database, TLM_Q_ROLLBACK, &error, "") != TLM_OK) {
        tlm_log_error(&error, "ledger_rollback", NULL);
    }
    if (load_again(ledger, &error) != TLM_OK) {
        tlm_log_error(&error, "ledger_unreadable", NULL);
    }
    ledger->news = true;
    atomic_store(&ledger->dirty, true); /* a checkpoint may have been lost */
}

/* What is not the request's fault but the disk's: the whole transaction is given up. */
static bool ends_batch(const tlm_ledger *ledger, tlm_result result)
{
    switch (result) {
    case TLM_ERR_NO_SPACE:
    case TLM_ERR_IO:
    case TLM_ERR_DAMAGED:
        return true;
    default:
        return !in_transaction(ledger);
    }
}

/* Undoes one request; what others of the transaction did stays, in memory too. */
static tlm_result undo(tlm_ledger *ledger, bool touched_before, tlm_error *error)
{
    tlm_result result = tlm_query_run(&ledger->database, TLM_Q_BACK, error, "");
    if (result == TLM_OK) {
        result = tlm_query_run(&ledger->database, TLM_Q_SAVED, error, "");
    }
    if (result != TLM_OK || !ledger->touched) {
        ledger->touched = ledger->touched || touched_before;
        return result;
    }
    int64_t fence = ledger->fence; /* given numbers are not given again */
    result = load_again(ledger, error);
    ledger->fence = fence > ledger->fence ? fence : ledger->fence;
    ledger->fence_moved = true;
    ledger->touched = true;
    return result;
}

/* TLM_OK: the request has its answer, whatever that is. Otherwise the transaction failed. */
static tlm_result apply_one(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_error failure = {0};
    bool touched = ledger->touched;
    bool writes = ops[request->op].writes;
    ledger->requests += request->op < TLM_LEDGER_INTENT; /* the warden's own are nobody's */
    ledger->touched = false;
    tlm_result result =
        writes ? tlm_query_run(&ledger->database, TLM_Q_SAVE, &request->error, "") : TLM_OK;
    if (result == TLM_OK) {
        result = ops[request->op].apply(ledger, request);
        if (result == TLM_OK) {
            request->error = (tlm_error){0}; /* of a finding that was no refusal */
        }
        if (result == TLM_OK && writes) {
            result = tlm_query_run(&ledger->database, TLM_Q_SAVED, &request->error, "");
        } else if (result != TLM_OK && writes && !ends_batch(ledger, result)) {
            tlm_result undone = undo(ledger, touched, &failure);
            if (undone != TLM_OK) {
                request->error = failure;
                return undone;
            }
            ledger->touched = ledger->touched || touched;
            return TLM_OK;
        }
    }
    ledger->touched = ledger->touched || touched;
    return result != TLM_OK && ends_batch(ledger, result) ? result : TLM_OK;
}

/* Clocks, what ran out; before the requests of a transaction. */
static tlm_result begin(tlm_ledger *ledger, bool writes, tlm_error *error)
{
    int64_t wall = tlm_ledger_wall(ledger);
    ledger->steady = tlm_ledger_steady(ledger);
    tlm_result result =
        tlm_query_run(&ledger->database, writes ? TLM_Q_BEGIN : TLM_Q_BEGIN_READ, error, "");
    if (result == TLM_OK && ledger->stale) {
        result = load_again(ledger, error);
    }
    if (result == TLM_OK && writes) {
        tlm_guard_state before = ledger->guard.state;
        result =
            tlm_guard_observe(&ledger->guard, ledger->database.db, wall, ledger->steady, error);
        ledger->news = ledger->news || ledger->guard.state != before;
        ledger->touched = ledger->touched || ledger->guard.state != before;
    }
    ledger->now = tlm_ledger_time(ledger, wall);
    if (result == TLM_OK && writes && ledger->now < ledger->last_now &&
        ledger->limits.policy == TLM_ROLLBACK_WARN) {
        result = tlm_ledger_rebase(ledger, error);
    }
    if (result == TLM_OK && writes) {
        result = tlm_leases_expire(ledger, error);
    }
    ledger->last_now = writes ? ledger->now : ledger->last_now;
    return result;
}

static tlm_result finish(tlm_ledger *ledger, bool writes, int changes_before, tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (ledger->fence_moved) {
        result = tlm_query_run(&ledger->database, TLM_Q_META_SET_NUMBER, error, "si", "fence",
                               ledger->fence);
    }
    bool wrote = sqlite3_total_changes(ledger->database.db) != changes_before;
    if (result == TLM_OK && wrote) {
        result = tlm_guard_keep(&ledger->guard, ledger->database.db, error);
    }
    if (result == TLM_OK) {
        result = tlm_query_run(&ledger->database, TLM_Q_COMMIT, error, "");
    }
    if (result == TLM_OK) {
        ledger->fence_moved = false;
        ledger->touched = false;
        ledger->commits += writes && wrote;
    }
    return result;
}

static tlm_result run(tlm_ledger *ledger, tlm_ledger_request *batch, tlm_error *error)
{
    bool writes = false;
    for (const tlm_ledger_request *r = batch; r != NULL; r = r->next) {
        writes = writes || ops[r->op].writes;
    }
    int changes = sqlite3_total_changes(ledger->database.db);
    ledger->consumed = false;
    tlm_result result = begin(ledger, writes, error);
    for (tlm_ledger_request *r = batch; r != NULL && result == TLM_OK; r = r->next) {
        result = apply_one(ledger, r);
        if (result != TLM_OK) {
            *error = r->error;
        }
    }
    return result == TLM_OK ? finish(ledger, writes, changes, error) : result;
}

/* Nothing of the batch came to be. */
static void fail_all(tlm_ledger *ledger, tlm_ledger_request *batch, const tlm_error *why)
{
    ledger->consumed = false;
    for (tlm_ledger_request *r = batch; r != NULL; r = r->next) {
        tlm_ledger_request_clear(r);
        r->error = *why;
    }
}

static void run_batch(tlm_ledger *ledger, tlm_ledger_request *batch)
{
    tlm_error error = {0};
    tlm_result result = run(ledger, batch, &error);
    if (result != TLM_OK) {
        static tlm_log_limit limit = {.burst = 5, .seconds = 60};
        if (tlm_log_allow(&limit, NULL)) {
            tlm_log_error(&error, "ledger_write", NULL);
        }
        roll_back(ledger);
        fail_all(ledger, batch, &error);
    }
    if (ledger->consumed) {
        atomic_store(&ledger->dirty, true);
    }
    bool news = ledger->news;
    ledger->news = false;
    tlm_figures_take(ledger, news);
    while (batch != NULL) {
        tlm_ledger_request *request = batch;
        batch = request->next;
        request->next = NULL;
        request->done(request);
    }
    if (news && ledger->changed != NULL) {
        ledger->changed(ledger->context);
    }
}

/* Takes what waits, at most a batch; NULL at the end. */
static tlm_ledger_request *take(tlm_ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->lock);
    while (ledger->first == NULL && !ledger->stopping) {
        (void)pthread_cond_wait(&ledger->wake, &ledger->lock);
    }
    tlm_ledger_request *batch = ledger->first;
    tlm_ledger_request *last = batch;
    for (unsigned i = 1; i < BATCH_MAX && last != NULL && last->next != NULL; i++) {
        last = last->next;
    }
    if (last != NULL) {
        ledger->first = last->next;
        last->next = NULL;
    }
    if (ledger->first == NULL) {
        ledger->last = NULL;
    }
    (void)pthread_mutex_unlock(&ledger->lock);
    return batch;
}

void *tlm_writer_run(void *context)
{
    tlm_ledger *ledger = context;
    for (tlm_ledger_request *batch = NULL; (batch = take(ledger)) != NULL;) {
        run_batch(ledger, batch);
    }
    return NULL;
}
