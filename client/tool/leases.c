/* SPDX-License-Identifier: BSD-2-Clause */
/* lease list, show, acquire, renew, release, borrow, check, return; check; usage */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client_private.h"
#include "exchange_private.h"
#include "read_private.h"
#include "tool.h"

#define LEASES "/api/v1/leases"
#define DAY 86400

int tlm_tool_leases(const tlm_tool_options *options)
{
    static const tlm_tool_column columns[] = {
        {"LEASE", "lease", false},       {"FEATURE", "feature", false},
        {"CLIENT", "client", false},     {"UNITS", "units", true},
        {"VENDOR", "vendor", false},     {"PRODUCT", "product", false},
        {"GRANTED", "granted", false},   {"EXPIRES", "expires", false},
        {"BORROWED", "borrowed", false}, {NULL, NULL, false}};
    json_t *answer = NULL;
    int status = tlm_tool_fetch(options, LEASES, &answer);
    if (status == TLM_EXIT_DONE) {
        status = options->json ? tlm_tool_print_json(answer)
                               : tlm_tool_print_table(json_object_get(answer, "leases"), columns);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_lease(const tlm_tool_options *options)
{
    char path[128];
    json_t *answer = NULL;
    tlm_client_error error;
    if (!tlm_tool_path(LEASES, options->word, path, sizeof path, &error)) {
        return tlm_tool_failure(&error);
    }
    int status = tlm_tool_fetch(options, path, &answer);
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_print_object(options, answer);
    }
    json_decref(answer);
    return status;
}

static void set_text(json_t *object, const char *name, const char *text)
{
    (void)json_object_set_new(object, name,
                              text != NULL && text[0] != '\0' ? json_string(text) : json_null());
}

static void set_number(json_t *object, const char *name, long long number)
{
    (void)json_object_set_new(object, name, number >= 0 ? json_integer(number) : json_null());
}

static void set_time(json_t *object, const char *name, long long seconds)
{
    char text[32];
    struct tm parts;
    time_t when = (time_t)seconds;
    bool good = seconds >= 0 && gmtime_r(&when, &parts) != NULL &&
                strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0;
    set_text(object, name, good ? text : NULL);
}

/* The members of docs/rest.md, of what was verified. */
static int print_grant(const tlm_tool_options *options, const tlm_client_grant *grant)
{
    json_t *object = json_object();
    if (grant->lease[0] != '\0') {
        set_text(object, "lease", grant->lease);
    }
    set_text(object, "feature", grant->feature);
    set_text(object, "client", grant->client);
    set_number(object, "units", grant->units);
    set_text(object, "vendor", grant->vendor);
    set_text(object, "product", grant->product);
    set_text(object, "license", grant->license);
    set_text(object, "model", grant->model);
    if (grant->request[0] != '\0') {
        set_text(object, "request", grant->request);
        (void)json_object_set_new(object, "repeated", json_boolean(grant->repeated));
    } else {
        set_time(object, "expires", grant->expires);
        json_t *memory =
            grant->memory != NULL ? json_loads(grant->memory, JSON_DECODE_ANY, NULL) : json_null();
        (void)json_object_set_new(object, "memory", memory);
    }
    if (grant->lease[0] != '\0') {
        set_number(object, "ttl", grant->ttl);
        set_number(object, "fence", grant->fence);
        (void)json_object_set_new(object, "borrowed", json_boolean(grant->borrowed));
    }
    set_number(object, "used", grant->used);
    set_number(object, "remaining", grant->remaining);
    (void)json_object_set_new(object, "verified", json_boolean(grant->verified));
    int status = object != NULL ? tlm_tool_print_object(options, object) : tlm_tool_out_of_memory();
    json_decref(object);
    return status;
}

static int finish(const tlm_tool_options *options, tlm_client *client, tlm_client_result result,
                  tlm_client_grant *grant, const tlm_client_error *error)
{
    int status = result == TLM_CLIENT_OK ? print_grant(options, grant) : tlm_tool_failure(error);
    tlm_client_grant_clear(grant);
    tlm_client_free(&client);
    return status;
}

int tlm_tool_acquire(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    tlm_client_ask ask;
    tlm_client_grant grant = {0};
    tlm_client_error error;
    tlm_client_result result = tlm_tool_ask(options, &ask, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_exchange_check(&ask, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_lease_obtain(client, &ask, &grant, NULL, &error);
    }
    return finish(options, client, result, &grant, &error);
}

static tlm_client_result get_lease(tlm_client *client, const char *path, tlm_client_ask *ask,
                                   json_t **lease, tlm_client_error *error)
{
    tlm_client_result result = tlm_tool_call(client, "GET", path, NULL, lease, error);
    if (result == TLM_CLIENT_OK) {
        ask->feature = json_string_value(json_object_get(*lease, "feature"));
        ask->units = json_integer_value(json_object_get(*lease, "units"));
    }
    return result;
}

int tlm_tool_renew(const tlm_tool_options *options)
{
    char path[128];
    tlm_client *client = NULL;
    json_t *lease = NULL;
    tlm_client_ask ask = {0};
    tlm_client_grant grant = {0};
    tlm_client_error error;
    if (!tlm_tool_path(LEASES, options->word, path, sizeof path, &error)) {
        return tlm_tool_failure(&error);
    }
    tlm_tool_options named = *options;
    tlm_client_result result = tlm_tool_number(options->ttl, "ttl", 0, &ask.ttl, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        /* Whose lease it is goes into the proof: asked first, and the client made by that name. */
        result = get_lease(client, path, &ask, &lease, &error);
        tlm_client_free(&client);
        named.client = json_string_value(json_object_get(lease, "client"));
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(&named, &client, &error);
    }
    if (result == TLM_CLIENT_OK && ask.feature == NULL) {
        result = tlm_trouble(&error, TLM_CLIENT_FAILED, "format", NULL,
                             "the daemon's answer does not name the feature");
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_lease_request(client, &ask, options->word, &grant, &error);
    }
    int status = finish(options, client, result, &grant, &error);
    json_decref(lease);
    return status;
}

int tlm_tool_release(const tlm_tool_options *options)
{
    char path[128];
    char forced[160];
    tlm_client *client = NULL;
    json_t *answer = NULL;
    tlm_client_error error;
    if (!tlm_tool_path(LEASES, options->word, path, sizeof path, &error)) {
        return tlm_tool_failure(&error);
    }
    (void)snprintf(forced, sizeof forced, "%s%s", path, options->force ? "?force=true" : "");
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_call(client, "DELETE", forced, NULL, &answer, &error);
    }
    int status =
        result == TLM_CLIENT_OK ? tlm_tool_print_object(options, answer) : tlm_tool_failure(&error);
    json_decref(answer);
    tlm_client_free(&client);
    return status;
}

int tlm_tool_borrow(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    tlm_client_ask ask;
    tlm_client_grant grant = {0};
    tlm_client_error error;
    long long days = 1;
    tlm_client_result result = tlm_tool_ask(options, &ask, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_number(options->days, "days", 1, &days, &error);
    }
    if (result == TLM_CLIENT_OK && (days < 1 || days > 3650)) {
        result = tlm_trouble(&error, TLM_CLIENT_ARGUMENT, "setting", NULL,
                             "--days takes 1 to 3650 days");
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_borrow(client, &ask, days * DAY, options->word, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_borrowed(client, options->word, options->feature, &grant, &error);
    }
    return finish(options, client, result, &grant, &error);
}

int tlm_tool_borrowed(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    tlm_client_ask ask;
    tlm_client_grant grant = {0};
    tlm_client_error error;
    tlm_client_result result = tlm_tool_ask(options, &ask, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_borrowed(client, options->word, ask.feature, &grant, &error);
    }
    return finish(options, client, result, &grant, &error);
}

int tlm_tool_return(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    tlm_client_error error;
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_return(client, options->word, &error);
    }
    tlm_client_free(&client);
    if (result != TLM_CLIENT_OK) {
        return tlm_tool_failure(&error);
    }
    json_t *object = json_pack("{s:b}", "returned", 1);
    int status = tlm_tool_print_object(options, object);
    json_decref(object);
    return status;
}

int tlm_tool_check(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    tlm_client_ask ask;
    tlm_client_grant grant = {0};
    tlm_client_error error;
    tlm_client_result result = tlm_tool_ask(options, &ask, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK && options->word != NULL) {
        result = tlm_client_license_file(client, options->word, ask.feature, options->fingerprint,
                                         &grant, &error);
    } else if (result == TLM_CLIENT_OK) {
        result = tlm_client_check(client, &ask, &grant, &error);
    }
    return finish(options, client, result, &grant, &error);
}

int tlm_tool_usage(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    tlm_client_ask ask;
    tlm_client_grant grant = {0};
    tlm_client_error error;
    tlm_client_result result = tlm_tool_ask(options, &ask, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_use(client, &ask, &grant, &error);
    }
    if (result == TLM_CLIENT_AWAY && grant.request[0] != '\0') {
        (void)snprintf(error.hint, sizeof error.hint,
                       "whether it was counted is open; ask again with --request %s",
                       grant.request);
    }
    return finish(options, client, result, &grant, &error);
}
