/* SPDX-License-Identifier: BSD-2-Clause */
/* attest, verify-statement */
#include <stdio.h>
#include <string.h>

#include <tlm/statement.h>

#include "client_private.h"
#include "proof_private.h"
#include "read_private.h"
#include "tool.h"

static tlm_client_result verify(const json_t *answer, const json_t *keys, const char *nonce,
                                tlm_statement_report *report, tlm_client_error *error)
{
    tlm_error cause = {0};
    if (tlm_statement_verify(answer, keys, nonce, report, &cause) != TLM_OK) {
        (void)tlm_trouble_of(error, &cause);
        error->result = TLM_CLIENT_UNPROVEN;
        return TLM_CLIENT_UNPROVEN;
    }
    return TLM_CLIENT_OK;
}

static tlm_client_result attest(tlm_client *client, const char *nonce, json_t **answer,
                                tlm_client_error *error)
{
    const json_t *keys = NULL;
    tlm_statement_report report;
    tlm_client_result result = tlm_tool_call(client, "POST", "/api/v1/attest",
                                             json_pack("{s:s}", "nonce", nonce), answer, error);
    if (result == TLM_CLIENT_OK && tlm_proof_wanted(client)) {
        (void)pthread_mutex_lock(&client->key_lock);
        result = tlm_host_keys_find(client, NULL, &keys, error);
        (void)pthread_mutex_unlock(&client->key_lock);
        if (result == TLM_CLIENT_OK) {
            result = verify(*answer, keys, nonce, &report, error);
        }
    }
    return result;
}

int tlm_tool_attest(const tlm_tool_options *options)
{
    tlm_client *client = NULL;
    json_t *answer = NULL;
    char made[TLM_CLIENT_NONCE_SIZE];
    const char *nonce = options->nonce;
    tlm_client_error error;
    tlm_client_result result = TLM_CLIENT_OK;
    if (nonce == NULL) {
        result = tlm_random_text(made, &error);
        nonce = made;
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_connect(options, &client, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = attest(client, nonce, &answer, &error);
    }
    int status = TLM_EXIT_FAILED;
    if (result != TLM_CLIENT_OK) {
        status = tlm_tool_failure(&error);
    } else {
        status = tlm_tool_write_json(options, answer);
    }
    json_decref(answer);
    tlm_client_free(&client);
    return status;
}

int tlm_tool_verify_statement(const tlm_tool_options *options)
{
    json_t *keys = NULL;
    json_t *answer = NULL;
    tlm_statement_report report;
    tlm_client_error error;
    tlm_client_result result = TLM_CLIENT_OK;
    if (options->keys == NULL) {
        result = tlm_trouble(&error, TLM_CLIENT_ARGUMENT, "setting",
                             "save them from a place that is trusted: tlm keys > host.jwks",
                             "--keys is missing: a statement is verified with the host's keys");
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_read_json(options->keys, TLM_CLIENT_FILE_MAX, &keys, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_read_json(options->word, TLM_CLIENT_ANSWER_MAX, &answer, &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = verify(answer, keys, options->nonce, &report, &error);
    }
    int status = TLM_EXIT_FAILED;
    if (result != TLM_CLIENT_OK) {
        status = tlm_tool_failure(&error);
    } else {
        json_t *object = json_pack("{s:b, s:s, s:s, s:s, s:I, s:O}", "verified", 1, "type",
                                   report.type, "fingerprint", report.fingerprint, "kid",
                                   report.kid, "signedAt", (json_int_t)report.signed_at,
                                   "statement", json_object_get(answer, "statement"));
        status = tlm_tool_print_object(options, object);
        json_decref(object);
    }
    json_decref(answer);
    json_decref(keys);
    return status;
}
