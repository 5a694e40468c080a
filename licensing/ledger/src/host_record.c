/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tlm_result tlm_host_take(tlm_ledger_own_host *host, const tlm_ledger_host *from, tlm_error *error)
{
    if (from->fingerprint == NULL || strlen(from->fingerprint) != 64 ||
        (from->fallback != NULL && strlen(from->fallback) != 64) ||
        from->component_count > TLM_HOST_COMPONENTS) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a host's fingerprints have 64 digits, and it has at most %d "
                             "components",
                             TLM_HOST_COMPONENTS);
    }
    *host = (tlm_ledger_own_host){.type = from->type, .component_count = from->component_count};
    (void)snprintf(host->fingerprint, sizeof host->fingerprint, "%s", from->fingerprint);
    /* Without a token it is the fallback that is shown. */
    const char *fallback = from->fallback == NULL && from->type == TLM_FINGERPRINT_FALLBACK
                               ? from->fingerprint
                               : from->fallback;
    (void)snprintf(host->fallback, sizeof host->fallback, "%s", fallback != NULL ? fallback : "");
    for (size_t i = 0; i < from->component_count; i++) {
        host->components[i] = from->components[i];
    }
    return TLM_OK;
}

void tlm_fallbacks_free(tlm_ledger *ledger)
{
    while (ledger->fallbacks != NULL) {
        tlm_fallback *gone = ledger->fallbacks;
        ledger->fallbacks = gone->next;
        free(gone);
    }
}

/* Rows of one fingerprint stand together. */
static tlm_result load_one(tlm_ledger *ledger, sqlite3_stmt *row, tlm_error *error)
{
    tlm_fallback *fallback = ledger->fallbacks;
    const char *fingerprint = tlm_query_text(row, 0);
    if (fallback == NULL || strcmp(fallback->fingerprint, fingerprint) != 0) {
        fallback = calloc(1, sizeof *fallback);
        if (fallback == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a fingerprint");
        }
        (void)snprintf(fallback->fingerprint, sizeof fallback->fingerprint, "%s", fingerprint);
        fallback->next = ledger->fallbacks;
        ledger->fallbacks = fallback;
    }
    if (fallback->count < TLM_HOST_COMPONENTS) {
        tlm_fallback_part *part = &fallback->parts[fallback->count++];
        (void)snprintf(part->id, sizeof part->id, "%s", tlm_query_text(row, 1));
        (void)snprintf(part->sha256, sizeof part->sha256, "%s", tlm_query_text(row, 2));
    }
    return TLM_OK;
}

tlm_result tlm_fallbacks_load(tlm_ledger *ledger, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_fallbacks_free(ledger);
    tlm_result result = tlm_query_rows(&ledger->database, TLM_Q_FALLBACKS, &row, &found, error, "");
    while (result == TLM_OK && found) {
        result = load_one(ledger, row, error);
        if (result == TLM_OK) {
            result = tlm_query_next(&ledger->database, row, &found, error);
        }
    }
    tlm_query_end(row);
    return result;
}

tlm_result tlm_fallback_keep(tlm_ledger *ledger, tlm_error *error)
{
    const tlm_ledger_own_host *host = &ledger->host;
    if (host->fallback[0] == '\0') {
        return TLM_OK;
    }
    for (const tlm_fallback *f = ledger->fallbacks; f != NULL; f = f->next) {
        if (strcmp(f->fingerprint, host->fallback) == 0) {
            return TLM_OK;
        }
    }
    tlm_result result = TLM_OK;
    for (size_t i = 0; i < host->component_count && result == TLM_OK; i++) {
        const tlm_host_component *component = &host->components[i];
        if (component->present) {
            ledger->touched = true;
            result = tlm_query_run(&ledger->database, TLM_Q_FALLBACK_ADD, error, "sssi",
                                   host->fallback, component->id, component->sha256, ledger->now);
        }
    }
    return result == TLM_OK ? tlm_fallbacks_load(ledger, error) : result;
}
