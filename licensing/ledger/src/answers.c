/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* What RFC 3339 can write: years of four digits. */
#define INSTANT_LAST 253402300799LL

static json_t *instant(int64_t seconds, int milliseconds)
{
    char text[40];
    char fraction[8] = "";
    struct tm parts;
    time_t when = (time_t)(seconds < 0 ? 0 : seconds > INSTANT_LAST ? INSTANT_LAST : seconds);
    if (milliseconds >= 0) {
        (void)snprintf(fraction, sizeof fraction, ".%03d", milliseconds % 1000);
    }
    if (gmtime_r(&when, &parts) == NULL) {
        return json_null();
    }
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", parts.tm_year + 1900,
                   parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                   fraction);
    return json_string(text);
}

json_t *tlm_instant_json(int64_t milliseconds)
{
    if (milliseconds == INT64_MIN || milliseconds == TLM_NEVER) {
        return json_null();
    }
    return instant(milliseconds / 1000, milliseconds < 0 ? 0 : (int)(milliseconds % 1000));
}

json_t *tlm_instant_json_seconds(int64_t seconds)
{
    return seconds == INT64_MIN || seconds == INT64_MAX ? json_null() : instant(seconds, -1);
}

static json_t *number(int64_t value)
{
    return value >= 0 ? json_integer((json_int_t)value) : json_null();
}

/* From when and until when it can be used, as far as that is known. */
static json_t *feature_json(const tlm_ledger *ledger, const tlm_pool *pool)
{
    const tlm_feature *feature = pool->feature;
    int64_t used = 0;
    int64_t remaining = 0;
    int64_t begins = tlm_pool_begins(pool);
    int64_t ends = tlm_pool_ends(pool, ledger->now);
    if (feature->model.type == TLM_MODEL_TRIAL) {
        bool begun = pool->first_use != 0;
        begins = begun ? pool->first_use : begins;
        ends = begun ? ends : tlm_time_of(pool->record->license->expires, 1000);
    }
    if (feature->model.type == TLM_MODEL_ACTIVATION) {
        begins = pool->record->activated;
    }
    tlm_pool_figures(pool, &used, &remaining);
    return json_pack("{s:s, s:s?, s:I, s:I, s:o, s:o?, s:o?, s:o?, s:o?}", "id", feature->id,
                     "name", feature->name, "seats", (json_int_t)feature->seats, "inUse",
                     (json_int_t)pool->in_use, "model", tlm_model_json(&feature->model), "used",
                     number(used), "remaining", number(remaining), "begins",
                     tlm_instant_json(begins), "ends", tlm_instant_json(ends));
}

static const tlm_pool *pool_of(const tlm_record *record, const tlm_feature *feature)
{
    const tlm_pool *pool = record->pools;
    while (pool != NULL && pool->feature != feature) {
        pool = pool->sibling;
    }
    return pool;
}

/* In the order of the license. */
static json_t *features_json(const tlm_ledger *ledger, const tlm_record *record)
{
    json_t *features = json_array();
    for (size_t i = 0; i < record->license->feature_count && features != NULL; i++) {
        const tlm_pool *pool = pool_of(record, &record->license->features[i]);
        if (pool != NULL && json_array_append_new(features, feature_json(ledger, pool)) != 0) {
            json_decref(features);
            features = NULL;
        }
    }
    return features;
}

static json_t *license_json(const tlm_ledger *ledger, const tlm_record *record)
{
    const tlm_license *license = record->license;
    json_t *product = json_pack("{s:s, s:s*, s:s*}", "id", license->product_id, "name",
                                license->product_name, "version", license->product_version);
    json_t *binding = json_pack("{s:s, s:s}", "type", tlm_fingerprint_type_name(license->binding),
                                "fingerprint", license->fingerprint);
    if (license->min_components != 0 && binding != NULL) {
        (void)json_object_set_new(binding, "minComponents",
                                  json_integer((json_int_t)license->min_components));
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o?, s:o?, s:o?, s:o?, s:o, s:o}", "license",
                     license->jti, "vendor", license->vendor, "customer", license->customer,
                     "product", product, "state",
                     tlm_license_state_name(tlm_record_state(record, ledger->now)), "issued",
                     tlm_instant_json_seconds(license->issued), "notBefore",
                     tlm_instant_json_seconds(license->not_before), "expires",
                     tlm_instant_json_seconds(license->expires), "activated",
                     tlm_instant_json(record->activated), "binding", binding, "features",
                     features_json(ledger, record));
}

tlm_result tlm_op_licenses(tlm_ledger *ledger, tlm_ledger_request *request)
{
    json_t *licenses = json_array();
    for (const tlm_record *record = ledger->records; record != NULL && licenses != NULL;
         record = record->next) {
        if (json_array_insert_new(licenses, 0, license_json(ledger, record)) != 0) {
            json_decref(licenses);
            licenses = NULL;
        }
    }
    return tlm_ledger_answer(request, json_pack("{s:o}", "licenses", licenses));
}

tlm_result tlm_op_license(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_result result = tlm_ask_id(request->ask.license, "license", &request->error);
    if (result != TLM_OK) {
        return result;
    }
    const tlm_record *record = tlm_records_find(ledger, request->ask.license);
    if (record == NULL) {
        return tlm_error_set(&request->error, TLM_ERR_NOT_FOUND, "what is here: tlm licenses",
                             "there is no license %s here", request->ask.license);
    }
    return tlm_ledger_answer(request, license_json(ledger, record));
}

static json_t *lease_json(const tlm_lease *lease)
{
    const tlm_license *license = lease->pool->record->license;
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:o?, s:o?, s:I, s:b}", "lease",
                     lease->id, "feature", lease->pool->name, "client", lease->client, "units",
                     (json_int_t)lease->units, "vendor", license->vendor, "product",
                     license->product_id, "license", license->jti, "model",
                     tlm_model_name(lease->pool->model), "granted",
                     tlm_instant_json(lease->granted), "expires", tlm_instant_json(lease->expires),
                     "fence", (json_int_t)lease->fence, "borrowed", lease->jkt[0] != '\0');
}

tlm_result tlm_op_leases(tlm_ledger *ledger, tlm_ledger_request *request)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_lease lease;
    json_t *leases = json_array();
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_LEASES, &row, &found, &request->error, "");
    while (result == TLM_OK && found && leases != NULL) {
        bool live =
            tlm_lease_row(ledger, row, &lease, NULL) == TLM_OK && lease.expires > ledger->now;
        if (live && json_array_append_new(leases, lease_json(&lease)) != 0) {
            json_decref(leases);
            leases = NULL;
        }
        result = tlm_query_next(&ledger->database, row, &found, &request->error);
    }
    tlm_query_end(row);
    if (result != TLM_OK) {
        json_decref(leases);
        return result;
    }
    return tlm_ledger_answer(request, json_pack("{s:o}", "leases", leases));
}

tlm_result tlm_ledger_answer(tlm_ledger_request *request, json_t *answer)
{
    if (answer == NULL) {
        return tlm_error_set(&request->error, TLM_ERR_MEMORY, NULL, "no memory for an answer");
    }
    json_decref(request->answer);
    request->answer = answer;
    return TLM_OK;
}
