/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "options.h"
#include "output.h"
#include "verify_checks.h"

static json_t *check_json(const tlm_check *check)
{
    json_t *object = json_pack("{s:s, s:b, s:s}", "check", check->name, "ok", check->ok, "message",
                               check->message);
    if (!check->ok) {
        (void)json_object_set_new(object, "code", json_string(tlm_result_code(check->result)));
    }
    return object;
}

static int report(const tlm_issue_options *options, const tlm_our_file *file,
                  const tlm_checks *checks)
{
    bool valid = checks->failed == 0;
    if (options->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < checks->count; i++) {
            (void)json_array_append_new(list, check_json(&checks->items[i]));
        }
        json_t *answer = json_pack("{s:s, s:b, s:o}", "kind", tlm_our_file_kind_name(file->kind),
                                   "valid", valid, "checks", list);
        return tlm_output_json(answer) && valid ? TLM_EXIT_DONE : TLM_EXIT_FAILED;
    }
    tlm_output_line("kind", "%s", tlm_our_file_kind_text(file->kind));
    for (size_t i = 0; i < checks->count; i++) {
        const tlm_check *check = &checks->items[i];
        if (check->ok) {
            tlm_output_line("ok", "%s: %s", check->name, check->message);
        } else {
            tlm_output_line("FAILED", "%s: %s [%s]", check->name, check->message,
                            tlm_result_code(check->result));
        }
    }
    return valid ? TLM_EXIT_DONE : TLM_EXIT_FAILED;
}

int tlm_issue_verify(const tlm_issue_options *options)
{
    tlm_error error = {0};
    tlm_our_file *file = NULL;
    tlm_verify_inputs inputs = {.now = (int64_t)time(NULL)};
    tlm_checks checks = {.count = 0};
    if (options->operands.count != 1 || options->hosts.count > 1) {
        (void)tlm_error_set(&error, TLM_ERR_SETTING, "see: tlm-issue help verify",
                            "verify takes one file, and at most one host");
        return tlm_output_failure(&error);
    }
    tlm_result result = tlm_our_file_read(options->operands.items[0], &file, &error);
    if (result == TLM_OK) {
        result = tlm_verify_inputs_read(options, &inputs, &error);
    }
    if (result == TLM_OK) {
        result = tlm_verify_file(file, &inputs, &checks, &error);
    }
    int status = result == TLM_OK ? report(options, file, &checks) : tlm_output_failure(&error);
    tlm_verify_inputs_clear(&inputs);
    tlm_our_file_free(&file);
    return status;
}
