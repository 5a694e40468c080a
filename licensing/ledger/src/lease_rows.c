/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdio.h>
#include <string.h>

tlm_result tlm_pool_save(tlm_ledger *ledger, const tlm_pool *pool, tlm_error *error)
{
    ledger->touched = true;
    return tlm_query_run(&ledger->database, TLM_Q_POOL_UPDATE, error, "iiii", pool->in_use,
                         pool->used, pool->first_use, pool->id);
}

tlm_result tlm_lease_row(const tlm_ledger *ledger, sqlite3_stmt *row, tlm_lease *lease,
                         tlm_error *error)
{
    *lease = (tlm_lease){
        .pool = tlm_records_pool(ledger, sqlite3_column_int64(row, 1)),
        .units = sqlite3_column_int64(row, 3),
        .granted = sqlite3_column_int64(row, 4),
        .renewed = sqlite3_column_int64(row, 5),
        .expires = sqlite3_column_int64(row, 6),
        .fence = sqlite3_column_int64(row, 7),
        .reserved = sqlite3_column_int64(row, 8),
    };
    (void)snprintf(lease->id, sizeof lease->id, "%s", tlm_query_text(row, 0));
    (void)snprintf(lease->client, sizeof lease->client, "%s", tlm_query_text(row, 2));
    (void)snprintf(lease->jkt, sizeof lease->jkt, "%s", tlm_query_text(row, 9));
    if (lease->pool == NULL) {
        return tlm_error_set(error, TLM_ERR_UNLICENSED, "it runs out by itself",
                             "lease %s is of a license that this program cannot read", lease->id);
    }
    return TLM_OK;
}

tlm_result tlm_lease_read(tlm_ledger *ledger, const char *id, tlm_lease *lease, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result = tlm_ask_id(id, "lease", error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_query_rows(&ledger->database, TLM_Q_LEASE_BY_ID, &row, &found, error, "s", id);
    if (result == TLM_OK && found && sqlite3_column_int64(row, 6) > ledger->now) {
        result = tlm_lease_row(ledger, row, lease, error);
    } else if (result == TLM_OK) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, "ask for a new one: POST /api/v1/leases",
                               "there is no lease %.64s: it ran out or was returned", id);
    }
    tlm_query_end(row);
    return result;
}

tlm_result tlm_lease_of_client(tlm_ledger *ledger, const tlm_ledger_ask *ask, tlm_lease *lease,
                               bool *found, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool more = false;
    *found = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_LEASES_OF_CLIENT, &row, &more,
                                       error, "s", ask->client);
    while (result == TLM_OK && more && !*found) {
        const tlm_pool *pool = tlm_records_pool(ledger, sqlite3_column_int64(row, 1));
        if (pool != NULL && strcmp(pool->name, ask->feature) == 0 && tlm_ask_matches(ask, pool) &&
            sqlite3_column_int64(row, 6) > ledger->now) {
            *found = true;
            result = tlm_lease_row(ledger, row, lease, error);
        } else {
            result = tlm_query_next(&ledger->database, row, &more, error);
        }
    }
    tlm_query_end(row);
    return result;
}

static const char *jkt_of(const tlm_lease *lease)
{
    return lease->jkt[0] != '\0' ? lease->jkt : NULL;
}

tlm_result tlm_lease_add(tlm_ledger *ledger, const tlm_lease *lease, tlm_error *error)
{
    ledger->touched = true;
    ledger->lease_count++;
    ledger->seat_count += lease->units;
    return tlm_query_run(&ledger->database, TLM_Q_LEASE_ADD, error, "sisiiiiiis", lease->id,
                         lease->pool->id, lease->client, lease->units, lease->granted,
                         lease->renewed, lease->expires, lease->fence, lease->reserved,
                         jkt_of(lease));
}

tlm_result tlm_lease_update(tlm_ledger *ledger, const tlm_lease *lease, int64_t units_before,
                            tlm_error *error)
{
    ledger->touched = true;
    ledger->seat_count += lease->units - units_before;
    return tlm_query_run(&ledger->database, TLM_Q_LEASE_UPDATE, error, "iiiiss", lease->units,
                         lease->renewed, lease->expires, lease->reserved, jkt_of(lease), lease->id);
}

tlm_result tlm_lease_remove(tlm_ledger *ledger, const tlm_lease *lease, tlm_error *error)
{
    ledger->touched = true;
    ledger->lease_count--;
    ledger->seat_count -= lease->units;
    return tlm_query_run(&ledger->database, TLM_Q_LEASE_REMOVE, error, "s", lease->id);
}

/* Gives the seats of one pool back, of all its leases that are over. */
static tlm_result free_seats(tlm_ledger *ledger, sqlite3_stmt *row, tlm_error *error)
{
    int64_t units = sqlite3_column_int64(row, 1);
    ledger->lease_count -= sqlite3_column_int64(row, 2);
    ledger->seat_count -= units;
    tlm_pool *pool = tlm_records_pool(ledger, sqlite3_column_int64(row, 0));
    if (pool == NULL) { /* of a license that this program cannot read */
        return tlm_query_run(&ledger->database, TLM_Q_POOL_FREE, error, "ii", units,
                             sqlite3_column_int64(row, 0));
    }
    pool->in_use -= units;
    return tlm_pool_save(ledger, pool, error);
}

static tlm_result audit_over(tlm_ledger *ledger, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_LEASES_OVER, &row, &found, error, "i", ledger->now);
    while (result == TLM_OK && found) {
        result = tlm_ledger_audit(ledger, "lease-expired",
                                  json_pack("{s:s, s:s}", "lease", tlm_query_text(row, 0), "client",
                                            tlm_query_text(row, 2)),
                                  error);
        if (result == TLM_OK) {
            result = tlm_query_next(&ledger->database, row, &found, error);
        }
    }
    tlm_query_end(row);
    return result;
}

tlm_result tlm_leases_expire(tlm_ledger *ledger, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_LEASES_OVER_SUM, &row, &found,
                                       error, "i", ledger->now);
    bool any = found;
    while (result == TLM_OK && found) {
        ledger->touched = true;
        result = free_seats(ledger, row, error);
        if (result == TLM_OK) {
            result = tlm_query_next(&ledger->database, row, &found, error);
        }
    }
    tlm_query_end(row);
    if (result == TLM_OK && any && ledger->limits.audit_leases) {
        result = audit_over(ledger, error);
    }
    if (result == TLM_OK && any) {
        result =
            tlm_query_run(&ledger->database, TLM_Q_LEASES_OVER_REMOVE, error, "i", ledger->now);
    }
    return result;
}

tlm_result tlm_ledger_rebase(tlm_ledger *ledger, tlm_error *error)
{
    static const tlm_query all[] = {TLM_Q_LEASES_REBASE, TLM_Q_POOLS_REBASE, TLM_Q_LICENSES_REBASE};
    tlm_result result = TLM_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && result == TLM_OK; i++) {
        result = tlm_query_run(&ledger->database, all[i], error, "i", ledger->now);
    }
    ledger->touched = true;
    return result == TLM_OK ? tlm_records_load(ledger, error) : result;
}
