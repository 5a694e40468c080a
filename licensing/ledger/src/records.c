/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

#include "record_pools.h"

static const char *const state_names[TLM_LICENSE_STATE_COUNT] = {
    [TLM_LICENSE_ACTIVE] = "active",       [TLM_LICENSE_PENDING] = "pending",
    [TLM_LICENSE_EXPIRED] = "expired",     [TLM_LICENSE_REVOKED] = "revoked",
    [TLM_LICENSE_REMOVED] = "removed",     [TLM_LICENSE_UNBOUND] = "unbound",
    [TLM_LICENSE_UNTRUSTED] = "untrusted",
};

const char *tlm_license_state_name(tlm_license_state state)
{
    return state_names[state];
}

tlm_license_state tlm_record_state(const tlm_record *record, int64_t now)
{
    const tlm_license *license = record->license;
    if (record->removed != 0) {
        return TLM_LICENSE_REMOVED;
    }
    if (record->revoked) {
        return TLM_LICENSE_REVOKED;
    }
    if (record->untrusted) {
        return TLM_LICENSE_UNTRUSTED;
    }
    if (record->unbound) {
        return TLM_LICENSE_UNBOUND;
    }
    if (license->expires != INT64_MAX && now >= tlm_time_of(license->expires, 1000)) {
        return TLM_LICENSE_EXPIRED;
    }
    if (license->not_before != INT64_MIN && now < tlm_time_of(license->not_before, 1000)) {
        return TLM_LICENSE_PENDING;
    }
    return TLM_LICENSE_ACTIVE;
}

tlm_record *tlm_records_find(const tlm_ledger *ledger, const char *jti)
{
    return tlm_map_get(&ledger->by_jti, jti);
}

tlm_pool *tlm_records_pool(const tlm_ledger *ledger, int64_t id)
{
    return id > 0 && (size_t)id < ledger->by_id_size ? ledger->by_id[id] : NULL;
}

static void free_records(tlm_record *records)
{
    while (records != NULL) {
        tlm_record *record = records;
        records = record->next;
        while (record->pools != NULL) {
            tlm_pool *pool = record->pools;
            record->pools = pool->sibling;
            free(pool->name);
            free(pool);
        }
        tlm_license_free(&record->license);
        free(record);
    }
}

void tlm_records_free(tlm_ledger *ledger)
{
    free_records(ledger->records);
    ledger->records = NULL;
    tlm_map_clear(&ledger->by_jti);
    tlm_map_clear(&ledger->by_feature);
    free(ledger->by_id);
    ledger->by_id = NULL;
    ledger->by_id_size = 0;
}

/* Adds a record to list and map; it is the ledger's then, and freed where that fails. */
static tlm_result keep(tlm_ledger *ledger, tlm_record *record, tlm_error *error)
{
    if (!tlm_map_put(&ledger->by_jti, record->license->jti, record)) {
        free_records(record);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a license");
    }
    record->next = ledger->records;
    ledger->records = record;
    return TLM_OK;
}

tlm_result tlm_records_add(tlm_ledger *ledger, tlm_license *license, tlm_record **record,
                           tlm_error *error)
{
    tlm_record *made = calloc(1, sizeof *made);
    if (made == NULL) {
        tlm_license_free(&license);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a license");
    }
    made->license = license;
    made->activated = ledger->now;
    tlm_result result =
        tlm_query_run(&ledger->database, TLM_Q_LICENSE_ADD, error, "sssiii", license->jti,
                      license->vendor, license->text, license->issued, ledger->now, ledger->now);
    if (result != TLM_OK) {
        free_records(made);
        return result;
    }
    ledger->touched = true;
    made->id = sqlite3_last_insert_rowid(ledger->database.db);
    result = keep(ledger, made, error);
    if (result != TLM_OK) {
        return result;
    }
    *record = made;
    return tlm_record_fit_pools(ledger, made, error);
}

tlm_result tlm_records_replace(tlm_ledger *ledger, tlm_record *record, tlm_license *license,
                               tlm_error *error)
{
    tlm_result result = tlm_query_run(&ledger->database, TLM_Q_LICENSE_UPDATE, error, "siii",
                                      license->text, license->issued, ledger->now, record->id);
    if (result != TLM_OK) {
        tlm_license_free(&license);
        return result;
    }
    ledger->touched = true;
    /* The map's key is the text of the license that is in force. */
    (void)tlm_map_put(&ledger->by_jti, license->jti, record);
    tlm_license_free(&record->license);
    record->license = license;
    record->removed = 0;
    record->untrusted = false;
    record->unbound = false;
    return tlm_record_fit_pools(ledger, record, error);
}

/* One row of the file as a record. What was in memory with the same text is taken over from `old`,
 * which loses it. A license that cannot be read at all is left out and told of: its row stays. */
static tlm_result load_one(tlm_ledger *ledger, sqlite3_stmt *row, const tlm_map *old,
                           tlm_error *error)
{
    const char *text = tlm_query_text(row, 1);
    tlm_record *record = calloc(1, sizeof *record);
    if (record == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a license");
    }
    record->id = sqlite3_column_int64(row, 0);
    record->activated = sqlite3_column_int64(row, 3);
    record->removed = sqlite3_column_int64(row, 4);
    record->unbound = sqlite3_column_int64(row, 5) != 0;
    tlm_record *known = tlm_map_get(old, tlm_query_text(row, 6));
    if (known != NULL && known->license != NULL && strcmp(known->license->text, text) == 0) {
        record->license = known->license;
        record->untrusted = known->untrusted;
        record->drift = known->drift;
        known->license = NULL;
        return keep(ledger, record, error);
    }
    tlm_error why = {0};
    tlm_result result =
        tlm_records_parse(ledger->trust, text, &record->untrusted, &record->license, &why);
    if (result == TLM_OK) {
        return keep(ledger, record, error);
    }
    free(record);
    if (result == TLM_ERR_MEMORY) {
        return tlm_error_set(error, result, NULL, "no memory for a license");
    }
    tlm_log_error(&why, "license_unreadable", "row=%lld", (long long)sqlite3_column_int64(row, 0));
    return TLM_OK;
}

static tlm_result load_rows(tlm_ledger *ledger, const tlm_map *old, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_LICENSES, &row, &found, error, "");
    while (result == TLM_OK && found) {
        result = load_one(ledger, row, old, error);
        if (result == TLM_OK) {
            result = tlm_query_next(&ledger->database, row, &found, error);
        }
    }
    tlm_query_end(row);
    return result;
}

static tlm_result load_counts(tlm_ledger *ledger, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_LEASE_COUNT, &row, &found, error, "");
    if (result == TLM_OK && found) {
        ledger->lease_count = sqlite3_column_int64(row, 0);
        ledger->seat_count = sqlite3_column_int64(row, 1);
    }
    tlm_query_end(row);
    char text[32];
    if (result == TLM_OK) {
        result = tlm_meta_get(ledger, "fence", text, sizeof text, error);
    }
    if (result == TLM_OK) {
        ledger->fence = strtoll(text, NULL, 10);
        ledger->fence_moved = false;
    }
    return result;
}

tlm_result tlm_records_load(tlm_ledger *ledger, tlm_error *error)
{
    tlm_record *old = ledger->records;
    tlm_map by_jti = ledger->by_jti;
    ledger->records = NULL;
    ledger->by_jti = (tlm_map){0};
    tlm_records_free(ledger);
    tlm_result result = load_rows(ledger, &by_jti, error);
    tlm_map_clear(&by_jti);
    free_records(old);
    if (result == TLM_OK) {
        result = tlm_pools_load(ledger, error);
    }
    if (result == TLM_OK) {
        result = tlm_records_revoked(ledger, error);
    }
    if (result == TLM_OK) {
        result = tlm_fallbacks_load(ledger, error);
    }
    return result == TLM_OK ? load_counts(ledger, error) : result;
}

void tlm_records_trust(tlm_ledger *ledger)
{
    for (tlm_record *record = ledger->records; record != NULL; record = record->next) {
        tlm_license *again = NULL;
        tlm_error error = {0};
        const char *text = record->license->text;
        tlm_result result = tlm_license_open(text, strlen(text), ledger->trust, &again, &error);
        tlm_license_free(&again);
        bool untrusted = result != TLM_OK;
        if (untrusted != record->untrusted) {
            tlm_log(untrusted ? TLM_LOG_WARNING : TLM_LOG_INFO,
                    untrusted ? "license_untrusted" : "license_trusted", "license=%s",
                    record->license->jti);
            record->untrusted = untrusted;
        }
    }
}

tlm_result tlm_records_revoked(tlm_ledger *ledger, tlm_error *error)
{
    for (tlm_record *record = ledger->records; record != NULL; record = record->next) {
        record->revoked = false;
    }
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_REVOKED_ALL, &row, &found, error, "");
    while (result == TLM_OK && found) {
        tlm_record *record = tlm_records_find(ledger, tlm_query_text(row, 1));
        if (record != NULL && strcmp(record->license->vendor, tlm_query_text(row, 0)) == 0) {
            record->revoked = true;
        }
        result = tlm_query_next(&ledger->database, row, &found, error);
    }
    tlm_query_end(row);
    return result;
}
