/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "inspect_words.h"
#include "options.h"
#include "our_file.h"
#include "output.h"

static json_t *header_json(const tlm_our_file *file)
{
    if (file->jws != NULL) {
        const tlm_jws_header *header = tlm_jws_get_header(file->jws);
        return json_pack("{s:s, s:s, s:s}", "alg", header->alg, "kid", header->kid, "typ",
                         header->typ);
    }
    const tlm_jwe_header *header = tlm_jwe_get_header(file->jwe);
    return json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "alg", header->alg, "enc", header->enc, "kid",
                     header->kid, "typ", header->typ, "cty", header->cty);
}

static int print_json(const tlm_our_file *file)
{
    json_t *answer = json_pack("{s:s}", "kind", tlm_our_file_kind_name(file->kind));
    if (file->jws != NULL || file->jwe != NULL) {
        (void)json_object_set_new(answer, "header", header_json(file));
    }
    if (file->jws != NULL) {
        (void)json_object_set_new(answer, "claims", json_deep_copy(tlm_jws_claims(file->jws)));
    }
    if (file->object != NULL) {
        (void)json_object_set(answer, "content", file->object);
    }
    if (file->description != NULL) {
        (void)json_object_set(answer, "content", file->description->document->value);
    }
    return tlm_output_json(answer) ? TLM_EXIT_DONE : TLM_EXIT_FAILED;
}

int tlm_issue_inspect(const tlm_issue_options *options)
{
    tlm_error error = {0};
    tlm_our_file *file = NULL;
    int status = TLM_EXIT_DONE;
    if (options->operands.count != 1) {
        (void)tlm_error_set(&error, TLM_ERR_SETTING, "see: tlm-issue help inspect",
                            "inspect takes one file");
        return tlm_output_failure(&error);
    }
    tlm_result result = tlm_our_file_read(options->operands.items[0], &file, &error);
    if (result == TLM_OK && options->json) {
        status = print_json(file);
    } else if (result == TLM_OK) {
        tlm_output_line("file", "%s", file->name);
        tlm_output_line("kind", "%s", tlm_our_file_kind_text(file->kind));
        result = tlm_inspect_print(file, &error);
    }
    tlm_our_file_free(&file);
    return result == TLM_OK ? status : tlm_output_failure(&error);
}
