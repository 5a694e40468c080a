/* SPDX-License-Identifier: BSD-2-Clause */
/* status, fingerprint, keys, request, state */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client_private.h"
#include "tool.h"

static int show(const tlm_tool_options *options, const char *path)
{
    json_t *answer = NULL;
    int status = tlm_tool_fetch(options, path, &answer);
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_print_object(options, answer);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_status(const tlm_tool_options *options)
{
    return show(options, "/status");
}

int tlm_tool_state(const tlm_tool_options *options)
{
    return show(options, "/api/v1/state");
}

int tlm_tool_fingerprint(const tlm_tool_options *options)
{
    json_t *answer = NULL;
    int status = tlm_tool_fetch(
        options, options->fallback ? "/fingerprint/fallback" : "/fingerprint", &answer);
    if (status == TLM_EXIT_DONE && !options->json) {
        /* For machines and files: a person compares the fingerprint. */
        (void)json_object_del(answer, "publicKey");
        (void)json_object_del(answer, "jwk");
    }
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_print_object(options, answer);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_keys(const tlm_tool_options *options)
{
    json_t *answer = NULL;
    int status = tlm_tool_fetch(options, "/api/v1/keys", &answer);
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_write_json(options, answer);
    }
    json_decref(answer);
    return status;
}

/* What may be missing of a host without a token: null stands for it. */
static tlm_client_result fetch_optional(tlm_client *client, const char *path, json_t **answer,
                                        tlm_client_error *error)
{
    tlm_client_result result = tlm_tool_call(client, "GET", path, NULL, answer, error);
    if (result != TLM_CLIENT_OK && error->status != 0) {
        *answer = json_null();
        return TLM_CLIENT_OK;
    }
    return result;
}

static json_t *make_request(json_t *host, json_t *fallback, json_t *keys)
{
    char created[32] = "";
    struct tm parts;
    time_t now = time(NULL);
    if (gmtime_r(&now, &parts) == NULL ||
        strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return NULL;
    }
    return json_pack("{s:s, s:i, s:s, s:O, s:O, s:O}", "type", "tlm-request", "version", 1,
                     "created", created, "host", host, "fallback", fallback, "keys", keys);
}

int tlm_tool_request(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    json_t *host = NULL;
    json_t *fallback = NULL;
    json_t *keys = NULL;
    int status = TLM_EXIT_FAILED;
    tlm_client_error error;
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_call(client, "GET", "/fingerprint", NULL, &host, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = fetch_optional(client, "/fingerprint/fallback", &fallback, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = fetch_optional(client, "/api/v1/keys", &keys, &error);
    }
    if (result == TLM_CLIENT_OK) {
        json_t *request = make_request(host, fallback, keys);
        status = tlm_tool_write_json(options, request);
        json_decref(request);
    } else {
        status = tlm_tool_failure(&error);
    }
    json_decref(host);
    json_decref(fallback);
    json_decref(keys);
    tlm_client_free(&client);
    return status;
}

int tlm_tool_accept(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    json_t *answer = NULL;
    tlm_client_error error;
    int status = TLM_EXIT_DONE;
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        json_t *body =
            options->reason != NULL ? json_pack("{s:s}", "reason", options->reason) : json_object();
        result = tlm_tool_call(client, "POST", "/api/v1/state/accept", body, &answer, &error);
    }
    status =
        result == TLM_CLIENT_OK ? tlm_tool_print_object(options, answer) : tlm_tool_failure(&error);
    json_decref(answer);
    tlm_client_free(&client);
    return status;
}
