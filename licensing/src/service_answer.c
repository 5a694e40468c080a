/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <tlm/license.h>

#define MS 1000

/* RFC 3339 in UTC, with milliseconds; null for what never comes. */
static json_t *instant(int64_t milliseconds)
{
    struct tm parts;
    char day[24];
    char text[32];
    time_t seconds = (time_t)(milliseconds / MS);
    if (milliseconds < 0 || milliseconds == INT64_MAX || gmtime_r(&seconds, &parts) == NULL ||
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        return json_null();
    }
    (void)snprintf(text, sizeof text, "%s.%03dZ", day, (int)(milliseconds % MS));
    return json_string(text);
}

/* A number, or null where there is none. */
static json_t *number(int64_t value)
{
    return value >= 0 ? json_integer(value) : json_null();
}

static json_t *text(const char *value)
{
    return value != NULL ? json_string(value) : json_null();
}

static json_t *memory_of(const tlm_grant *grant)
{
    return grant->memory != NULL ? json_loads(grant->memory, JSON_DECODE_ANY, NULL) : json_null();
}

/* What leases, checks and uses say of what was granted. */
static int add_choice(json_t *to, const tlm_grant *grant)
{
    int failed = json_object_set_new(to, "feature", text(grant->feature));
    failed |= json_object_set_new(to, "vendor", text(grant->vendor));
    failed |= json_object_set_new(to, "product", text(grant->product));
    failed |= json_object_set_new(to, "license", json_string(grant->license));
    failed |= json_object_set_new(to, "model", json_string(tlm_model_name(grant->model)));
    failed |= json_object_set_new(to, "used", number(grant->used));
    failed |= json_object_set_new(to, "remaining", number(grant->remaining));
    return failed;
}

static int fill_lease(json_t *to, const tlm_job *job)
{
    const tlm_grant *grant = &job->request.grant;
    int64_t left = grant->expires - tlm_service_now(job->service);
    left = left > 0 ? left / MS : 0;
    int failed = json_object_set_new(to, "lease", json_string(grant->lease));
    failed |= add_choice(to, grant);
    failed |= json_object_set_new(to, "client", text(grant->client));
    failed |= json_object_set_new(to, "units", json_integer(grant->units));
    failed |= json_object_set_new(to, "granted", instant(grant->granted));
    failed |= json_object_set_new(to, "expires", instant(grant->expires));
    failed |= json_object_set_new(to, "ttl", json_integer(left));
    failed |= json_object_set_new(to, "renewAfter", json_integer(left / 3));
    failed |= json_object_set_new(to, "fence", json_integer(grant->fence));
    failed |= json_object_set_new(to, "memory", memory_of(grant));
    if (grant->borrowed) {
        failed |= json_object_set_new(to, "borrowed", json_true());
    }
    return failed;
}

static int fill_check(json_t *to, const tlm_job *job)
{
    const tlm_grant *grant = &job->request.grant;
    int failed = add_choice(to, grant);
    failed |= json_object_set_new(to, "expires", instant(grant->expires));
    failed |= json_object_set_new(to, "memory", memory_of(grant));
    return failed;
}

static int fill_use(json_t *to, const tlm_job *job)
{
    const tlm_grant *grant = &job->request.grant;
    int failed = add_choice(to, grant);
    failed |= json_object_set_new(to, "units", json_integer(grant->units));
    failed |= json_object_set_new(to, "request", text(job->request.ask.request));
    failed |= json_object_set_new(to, "repeated", json_boolean(grant->repeated));
    return failed;
}

/* Whether anything of a package is new: then it is 201. */
static bool is_news(const json_t *answer)
{
    const json_t *licenses = json_object_get(answer, "licenses");
    for (size_t i = 0; i < json_array_size(licenses); i++) {
        const char *result =
            json_string_value(json_object_get(json_array_get(licenses, i), "result"));
        if (result != NULL && strcmp(result, "unchanged") != 0) {
            return true;
        }
    }
    return false;
}

static tlm_result granted(tlm_job *job, int (*fill)(json_t *to, const tlm_job *job),
                          tlm_error *error)
{
    json_t *answer = json_object();
    if (answer == NULL || fill(answer, job) != 0) {
        json_decref(answer);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the answer");
    }
    job->call->answer = answer;
    return TLM_OK;
}

tlm_result tlm_service_answer(tlm_job *job, tlm_error *error)
{
    switch (job->call->op) {
    case TLM_CALL_ACQUIRE:
        job->call->created = !job->request.grant.repeated;
        return granted(job, fill_lease, error);
    case TLM_CALL_RENEW:
    case TLM_CALL_LEASE:
        return granted(job, fill_lease, error);
    case TLM_CALL_CHECK:
        return granted(job, fill_check, error);
    case TLM_CALL_USE:
        return granted(job, fill_use, error);
    case TLM_CALL_ATTEST:
        job->call->answer = json_object();
        break;
    case TLM_CALL_ACTIVATE:
        job->call->created = is_news(job->request.answer);
        job->call->answer = json_incref(job->request.answer);
        break;
    default:
        job->call->answer = json_incref(job->request.answer);
        break;
    }
    return job->call->answer != NULL
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the answer");
}

void tlm_service_explain(tlm_job *job)
{
    tlm_call *call = job->call;
    if (call->error.result == TLM_ERR_SEATS) {
        call->retry_after = TLM_RETRY_SEATS;
        call->answer = json_pack("{s:I}", "position", (json_int_t)job->request.grant.position);
    } else if (call->error.result == TLM_ERR_BUSY) {
        call->retry_after = TLM_RETRY_BUSY;
    } else if (call->error.result == TLM_ERR_TOKEN_UNAVAILABLE) {
        call->retry_after = TLM_RETRY_STATE;
    }
}

/* ---- statements ---- */

/* Members that may be missing are left out. */
static int add_text(json_t *to, const char *name, const char *value)
{
    return value != NULL && value[0] != '\0' ? json_object_set_new(to, name, json_string(value))
                                             : 0;
}

static int say_choice(json_t *to, const tlm_grant *grant)
{
    int failed = add_text(to, "feature", grant->feature);
    failed |= add_text(to, "client", grant->client);
    failed |= add_text(to, "vendor", grant->vendor);
    failed |= add_text(to, "product", grant->product);
    failed |= add_text(to, "license", grant->license);
    return failed;
}

static int say_lease(json_t *to, const tlm_job *job)
{
    const tlm_grant *grant = &job->request.grant;
    int failed = json_object_set_new(to, "type", json_string("lease"));
    failed |= say_choice(to, grant);
    failed |= add_text(to, "lease", grant->lease);
    failed |= json_object_set_new(to, "units", json_integer(grant->units));
    failed |= add_text(to, "model", tlm_model_name(grant->model));
    failed |= json_object_set_new(to, "granted", json_integer(grant->granted / MS));
    failed |= json_object_set_new(to, "exp", json_integer(grant->expires / MS));
    failed |= json_object_set_new(to, "fence", json_integer(grant->fence));
    failed |= add_text(to, "memory", grant->memory);
    failed |= add_text(to, "jkt", grant->jkt);
    return failed;
}

static int say_check(json_t *to, const tlm_job *job)
{
    const tlm_grant *grant = &job->request.grant;
    int failed = json_object_set_new(to, "type", json_string("check"));
    failed |= say_choice(to, grant);
    failed |= add_text(to, "model", tlm_model_name(grant->model));
    if (grant->expires != INT64_MAX) {
        failed |= json_object_set_new(to, "exp", json_integer(grant->expires / MS));
    }
    failed |= add_text(to, "memory", grant->memory);
    return failed;
}

static int say_use(json_t *to, const tlm_job *job)
{
    const tlm_grant *grant = &job->request.grant;
    int failed = json_object_set_new(to, "type", json_string("usage"));
    failed |= say_choice(to, grant);
    failed |= add_text(to, "request", job->request.ask.request);
    failed |= json_object_set_new(to, "units", json_integer(grant->units));
    failed |= json_object_set_new(to, "used", json_integer(grant->used));
    if (grant->remaining >= 0) {
        failed |= json_object_set_new(to, "remaining", json_integer(grant->remaining));
    }
    return failed;
}

static int say_state(json_t *to, const tlm_job *job)
{
    int failed = json_object_set_new(to, "type", json_string("attestation"));
    const char *state = json_string_value(json_object_get(job->request.answer, "state"));
    return failed | add_text(to, "state", state);
}

json_t *tlm_service_statement(const tlm_job *job)
{
    static int (*const say[TLM_CALL_COUNT])(json_t * to, const tlm_job *job) = {
        [TLM_CALL_ACQUIRE] = say_lease, [TLM_CALL_RENEW] = say_lease,  [TLM_CALL_CHECK] = say_check,
        [TLM_CALL_USE] = say_use,       [TLM_CALL_ATTEST] = say_state,
    };
    json_t *made = json_object();
    if (made == NULL || say[job->call->op] == NULL || say[job->call->op](made, job) != 0 ||
        add_text(made, "nonce", job->nonce) != 0) {
        json_decref(made);
        return NULL;
    }
    return made;
}
