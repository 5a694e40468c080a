/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

/* Licenses begin and end by themselves: how old a count may be. */
#define COUNT_KEPT_MS 5000

const void *tlm_waiting_given(const tlm_ledger_request *request)
{
    const tlm_waiting *waiting = request->context;
    return waiting->given;
}

static void count(const tlm_ledger *ledger, tlm_ledger_figures *figures)
{
    for (int i = 0; i < TLM_LICENSE_STATE_COUNT; i++) {
        figures->licenses[i] = 0;
    }
    for (const tlm_record *record = ledger->records; record != NULL; record = record->next) {
        figures->licenses[tlm_record_state(record, ledger->now)]++;
    }
    figures->drift = tlm_drift_of(ledger);
    figures->host = ledger->host;
    figures->counted = ledger->steady;
}

void tlm_figures_take(tlm_ledger *ledger, bool recount)
{
    /* Only this thread writes them, so reading needs no lock. */
    tlm_ledger_figures figures = ledger->figures;
    if (recount || ledger->steady - figures.counted > COUNT_KEPT_MS) {
        count(ledger, &figures);
    }
    figures.leases = ledger->lease_count;
    figures.seats = ledger->seat_count;
    figures.waiting = ledger->queue.count;
    figures.commits = ledger->commits;
    figures.requests = ledger->requests;
    figures.state = ledger->guard.state;
    (void)pthread_mutex_lock(&ledger->lock);
    ledger->figures = figures;
    (void)pthread_mutex_unlock(&ledger->lock);
}

static json_t *licenses_json(const tlm_ledger_figures *figures)
{
    json_t *licenses = json_object();
    for (int i = 0; i < TLM_LICENSE_STATE_COUNT; i++) {
        if (json_object_set_new(licenses, tlm_license_state_name((tlm_license_state)i),
                                json_integer((json_int_t)figures->licenses[i])) != 0) {
            json_decref(licenses);
            return NULL;
        }
    }
    return licenses;
}

json_t *tlm_ledger_summary(tlm_ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->lock);
    const tlm_ledger_figures figures = ledger->figures;
    (void)pthread_mutex_unlock(&ledger->lock);
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:I, s:I}", "ledger", ledger->id, "state",
                     tlm_guard_state_name(figures.state), "licenses", licenses_json(&figures),
                     "leases", (json_int_t)figures.leases, "seatsInUse", (json_int_t)figures.seats,
                     "waiting", (json_int_t)figures.waiting, "drift",
                     tlm_drift_json(&figures.host, figures.drift), "commits",
                     (json_int_t)figures.commits, "requests", (json_int_t)figures.requests);
}
