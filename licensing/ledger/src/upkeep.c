/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdio.h>
#include <string.h>

#include "audit_private.h"

/* State, guard and audit log: what the warden and administrators ask for. */

static tlm_result state_answer(tlm_ledger *ledger, tlm_ledger_request *request)
{
    json_t *state = tlm_guard_json(&ledger->guard);
    json_t *drift = tlm_drift_json(&ledger->host, tlm_drift_of(ledger));
    bool made = state != NULL && drift != NULL && json_object_set(state, "drift", drift) == 0 &&
                json_object_set_new(state, "ledger", json_string(ledger->id)) == 0;
    json_decref(drift);
    if (!made) {
        json_decref(state);
        state = NULL;
    }
    return tlm_ledger_answer(request, state);
}

tlm_result tlm_op_state(tlm_ledger *ledger, tlm_ledger_request *request)
{
    return state_answer(ledger, request);
}

tlm_result tlm_op_accept(tlm_ledger *ledger, tlm_ledger_request *request)
{
    const tlm_ledger_ask *ask = &request->ask;
    int64_t wall = tlm_ledger_wall(ledger);
    ledger->touched = true;
    tlm_result result = tlm_guard_accept(&ledger->guard, ledger->database.db, wall, ledger->steady,
                                         ask->reason, ask->peer, &request->error);
    if (result == TLM_OK) {
        ledger->now = tlm_ledger_time(ledger, wall);
        ledger->news = true;
        ledger->consumed = true;
        result = tlm_ledger_rebase(ledger, &request->error);
    }
    return result == TLM_OK ? state_answer(ledger, request) : result;
}

tlm_result tlm_op_audit(tlm_ledger *ledger, tlm_ledger_request *request)
{
    return tlm_audit_read(ledger->database.db, request->after,
                          request->limit > 0 ? request->limit : 1000, &request->answer,
                          &request->error);
}

tlm_result tlm_op_intent(tlm_ledger *ledger, tlm_ledger_request *request)
{
    ledger->touched = true;
    return tlm_guard_intent(&ledger->guard, ledger->database.db, &request->error);
}

/* The head of the audit log, for an anchor. */
static tlm_result head_answer(tlm_ledger *ledger, tlm_ledger_request *request)
{
    int64_t seq = 0;
    char hash[65];
    tlm_result result = tlm_audit_head(ledger->database.db, &seq, hash, &request->error);
    if (result != TLM_OK) {
        return result;
    }
    return tlm_ledger_answer(request, json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)seq, "hash",
                                                hash, "ledger", ledger->id));
}

tlm_result tlm_op_checkpoint(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_guard_state before = ledger->guard.state;
    bool first = !ledger->guard.checked; /* only now it is known what the token counts with */
    ledger->touched = true;
    tlm_result result =
        tlm_guard_checkpoint(&ledger->guard, ledger->database.db, &request->checkpoint,
                             tlm_ledger_wall(ledger), &request->error);
    if (result != TLM_OK) {
        return result;
    }
    ledger->news = ledger->news || ledger->guard.state != before || first;
    atomic_store(&ledger->dirty, false);
    return head_answer(ledger, request);
}

tlm_result tlm_op_anchor(tlm_ledger *ledger, tlm_ledger_request *request)
{
    return tlm_audit_anchor(ledger->database.db, request->proof, &request->error);
}

tlm_result tlm_op_tick(tlm_ledger *ledger, tlm_ledger_request *request)
{
    tlm_error *error = &request->error;
    tlm_result result = TLM_OK;
    if (tlm_database_replaced(&ledger->database) && ledger->guard.state != TLM_GUARD_REPLACED) {
        ledger->touched = true;
        result =
            tlm_guard_replaced(&ledger->guard, ledger->database.db, tlm_ledger_wall(ledger), error);
        ledger->news = true;
    }
    if (result == TLM_OK) {
        result = tlm_query_run(&ledger->database, TLM_Q_USES_OLD, error, "i",
                               ledger->now - TLM_USES_KEPT_MS);
    }
    return result == TLM_OK ? head_answer(ledger, request) : result;
}

tlm_result tlm_op_set_host(tlm_ledger *ledger, tlm_ledger_request *request)
{
    const tlm_ledger_host *host = tlm_waiting_given(request);
    tlm_result result = tlm_host_take(&ledger->host, host, &request->error);
    if (result == TLM_OK) {
        result = tlm_fallback_keep(ledger, &request->error);
    }
    return result == TLM_OK ? tlm_binding_judge(ledger, &request->error) : result;
}

tlm_result tlm_op_set_trust(tlm_ledger *ledger, tlm_ledger_request *request)
{
    ledger->trust = tlm_waiting_given(request);
    tlm_records_trust(ledger);
    ledger->news = true;
    return TLM_OK;
}

tlm_result tlm_ledger_audit(tlm_ledger *ledger, const char *event, json_t *detail, tlm_error *error)
{
    if (detail == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for an audit entry");
    }
    return tlm_audit_append(ledger->database.db, tlm_ledger_wall(ledger), event, detail, error);
}

tlm_result tlm_meta_get(tlm_ledger *ledger, const char *name, char *text, size_t size,
                        tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found = false;
    tlm_result result =
        tlm_query_rows(&ledger->database, TLM_Q_META_GET, &row, &found, error, "s", name);
    (void)snprintf(text, size, "%s", result == TLM_OK && found ? tlm_query_text(row, 0) : "");
    tlm_query_end(row);
    return result;
}

tlm_result tlm_meta_set(tlm_ledger *ledger, const char *name, const char *text, tlm_error *error)
{
    return tlm_query_run(&ledger->database, TLM_Q_META_SET, error, "ss", name, text);
}
