/* SPDX-License-Identifier: BSD-2-Clause */
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/store.h>

#include "job.h"

void tlm_output_error(const tlm_error *error)
{
    (void)fprintf(stderr, "tlm-token-init: %s [%s]\n", error->message,
                  tlm_result_code(error->result));
    if (error->hint[0] != '\0') {
        (void)fprintf(stderr, "  %s\n", error->hint);
    }
}

int tlm_output_failure(const tlm_error *error)
{
    tlm_output_error(error);
    return error->result == TLM_ERR_SETTING ? EXIT_USAGE : EXIT_PROBLEM;
}

void tlm_output_version(void)
{
    (void)printf("tlm-token-init %s\n", TLM_VERSION);
#ifdef TLM_TPM_ON
    (void)printf("back ends: tpm softhsm\n");
#else
    (void)printf("back ends: softhsm (built with -DTPM_ON=OFF)\n");
#endif
}

tlm_result tlm_output_new_file(const char *path, const char *text, mode_t mode, tlm_error *error)
{
    if (path == NULL) {
        return fputs(text, stdout) >= 0 && fflush(stdout) == 0
                   ? TLM_OK
                   : tlm_error_set_errno(error, NULL, "writing to standard output");
    }
    tlm_result result = tlm_file_create(path, text, strlen(text), mode, error);
    if (result == TLM_ERR_EXISTS) {
        tlm_error_set_hint(error, "name another file, or move this one away");
    }
    return result;
}

bool tlm_output_json(json_t *object)
{
    char *text =
        object != NULL ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(object);
    if (text == NULL) {
        (void)fputs("tlm-token-init: out of memory for the answer\n", stderr);
        return false;
    }
    bool printed = puts(text) >= 0 && fflush(stdout) == 0;
    free(text);
    return printed;
}

tlm_result tlm_output_store_label(const tlm_settings *settings, char **label, tlm_error *error)
{
    *label = NULL;
    tlm_store store = {0};
    char *directory = tlm_job_directory(settings);
    if (directory == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the store's path");
    }
    tlm_result result = tlm_store_load(directory, &store, error);
    if (result == TLM_OK) {
        *label = strdup(store.label);
        if (*label == NULL) {
            result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the label");
        }
    }
    tlm_store_clear(&store);
    free(directory);
    return result;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "-";
}

static void print_tpm(const json_t *status)
{
    const json_t *tcti = json_object_get(status, "tcti");
    const json_t *tpm = json_object_get(status, "tpm");
    size_t index = 0;
    json_t *item = NULL;
    (void)printf("TCTI          %s (%s)\n", text_of(tcti, "conf"), text_of(tcti, "origin"));
    json_array_foreach(json_object_get(tcti, "passedOver"), index, item)
    {
        (void)printf("  passed over %s: %s\n", text_of(item, "conf"), text_of(item, "reason"));
    }
    if (!json_is_true(json_object_get(tpm, "connected"))) {
        (void)printf("TPM           not connected\n");
        return;
    }
    (void)printf(
        "TPM           %s %s, firmware %s%s\n", text_of(tpm, "manufacturer"),
        text_of(tpm, "vendor"), text_of(tpm, "firmware"),
        json_is_true(json_object_get(tpm, "simulated")) ? " (simulated, not hardware-bound)" : "");
    const json_t *lockout = json_object_get(tpm, "lockout");
    (void)printf("lockout       %lld of %lld tries used, one forgotten each %lld s%s\n",
                 (long long)json_integer_value(json_object_get(lockout, "counter")),
                 (long long)json_integer_value(json_object_get(lockout, "maxTries")),
                 (long long)json_integer_value(json_object_get(lockout, "recoverySeconds")),
                 json_is_true(json_object_get(lockout, "inLockout")) ? ", IN LOCKOUT" : "");
    const char *name = NULL;
    json_object_foreach(json_object_get(json_object_get(tpm, "pcr"), "sha256"), name, item)
    {
        (void)printf("PCR %-2s        %s\n", name, json_string_value(item));
    }
    json_array_foreach(json_object_get(tpm, "handles"), index, item)
    {
        bool present = json_is_true(json_object_get(item, "present"));
        const json_t *ours = json_object_get(item, "ours");
        (void)printf("%s    %s%s%s\n", text_of(item, "handle"),
                     present ? text_of(item, "type") : "free", json_is_true(ours) ? ", ours" : "",
                     present && json_is_false(ours) ? ", FOREIGN" : "");
    }
}

static void print_secrets(const json_t *secrets)
{
    size_t index = 0;
    json_t *item = NULL;
    (void)printf("secrets       %s", strcmp(text_of(secrets, "place"), "sealed") == 0
                                         ? "sealed, policy "
                                         : text_of(secrets, "place"));
    if (json_is_string(json_object_get(secrets, "policy"))) {
        (void)printf("%s", text_of(secrets, "policy"));
    }
    json_array_foreach(json_object_get(secrets, "changedPcrs"), index, item)
    {
        (void)printf(", PCR %lld CHANGED", (long long)json_integer_value(item));
    }
    (void)printf("\n");
}

static void print_store(const json_t *store)
{
    (void)printf("store         %s\n", text_of(store, "directory"));
    if (!json_is_true(json_object_get(store, "provisioned"))) {
        (void)printf("token         none\n");
        return;
    }
    (void)printf("token         '%s', %s%s\n", text_of(store, "label"), text_of(store, "backend"),
                 json_is_true(json_object_get(store, "complete")) ? "" : ", INCOMPLETE");
    (void)printf("fingerprint   %s\n", text_of(store, "thumbprint"));
    print_secrets(json_object_get(store, "secrets"));
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach(json_object_get(store, "objects"), index, item)
    {
        (void)printf("  %-12s id %-4s %s\n", text_of(item, "label"), text_of(item, "id"),
                     text_of(item, "class"));
    }
}

static void print_counter(const json_t *counter)
{
    if (!json_is_object(counter)) {
        return;
    }
    const json_t *value = json_object_get(counter, "value");
    (void)printf("counter       %s: ", text_of(counter, "place"));
    if (json_is_integer(value)) {
        (void)printf("%lld\n", (long long)json_integer_value(value));
        return;
    }
    bool present = json_is_true(json_object_get(counter, "present"));
    (void)printf("%s%s\n", present ? text_of(counter, "type") : "none",
                 present ? ", NOT OURS" : "");
}

void tlm_output_status(const json_t *status)
{
    size_t index = 0;
    json_t *item = NULL;
    print_tpm(status);
    print_store(json_object_get(status, "store"));
    print_counter(json_object_get(status, "counter"));
    json_array_foreach(json_object_get(status, "errors"), index, item)
    {
        (void)printf("error         %s [%s]\n", text_of(item, "message"), text_of(item, "code"));
        if (json_string_length(json_object_get(item, "hint")) > 0) {
            (void)printf("              %s\n", text_of(item, "hint"));
        }
    }
}

void tlm_output_findings(const tlm_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const tlm_finding *item = &findings->items[i];
        (void)printf("%s: %s [%s]\n", tlm_severity_name(item->severity), item->cause, item->id);
        if (item->evidence[0] != '\0') {
            (void)printf("  evidence: %s\n", item->evidence);
        }
        if (item->command[0] != '\0') {
            (void)printf("  command:  %s\n", item->command);
        }
    }
    if (!tlm_findings_have_problem(findings)) {
        (void)printf("healthy\n");
    }
}
