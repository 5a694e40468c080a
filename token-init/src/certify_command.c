/* SPDX-License-Identifier: BSD-2-Clause */
#include "certify_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/certify.h>

#include "job.h"
#include "output.h"

static tlm_result fill(const tlm_settings *settings, const tlm_options *options,
                       tlm_certify_request *request, tlm_error *error)
{
    *request = (tlm_certify_request){.settings = settings,
                                     .label = TLM_ATTEST_LABEL,
                                     .subject = options->subject,
                                     .names = options->san,
                                     .ca = options->ca.items,
                                     .ca_count = options->ca.count,
                                     .replace = options->replace};
    if (options->key == NULL || strcmp(options->key, TLM_ATTEST_LABEL) == 0) {
        return TLM_OK;
    }
    request->label = TLM_SRK_LABEL;
    return strcmp(options->key, TLM_SRK_LABEL) == 0
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_SETTING,
                               "--key is " TLM_ATTEST_LABEL " or " TLM_SRK_LABEL,
                               "the token has no key '%s'", options->key);
}

int tlm_command_csr(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    tlm_certify_request request;
    char *pem = NULL;
    tlm_result result = fill(settings, options, &request, &error);
    if (result == TLM_OK) {
        result = tlm_certify_csr(&request, &pem, &error);
    }
    if (result == TLM_OK) {
        result = tlm_output_new_file(options->out, pem, 0644, &error);
    }
    free(pem);
    return result == TLM_OK ? EXIT_DONE : tlm_output_failure(&error);
}

static void print_report(const tlm_certify_request *request, const tlm_certify_report *report)
{
    (void)printf("%s: certificate of %s\n  subject %s\n  issuer  %s\n  until   %s\n",
                 report->unchanged ? "already installed" : "installed", request->label,
                 report->subject, report->issuer, report->not_after);
    if (report->saved != NULL) {
        (void)printf("the certificate before it is saved in %s\n", report->saved);
    }
    if (report->reopen) {
        (void)printf("tlm-tokend shows it once it opens the token anew; where it runs:\n"
                     "  systemctl restart tlm-tokend\n");
    }
}

int tlm_command_install_certificate(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    tlm_certify_request request = {0};
    tlm_certify_report report = {0};
    if (tlm_options_word(options) == NULL) {
        (void)tlm_error_set(&error, TLM_ERR_SETTING, "see: tlm-token-init help install-cert",
                            "install-cert needs the file of the certificate");
        return tlm_output_failure(&error);
    }
    tlm_result result = fill(settings, options, &request, &error);
    if (result == TLM_OK) {
        result = tlm_certify_install(&request, tlm_options_word(options), &report, &error);
    }
    if (result == TLM_OK) {
        print_report(&request, &report);
    }
    tlm_certify_report_clear(&report);
    return result == TLM_OK ? EXIT_DONE : tlm_output_failure(&error);
}
