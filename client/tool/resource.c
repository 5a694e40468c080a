/* SPDX-License-Identifier: BSD-2-Clause */
/* What many subcommands do with one resource: get and print it, or delete it. */
#include <stdio.h>

#include "read_private.h"
#include "tool.h"

int tlm_tool_fetch(const tlm_tool_options *options, const char *path, json_t **answer)
{
    tlm_client *client = NULL;
    tlm_client_error error;
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_call(client, "GET", path, NULL, answer, &error);
    }
    tlm_client_free(&client);
    return result == TLM_CLIENT_OK ? TLM_EXIT_DONE : tlm_tool_failure(&error);
}

int tlm_tool_show(const tlm_tool_options *options, const char *path)
{
    json_t *answer = NULL;
    int status = tlm_tool_fetch(options, path, &answer);
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_print_object(options, answer);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_show_id(const tlm_tool_options *options, const char *base)
{
    char path[128];
    tlm_client_error error;
    return tlm_tool_path(base, options->word, path, sizeof path, &error)
               ? tlm_tool_show(options, path)
               : tlm_tool_failure(&error);
}

int tlm_tool_list(const tlm_tool_options *options, const char *path, const char *member,
                  const tlm_tool_column columns[])
{
    json_t *answer = NULL;
    int status = tlm_tool_fetch(options, path, &answer);
    if (status == TLM_EXIT_DONE) {
        status = tlm_tool_print_list(options, answer, member, columns);
    }
    json_decref(answer);
    return status;
}

int tlm_tool_delete(const tlm_tool_options *options, const char *base, const char *query)
{
    char path[128];
    char whole[160];
    tlm_client *client = NULL;
    json_t *answer = NULL;
    tlm_client_error error;
    if (!tlm_tool_path(base, options->word, path, sizeof path, &error)) {
        return tlm_tool_failure(&error);
    }
    (void)snprintf(whole, sizeof whole, "%s%s", path, query);
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_call(client, "DELETE", whole, NULL, &answer, &error);
    }
    int status =
        result == TLM_CLIENT_OK ? tlm_tool_print_object(options, answer) : tlm_tool_failure(&error);
    json_decref(answer);
    tlm_client_free(&client);
    return status;
}
