/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdlib.h>
#include <string.h>

/* Licenses that go: removed by an administrator, revoked by their vendor. What they counted stays,
 * and so do their leases until they run out. */

tlm_result tlm_op_remove(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_error *error = &request->error;
    tlm_result result = tlm_ask_id(request->ask.license, "license", error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_record *record = tlm_records_find(ledger, request->ask.license);
    if (record == NULL || record->removed != 0) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "what is here: tlm licenses",
                             "there is no license %s in force here", request->ask.license);
    }
    result = tlm_query_run(&ledger->database, TLM_Q_LICENSE_REMOVE, error, "ii", ledger->now,
                           record->id);
    if (result != TLM_OK) {
        return result;
    }
    ledger->touched = true;
    ledger->news = true;
    ledger->consumed = true;
    record->removed = ledger->now;
    result =
        tlm_ledger_audit(ledger, "removed",
                         json_pack("{s:s, s:s, s:s*}", "license", record->license->jti, "vendor",
                                   record->license->vendor, "peer", request->ask.peer),
                         error);
    if (result != TLM_OK) {
        return result;
    }
    return tlm_ledger_answer(request, json_pack("{s:s, s:o?}", "license", record->license->jti,
                                                "removed", tlm_instant_json(ledger->now)));
}

/* The serial that is known of a vendor; -1: none. */
static tlm_result known_serial(tlm_ledger *ledger, const char *vendor, int64_t *serial,
                               tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_REVOCATION, &row, &found, error, "s", vendor);
    *serial = result == TLM_OK && found ? sqlite3_column_int64(row, 0) : -1;
    tlm_query_end(row);
    return result;
}

/* Whether a list has just what is known under its serial. */
static tlm_result compare(tlm_ledger *ledger, const tlm_revocation *list, bool *same,
                          tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_REVOKED_COUNT, &row, &found, error,
                                       "s", list->vendor);
    *same = result == TLM_OK && found && sqlite3_column_int64(row, 0) <= (int64_t)list->count;
    tlm_query_end(row);
    for (size_t i = 0; i < list->count && *same && result == TLM_OK; i++) {
        result = tlm_query_rows(&ledger->database, TLM_Q_REVOKED, &row, same, error, "ss",
                                list->vendor, list->revoked[i]);
        tlm_query_end(row);
    }
    return result;
}

static tlm_result replace(tlm_ledger *ledger, const tlm_revocation *list, tlm_error *error)
{
    ledger->touched = true;
    tlm_result result =
        tlm_query_run(&ledger->database, TLM_Q_REVOKED_CLEAR, error, "s", list->vendor);
    for (size_t i = 0; i < list->count && result == TLM_OK; i++) {
        result = tlm_query_run(&ledger->database, TLM_Q_REVOKED_ADD, error, "ss", list->vendor,
                               list->revoked[i]);
    }
    if (result == TLM_OK) {
        result = tlm_query_run(&ledger->database, TLM_Q_REVOCATION_SET, error, "siiis",
                               list->vendor, list->serial, list->issued, ledger->now, list->kid);
    }
    return result == TLM_OK ? tlm_records_revoked(ledger, error) : result;
}

static tlm_result answer(const tlm_ledger *ledger, tlm_ledger_request *request, const char *outcome)
{
    const tlm_revocation *list = request->list;
    json_t *licenses = json_array();
    for (size_t i = 0; i < list->count && licenses != NULL; i++) {
        const tlm_record *record = tlm_records_find(ledger, list->revoked[i]);
        if (record != NULL && record->revoked &&
            json_array_append_new(licenses, json_string(record->license->jti)) != 0) {
            json_decref(licenses);
            licenses = NULL;
        }
    }
    return tlm_ledger_answer(request, json_pack("{s:s, s:I, s:I, s:s, s:o}", "vendor", list->vendor,
                                                "serial", (json_int_t)list->serial, "revoked",
                                                (json_int_t)list->count, "result", outcome,
                                                "licenses", licenses));
}

tlm_result tlm_op_revoke(tlm_ledger *ledger, tlm_ledger_request *request)
{
    const tlm_revocation *list = request->list;
    tlm_error *error = &request->error;
    int64_t known = 0;
    bool same = false;
    tlm_result result = known_serial(ledger, list->vendor, &known, error);
    if (result == TLM_OK && list->serial < known) {
        return tlm_error_set(error, TLM_ERR_REPLAYED, "take the newest list that the vendor gives",
                             "the revocation list of %s has serial %lld, and %lld is known here",
                             list->vendor, (long long)list->serial, (long long)known);
    }
    if (result == TLM_OK && list->serial == known) {
        result = compare(ledger, list, &same, error);
        if (result == TLM_OK && !same) {
            return tlm_error_set(error, TLM_ERR_CONFLICT,
                                 "ask the vendor for a list with a larger serial",
                                 "another revocation list of %s with serial %lld is known here",
                                 list->vendor, (long long)list->serial);
        }
    }
    if (result != TLM_OK || same) {
        return result == TLM_OK ? answer(ledger, request, "unchanged") : result;
    }
    result = replace(ledger, list, error);
    if (result == TLM_OK) {
        ledger->news = true;
        ledger->consumed = true;
        result = tlm_ledger_audit(ledger, "revoked",
                                  json_pack("{s:s, s:I, s:I, s:s*}", "vendor", list->vendor,
                                            "serial", (json_int_t)list->serial, "revoked",
                                            (json_int_t)list->count, "peer", request->ask.peer),
                                  error);
    }
    return result == TLM_OK ? answer(ledger, request, known < 0 ? "taken" : "updated") : result;
}

tlm_result tlm_op_revocations(tlm_ledger *ledger, tlm_ledger_request *request)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    json_t *lists = json_array();
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_REVOCATIONS, &row, &found, &request->error, "");
    while (result == TLM_OK && found && lists != NULL) {
        json_t *one =
            json_pack("{s:s, s:I, s:o?, s:o?, s:s, s:I}", "vendor", tlm_query_text(row, 0),
                      "serial", (json_int_t)sqlite3_column_int64(row, 1), "issued",
                      tlm_instant_json_seconds(sqlite3_column_int64(row, 2)), "taken",
                      tlm_instant_json(sqlite3_column_int64(row, 3)), "kid", tlm_query_text(row, 4),
                      "revoked", (json_int_t)sqlite3_column_int64(row, 5));
        if (json_array_append_new(lists, one) != 0) {
            json_decref(lists);
            lists = NULL;
        }
        result = tlm_query_next(&ledger->database, row, &found, &request->error);
    }
    tlm_query_end(row);
    if (result != TLM_OK) {
        json_decref(lists);
        return result;
    }
    return tlm_ledger_answer(request, json_pack("{s:o}", "revocations", lists));
}
