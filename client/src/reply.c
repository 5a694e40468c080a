/* SPDX-License-Identifier: BSD-2-Clause */
#include "reply_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client_private.h"
#include "json_private.h"

#define EXACT_MAX 9007199254740991LL /* 2^53 - 1 */

json_t *tlm_reply_object(const char *text, size_t size)
{
    json_t *object = NULL;
    return text != NULL && tlm_json_parse(text, size, "the answer", &object, NULL) == TLM_OK
               ? object
               : NULL;
}

/* A text of the daemon for a person: cut to fit, without control characters. */
static void take_text(const json_t *body, const char *name, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(body, name));
    if (text == NULL) {
        return;
    }
    (void)snprintf(to, size, "%s", text);
    for (char *at = to; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at == 0x7f) {
            *at = '?';
        }
    }
}

static tlm_client_result read_problem(const tlm_reply *reply, const json_t *body,
                                      tlm_client_error *error)
{
    tlm_client_error problem = {.status = reply->status, .retry_after = reply->retry_after};
    take_text(body, "code", problem.code, sizeof problem.code);
    take_text(body, "detail", problem.message, sizeof problem.message);
    take_text(body, "hint", problem.hint, sizeof problem.hint);
    if (problem.code[0] == '\0') {
        (void)snprintf(problem.code, sizeof problem.code, "%s", "io");
    }
    if (problem.message[0] == '\0') {
        (void)snprintf(problem.message, sizeof problem.message,
                       "the daemon answered with HTTP status %ld and no reason", reply->status);
    }
    long long position = json_integer_value(json_object_get(body, "position"));
    problem.position = position > 0 && position <= INT32_MAX ? (unsigned)position : 0;
    problem.result = tlm_trouble_class(problem.code, reply->status);
    if (reply->lease && reply->status == 404 && strcmp(problem.code, "not-found") == 0) {
        problem.result = TLM_CLIENT_GONE;
    }
    if (error != NULL) {
        *error = problem;
    }
    return problem.result;
}

tlm_client_result tlm_reply_read(const tlm_reply *reply, json_t **body, tlm_client_error *error)
{
    json_t *object = tlm_reply_object(reply->text, reply->size);
    if (reply->status >= 200 && reply->status < 300) {
        if (object == NULL) {
            return tlm_trouble(error, TLM_CLIENT_FAILED, "format",
                               "is it TLLicenseManager that listens there?",
                               "the answer is not one JSON object");
        }
        *body = object;
        return TLM_CLIENT_OK;
    }
    tlm_client_result result = read_problem(reply, object, error);
    json_decref(object);
    return result;
}

/* A text member that may be missing or null; false where it is longer than its place. */
static bool text_member(const json_t *body, const char *name, char *to, size_t size)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (!json_is_string(value) || json_string_length(value) >= size ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return false;
    }
    memcpy(to, json_string_value(value), json_string_length(value) + 1);
    return true;
}

static bool number_member(const json_t *body, const char *name, long long missing, long long *to)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL || json_is_null(value)) {
        *to = missing;
        return true;
    }
    *to = json_integer_value(value);
    return json_is_integer(value) && *to >= 0 && *to <= EXACT_MAX;
}

bool tlm_reply_instant(const char *text, long long *seconds)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == NULL) {
        return false;
    }
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        rest += digits > 0 ? 1 + digits : 0;
    }
    if (strcmp(rest, "Z") != 0) {
        return false;
    }
    *seconds = (long long)timegm(&parts);
    return true;
}

static bool expires_member(const json_t *body, long long *to)
{
    const json_t *value = json_object_get(body, "expires");
    *to = -1;
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    return json_is_string(value) && tlm_reply_instant(json_string_value(value), to);
}

static bool memory_member(const json_t *body, char **to)
{
    const json_t *value = json_object_get(body, "memory");
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    *to = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    return *to != NULL;
}

tlm_client_result tlm_reply_grant(const json_t *body, tlm_client_grant *grant,
                                  tlm_client_error *error)
{
    *grant = (tlm_client_grant){0};
    const struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {{"lease", grant->lease, sizeof grant->lease},
                 {"license", grant->license, sizeof grant->license},
                 {"feature", grant->feature, sizeof grant->feature},
                 {"client", grant->client, sizeof grant->client},
                 {"vendor", grant->vendor, sizeof grant->vendor},
                 {"product", grant->product, sizeof grant->product},
                 {"model", grant->model, sizeof grant->model},
                 {"request", grant->request, sizeof grant->request}};
    const char *wrong = NULL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        wrong =
            text_member(body, texts[i].name, texts[i].to, texts[i].size) ? wrong : texts[i].name;
    }
    wrong = number_member(body, "units", 1, &grant->units) ? wrong : "units";
    wrong = number_member(body, "ttl", 0, &grant->ttl) ? wrong : "ttl";
    wrong = number_member(body, "fence", 0, &grant->fence) ? wrong : "fence";
    wrong = number_member(body, "used", -1, &grant->used) ? wrong : "used";
    wrong = number_member(body, "remaining", -1, &grant->remaining) ? wrong : "remaining";
    wrong = expires_member(body, &grant->expires) ? wrong : "expires";
    wrong = memory_member(body, &grant->memory) ? wrong : "memory";
    grant->borrowed = json_is_true(json_object_get(body, "borrowed"));
    grant->repeated = json_is_true(json_object_get(body, "repeated"));
    if (wrong == NULL && grant->feature[0] == '\0') {
        wrong = "feature";
    }
    return wrong == NULL
               ? TLM_CLIENT_OK
               : tlm_trouble(error, TLM_CLIENT_FAILED, "format",
                             "is it TLLicenseManager that listens there?",
                             "the answer's member '%s' is missing or not as documented", wrong);
}

void tlm_client_grant_clear(tlm_client_grant *grant)
{
    if (grant != NULL) {
        free(grant->memory);
        *grant = (tlm_client_grant){0};
    }
}
