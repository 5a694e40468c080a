/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdlib.h>
#include <string.h>

#include "text_private.h"

typedef enum tlm_outcome { OUTCOME_ACTIVATED, OUTCOME_UPDATED, OUTCOME_UNCHANGED } tlm_outcome;

static const char *const outcomes[] = {
    [OUTCOME_ACTIVATED] = "activated",
    [OUTCOME_UPDATED] = "updated",
    [OUTCOME_UNCHANGED] = "unchanged",
};

/* Which revision this is, against the one that is there. */
static tlm_result compare(const tlm_record *there, const tlm_license *license, tlm_outcome *outcome,
                          tlm_error *error)
{
    const tlm_license *ours = there->license;
    if (strcmp(ours->vendor, license->vendor) != 0) {
        return tlm_error_set(error, TLM_ERR_CONFLICT,
                             "ask the vendor for a license with its own id",
                             "license %s of %s has the id of a license of %s", license->jti,
                             license->vendor, ours->vendor);
    }
    if (license->issued < ours->issued) {
        char older[TLM_INSTANT_SIZE] = "?";
        char newer[TLM_INSTANT_SIZE] = "?";
        (void)tlm_instant_make((time_t)license->issued, older);
        (void)tlm_instant_make((time_t)ours->issued, newer);
        return tlm_error_set(error, TLM_ERR_REPLAYED,
                             "activate the newest package that the vendor sent",
                             "license %s was issued at %s, and the revision that is known here at "
                             "%s",
                             license->jti, older, newer);
    }
    if (license->issued > ours->issued) {
        *outcome = there->removed != 0 ? OUTCOME_ACTIVATED : OUTCOME_UPDATED;
        return TLM_OK;
    }
    if (strcmp(license->text, ours->text) != 0) {
        return tlm_error_set(
            error, TLM_ERR_CONFLICT, "ask the vendor for a revision with a later iat",
            "license %s is known here with the same iat and another text", license->jti);
    }
    *outcome = there->removed != 0 ? OUTCOME_ACTIVATED : OUTCOME_UNCHANGED;
    return TLM_OK;
}

static tlm_result check_revoked(tlm_ledger *ledger, const tlm_license *license, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool revoked = false;
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_REVOKED, &row, &revoked, error,
                                       "ss", license->vendor, license->jti);
    tlm_query_end(row);
    if (result == TLM_OK && revoked) {
        return tlm_error_set(error, TLM_ERR_REVOKED, "ask the vendor for a new license",
                             "%s revoked license %s", license->vendor, license->jti);
    }
    return result;
}

/* Times and revisions, before anything is written. A license that is in force for later is fine. */
static tlm_result check_one(tlm_ledger *ledger, const tlm_license *license, tlm_outcome *outcome,
                            tlm_error *error)
{
    unsigned drift = 0;
    const tlm_record *there = tlm_records_find(ledger, license->jti);
    tlm_result result = tlm_binding_check(ledger, license, &drift, error);
    if (result == TLM_OK) {
        result = tlm_license_check_time(license, ledger->now / 1000, ledger->limits.clock_tolerance,
                                        error);
    }
    if (result == TLM_ERR_NOT_YET) {
        result = TLM_OK;
    }
    if (result == TLM_OK) {
        result = check_revoked(ledger, license, error);
    }
    *outcome = OUTCOME_ACTIVATED;
    return result == TLM_OK && there != NULL ? compare(there, license, outcome, error) : result;
}

/* The ledger keeps a license of its own, verified once more: by the trust of now. */
static tlm_result put_one(tlm_ledger *ledger, const tlm_license *from, tlm_outcome outcome,
                          tlm_error *error)
{
    tlm_license *license = NULL;
    tlm_record *record = tlm_records_find(ledger, from->jti);
    if (outcome == OUTCOME_UNCHANGED) {
        return TLM_OK;
    }
    tlm_result result =
        tlm_license_open(from->text, strlen(from->text), ledger->trust, &license, error);
    if (result != TLM_OK) {
        return result;
    }
    result = record == NULL ? tlm_records_add(ledger, license, &record, error)
                            : tlm_records_replace(ledger, record, license, error);
    if (result == TLM_OK) {
        unsigned drift = 0;
        result = tlm_binding_check(ledger, record->license, &drift, error);
        record->drift = drift;
    }
    return result;
}

static tlm_result tell(tlm_ledger *ledger, const tlm_ledger_request *request,
                       const tlm_license *license, tlm_outcome outcome, tlm_error *error)
{
    if (outcome == OUTCOME_UNCHANGED) {
        return TLM_OK;
    }
    return tlm_ledger_audit(
        ledger, outcomes[outcome],
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o?, s:s*}", "license", license->jti, "vendor",
                  license->vendor, "product", license->product_id, "package", request->package->jti,
                  "issuer", request->package->issuer, "issued",
                  tlm_instant_json_seconds(license->issued), "peer", request->ask.peer),
        error);
}

static tlm_result check_package(const tlm_ledger *ledger, const tlm_package *package,
                                tlm_error *error)
{
    if (!tlm_binding_destination(ledger, package->fingerprint)) {
        return tlm_error_set(error, TLM_ERR_FOREIGN,
                             "ask for a package for this host: tlm request > host.json",
                             "package %s is for the host with fingerprint %s, and this one has %s",
                             package->jti, package->fingerprint, ledger->host.fingerprint);
    }
    return TLM_OK;
}

static tlm_result take_all(tlm_ledger *ledger, tlm_ledger_request *request, const tlm_outcome *all)
{
    const tlm_package *package = request->package;
    tlm_result result = TLM_OK;
    for (size_t i = 0; i < package->license_count && result == TLM_OK; i++) {
        const tlm_license *license = package->licenses[i];
        result = put_one(ledger, license, all[i], &request->error);
        if (result == TLM_OK) {
            result = tell(ledger, request, license, all[i], &request->error);
        }
        ledger->news = ledger->news || all[i] != OUTCOME_UNCHANGED;
        ledger->consumed = ledger->consumed || all[i] != OUTCOME_UNCHANGED;
    }
    return result;
}

static tlm_result answer(tlm_ledger_request *request, const tlm_outcome *all)
{
    const tlm_package *package = request->package;
    json_t *licenses = json_array();
    for (size_t i = 0; i < package->license_count; i++) {
        const tlm_license *license = package->licenses[i];
        json_t *one = json_pack("{s:s, s:s, s:s}", "license", license->jti, "vendor",
                                license->vendor, "result", outcomes[all[i]]);
        if (json_array_append_new(licenses, one) != 0) {
            json_decref(licenses);
            licenses = NULL;
            break;
        }
    }
    return tlm_ledger_answer(request, json_pack("{s:s, s:s, s:o}", "package", package->jti,
                                                "issuer", package->issuer, "licenses", licenses));
}

tlm_result tlm_op_activate(tlm_ledger *ledger, tlm_ledger_request *request)
{
    const tlm_package *package = request->package;
    tlm_error *error = &request->error;
    tlm_result result = check_package(ledger, package, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_outcome *all = calloc(package->license_count + 1, sizeof *all);
    if (all == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a package");
    }
    for (size_t i = 0; i < package->license_count && result == TLM_OK; i++) {
        result = check_one(ledger, package->licenses[i], &all[i], error);
    }
    if (result == TLM_OK) {
        result = take_all(ledger, request, all);
    }
    if (result == TLM_OK) {
        result = answer(request, all);
    }
    free(all);
    return result;
}
