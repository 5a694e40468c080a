/* SPDX-License-Identifier: BSD-2-Clause */
#include "record_pools.h"

#include <stdlib.h>
#include <string.h>

/* The name of a model in the file: both counters apart. */
static const char *model_text(tlm_model_type type)
{
    return type == TLM_MODEL_COUNTER_UP ? "counter-up" : tlm_model_name(type);
}

static tlm_model_type model_of(const char *text)
{
    int type = 0;
    while (type < TLM_MODEL_COUNT && strcmp(model_text((tlm_model_type)type), text) != 0) {
        type++;
    }
    return (tlm_model_type)type;
}

static const tlm_feature *feature_of(const tlm_license *license, const char *name)
{
    for (size_t i = 0; i < license->feature_count; i++) {
        if (strcmp(license->features[i].id, name) == 0) {
            return &license->features[i];
        }
    }
    return NULL;
}

static bool keep_id(tlm_ledger *ledger, tlm_pool *pool)
{
    size_t at = (size_t)pool->id;
    if (at >= ledger->by_id_size) {
        size_t size = (at + 1) * 2;
        tlm_pool **larger = reallocarray(ledger->by_id, size, sizeof(tlm_pool *));
        if (larger == NULL) {
            return false;
        }
        memset(larger + ledger->by_id_size, 0, (size - ledger->by_id_size) * sizeof(tlm_pool *));
        ledger->by_id = larger;
        ledger->by_id_size = size;
    }
    ledger->by_id[at] = pool;
    return true;
}

static tlm_result keep(tlm_ledger *ledger, tlm_record *record, int64_t id, const char *name,
                       tlm_pool **pool, tlm_error *error)
{
    tlm_pool *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->name = strdup(name);
        made->id = id;
        made->record = record;
    }
    if (made == NULL || made->name == NULL || !keep_id(ledger, made)) {
        if (made != NULL) {
            free(made->name);
        }
        free(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a feature");
    }
    made->sibling = record->pools;
    record->pools = made;
    tlm_pool *first = tlm_map_get(&ledger->by_feature, name);
    if (first != NULL) {
        made->next = first->next;
        first->next = made;
    } else if (!tlm_map_put(&ledger->by_feature, made->name, made)) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a feature");
    }
    *pool = made;
    return TLM_OK;
}

static tlm_result begin_anew(tlm_ledger *ledger, tlm_pool *pool, tlm_model_type model,
                             tlm_error *error)
{
    static const tlm_query forgotten[] = {TLM_Q_POOL_RESERVED, TLM_Q_POOL_MEMBERS,
                                          TLM_Q_POOL_TAKES};
    tlm_result result = tlm_query_run(&ledger->database, TLM_Q_POOL_MODEL, error, "si",
                                      model_text(model), pool->id);
    for (size_t i = 0; i < sizeof forgotten / sizeof *forgotten && result == TLM_OK; i++) {
        result = tlm_query_run(&ledger->database, forgotten[i], error, "i", pool->id);
    }
    pool->model = model;
    pool->used = 0;
    pool->first_use = 0;
    return result;
}

static tlm_pool *pool_of(const tlm_record *record, const char *name)
{
    tlm_pool *pool = record->pools;
    while (pool != NULL && strcmp(pool->name, name) != 0) {
        pool = pool->sibling;
    }
    return pool;
}

static tlm_result fit(tlm_ledger *ledger, tlm_record *record, const tlm_feature *feature,
                      tlm_error *error)
{
    tlm_model_type model = feature->model.type;
    tlm_pool *pool = pool_of(record, feature->id);
    if (pool != NULL) {
        pool->feature = feature;
        return pool->model == model ? TLM_OK : begin_anew(ledger, pool, model, error);
    }
    tlm_result result = tlm_query_run(&ledger->database, TLM_Q_POOL_ADD, error, "iss", record->id,
                                      feature->id, model_text(model));
    if (result == TLM_OK) {
        result = keep(ledger, record, sqlite3_last_insert_rowid(ledger->database.db), feature->id,
                      &pool, error);
    }
    if (result == TLM_OK) {
        pool->model = model;
        pool->feature = feature;
    }
    return result;
}

tlm_result tlm_record_fit_pools(tlm_ledger *ledger, tlm_record *record, tlm_error *error)
{
    for (tlm_pool *pool = record->pools; pool != NULL; pool = pool->sibling) {
        pool->feature = NULL;
    }
    tlm_result result = TLM_OK;
    for (size_t i = 0; i < record->license->feature_count && result == TLM_OK; i++) {
        result = fit(ledger, record, &record->license->features[i], error);
    }
    return result;
}

static tlm_record *record_by_row(tlm_record **rows, size_t count, int64_t id)
{
    return id > 0 && (size_t)id < count ? rows[id] : NULL;
}

static tlm_result load_one(tlm_ledger *ledger, sqlite3_stmt *row, tlm_record *record,
                           tlm_error *error)
{
    tlm_pool *pool = NULL;
    const char *name = tlm_query_text(row, 2);
    tlm_result result = keep(ledger, record, sqlite3_column_int64(row, 0), name, &pool, error);
    if (result != TLM_OK || pool == NULL) {
        return result;
    }
    pool->feature = feature_of(record->license, name);
    pool->model = model_of(tlm_query_text(row, 3));
    pool->in_use = sqlite3_column_int64(row, 4);
    pool->used = sqlite3_column_int64(row, 5);
    pool->first_use = sqlite3_column_int64(row, 6);
    return TLM_OK;
}

/* Licenses by their rows, as an array: rows are numbered from 1 and never removed. */
static tlm_record **records_by_row(const tlm_ledger *ledger, size_t *count)
{
    int64_t largest = 0;
    for (const tlm_record *record = ledger->records; record != NULL; record = record->next) {
        largest = record->id > largest ? record->id : largest;
    }
    *count = (size_t)largest + 1;
    tlm_record **rows = calloc(*count, sizeof(tlm_record *));
    for (tlm_record *record = ledger->records; rows != NULL && record != NULL;
         record = record->next) {
        rows[record->id] = record;
    }
    return rows;
}

tlm_result tlm_pools_load(tlm_ledger *ledger, tlm_error *error)
{
    size_t count = 0;
    tlm_record **rows = records_by_row(ledger, &count);
    if (rows == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the licenses");
    }
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_POOLS, &row, &found, error, "");
    while (result == TLM_OK && found) {
        tlm_record *record = record_by_row(rows, count, sqlite3_column_int64(row, 1));
        if (record != NULL) {
            result = load_one(ledger, row, record, error);
        }
        if (result == TLM_OK) {
            result = tlm_query_next(&ledger->database, row, &found, error);
        }
    }
    tlm_query_end(row);
    free(rows);
    return result;
}
