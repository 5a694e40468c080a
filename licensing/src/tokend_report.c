/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/tokend_report.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <tlm/file.h>

#include "json_private.h"
#include "text_private.h"

#define REPORT_NAME "tokend.json"

static const struct {
    const char *name;
    int value;
} phases[] = {{"starting", TLM_TOKEND_STARTING},
              {"ready", TLM_TOKEND_READY},
              {"unavailable", TLM_TOKEND_UNAVAILABLE}},
  backends[] = {
      {"tpm", TLM_TOKEND_TPM}, {"softhsm", TLM_TOKEND_SOFTHSM}, {"module", TLM_TOKEND_MODULE}};

char *tlm_tokend_report_path(const char *socket)
{
    const char *slash = strrchr(socket, '/');
    if (slash == NULL) {
        return strdup(REPORT_NAME);
    }
    char *directory = strndup(socket, (size_t)(slash - socket) + 1);
    char *path = directory != NULL ? tlm_path_join(directory, REPORT_NAME) : NULL;
    free(directory);
    return path;
}

static tlm_result bad(tlm_error *error, const char *path, const char *what)
{
    return tlm_error_set(error, TLM_ERR_FORMAT,
                         "Install tlm-tokend and TLLicenseManager of one version.", "%s: %s", path,
                         what);
}

static void take_text(const json_t *object, const char *name, char *out, size_t size)
{
    const char *text = tlm_json_member(object, name, size - 1);
    tlm_text_copy(out, size, text != NULL ? text : "");
}

/* A code of docs/formats.md; one of a newer tlm-tokend says at least that there is no token. */
static tlm_result result_of_code(const char *code)
{
    for (int i = TLM_OK + 1; code != NULL && i < TLM_RESULT_COUNT; i++) {
        if (strcmp(tlm_result_code((tlm_result)i), code) == 0) {
            return (tlm_result)i;
        }
    }
    return TLM_ERR_TOKEN_UNAVAILABLE;
}

static void take_error(const json_t *object, tlm_error *cause)
{
    const char *message = tlm_json_member(object, "message", TLM_TOKEND_REPORT_MAX);
    const char *hint = tlm_json_member(object, "hint", TLM_TOKEND_REPORT_MAX);
    (void)tlm_error_set(cause, result_of_code(tlm_json_member(object, "code", 64)), NULL, "%s",
                        message != NULL ? message : "tlm-tokend cannot use its token");
    tlm_error_set_hint(cause, "%s", hint != NULL ? hint : "");
}

static tlm_result take_members(const json_t *root, const char *path, tlm_tokend_report *report,
                               tlm_error *error)
{
    const json_t *version = json_object_get(root, "version");
    if (!json_is_integer(version) || json_integer_value(version) < 1) {
        return bad(error, path, "it has no version");
    }
    if (json_integer_value(version) > TLM_TOKEND_REPORT_VERSION) {
        return tlm_error_set(error, TLM_ERR_NEWER,
                             "Install tlm-tokend and TLLicenseManager of one version.",
                             "%s has version %lld, this program knows %d", path,
                             (long long)json_integer_value(version), TLM_TOKEND_REPORT_VERSION);
    }
    const char *state = tlm_json_member(root, "state", 32);
    const char *backend = tlm_json_member(root, "backend", 32);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        if (state != NULL && strcmp(state, phases[i].name) == 0) {
            report->phase = (tlm_tokend_phase)phases[i].value;
        }
        if (backend != NULL && strcmp(backend, backends[i].name) == 0) {
            report->backend = (tlm_tokend_backend)backends[i].value;
        }
    }
    if (report->phase == 0) {
        return bad(error, path, "\"state\" is none of starting, ready and unavailable");
    }
    report->pid = (pid_t)json_integer_value(json_object_get(root, "pid"));
    take_text(root, "label", report->label, sizeof report->label);
    take_text(root, "store", report->store, sizeof report->store);
    report->simulated = json_is_true(json_object_get(root, "simulated"));
    report->hardware_bound = json_is_true(json_object_get(root, "hardwareBound"));
    if (report->phase == TLM_TOKEND_UNAVAILABLE) {
        take_error(json_object_get(root, "error"), &report->error);
    }
    return TLM_OK;
}

tlm_result tlm_tokend_report_parse(const char *text, size_t size, const char *path,
                                   tlm_tokend_report *report, tlm_error *error)
{
    *report = (tlm_tokend_report){.backend = TLM_TOKEND_UNKNOWN};
    json_t *root = tlm_json_load(text, size);
    tlm_result result = root != NULL ? take_members(root, path, report, error)
                                     : bad(error, path, "it is not one JSON object");
    json_decref(root);
    return result;
}

tlm_result tlm_tokend_report_read(const char *path, tlm_tokend_report *report, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, TLM_TOKEND_REPORT_MAX, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_tokend_report_parse(text, size, path, report, error);
    }
    free(text);
    return result;
}

static tlm_result refused(const char *path, tlm_error *error)
{
    if (errno == EACCES || errno == EPERM) {
        tlm_result result =
            tlm_error_set_errno(error, NULL, "connecting to tlm-tokend's socket %s", path);
        tlm_error_set_hint(error,
                           "Add uid %u to the group that ls -l %s shows (systemd: "
                           "SupplementaryGroups=), or name another socket: --pkcs11-socket PATH",
                           (unsigned)geteuid(), path);
        return result;
    }
    if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "Start it: systemctl start tlm-tokend; or name the socket it serves: "
                             "--pkcs11-socket PATH",
                             "no tlm-tokend serves the socket %s", path);
    }
    return tlm_error_set_errno(error, NULL, "connecting to tlm-tokend's socket %s", path);
}

tlm_result tlm_tokend_connect(const char *path, tlm_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || path[0] == '\0' || strlen(path) > TLM_TOKEND_SOCKET_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Name a shorter one: --pkcs11-socket PATH",
                             "a socket's path has 1 to %u bytes", TLM_TOKEND_SOCKET_MAX);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* Not blocking: at a tlm-tokend that is stopped connect() would wait for a place in the queue.
     */
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file < 0) {
        return tlm_error_set_errno(error, "look at ulimit -n", "making a socket");
    }
    union {
        const struct sockaddr_un *local;
        const struct sockaddr *any;
    } both = {.local = &address};
    tlm_result result = TLM_OK;
    /* EAGAIN: its queue is full, so somebody is there. */
    if (connect(file, both.any, sizeof address) != 0 && errno != EAGAIN) {
        result = refused(path, error);
    }
    (void)close(file);
    return result;
}
