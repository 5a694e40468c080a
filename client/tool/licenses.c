/* SPDX-License-Identifier: BSD-2-Clause */
/* activate, licenses, revoke, revocations */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/package.h>
#include <tlm/revocation.h>

#include "client_private.h"
#include "link_private.h"
#include "read_private.h"
#include "tool.h"

/* Sends the compact text in the operand's file, and leaves the answer. */
static int send_text(const tlm_tool_options *options, const char *path, size_t max, json_t **answer)
{
    tlm_client *client = NULL;
    char *text = NULL;
    size_t size = 0;
    tlm_client_error error;
    tlm_link_answer got = {0};
    tlm_client_result result = tlm_tool_read(options->word, max, &text, &size, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        const tlm_link_request request = {
            .method = "POST", .path = path, .text = text, .size = size};
        result = tlm_link_call(client, &request, &got, &error);
    }
    free(text);
    tlm_client_free(&client);
    *answer = got.body;
    return result == TLM_CLIENT_OK ? TLM_EXIT_DONE : tlm_tool_failure(&error);
}

int tlm_tool_activate(const tlm_tool_options *options)
{
    static const tlm_tool_column columns[] = {{"LICENSE", "license", false},
                                              {"VENDOR", "vendor", false},
                                              {"RESULT", "result", false},
                                              {NULL, NULL, false}};
    json_t *answer = NULL;
    int status = send_text(options, "/api/v1/licenses", TLM_PACKAGE_MAX, &answer);
    if (status == TLM_EXIT_DONE) {
        status = options->json ? tlm_tool_print_json(answer)
                               : tlm_tool_print_table(json_object_get(answer, "licenses"), columns);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_revoke(const tlm_tool_options *options)
{
    json_t *answer = NULL;
    int status = send_text(options, "/api/v1/revocations", TLM_REVOCATION_MAX, &answer);
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_print_object(options, answer);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_revocations(const tlm_tool_options *options)
{
    static const tlm_tool_column columns[] = {{"VENDOR", "vendor", false},
                                              {"SERIAL", "serial", true},
                                              {"ISSUED", "issued", false},
                                              {"LICENSES", "count", true},
                                              {NULL, NULL, false}};
    json_t *answer = NULL;
    int status = tlm_tool_fetch(options, "/api/v1/revocations", &answer);
    if (status == TLM_EXIT_DONE) {
        status = options->json
                     ? tlm_tool_print_json(answer)
                     : tlm_tool_print_table(json_object_get(answer, "revocations"), columns);
    }
    json_decref(answer);
    return status;
}

/* "2 of 5", "stand-alone" */
static json_t *seats_of(const json_t *feature)
{
    long long seats = json_integer_value(json_object_get(feature, "seats"));
    if (seats == 0) {
        return json_string("stand-alone");
    }
    char text[64];
    (void)snprintf(text, sizeof text, "%lld of %lld",
                   (long long)json_integer_value(json_object_get(feature, "inUse")), seats);
    return json_string(text);
}

static json_t *model_of(const json_t *feature)
{
    const json_t *model = json_object_get(feature, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    return json_string(type != NULL ? type : "-");
}

static const char *product_of(const json_t *license)
{
    const json_t *product = json_object_get(license, "product");
    const char *id = json_is_object(product) ? json_string_value(json_object_get(product, "id"))
                                             : json_string_value(product);
    return id != NULL ? id : "-";
}

/* A row for each feature of a license; NULL without memory. */
static json_t *rows_of(const json_t *licenses)
{
    json_t *rows = json_array();
    size_t index = 0;
    json_t *license = NULL;
    json_array_foreach(licenses, index, license)
    {
        size_t at = 0;
        json_t *feature = NULL;
        json_array_foreach(json_object_get(license, "features"), at, feature)
        {
            json_t *ends = json_object_get(feature, "ends");
            json_t *row = json_pack(
                "{s:O?, s:O?, s:s, s:O?, s:O?, s:o, s:o, s:O?, s:O?, s:O?}", "license",
                json_object_get(license, "license"), "vendor", json_object_get(license, "vendor"),
                "product", product_of(license), "state", json_object_get(license, "state"),
                "feature", json_object_get(feature, "id"), "seats", seats_of(feature), "model",
                model_of(feature), "used", json_object_get(feature, "used"), "remaining",
                json_object_get(feature, "remaining"), "ends",
                json_is_string(ends) ? ends : json_object_get(license, "expires"));
            if (row == NULL || json_array_append_new(rows, row) != 0) {
                json_decref(rows);
                return NULL;
            }
        }
    }
    return rows;
}

int tlm_tool_licenses(const tlm_tool_options *options)
{
    static const tlm_tool_column columns[] = {{"LICENSE", "license", false},
                                              {"STATE", "state", false},
                                              {"VENDOR", "vendor", false},
                                              {"PRODUCT", "product", false},
                                              {"FEATURE", "feature", false},
                                              {"SEATS", "seats", true},
                                              {"MODEL", "model", false},
                                              {"USED", "used", true},
                                              {"LEFT", "remaining", true},
                                              {"ENDS", "ends", false},
                                              {NULL, NULL, false}};
    json_t *answer = NULL;
    int status = tlm_tool_fetch(options, "/api/v1/licenses", &answer);
    if (status == TLM_EXIT_DONE && options->json) {
        status = tlm_tool_print_json(answer);
    } else if (status == TLM_EXIT_DONE) {
        json_t *rows = rows_of(json_object_get(answer, "licenses"));
        status = rows != NULL ? tlm_tool_print_table(rows, columns) : tlm_tool_out_of_memory();
        json_decref(rows);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_license(const tlm_tool_options *options)
{
    char path[128];
    json_t *answer = NULL;
    tlm_client_error error;
    if (!tlm_tool_path("/api/v1/licenses", options->word, path, sizeof path, &error)) {
        return tlm_tool_failure(&error);
    }
    int status = tlm_tool_fetch(options, path, &answer);
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_print_object(options, answer);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_remove(const tlm_tool_options *options)
{
    char path[128];
    json_t *answer = NULL;
    tlm_client *client = NULL;
    tlm_client_error error;
    if (!tlm_tool_path("/api/v1/licenses", options->word, path, sizeof path, &error)) {
        return tlm_tool_failure(&error);
    }
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_call(client, "DELETE", path, NULL, &answer, &error);
    }
    int status =
        result == TLM_CLIENT_OK ? tlm_tool_print_object(options, answer) : tlm_tool_failure(&error);
    json_decref(answer);
    tlm_client_free(&client);
    return status;
}
