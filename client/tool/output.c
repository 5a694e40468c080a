/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>

#include "client_private.h"
#include "tool.h"

static int status_of(const tlm_client_error *error)
{
    switch (error->result) {
    case TLM_CLIENT_ARGUMENT:
        return error->status == 0 && strcmp(error->code, "format") != 0 ? TLM_EXIT_USAGE
                                                                        : TLM_EXIT_FAILED;
    case TLM_CLIENT_REFUSED:
    case TLM_CLIENT_SEATS:
        return TLM_EXIT_REFUSED;
    case TLM_CLIENT_AWAY:
        return TLM_EXIT_AWAY;
    case TLM_CLIENT_OK:
    case TLM_CLIENT_FAILED:
    case TLM_CLIENT_DENIED:
    case TLM_CLIENT_UNPROVEN:
    case TLM_CLIENT_GONE:
    case TLM_CLIENT_FORKED:
        break;
    }
    return TLM_EXIT_FAILED;
}

int tlm_tool_failure(const tlm_client_error *error)
{
    (void)fprintf(stderr, "tlm: %s [%s]\n", error->message, error->code);
    if (error->position > 0) {
        (void)fprintf(stderr, "  place %u in the queue\n", error->position);
    }
    if (error->hint[0] != '\0') {
        (void)fprintf(stderr, "  %s\n", error->hint);
    }
    return status_of(error);
}

int tlm_tool_out_of_memory(void)
{
    tlm_client_error error;
    (void)tlm_trouble_memory(&error);
    return tlm_tool_failure(&error);
}

int tlm_tool_written(bool done)
{
    if (done && fflush(stdout) == 0) {
        return TLM_EXIT_DONE;
    }
    tlm_client_error error;
    (void)tlm_trouble(&error, TLM_CLIENT_FAILED, "io", NULL, "writing to standard output: %s",
                      strerror(errno));
    return tlm_tool_failure(&error);
}

int tlm_tool_print_json(const json_t *value)
{
    char *text = value != NULL ? json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;
    if (text == NULL) {
        return tlm_tool_out_of_memory();
    }
    int status = tlm_tool_written(puts(text) >= 0);
    free(text);
    return status;
}

int tlm_tool_write(const tlm_tool_options *options, const char *text)
{
    if (options->out == NULL) {
        return tlm_tool_written(fputs(text, stdout) >= 0);
    }
    tlm_error cause = {0};
    if (tlm_file_create(options->out, text, strlen(text), 0644, &cause) != TLM_OK) {
        tlm_client_error error;
        (void)tlm_trouble_of(&error, &cause);
        if (cause.result == TLM_ERR_EXISTS) {
            (void)snprintf(error.hint, sizeof error.hint, "name another file");
        }
        return tlm_tool_failure(&error);
    }
    return TLM_EXIT_DONE;
}

int tlm_tool_write_json(const tlm_tool_options *options, const json_t *value)
{
    char *dumped = value != NULL ? json_dumps(value, JSON_INDENT(2)) : NULL;
    char *text = NULL;
    if (dumped == NULL || asprintf(&text, "%s\n", dumped) < 0) {
        free(dumped);
        return tlm_tool_out_of_memory();
    }
    int status = tlm_tool_write(options, text);
    free(text);
    free(dumped);
    return status;
}
