/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another program that has the token open all the time, as tlm-tokend does:
 *
 *     certificate_holder PERSISTENCE-DIRECTORY [TCTI]
 *
 * Answers each line of standard input with one line. "sign" signs with tlm-attest and verifies with
 * its public key: "signed". "certificate": the common name of tlm-attest's issuer. "mark": stores a
 * data object: "marked". "reopen" closes the token and opens it anew: "open". "end"
 * ends the program.
 */
#include <stdio.h>
#include <string.h>

#include <tlm/csr.h>

#include "../../../token-init/src/job.h"

static tlm_result sign(tlm_key *key, tlm_error *error)
{
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_result result = tlm_key_sign(key, TLM_JWA_ES256, "text", 4, signature, &size, error);
    if (result == TLM_OK) {
        result = tlm_public_verify(tlm_key_public(key), TLM_JWA_ES256, "text", 4, signature, size,
                                   error);
    }
    return result;
}

static tlm_result print_issuer(tlm_key *key, tlm_error *error)
{
    X509 *certificate = NULL;
    char name[80] = "";
    tlm_result result = tlm_certificate_find(key, &certificate, error);
    if (result == TLM_OK) {
        (void)X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_commonName, name,
                                        sizeof name);
        (void)puts(name);
    }
    X509_free(certificate);
    return result;
}

static tlm_result answer(tlm_job *job, const char *word, tlm_error *error)
{
    tlm_key *key = NULL;
    tlm_result result = tlm_key_find(job->token, TLM_ATTEST_LABEL, &key, error);
    if (result == TLM_OK && strcmp(word, "sign") == 0) {
        result = sign(key, error);
        (void)puts(result == TLM_OK ? "signed" : "failed");
    } else if (result == TLM_OK && strcmp(word, "certificate") == 0) {
        result = print_issuer(key, error);
    } else if (result == TLM_OK && strcmp(word, "mark") == 0) {
        result = tlm_token_data_store(job->token, "mark", "x", 1, error);
        (void)puts(result == TLM_OK ? "marked" : "failed");
    }
    tlm_key_free(&key);
    if (result == TLM_OK && strcmp(word, "reopen") == 0) {
        result = tlm_job_need_token(job, error);
        (void)puts("open");
    }
    (void)fflush(stdout);
    return result;
}

int main(int argc, char **argv)
{
    static char persistence[] = "--persistence-dir";
    static char tcti[] = "--tcti";
    char *words[] = {argv[0], persistence, argc > 1 ? argv[1] : NULL, tcti, argv[argc - 1], NULL};
    int count = argc > 2 ? 5 : 3;
    words[count] = NULL;
    tlm_error error = {0};
    tlm_settings settings = {0};
    tlm_settings_outcome outcome;
    tlm_job job = {.lock = -1};
    const tlm_provision_request request = {.settings = &settings};
    tlm_result result =
        tlm_settings_load(TLM_PROGRAM_TOKEN, count, words, &settings, &outcome, &error);
    if (result == TLM_OK) {
        result = tlm_job_begin(&job, &request, &error);
    }
    if (result == TLM_OK) {
        result = tlm_store_load(job.directory, &job.store, &error);
    }
    if (result == TLM_OK) {
        result = tlm_job_need_token(&job, &error);
    }
    char line[32] = "";
    while (result == TLM_OK && fgets(line, sizeof line, stdin) != NULL &&
           strcmp(line, "end\n") != 0) {
        line[strcspn(line, "\n")] = '\0';
        result = answer(&job, line, &error);
    }
    if (result != TLM_OK) {
        (void)fprintf(stderr, "%s\n%s\n", error.message, error.hint);
    }
    tlm_job_end(&job);
    tlm_settings_clear(&settings);
    return result == TLM_OK ? 0 : 1;
}
