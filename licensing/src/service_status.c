/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <string.h>

#include <tlm/startup.h>

static const char *policy_name(tlm_rollback_policy policy)
{
    static const char *const names[] = {[TLM_ROLLBACK_STRICT] = "strict",
                                        [TLM_ROLLBACK_WARN] = "warn",
                                        [TLM_ROLLBACK_STOP] = "stop"};
    return names[policy];
}

static json_t *error_json(const tlm_error *error)
{
    json_t *made =
        json_pack("{s:s, s:s}", "code", tlm_result_code(error->result), "message", error->message);
    if (made != NULL && error->hint[0] != '\0' &&
        json_object_set_new(made, "hint", json_string(error->hint)) != 0) {
        json_decref(made);
        return NULL;
    }
    return made;
}

static json_t *trust_json(tlm_licensing *service)
{
    tlm_trust_box *box = tlm_trust_box_get(service);
    json_t *made =
        json_pack("{s:I, s:b, s:I}", "compiledIn", (json_int_t)tlm_trust_compiled_in(), "runtime",
                  tlm_trust_runtime(), "keys", (json_int_t)tlm_trust_count(box->trust));
    if (made != NULL && box->error.result != TLM_OK &&
        json_object_set_new(made, "error", error_json(&box->error)) != 0) {
        json_decref(made);
        made = NULL;
    }
    tlm_trust_box_release(&box);
    return made;
}

/* Why there is no ledger: as a call would be told. */
static int add_refusal(json_t *to, tlm_licensing *service)
{
    tlm_call call = {0};
    (void)pthread_mutex_lock(&service->lock);
    tlm_service_refuse(service, &call);
    (void)pthread_mutex_unlock(&service->lock);
    int failed = json_object_set(to, "state", json_object_get(call.answer, "code"));
    failed |= json_object_set_new(to, "message", json_string(call.error.message));
    if (call.error.hint[0] != '\0') {
        failed |= json_object_set_new(to, "hint", json_string(call.error.hint));
    }
    json_decref(call.answer);
    return failed;
}

/* Message and hint are for what is not as it should be; the counter says how good the guard is. */
static int add_told(json_t *to, tlm_licensing *service)
{
    static const char *const names[] = {"message", "detail", "hint"};
    (void)pthread_mutex_lock(&service->lock);
    json_t *state = json_deep_copy(service->told); /* jansson's values are one thread's */
    (void)pthread_mutex_unlock(&service->lock);
    const char *word = json_string_value(json_object_get(state, "state"));
    int failed = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *value = json_object_get(state, names[i]);
        if (json_is_string(value) && word != NULL && strcmp(word, "ok") != 0) {
            failed |= json_object_set(to, names[i], value);
        }
    }
    json_t *counter = json_object_get(state, "counter");
    failed |= counter != NULL ? json_object_set(to, "counter", counter)
                              : json_object_set_new(to, "counter", json_null());
    json_decref(state);
    return failed;
}

static int add_ledger(json_t *to, tlm_licensing *service, tlm_ledger *ledger)
{
    json_t *summary = tlm_ledger_summary(ledger);
    if (summary == NULL) {
        return -1;
    }
    int failed = json_object_update(to, summary);
    json_decref(summary);
    failed |= json_object_set_new(
        to, "ledger",
        json_pack("{s:s, s:s}", "id", tlm_ledger_id(ledger), "path", service->ledger_dir));
    return failed | add_told(to, service);
}

json_t *tlm_licensing_status(tlm_licensing *licensing)
{
    json_t *made = json_object();
    (void)pthread_mutex_lock(&licensing->lock);
    bool ready = licensing->phase == TLM_SERVICE_READY;
    tlm_ledger *ledger = licensing->ledger;
    (void)pthread_mutex_unlock(&licensing->lock);
    int failed = made == NULL ? -1 : 0;
    failed |=
        json_object_set_new(made, "policy", json_string(policy_name(licensing->limits.policy)));
    failed |= json_object_set_new(made, "trust", trust_json(licensing));
    failed |= ready ? add_ledger(made, licensing, ledger) : add_refusal(made, licensing);
    if (failed != 0) {
        json_decref(made);
        return NULL;
    }
    return made;
}

/* ---- the state as the ledger tells it ---- */

/* With the lock. */
static tlm_ledger *begin_asking(tlm_licensing *service)
{
    if (service->asked || service->ledger == NULL) {
        service->stale = true;
        return NULL;
    }
    service->asked = true;
    service->stale = false;
    return service->ledger;
}

static void told(tlm_ledger_request *request)
{
    tlm_licensing *service = request->context;
    (void)pthread_mutex_lock(&service->lock);
    if (request->error.result == TLM_OK) {
        json_decref(service->told);
        service->told = json_incref(request->answer);
    }
    tlm_ledger_request_clear(request);
    service->asked = false;
    tlm_ledger *again = service->stale ? begin_asking(service) : NULL;
    (void)pthread_mutex_unlock(&service->lock);
    service->changed(service->context);
    if (again != NULL) {
        tlm_ledger_submit(again, request);
    }
}

void tlm_service_news(void *licensing)
{
    tlm_licensing *service = licensing;
    (void)pthread_mutex_lock(&service->lock);
    tlm_ledger *ledger = begin_asking(service);
    if (ledger != NULL) {
        service->asking.op = TLM_LEDGER_STATE;
        service->asking.done = told;
        service->asking.context = service;
    }
    (void)pthread_mutex_unlock(&service->lock);
    if (ledger != NULL) {
        tlm_ledger_submit(ledger, &service->asking);
    }
}
