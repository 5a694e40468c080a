/* SPDX-License-Identifier: BSD-2-Clause */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlm/file.h>

#include "text_private.h"

#define LABEL_WIDTH 14
#define LINE_MAX_SHOWN 1024U

void tlm_output_error(const tlm_error *error)
{
    char message[sizeof error->message];
    char hint[sizeof error->hint];
    tlm_text_show(message, sizeof message, error->message);
    tlm_text_show(hint, sizeof hint, error->hint);
    (void)fprintf(stderr, "tlm-issue: %s [%s]\n", message, tlm_result_code(error->result));
    if (hint[0] != '\0') {
        (void)fprintf(stderr, "  %s\n", hint);
    }
}

void tlm_output_warning(const char *format, ...)
{
    char line[LINE_MAX_SHOWN];
    char shown[LINE_MAX_SHOWN];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    tlm_text_show(shown, sizeof shown, line);
    (void)fprintf(stderr, "tlm-issue: warning: %s\n", shown);
}

int tlm_output_failure(const tlm_error *error)
{
    tlm_output_error(error);
    return error->result == TLM_ERR_SETTING ? TLM_EXIT_USAGE : TLM_EXIT_FAILED;
}

void tlm_output_version(void)
{
    (void)printf("tlm-issue %s\n", TLM_VERSION);
}

bool tlm_output_json(json_t *object)
{
    char *text =
        object != NULL ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(object);
    if (text == NULL) {
        (void)fputs("tlm-issue: no memory for the answer [memory]\n", stderr);
        return false;
    }
    bool printed = puts(text) >= 0 && fflush(stdout) == 0;
    free(text);
    return printed;
}

void tlm_output_line(const char *label, const char *format, ...)
{
    char line[LINE_MAX_SHOWN];
    char shown[LINE_MAX_SHOWN];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    tlm_text_show(shown, sizeof shown, line);
    (void)printf("%-*s %s\n", LABEL_WIDTH, label, shown);
}

/* A new file under another name, then renamed: the old or the new one is there at any time. */
static tlm_result replace(const char *path, const char *text, size_t size, tlm_error *error)
{
    char *fresh = NULL;
    if (asprintf(&fresh, "%s.%ld.new", path, (long)getpid()) < 0) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    }
    tlm_result result = tlm_file_create(fresh, text, size, 0644, error);
    if (result == TLM_OK && rename(fresh, path) != 0) {
        result = tlm_error_set_errno(error, NULL, "replacing %s", path);
        (void)unlink(fresh);
    }
    free(fresh);
    return result;
}

static tlm_result write_file(const char *path, const char *line, bool force, tlm_error *error)
{
    if (force) {
        return replace(path, line, strlen(line), error);
    }
    tlm_result result = tlm_file_create(path, line, strlen(line), 0644, error);
    if (result == TLM_ERR_EXISTS) {
        tlm_error_set_hint(error, "name another file, or add: --force");
    }
    return result;
}

tlm_result tlm_output_write(const char *path, const char *text, bool force, tlm_error *error)
{
    if (path == NULL) {
        return puts(text) >= 0 && fflush(stdout) == 0
                   ? TLM_OK
                   : tlm_error_set_errno(error, NULL, "writing to standard output");
    }
    char *line = NULL;
    if (asprintf(&line, "%s\n", text) < 0) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", path);
    }
    tlm_result result = write_file(path, line, force, error);
    free(line);
    return result;
}
