/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

/* How sure a host's identity is: the larger the better. */
static int rank(tlm_fingerprint_type type)
{
    switch (type) {
    case TLM_FINGERPRINT_TPM:
        return 2;
    case TLM_FINGERPRINT_TOKEN:
        return 1;
    default:
        return 0;
    }
}

static const tlm_fallback *fallback_of(const tlm_ledger *ledger, const char *fingerprint)
{
    const tlm_fallback *fallback = ledger->fallbacks;
    while (fallback != NULL && strcmp(fallback->fingerprint, fingerprint) != 0) {
        fallback = fallback->next;
    }
    return fallback;
}

bool tlm_binding_destination(const tlm_ledger *ledger, const char *fingerprint)
{
    return strcmp(fingerprint, ledger->host.fingerprint) == 0 ||
           (ledger->host.fallback[0] != '\0' && strcmp(fingerprint, ledger->host.fallback) == 0) ||
           fallback_of(ledger, fingerprint) != NULL;
}

static tlm_result foreign(const tlm_ledger *ledger, const tlm_license *license, tlm_error *error)
{
    const char *ours = license->binding == TLM_FINGERPRINT_FALLBACK && ledger->host.fallback[0]
                           ? ledger->host.fallback
                           : ledger->host.fingerprint;
    return tlm_error_set(error, TLM_ERR_FOREIGN,
                         "ask the vendor for a license for this host: tlm request > host.json",
                         "license %s is for the host with fingerprint %s, and this one has %s",
                         license->jti, license->fingerprint, ours);
}

/* Whether the host still has this component; *bit is its place, or none where it has none. */
static bool still_there(const tlm_ledger_own_host *host, const tlm_fallback_part *part,
                        unsigned *bit)
{
    *bit = 0;
    for (size_t i = 0; i < host->component_count; i++) {
        const tlm_host_component *now = &host->components[i];
        if (strcmp(now->id, part->id) == 0) {
            *bit = 1U << i;
            return now->present && strcmp(now->sha256, part->sha256) == 0;
        }
    }
    return false;
}

/* The license is for a fallback fingerprint that this host had before a component changed. */
static tlm_result check_drift(const tlm_ledger *ledger, const tlm_license *license,
                              const tlm_fallback *was, unsigned *drift, tlm_error *error)
{
    unsigned same = 0;
    unsigned recorded = (unsigned)was->count;
    for (size_t i = 0; i < was->count; i++) {
        unsigned bit = 0;
        if (still_there(&ledger->host, &was->parts[i], &bit)) {
            same++;
        } else {
            *drift |= bit;
        }
    }
    unsigned wanted = license->min_components != 0 ? license->min_components : recorded;
    if (recorded > 0 && same >= wanted) {
        return TLM_OK;
    }
    return tlm_error_set(error, TLM_ERR_FOREIGN,
                         "ask the vendor for a license for this host: tlm request > host.json",
                         "license %s wants %u components of the host that it was made for, and %u "
                         "of %u are still there",
                         license->jti, wanted, same, recorded);
}

tlm_result tlm_binding_check(const tlm_ledger *ledger, const tlm_license *license, unsigned *drift,
                             tlm_error *error)
{
    const tlm_ledger_own_host *host = &ledger->host;
    *drift = 0;
    if (rank(host->type) < rank(license->binding)) {
        return tlm_error_set(error, TLM_ERR_FOREIGN,
                             "use it on a host whose key is where the license wants it, or ask the "
                             "vendor for another binding",
                             "license %s wants a host whose key is in a %s, and this host's "
                             "identity is of the type %s",
                             license->jti, tlm_fingerprint_type_name(license->binding),
                             tlm_fingerprint_type_name(host->type));
    }
    if (strcmp(license->fingerprint, host->fingerprint) == 0) {
        return TLM_OK;
    }
    if (license->binding != TLM_FINGERPRINT_FALLBACK) {
        return foreign(ledger, license, error);
    }
    if (host->fallback[0] != '\0' && strcmp(license->fingerprint, host->fallback) == 0) {
        return TLM_OK;
    }
    const tlm_fallback *was = fallback_of(ledger, license->fingerprint);
    return was != NULL && host->component_count > 0
               ? check_drift(ledger, license, was, drift, error)
               : foreign(ledger, license, error);
}

json_t *tlm_drift_json(const tlm_ledger_own_host *host, unsigned drift)
{
    json_t *names = json_array();
    for (size_t i = 0; i < host->component_count; i++) {
        if ((drift & (1U << i)) != 0 &&
            json_array_append_new(names, json_string(host->components[i].id)) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

unsigned tlm_drift_of(const tlm_ledger *ledger)
{
    unsigned drift = 0;
    for (const tlm_record *record = ledger->records; record != NULL; record = record->next) {
        drift |= record->removed == 0 ? record->drift : 0;
    }
    return drift;
}

/* Whether a license that names a fallback fingerprint cannot be judged, as ours is not known. */
static bool undecided(const tlm_ledger *ledger, const tlm_license *license)
{
    return license->binding == TLM_FINGERPRINT_FALLBACK && ledger->host.fallback[0] == '\0' &&
           ledger->host.type != TLM_FINGERPRINT_FALLBACK &&
           strcmp(license->fingerprint, ledger->host.fingerprint) != 0;
}

static tlm_result judge_one(tlm_ledger *ledger, tlm_record *record, tlm_error *error)
{
    tlm_error why = {0};
    if (undecided(ledger, record->license)) {
        return TLM_OK;
    }
    bool unbound = tlm_binding_check(ledger, record->license, &record->drift, &why) != TLM_OK;
    if (unbound == record->unbound) {
        return TLM_OK;
    }
    record->unbound = unbound;
    ledger->touched = true;
    ledger->news = true;
    tlm_log(unbound ? TLM_LOG_WARNING : TLM_LOG_INFO, unbound ? "license_unbound" : "license_bound",
            "license=%s", record->license->jti);
    tlm_result result = tlm_query_run(&ledger->database, TLM_Q_LICENSE_UNBOUND, error, "ii",
                                      (int64_t)unbound, record->id);
    if (result != TLM_OK) {
        return result;
    }
    json_t *detail = json_pack("{s:s, s:s, s:o?}", "license", record->license->jti, "vendor",
                               record->license->vendor, "components",
                               tlm_drift_json(&ledger->host, record->drift));
    return tlm_ledger_audit(ledger, unbound ? "unbound" : "bound", detail, error);
}

/* Tells once of each change of what differs. */
static tlm_result tell_drift(tlm_ledger *ledger, tlm_error *error)
{
    char before[16];
    char now[16];
    unsigned drift = tlm_drift_of(ledger);
    tlm_result result = tlm_meta_get(ledger, "drift", before, sizeof before, error);
    (void)snprintf(now, sizeof now, "%u", drift);
    if (result != TLM_OK || strcmp(before[0] != '\0' ? before : "0", now) == 0) {
        return result;
    }
    json_t *names = tlm_drift_json(&ledger->host, drift);
    char *text = names != NULL ? json_dumps(names, JSON_COMPACT) : NULL;
    char quoted[256];
    tlm_log(drift != 0 ? TLM_LOG_WARNING : TLM_LOG_INFO, "host_drift", "components=%s",
            tlm_log_quote(text, quoted, sizeof quoted));
    free(text);
    ledger->news = true;
    result = tlm_meta_set(ledger, "drift", now, error);
    if (result != TLM_OK) {
        json_decref(names);
        return result;
    }
    return tlm_ledger_audit(ledger, "drift", json_pack("{s:o?}", "components", names), error);
}

tlm_result tlm_binding_judge(tlm_ledger *ledger, tlm_error *error)
{
    tlm_result result = TLM_OK;
    for (tlm_record *record = ledger->records; record != NULL && result == TLM_OK;
         record = record->next) {
        result = judge_one(ledger, record, error);
    }
    return result == TLM_OK ? tell_drift(ledger, error) : result;
}
