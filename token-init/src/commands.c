/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <tlm/doctor.h>
#include <tlm/provision.h>
#include <tlm/status.h>

#include "attest_command.h"
#include "certify_command.h"
#include "options.h"
#include "output.h"
#include "request.h"
#include "seal_command.h"

static void say_step(void *context, const char *step)
{
    (void)context;
    (void)printf("  %s\n", step);
    (void)fflush(stdout);
}

static int run_provision(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    tlm_provision_request request;
    tlm_provision_report report = {0};
    tlm_result result = tlm_command_request(settings, options, &request, &error);
    if (result == TLM_OK) {
        request.step_done = options->json ? NULL : say_step;
        result = tlm_provision(&request, &report, &error);
    }
    int status = result != TLM_OK
                     ? tlm_output_failure(&error)
                     : tlm_command_report(&report, options,
                                          report.unchanged ? "already provisioned" : "provisioned");
    tlm_provision_report_clear(&report);
    return status;
}

static int run_recover(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    tlm_provision_request request;
    tlm_provision_report report = {0};
    tlm_result result = tlm_command_request(settings, options, &request, &error);
    if (result == TLM_OK) {
        result = tlm_recover(&request, &report, &error);
    }
    int status = result != TLM_OK
                     ? tlm_output_failure(&error)
                     : tlm_command_report(&report, options,
                                          report.unchanged ? "nothing to recover" : "recovered");
    tlm_provision_report_clear(&report);
    return status;
}

static int run_status(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    json_t *status = NULL;
    if (tlm_status_read(settings, &status, &error) != TLM_OK) {
        return tlm_output_failure(&error);
    }
    if (options->json) {
        return tlm_output_json(status) ? EXIT_DONE : EXIT_PROBLEM;
    }
    tlm_output_status(status);
    json_decref(status);
    return EXIT_DONE;
}

static json_t *findings_to_json(const tlm_findings *findings, bool container)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        const tlm_finding *item = &findings->items[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", item->id,
                                                    "severity", tlm_severity_name(item->severity),
                                                    "cause", item->cause, "evidence",
                                                    item->evidence, "command", item->command));
    }
    return json_pack("{s:b, s:b, s:o}", "healthy", !tlm_findings_have_problem(findings),
                     "container", container, "findings", list);
}

static int run_doctor(const tlm_settings *settings, const tlm_options *options)
{
    tlm_findings *findings = calloc(1, sizeof *findings);
    if (findings == NULL) {
        (void)fputs("tlm-token-init: out of memory for the findings\n", stderr);
        return EXIT_PROBLEM;
    }
    bool container = tlm_doctor_in_container();
    tlm_doctor_run(settings, container, findings);
    int status = tlm_findings_have_problem(findings) ? EXIT_PROBLEM : EXIT_DONE;
    if (options->json) {
        status = tlm_output_json(findings_to_json(findings, container)) ? status : EXIT_PROBLEM;
    } else {
        tlm_output_findings(findings);
    }
    free(findings);
    return status;
}

/* The label of the settings' token, typed or given, must be the one that stands there. */
static tlm_result confirm(const tlm_settings *settings, const char *given, const char *flag,
                          bool may_ask, tlm_error *error)
{
    char typed[80] = "";
    char *label = NULL;
    tlm_result result = tlm_output_store_label(settings, &label, error);
    if (result != TLM_OK) {
        return result;
    }
    if (given == NULL && may_ask && isatty(STDIN_FILENO) == 1) {
        (void)printf("This removes the token '%s' and its keys for ever: everything that was "
                     "encrypted or licensed\nto this host is lost. Type the token's label to go "
                     "on: ",
                     label);
        (void)fflush(stdout);
        given = fgets(typed, sizeof typed, stdin);
        typed[strcspn(typed, "\n")] = '\0';
    }
    if (given == NULL) {
        (void)tlm_error_set(error, TLM_ERR_SETTING, NULL,
                            "nothing was removed: the token's label was not given");
        tlm_error_set_hint(error, "to go on, add: --%s %s", flag, label);
        result = TLM_ERR_SETTING;
    } else if (strcmp(given, label) != 0) {
        result = tlm_error_set(error, TLM_ERR_ARGUMENT, "see its label with: tlm-token-init status",
                               "nothing was removed: the token is not labeled '%s'", given);
    }
    free(label);
    return result;
}

static int run_destroy(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    tlm_provision_request request;
    tlm_provision_report report = {0};
    tlm_result result = confirm(settings, options->yes_destroy, "yes-destroy", true, &error);
    if (result == TLM_OK) {
        result = tlm_command_request(settings, options, &request, &error);
    }
    if (result == TLM_OK) {
        result = tlm_destroy(&request, &report, &error);
    }
    int status = EXIT_DONE;
    if (result != TLM_OK) {
        status = tlm_output_failure(&error);
    } else {
        (void)printf("destroyed: token '%s' in %s\n", report.label, report.directory);
    }
    tlm_provision_report_clear(&report);
    return status;
}

static int run_forget_storage(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    tlm_provision_request request;
    tlm_result result = confirm(settings, options->yes_forget, "yes-forget", false, &error);
    if (result == TLM_OK) {
        result = tlm_command_request(settings, options, &request, &error);
    }
    if (result == TLM_OK) {
        result = tlm_forget_storage(&request, &error);
    }
    if (result != TLM_OK) {
        return tlm_output_failure(&error);
    }
    (void)printf("forgotten: the next start of TLLicenseManager makes new files\n");
    return EXIT_DONE;
}

static int run_help(const tlm_settings *settings, const tlm_options *options)
{
    (void)settings;
    tlm_error error;
    if (tlm_command_line_help(tlm_options_line(), &options->operands, stdout, &error) != TLM_OK) {
        return tlm_output_failure(&error);
    }
    return EXIT_DONE;
}

static int run_version(const tlm_settings *settings, const tlm_options *options)
{
    (void)settings;
    (void)options;
    tlm_output_version();
    return EXIT_DONE;
}

const tlm_command tlm_commands[] = {
    {{"provision", NULL, "Make the token, its keys and certificates",
      "A token that is there is left as it is. A run that was interrupted is completed\n"
      "by the next one. The label of a token in a TPM has at most 31 bytes.\n"},
     run_provision},
    {{"recover", NULL, "Bring our keys back after they were evicted from the TPM",
      "Puts the parent of the sealed secrets at 0x810003E9 and the root key, made anew\n"
      "from its seed, at 0x810003E8. The fingerprint stays the same. Refused where this\n"
      "TPM makes other keys.\n"},
     run_recover},
    {{"seal", NULL, "Seal secrets that stand in clear into the TPM",
      "For a store of an earlier version. secrets.json is overwritten and removed once\n"
      "the secrets were unsealed from the new file. The recovery key is a new file.\n"},
     tlm_command_seal},
    {{"reseal", NULL, "Seal the secrets anew under the present PCR values",
      "After an update of the firmware, or for another vault policy. The recovery key\n"
      "opens them where its file exists; otherwise the PCRs do, and a new key is made.\n"},
     tlm_command_reseal},
    {{"status", NULL, "Show TPM, handles, token and objects",
      "Uses no PIN. Ends with status 0 whenever it could tell, also without a TPM.\n"},
     run_status},
    {{"doctor", NULL, "Find out why the token cannot be used, and what mends it",
      "Ends with status 0 when all is well and with 1 when there is a problem.\n"},
     run_doctor},
    {{"destroy", NULL, "Remove the token, its keys and secrets for ever",
      "Evicts our keys from the TPM, then overwrites and removes the store's files.\n"
      "Asks for the token's label.\n"},
     run_destroy},
    {{"forget-storage", NULL, "Let TLLicenseManager begin with new files",
      "The license manager marks the token with its storage, so that lost files are\n"
      "told apart from a first start. This removes the mark and nothing else. What was\n"
      "in files that are lost stays lost: the fallback identity of this host, and\n"
      "licenses with their counters. The fingerprint of the token stays the same.\n"},
     run_forget_storage},
    {{"csr", NULL, "Make a certification request for a key, for a CA",
      "PKCS #10, signed by the key in the token.\n"},
     tlm_command_csr},
    {{"install-cert", "FILE", "Put a CA's certificate beside its key",
      "FILE holds the key's certificate first, then those of its issuers, as PEM. The\n"
      "certificate must be of the key, valid now, and signed by an issuer from FILE or\n"
      "--ca. The one before is saved as a file in the token's store.\n"},
     tlm_command_install_certificate},
    {{"attest", NULL, "Prove to a vendor that the keys are inside a genuine TPM",
      "Prints one JSON object: endorsement key and certificate, an attestation key,\n"
      "and the TPM's statements about tlm-srk and tlm-attest. With --challenge it\n"
      "answers the vendor's challenge. The license manager may run beside it.\n"},
     tlm_command_attest},
    {{"verify-attestation", "FILE", "Verify what attest printed, on any machine",
      "Needs no TPM and no token. Ends with status 0 when all is verified and the\n"
      "answer to a challenge is right, or a challenge was written; with 3 when all is\n"
      "verified, but no challenge ties the attestation key to the TPM; with 1 when it\n"
      "is refused.\n"},
     tlm_command_verify_attestation},
    {{"help", "[SUBCOMMAND]", "Show this help, or the one of a subcommand", ""}, run_help},
    {{"version", NULL, "Show version and build", ""}, run_version},
};

const size_t tlm_command_count = sizeof tlm_commands / sizeof tlm_commands[0];
