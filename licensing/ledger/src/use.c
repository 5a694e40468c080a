/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <string.h>

tlm_result tlm_first_use(tlm_ledger *ledger, tlm_pool *pool, const char *client, tlm_error *error)
{
    ledger->touched = true;
    if (pool->model == TLM_MODEL_TRIAL && pool->first_use == 0) {
        pool->first_use = ledger->now;
    }
    if (pool->model != TLM_MODEL_LIST) {
        return TLM_OK;
    }
    sqlite3_stmt *row = NULL;
    bool listed = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_MEMBER, &row, &listed, error, "is",
                                       pool->id, client);
    tlm_query_end(row);
    if (result != TLM_OK || listed) {
        return result;
    }
    pool->used++;
    return tlm_query_run(&ledger->database, TLM_Q_MEMBER_ADD, error, "isi", pool->id, client,
                         ledger->now);
}

tlm_result tlm_op_check(tlm_ledger *ledger, tlm_ledger_request *request)
{
    const tlm_ledger_ask *ask = &request->ask;
    tlm_error *error = &request->error;
    const tlm_choice choice = {.purpose = TLM_FOR_CHECK, .ask = ask, .units = 1};
    tlm_pool *pool = NULL;
    tlm_result result = tlm_ask_feature(ask, error);
    if (result == TLM_OK && ask->client != NULL) {
        result = tlm_ask_client(ask->client, error);
    }
    if (result == TLM_OK) {
        result = tlm_choose(ledger, &choice, &pool, NULL, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    int64_t first_use = pool->first_use;
    int64_t used = pool->used;
    bool touched = ledger->touched;
    result = tlm_first_use(ledger, pool, ask->client, error);
    if (result == TLM_OK && (pool->first_use != first_use || pool->used != used)) {
        ledger->consumed = true;
        result = tlm_pool_save(ledger, pool, error);
    } else if (result == TLM_OK) {
        ledger->touched = touched;
    }
    return result == TLM_OK ? tlm_grant_fill(ledger, pool, NULL, request) : result;
}

static tlm_result check_ask(const tlm_ledger_ask *ask, int64_t *units, tlm_error *error)
{
    tlm_result result = tlm_ask_feature(ask, error);
    if (result == TLM_OK) {
        result = tlm_ask_client(ask->client, error);
    }
    if (result == TLM_OK) {
        result = tlm_ask_id(ask->request, "request", error);
    }
    return result == TLM_OK ? tlm_ask_units(ask->units, units, error) : result;
}

/* The answer of a use that was counted before, if it is the same. */
static tlm_result repeat(tlm_ledger *ledger, tlm_ledger_request *request, sqlite3_stmt *row,
                         int64_t units)
{
    const tlm_ledger_ask *ask = &request->ask;
    const tlm_pool *pool = tlm_records_pool(ledger, sqlite3_column_int64(row, 2));
    bool same = strcmp(tlm_query_text(row, 0), ask->feature) == 0 &&
                strcmp(tlm_query_text(row, 1), ask->client) == 0 &&
                sqlite3_column_int64(row, 3) == units &&
                (sqlite3_column_int64(row, 4) != 0) == ask->give_back;
    if (!same || pool == NULL || !tlm_ask_matches(ask, pool)) {
        return tlm_error_set(&request->error, TLM_ERR_CONFLICT, "take a new id for each use",
                             "the id %s was used for something else", ask->request);
    }
    tlm_result result = tlm_grant_fill(ledger, pool, NULL, request);
    request->grant.units = units;
    request->grant.used = sqlite3_column_int64(row, 5);
    request->grant.remaining = sqlite3_column_int64(row, 6);
    request->grant.repeated = true;
    return result;
}

/* What a client holds of the tokens. */
static tlm_result count_taken(tlm_ledger *ledger, const tlm_pool *pool, const char *client,
                              int64_t change, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_TAKEN, &row, &found, error, "is", pool->id, client);
    int64_t taken = (result == TLM_OK && found ? sqlite3_column_int64(row, 0) : 0) + change;
    tlm_query_end(row);
    if (result != TLM_OK) {
        return result;
    }
    return taken == 0
               ? tlm_query_run(&ledger->database, TLM_Q_TAKEN_REMOVE, error, "is", pool->id, client)
               : tlm_query_run(&ledger->database, TLM_Q_TAKEN_SET, error, "isi", pool->id, client,
                               taken);
}

static tlm_result count(tlm_ledger *ledger, tlm_ledger_request *request, tlm_pool *pool,
                        int64_t units)
{
    const tlm_ledger_ask *ask = &request->ask;
    tlm_error *error = &request->error;
    int64_t change = ask->give_back ? -units : units;
    tlm_result result = TLM_OK;
    ledger->touched = true;
    ledger->consumed = true;
    pool->used += change;
    if (pool->model == TLM_MODEL_TOKENS) {
        result = count_taken(ledger, pool, ask->client, change, error);
    }
    if (result == TLM_OK) {
        result = tlm_pool_save(ledger, pool, error);
    }
    if (result == TLM_OK) {
        result = tlm_grant_fill(ledger, pool, NULL, request);
    }
    if (result != TLM_OK) {
        return result;
    }
    request->grant.units = units;
    result = tlm_query_run(&ledger->database, TLM_Q_USE_ADD, error, "sissiiiii", ask->request,
                           ledger->now, ask->feature, ask->client, pool->id, units,
                           (int64_t)ask->give_back, request->grant.used, request->grant.remaining);
    if (result != TLM_OK) {
        return result;
    }
    return tlm_ledger_audit(ledger, ask->give_back ? "given-back" : "used",
                            json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s*}", "feature", pool->name,
                                      "license", pool->record->license->jti, "client", ask->client,
                                      "request", ask->request, "units", (json_int_t)units, "used",
                                      (json_int_t)pool->used, "peer", ask->peer),
                            error);
}

tlm_result tlm_op_use(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_choice choice = {.purpose = TLM_FOR_USE, .ask = &request->ask};
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_pool *pool = NULL;
    tlm_result result = check_ask(&request->ask, &choice.units, &request->error);
    if (result == TLM_OK) {
        result = tlm_query_rows(&ledger->database, TLM_Q_USE, &row, &found, &request->error, "s",
                                request->ask.request);
    }
    if (result == TLM_OK && found) {
        result = repeat(ledger, request, row, choice.units);
        tlm_query_end(row);
        return result;
    }
    tlm_query_end(row);
    if (result == TLM_OK) {
        result = tlm_choose(ledger, &choice, &pool, NULL, &request->error);
    }
    return result == TLM_OK ? count(ledger, request, pool, choice.units) : result;
}
