/* SPDX-License-Identifier: BSD-2-Clause */
#include "attest_command.h"

#include <stdio.h>
#include <stdlib.h>

#include <tlm/attestation.h>
#include <tlm/file.h>

#include "output.h"

/* Verified as far as one file goes, but nothing ties the attestation key to the EK yet. */
#define EXIT_NOT_BOUND 3

int tlm_command_attest(const tlm_settings *settings, const tlm_options *options)
{
    tlm_error error = {0};
    char *text = NULL;
    const tlm_attest_request request = {.settings = settings,
                                        .nonce = options->nonce,
                                        .endorsement_auth_file = options->endorsement_auth_file};
    tlm_result result = options->challenge != NULL
                            ? tlm_attest_answer(&request, options->challenge, &text, &error)
                            : tlm_attest_make(&request, &text, &error);
    if (result == TLM_OK) {
        result = tlm_output_new_file(options->out, text, 0644, &error);
    }
    free(text);
    return result == TLM_OK ? EXIT_DONE : tlm_output_failure(&error);
}

static tlm_result check_options(const tlm_options *options, tlm_error *error)
{
    static const char hint[] = "see: tlm-token-init help verify-attestation";
    bool challenges = options->make_challenge != NULL || options->answer != NULL;
    if (tlm_options_word(options) == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, hint,
                             "verify-attestation needs the file of the attestation");
    }
    if (options->ca.count == 0 && options->ek_public == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, hint,
                             "verify-attestation needs --ca FILE with the certificates of the "
                             "TPM's maker (or --ek-public FILE)");
    }
    if (options->make_challenge != NULL && options->answer != NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, hint,
                             "--make-challenge and --answer are two runs");
    }
    if (challenges != (options->secret_file != NULL)) {
        return tlm_error_set(error, TLM_ERR_SETTING, hint,
                             "--secret-file goes with --make-challenge, which writes it, and with "
                             "--answer, which is compared with it");
    }
    return TLM_OK;
}

static tlm_result make_challenge(const tlm_attestation *attestation, const tlm_options *options,
                                 tlm_error *error)
{
    char *challenge = NULL;
    char *expected = NULL;
    tlm_result result = tlm_attestation_challenge(attestation, &challenge, &expected, error);
    /* What the answer is compared with first: a challenge without it would be in vain. */
    if (result == TLM_OK) {
        result = tlm_output_new_file(options->secret_file, expected, 0600, error);
    }
    if (result == TLM_OK) {
        result = tlm_output_new_file(options->make_challenge, challenge, 0644, error);
    }
    free(challenge);
    free(expected);
    return result;
}

static tlm_result check_answer(const tlm_attestation *attestation, const tlm_options *options,
                               tlm_error *error)
{
    char *answer = NULL;
    char *expected = NULL;
    size_t answer_size = 0;
    size_t expected_size = 0;
    tlm_result result =
        tlm_file_read(options->answer, TLM_ATTESTATION_FILE_MAX, &answer, &answer_size, error);
    if (result == TLM_OK) {
        result = tlm_file_read(options->secret_file, TLM_ATTESTATION_FILE_MAX, &expected,
                               &expected_size, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_check_answer(attestation, answer, answer_size, expected,
                                              expected_size, error);
    }
    free(answer);
    free(expected);
    return result;
}

static int print_json(const tlm_attestation_report *report, const tlm_options *options)
{
    json_t *object =
        json_pack("{s:b, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "verified", true,
                  "bound", options->answer != NULL, "fingerprint", report->fingerprint, "created",
                  report->created, "manufacturer", report->manufacturer, "model", report->model,
                  "tpmVersion", report->version, "firmware", report->firmware, "ekTrustedBy",
                  options->ek_public != NULL ? "publicKey" : "certificate", "ekName",
                  report->ek_name, "akName", report->ak_name);
    return tlm_output_json(object) ? EXIT_DONE : EXIT_PROBLEM;
}

static void print_report(const tlm_attestation_report *report, const tlm_options *options)
{
    (void)printf("verified: tlm-srk and tlm-attest are inside the TPM of the attestation key\n");
    (void)printf("fingerprint=%s\n", report->fingerprint);
    if (options->ek_public != NULL) {
        (void)printf("TPM: endorsement key as in %s; firmware %s\n", options->ek_public,
                     report->firmware);
    } else {
        (void)printf("TPM: %s %s, version %s; certified by a trusted CA; firmware %s\n",
                     report->manufacturer, report->model, report->version, report->firmware);
    }
    (void)printf("made by the host at %s\n", report->created);
    if (options->answer != NULL) {
        (void)printf("bound: the attestation key is in the TPM of the endorsement key\n");
    } else if (options->make_challenge != NULL) {
        (void)printf("challenge written to %s; on the host: tlm-token-init attest --challenge "
                     "FILE --out ANSWER\n",
                     options->make_challenge);
    } else {
        (void)printf("NOT YET BOUND: nothing shows that the attestation key is in the TPM of the "
                     "endorsement key;\n  make a challenge: --make-challenge FILE --secret-file "
                     "FILE\n");
    }
}

int tlm_command_verify_attestation(const tlm_settings *settings, const tlm_options *options)
{
    (void)settings;
    tlm_error error = {0};
    tlm_attestation *attestation = NULL;
    tlm_attestation_report report;
    const tlm_attestation_expect expect = {.ca = options->ca.items,
                                           .ca_count = options->ca.count,
                                           .ek_public = options->ek_public,
                                           .nonce = options->nonce,
                                           .fingerprint = options->expect_fingerprint};
    tlm_result result = check_options(options, &error);
    if (result == TLM_OK) {
        result = tlm_attestation_load(tlm_options_word(options), &attestation, &error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_verify(attestation, &expect, &report, &error);
    }
    if (result == TLM_OK && options->make_challenge != NULL) {
        result = make_challenge(attestation, options, &error);
    }
    if (result == TLM_OK && options->answer != NULL) {
        result = check_answer(attestation, options, &error);
    }
    tlm_attestation_free(&attestation);
    if (result != TLM_OK) {
        return tlm_output_failure(&error);
    }
    if (options->json && print_json(&report, options) != EXIT_DONE) {
        return EXIT_PROBLEM;
    }
    if (!options->json) {
        print_report(&report, options);
    }
    return options->answer != NULL || options->make_challenge != NULL ? EXIT_DONE : EXIT_NOT_BOUND;
}
