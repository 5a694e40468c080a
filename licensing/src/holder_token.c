/* SPDX-License-Identifier: BSD-2-Clause */
#include "holder_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>
#include <tlm/process.h>

#include "json_private.h"

/* Real TPMs take many seconds to make a primary. */
#define DOCTOR_TIMEOUT_MS 60000U
#define DOCTOR_OUTPUT_MAX 262144U

static tlm_token_config token_config(const tlm_identity_config *config, tlm_holder *holder)
{
    if (holder->served) {
        return (tlm_token_config){
            .module = tlm_client_module(), .uri = holder->store.uri, .pin = tlm_pin_of_token};
    }
    tlm_token_config made = {.module = config->module,
                             .uri = config->token_uri != NULL ? config->token_uri : "pkcs11:",
                             .pin = tlm_pin_of_token};
    if (config->pin_file != NULL) {
        made.pin = tlm_pin_from_file;
        /* The source takes its context as it is and only reads it. */
        memcpy(&made.context, &config->pin_file, sizeof made.context);
    }
    return made;
}

/* The token that is served may be of another installation than our store. */
static tlm_result check_thumbprint(const tlm_holder *holder, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    char text[2 * TLM_THUMBPRINT_SIZE + 1];
    const tlm_store *store = &holder->store;
    if (!holder->served || store->thumbprint == NULL) {
        return TLM_OK;
    }
    tlm_result result = tlm_public_thumbprint(holder->public_key, thumbprint, error);
    if (result != TLM_OK) {
        return result;
    }
    for (size_t i = 0; i < sizeof thumbprint; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", thumbprint[i]);
    }
    if (strcmp(text, store->thumbprint) == 0) {
        return TLM_OK;
    }
    return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE,
                         "Name the socket of the right one: --pkcs11-socket PATH",
                         "tlm-tokend (process %d) serves the token of %s with the key %.16s…, and "
                         "the one of %s has the key %.16s…",
                         (int)holder->report.pid,
                         holder->report.store[0] != '\0' ? holder->report.store : "another store",
                         text, store->directory, store->thumbprint);
}

static tlm_result find_key(tlm_holder *holder, tlm_error *error)
{
    tlm_result result = tlm_key_find(holder->token, TLM_SRK_LABEL, &holder->srk, error);
    if (result == TLM_ERR_NOT_FOUND) {
        result = tlm_error_set(error, TLM_ERR_NOT_PROVISIONED,
                               holder->kind == TLM_HOLDER_MODULE
                                   ? "Make one: pkcs11-tool --module MODULE --login --keypairgen "
                                     "--key-type rsa:2048 --label tlm-srk --id 01"
                                   : "Complete the token: tlm-token-init provision",
                               "the token has no private key with the label '%s'", TLM_SRK_LABEL);
    }
    if (result == TLM_OK) {
        holder->public_key = tlm_key_public(holder->srk);
        if (EVP_PKEY_is_a(holder->public_key, "RSA") != 1) {
            return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Give that label to an RSA key.",
                                 "the key '%s' of the token is not an RSA key", TLM_SRK_LABEL);
        }
        result = check_thumbprint(holder, error);
    }
    return result;
}

static tlm_result open_token(const tlm_identity_config *config, tlm_holder *holder,
                             tlm_error *error)
{
    const tlm_token_config token = token_config(config, holder);
    if (token.module == NULL) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "Install it (Debian: apt-get install p11-kit-modules).",
                             "p11-kit-client.so, through which tlm-tokend is used, was not found");
    }
    tlm_result result = tlm_token_open(&token, &holder->token, error);
    return result == TLM_OK ? find_key(holder, error) : result;
}

tlm_result tlm_holder_open(const tlm_identity_config *config, tlm_supervisor *supervisor,
                           const tlm_stop_check *stop, tlm_holder *holder, tlm_error *error)
{
    if (holder->kind == TLM_HOLDER_LOCAL) {
        return TLM_OK;
    }
    if (config->module != NULL) {
        return open_token(config, holder, error);
    }
    if (supervisor == NULL) {
        return tlm_error_set(
            error, TLM_ERR_SETTING, "Name it: --pkcs11-socket PATH",
            "the token of %s is used through tlm-tokend, whose socket is not named",
            holder->store.directory);
    }
    holder->served = true;
    tlm_result result = tlm_holder_await(supervisor, stop, holder, error);
    if (result != TLM_OK) {
        return result;
    }
    result = open_token(config, holder, error);
    if (result != TLM_OK && holder->token == NULL) {
        tlm_holder_explain(supervisor, holder, error);
    }
    return result == TLM_OK ? TLM_OK : error->result;
}

tlm_result tlm_holder_open_again(const tlm_identity_config *config, tlm_key_holder kind,
                                 tlm_holder *holder, tlm_error *error)
{
    tlm_result result = tlm_holder_choose_again(config, kind, holder, error);
    if (result == TLM_OK && kind != TLM_HOLDER_LOCAL) {
        result = open_token(config, holder, error);
    }
    if (result != TLM_OK) {
        tlm_holder_close(holder);
    }
    return result;
}

static bool member_is(const json_t *object, const char *name, const char *text)
{
    const char *value = tlm_json_member(object, name, 64);
    return value != NULL && strcmp(value, text) == 0;
}

/*
 * The doctor's finding that keeps the token from being used: the first problem, but another TPM
 * before all, because a lockout may follow from it.
 */
static const json_t *worst_problem(const json_t *report)
{
    const json_t *findings = json_object_get(report, "findings");
    const json_t *worst = NULL;
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        if (!member_is(finding, "severity", "problem")) {
            continue;
        }
        if (worst == NULL || member_is(finding, "id", "foreign-tpm")) {
            worst = finding;
        }
    }
    return worst;
}

static tlm_found_token take_finding(const json_t *finding, tlm_found_token found, tlm_error *error)
{
    const char *cause = tlm_json_member(finding, "cause", sizeof error->message);
    const char *evidence = tlm_json_member(finding, "evidence", sizeof error->message);
    const char *command = tlm_json_member(finding, "command", sizeof error->hint);
    if (cause == NULL) {
        return found;
    }
    char before[sizeof error->message];
    memcpy(before, error->message, sizeof before);
    (void)tlm_error_set(error, error->result, NULL, "%s%s%s%s (%s)", cause,
                        evidence == NULL ? "" : " [", evidence == NULL ? "" : evidence,
                        evidence == NULL ? "" : "]", before);
    tlm_error_set_hint(error, "%s", command != NULL ? command : "tlm-token-init doctor");
    if (member_is(finding, "id", "foreign-tpm")) {
        return TLM_TOKEN_FOREIGN;
    }
    return member_is(finding, "id", "lockout") ? TLM_TOKEN_LOCKED : found;
}

tlm_found_token tlm_holder_diagnose(const tlm_identity_config *config, const tlm_stop_check *stop,
                                    const tlm_holder *holder, tlm_found_token found,
                                    tlm_error *error)
{
    if (holder->kind != TLM_HOLDER_TPM || found == TLM_TOKEN_ABSENT || config->tcti == NULL) {
        return found;
    }
    tlm_process_output output = {0};
    char *program = tlm_process_find("tlm-token-init");
    if (program == NULL) {
        return found;
    }
    const char *const argv[] = {program,
                                "doctor",
                                "--json",
                                "--token-store",
                                config->store_dir,
                                "--persistence-dir",
                                config->persistence_dir,
                                "--tcti",
                                config->tcti,
                                NULL};
    if (tlm_child_run(argv, DOCTOR_TIMEOUT_MS, DOCTOR_OUTPUT_MAX, stop, &output, NULL) == TLM_OK &&
        output.size > 0) {
        json_t *report = tlm_json_load(output.text, output.size);
        const json_t *problem = worst_problem(report);
        if (problem != NULL) {
            found = take_finding(problem, found, error);
        }
        json_decref(report);
    }
    tlm_process_output_clear(&output);
    free(program);
    return found;
}
