/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <time.h>

#include <tlm/license.h>

#include "description.h"
#include "host_file.h"
#include "options.h"
#include "output.h"
#include "signer.h"

static tlm_result make(const tlm_issue_options *options, const tlm_description *description,
                       const tlm_host_file *host, char **text, tlm_error *error)
{
    const tlm_signer_config config = tlm_signer_config_of(options);
    json_t *claims = NULL;
    tlm_signer *signer = NULL;
    /* The description first: no PIN is spent on one that is wrong. */
    tlm_result result =
        tlm_description_claims(description, host, (int64_t)time(NULL), &claims, error);
    if (result == TLM_OK) {
        result = tlm_signer_open(&config, &signer, error);
    }
    if (result == TLM_OK) {
        result = tlm_signer_sign(signer, TLM_LICENSE_TYP, claims, text, error);
    }
    tlm_signer_close(&signer);
    json_decref(claims);
    return result;
}

int tlm_issue_license(const tlm_issue_options *options)
{
    tlm_error error = {0};
    tlm_description *description = NULL;
    tlm_host_file *host = NULL;
    char *text = NULL;
    tlm_result result = TLM_OK;
    if (options->operands.count != 1 || options->hosts.count > 1) {
        result = tlm_error_set(&error, TLM_ERR_SETTING, "see: tlm-issue help license",
                               "license takes one description, and at most one host");
    } else {
        result = tlm_description_read(options->operands.items[0], &description, &error);
    }
    if (result == TLM_OK && options->hosts.count == 1) {
        result = tlm_host_file_read(options->hosts.items[0], &host, &error);
    }
    if (result == TLM_OK) {
        result = make(options, description, host, &text, &error);
    }
    if (result == TLM_OK) {
        result = tlm_output_write(options->out, text, options->force, &error);
    }
    free(text);
    tlm_host_file_free(&host);
    tlm_description_free(&description);
    return result == TLM_OK ? TLM_EXIT_DONE : tlm_output_failure(&error);
}
