/* SPDX-License-Identifier: BSD-2-Clause */
/* audit show, export, verify */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlm/audit.h>

#include "client_private.h"
#include "read_private.h"
#include "tool.h"

#define PAGE 1000
#define LOG_MAX 1073741824U /* bytes of an exported log */

static tlm_client_result fetch_page(tlm_client *client, long long after, long long limit,
                                    json_t **page, tlm_client_error *error)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/api/v1/audit?after=%lld&limit=%lld", after, limit);
    tlm_client_result result = tlm_tool_call(client, "GET", path, NULL, page, error);
    if (result == TLM_CLIENT_OK && !json_is_array(json_object_get(*page, "entries"))) {
        return tlm_trouble(error, TLM_CLIENT_FAILED, "format", NULL,
                           "the daemon's answer has no list of entries");
    }
    return result;
}

/* What an entry tells beside number, time and event, as JSON. */
static json_t *row_of(const json_t *entry)
{
    static const char *const known[] = {"seq", "at", "event", "prev", "hash"};
    json_t *details = json_deep_copy(entry);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        (void)json_object_del(details, known[i]);
    }
    char *text = json_dumps(details, JSON_COMPACT);
    json_decref(details);
    json_t *row = json_pack("{s:O?, s:O?, s:O?, s:s?}", "seq", json_object_get(entry, "seq"), "at",
                            json_object_get(entry, "at"), "event", json_object_get(entry, "event"),
                            "details", text);
    free(text);
    return row;
}

static int print_entries(const json_t *page)
{
    static const tlm_tool_column columns[] = {{"NUMBER", "seq", true},
                                              {"AT", "at", false},
                                              {"EVENT", "event", false},
                                              {"DETAILS", "details", false},
                                              {NULL, NULL, false}};
    json_t *rows = json_array();
    size_t index = 0;
    json_t *entry = NULL;
    json_array_foreach(json_object_get(page, "entries"), index, entry)
    {
        if (json_object_get(entry, "anchor") == NULL) {
            (void)json_array_append_new(rows, row_of(entry));
        }
    }
    int status = rows != NULL ? tlm_tool_print_table(rows, columns) : tlm_tool_out_of_memory();
    json_decref(rows);
    return status;
}

int tlm_tool_audit(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    json_t *page = NULL;
    long long after = 0;
    long long limit = PAGE;
    tlm_client_error error;
    int status = TLM_EXIT_DONE;
    tlm_client_result result = tlm_tool_number(options->after, "after", 0, &after, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_number(options->limit, "limit", PAGE, &limit, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = fetch_page(client, after, limit, &page, &error);
    }
    if (result != TLM_CLIENT_OK) {
        status = tlm_tool_failure(&error);
    } else {
        status = options->json ? tlm_tool_print_json(page) : print_entries(page);
    }
    json_decref(page);
    tlm_client_free(&client);
    return status;
}

/* Writes a page as lines; `after` becomes its last number. False where writing failed. */
static bool write_page(FILE *stream, const json_t *page, long long *after)
{
    size_t index = 0;
    json_t *entry = NULL;
    bool good = true;
    json_array_foreach(json_object_get(page, "entries"), index, entry)
    {
        char *line = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);
        good = good && line != NULL && fprintf(stream, "%s\n", line) > 0;
        free(line);
        long long number = json_integer_value(json_object_get(entry, "seq"));
        *after = number > *after ? number : *after;
    }
    return good;
}

static tlm_client_result export_to(tlm_client *client, long long after, FILE *stream,
                                   tlm_client_error *error)
{
    for (;;) {
        json_t *page = NULL;
        long long before = after;
        tlm_client_result result = fetch_page(client, after, PAGE, &page, error);
        bool good = result != TLM_CLIENT_OK || write_page(stream, page, &after);
        long long last = json_integer_value(json_object_get(page, "last"));
        json_decref(page);
        if (result != TLM_CLIENT_OK) {
            return result;
        }
        if (!good || fflush(stream) != 0) {
            return tlm_trouble(error, TLM_CLIENT_FAILED, "io", "is there room on the disk?",
                               "writing the audit log did not succeed");
        }
        if (after == before || after >= last) {
            return TLM_CLIENT_OK;
        }
    }
}

int tlm_tool_audit_export(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    long long after = 0;
    tlm_client_error error;
    tlm_client_result result = tlm_tool_number(options->after, "after", 0, &after, &error);
    FILE *stream = options->out == NULL ? stdout : fopen(options->out, "wxe");
    if (stream == NULL) {
        result = tlm_trouble(&error, TLM_CLIENT_FAILED, "exists", "name a file that can be made",
                             "%s cannot be made, or is there already", options->out);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = export_to(client, after, stream, &error);
    }
    if (stream != NULL && stream != stdout && fclose(stream) != 0 && result == TLM_CLIENT_OK) {
        result = tlm_trouble(&error, TLM_CLIENT_FAILED, "io", NULL, "writing %s did not succeed",
                             options->out);
    }
    if (result != TLM_CLIENT_OK && stream != NULL && stream != stdout) {
        (void)unlink(options->out); /* half a log is none */
    }
    tlm_client_free(&client);
    return result == TLM_CLIENT_OK ? TLM_EXIT_DONE : tlm_tool_failure(&error);
}

int tlm_tool_audit_verify(const tlm_tool_options *options)
{
    char *text = NULL;
    size_t size = 0;
    json_t *keys = NULL;
    json_t *object = NULL;
    tlm_audit_report report = {0};
    tlm_client_error error;
    tlm_error cause = {0};
    int status = TLM_EXIT_DONE;
    tlm_client_result result = TLM_CLIENT_OK;
    if (options->keys != NULL) {
        result = tlm_tool_read_json(options->keys, TLM_CLIENT_FILE_MAX, &keys, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_read(options->word, LOG_MAX, &text, &size, &error);
    }
    if (result == TLM_CLIENT_OK && tlm_audit_verify(text, size, keys, &report, &cause) != TLM_OK) {
        result = tlm_trouble_of(&error, &cause);
    }
    if (result == TLM_CLIENT_OK) {
        object = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "verified", 1, "first",
                           (json_int_t)report.first, "last", (json_int_t)report.last, "entries",
                           (json_int_t)report.entries, "anchors", (json_int_t)report.anchors,
                           "anchoredTo", (json_int_t)report.anchored_to);
        status = tlm_tool_print_object(options, object);
    } else {
        status = tlm_tool_failure(&error);
    }
    json_decref(object);
    json_decref(keys);
    free(text);
    return status;
}
