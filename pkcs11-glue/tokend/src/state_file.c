/* SPDX-License-Identifier: BSD-2-Clause */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>

const char *tlm_tokend_state_name(tlm_tokend_state state)
{
    switch (state) {
    case TLM_TOKEND_STARTING:
        return "starting";
    case TLM_TOKEND_READY:
        return "ready";
    case TLM_TOKEND_UNAVAILABLE:
        break;
    }
    return "unavailable";
}

char *tlm_state_file_path(const char *socket)
{
    const char *slash = strrchr(socket, '/');
    char *directory = slash != NULL ? strndup(socket, (size_t)(slash - socket) + 1) : strdup("");
    char *path = directory != NULL ? tlm_path_join(directory, TLM_STATE_FILE_NAME) : NULL;
    free(directory);
    return path;
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        (void)json_object_set_new(object, name, json_string(text));
    }
}

static json_t *report_to_json(const tlm_state_report *report)
{
    char since[32] = "";
    struct tm utc;
    if (gmtime_r(&report->since, &utc) != NULL) {
        (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    json_t *object = json_pack("{s:i, s:I, s:s, s:s}", "version", TLM_STATE_FILE_VERSION, "pid",
                               (json_int_t)getpid(), "state", tlm_tokend_state_name(report->state),
                               "since", since);
    set_text(object, "backend", report->backend);
    set_text(object, "label", report->label);
    set_text(object, "store", report->store);
    set_text(object, "tcti", report->tcti);
    (void)json_object_set_new(object, "simulated", json_boolean(report->simulated));
    (void)json_object_set_new(object, "hardwareBound", json_boolean(report->hardware_bound));
    set_text(object, "vaultPolicy", report->vault_policy);
    if (report->state == TLM_TOKEND_UNAVAILABLE && report->error != NULL) {
        (void)json_object_set_new(object, "error",
                                  json_pack("{s:s, s:s, s:s}", "code",
                                            tlm_result_code(report->error->result), "message",
                                            report->error->message, "hint", report->error->hint));
    }
    if (report->tpm != NULL) {
        (void)json_object_set(object, "tpm", report->tpm);
    }
    return object;
}

static tlm_result write_file(const char *path, const char *text, size_t size, tlm_error *error)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0) {
        return tlm_error_set_errno(error, NULL, "opening %s", path);
    }
    /* The umask must not hide what everyone may read. */
    tlm_result result = TLM_OK;
    ssize_t done = write(file, text, size);
    if (done != (ssize_t)size || fchmod(file, 0644) != 0) {
        errno = done >= 0 && done != (ssize_t)size ? ENOSPC : errno;
        result = tlm_error_set_errno(error, NULL, "writing %s", path);
    }
    (void)close(file);
    return result;
}

tlm_result tlm_state_file_write(const char *path, const tlm_state_report *report, tlm_error *error)
{
    json_t *object = report_to_json(report);
    char *text = object != NULL ? json_dumps(object, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
    char *fresh = NULL;
    json_decref(object);
    if (text == NULL || asprintf(&fresh, "%s.new", path) < 0) {
        free(text);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the state file");
    }
    tlm_result result = write_file(fresh, text, strlen(text), error);
    if (result == TLM_OK && rename(fresh, path) != 0) {
        result = tlm_error_set_errno(error, NULL, "putting %s in its place", path);
    }
    if (result != TLM_OK) {
        (void)unlink(fresh);
        tlm_error_set_hint(error, "look at the space, the owner and the mode of its directory");
    }
    free(fresh);
    free(text);
    return result;
}

void tlm_state_file_remove(const char *path)
{
    (void)unlink(path);
}
