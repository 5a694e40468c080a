/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <string.h>

#include "explain.h"

/*
 * A feature can be in several licenses. Of those that can give what is asked for, the one that ends
 * first gives it. Where none can, the most useful refusal is told: the one that waiting, or the
 * operator, can change.
 */
static const tlm_result by_use[] = {
    TLM_ERR_SEATS,    TLM_ERR_ROLLBACK, TLM_ERR_TOKEN_UNAVAILABLE, TLM_ERR_EXHAUSTED,
    TLM_ERR_CONFLICT, TLM_ERR_ARGUMENT, TLM_ERR_PERMISSION,        TLM_ERR_NOT_LOCAL,
    TLM_ERR_NOT_YET,  TLM_ERR_EXPIRED,  TLM_ERR_REVOKED,           TLM_ERR_UNLICENSED,
};

static int rank(tlm_result refusal)
{
    int count = (int)(sizeof by_use / sizeof *by_use);
    for (int i = 0; i < count; i++) {
        if (by_use[i] == refusal) {
            return count - i;
        }
    }
    return count + 1; /* not a refusal but a failure */
}

bool tlm_ask_matches(const tlm_ledger_ask *ask, const tlm_pool *pool)
{
    const tlm_license *license = pool->record->license;
    return (ask->vendor == NULL || strcmp(ask->vendor, license->vendor) == 0) &&
           (ask->product == NULL || strcmp(ask->product, license->product_id) == 0) &&
           (ask->license == NULL || strcmp(ask->license, license->jti) == 0);
}

static tlm_result of_state(tlm_license_state state)
{
    switch (state) {
    case TLM_LICENSE_ACTIVE:
        return TLM_OK;
    case TLM_LICENSE_PENDING:
        return TLM_ERR_NOT_YET;
    case TLM_LICENSE_EXPIRED:
        return TLM_ERR_EXPIRED;
    case TLM_LICENSE_REVOKED:
        return TLM_ERR_REVOKED;
    default:
        return TLM_ERR_UNLICENSED;
    }
}

/* Whether a list has the client already, where it is full. */
static tlm_result judge_list(tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                             tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    if (choice->ask->client == NULL) {
        return TLM_ERR_ARGUMENT;
    }
    if (pool->used < pool->feature->model.amount) {
        return TLM_OK;
    }
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_MEMBER, &row, &found, error, "is",
                                       pool->id, choice->ask->client);
    tlm_query_end(row);
    return result == TLM_OK && !found ? TLM_ERR_EXHAUSTED : result;
}

/* What a client may give back is what it took. */
static tlm_result judge_return(tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                               tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_TAKEN, &row, &found, error, "is",
                                       pool->id, choice->ask->client);
    int64_t taken = result == TLM_OK && found ? sqlite3_column_int64(row, 0) : 0;
    tlm_query_end(row);
    return result == TLM_OK && taken < choice->units ? TLM_ERR_CONFLICT : result;
}

static tlm_result judge_count(tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                              tlm_error *error)
{
    bool use = choice->purpose == TLM_FOR_USE;
    if (use && choice->ask->give_back) {
        return pool->model == TLM_MODEL_TOKENS ? judge_return(ledger, choice, pool, error)
                                               : TLM_ERR_ARGUMENT;
    }
    if (pool->model == TLM_MODEL_TOKENS && !use) {
        return TLM_OK; /* they come back */
    }
    int64_t amount = pool->feature->model.amount;
    int64_t most = amount >= 0 ? amount : TLM_LICENSE_NUMBER_MAX;
    int64_t left = most > pool->used ? most - pool->used : 0;
    return left < (use ? choice->units : 1) ? TLM_ERR_EXHAUSTED : TLM_OK;
}

static tlm_result judge_model(tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                              tlm_error *error)
{
    if (tlm_pool_counts(pool)) {
        return judge_count(ledger, choice, pool, error);
    }
    if (choice->purpose == TLM_FOR_USE) {
        return TLM_ERR_ARGUMENT;
    }
    switch (pool->model) {
    case TLM_MODEL_LIST:
        return judge_list(ledger, choice, pool, error);
    case TLM_MODEL_USAGE_TIME:
        if (choice->purpose == TLM_FOR_CHECK) {
            return TLM_ERR_ARGUMENT;
        }
        /* A lease that is renewed holds some of it itself. */
        return choice->own != pool && tlm_pool_time_left(pool) < choice->units ? TLM_ERR_EXHAUSTED
                                                                               : TLM_OK;
    default:
        return TLM_OK;
    }
}

static tlm_result judge_borrowing(const tlm_choice *choice, const tlm_pool *pool)
{
    int64_t days = pool->feature->borrow_days;
    if (choice->purpose != TLM_FOR_LEASE || choice->ask->borrow == 0 || days < 0) {
        return TLM_OK;
    }
    return choice->ask->borrow > days * 86400 ? TLM_ERR_PERMISSION : TLM_OK;
}

/* Everything but seats, in the order in which a remedy has to be found. */
static tlm_result judge(tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                        tlm_error *error)
{
    tlm_result result = of_state(tlm_record_state(pool->record, ledger->now));
    if (result != TLM_OK) {
        return result;
    }
    if (pool->feature == NULL) {
        return TLM_ERR_UNLICENSED;
    }
    if (pool->feature->seats == 0 && !choice->ask->local) {
        return TLM_ERR_NOT_LOCAL;
    }
    if (choice->purpose == TLM_FOR_CHECK && pool->feature->seats > 0) {
        return TLM_ERR_ARGUMENT;
    }
    if (ledger->now < tlm_pool_begins(pool)) {
        return TLM_ERR_NOT_YET;
    }
    if (ledger->now >= tlm_pool_ends(pool, ledger->now)) {
        return TLM_ERR_EXPIRED;
    }
    result = tlm_guard_permit(&ledger->guard, tlm_pool_consumable(pool), NULL);
    if (result == TLM_OK) {
        result = judge_borrowing(choice, pool);
    }
    return result == TLM_OK ? judge_model(ledger, choice, pool, error) : result;
}

/* Seats that a pool has left for newcomers, and for the one who asks. */
static int64_t room_of(const tlm_pool *pool)
{
    int64_t room = pool->feature->seats - pool->in_use;
    return room > 0 ? room : 0;
}

/* Keeps seats for one who waits: from the first license that has enough, or else all there is of
 * one, so that who wants many is not passed by for ever. */
static void keep_room(tlm_pool *pools, const tlm_waiter *waiter)
{
    tlm_pool *most = NULL;
    for (tlm_pool *pool = pools; pool != NULL; pool = pool->next) {
        if (pool->refusal != TLM_OK || pool->feature->seats < waiter->units ||
            !tlm_ask_matches(&waiter->ask, pool)) {
            continue;
        }
        if (pool->room >= waiter->units) {
            pool->room -= waiter->units;
            return;
        }
        if (most == NULL || pool->room > most->room) {
            most = pool;
        }
    }
    if (most != NULL) {
        most->room = 0;
    }
}

/* Takes away what is kept for those who asked before. */
static void keep_for_queue(tlm_ledger *ledger, tlm_pool *pools, const tlm_ledger_ask *ask)
{
    const tlm_waiter *waiter = tlm_queue_first(&ledger->queue, ask->feature, ledger->steady);
    for (; waiter != NULL && strcmp(waiter->ask.client, ask->client) != 0; waiter = waiter->next) {
        keep_room(pools, waiter);
    }
}

/* Judges each pool of the feature; nothing is told yet. */
static tlm_result judge_all(tlm_ledger *ledger, const tlm_choice *choice, tlm_pool *pools,
                            tlm_error *error)
{
    for (tlm_pool *pool = pools; pool != NULL; pool = pool->next) {
        pool->refusal = judge(ledger, choice, pool, error);
        pool->room = pool->refusal == TLM_OK ? room_of(pool) : 0;
        if (rank(pool->refusal) > rank(TLM_ERR_SEATS) && pool->refusal != TLM_OK) {
            return pool->refusal;
        }
    }
    return TLM_OK;
}

static tlm_result refuse(tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                         unsigned *position, tlm_error *error)
{
    const tlm_ledger_ask *ask = choice->ask;
    if (pool == NULL) {
        return tlm_explain_none(ledger, ask, error);
    }
    if (pool->refusal == TLM_ERR_SEATS && choice->units > pool->feature->seats) {
        return tlm_error_set(
            error, TLM_ERR_ARGUMENT, "ask for fewer units, or for a larger license",
            "%lld units of %s are more than the %lld seats of license %s", (long long)choice->units,
            ask->feature, (long long)pool->feature->seats, pool->record->license->jti);
    }
    if (pool->refusal == TLM_ERR_SEATS && position != NULL) {
        *position =
            tlm_queue_join(&ledger->queue, ask, choice->units - choice->own_units, ledger->steady);
    }
    return tlm_explain(ledger, choice, pool, error);
}

/* Whether this one's refusal says more than that of `other`. */
static bool says_more(const tlm_pool *pool, const tlm_pool *other)
{
    if (other == NULL || rank(pool->refusal) != rank(other->refusal)) {
        return other == NULL || rank(pool->refusal) > rank(other->refusal);
    }
    return pool->refusal == TLM_ERR_SEATS && pool->feature->seats > other->feature->seats;
}

tlm_result tlm_choose(tlm_ledger *ledger, const tlm_choice *choice, tlm_pool **pool,
                      unsigned *position, tlm_error *error)
{
    const tlm_ledger_ask *ask = choice->ask;
    tlm_pool *pools = tlm_map_get(&ledger->by_feature, ask->feature);
    tlm_result result = judge_all(ledger, choice, pools, error);
    if (result != TLM_OK) {
        return result;
    }
    bool seats = choice->purpose == TLM_FOR_LEASE;
    if (seats && ledger->queue.count > 0) {
        keep_for_queue(ledger, pools, ask);
    }
    tlm_pool *best = NULL;
    const tlm_pool *refused = NULL;
    for (tlm_pool *p = pools; p != NULL; p = p->next) {
        if (!tlm_ask_matches(ask, p)) {
            continue;
        }
        if (p->refusal == TLM_OK && seats && p->feature->seats > 0 && p->room < choice->units) {
            p->refusal = TLM_ERR_SEATS;
        }
        if (p->refusal != TLM_OK) {
            refused = says_more(p, refused) ? p : refused;
        } else if (best == NULL ||
                   tlm_pool_ends(p, ledger->now) < tlm_pool_ends(best, ledger->now)) {
            best = p;
        }
    }
    *pool = best;
    return best != NULL ? TLM_OK : refuse(ledger, choice, refused, position, error);
}

tlm_result tlm_judge(tlm_ledger *ledger, const tlm_choice *choice, tlm_pool *pool,
                     unsigned *position, tlm_error *error)
{
    int64_t more = choice->units - choice->own_units;
    pool->refusal = judge(ledger, choice, pool, error);
    if (rank(pool->refusal) > rank(TLM_ERR_SEATS) && pool->refusal != TLM_OK) {
        return pool->refusal;
    }
    if (pool->refusal == TLM_OK && pool->feature->seats > 0 && more > 0) {
        tlm_pool *pools = tlm_map_get(&ledger->by_feature, choice->ask->feature);
        tlm_result result = judge_all(ledger, choice, pools, error);
        if (result != TLM_OK) {
            return result;
        }
        keep_for_queue(ledger, pools, choice->ask);
        pool->refusal = pool->room < more ? TLM_ERR_SEATS : TLM_OK;
    }
    return pool->refusal == TLM_OK ? TLM_OK : refuse(ledger, choice, pool, position, error);
}
