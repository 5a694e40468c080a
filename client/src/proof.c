/* SPDX-License-Identifier: BSD-2-Clause */
#include "proof_private.h"

#include <string.h>

#include <tlm/statement.h>

#include "client_private.h"
#include "reply_private.h"

#define MEMBERS_MAX 8U

/* Members that a statement of a type has, and those that it shares with the answer. */
static const struct {
    const char *type;
    const char *needed[MEMBERS_MAX];
} kinds[] = {
    {"lease", {"lease", "feature", "client", "units", "license", "fence", "exp", NULL}},
    {"check", {"feature", "license", NULL}},
    {"usage", {"feature", "client", "license", "request", "units", "used", NULL}},
};

static const char *const shared[] = {"lease",   "feature", "client",  "units",
                                     "vendor",  "product", "license", "model",
                                     "request", "fence",   "used",    "remaining"};

bool tlm_proof_wanted(const tlm_client *client)
{
    return tlm_client_number(client, TLM_CLIENT_VERIFY) != 0;
}

static tlm_client_result unproven(tlm_client_error *error, const char *what, const char *name)
{
    return tlm_trouble(error, TLM_CLIENT_UNPROVEN, "signature",
                       "somebody may have changed the answer on its way, or repeated an old one",
                       "the answer is not what the host's statement says: %s%s", what, name);
}

static tlm_client_result check_needed(const json_t *statement, const char *type,
                                      tlm_client_error *error)
{
    const char *said = json_string_value(json_object_get(statement, "type"));
    if (said == NULL || strcmp(said, type) != 0) {
        return unproven(error, "it is a statement of another type than ", type);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (size_t j = 0; strcmp(kinds[i].type, type) == 0 && kinds[i].needed[j] != NULL; j++) {
            if (json_object_get(statement, kinds[i].needed[j]) == NULL) {
                return unproven(error, "the statement lacks ", kinds[i].needed[j]);
            }
        }
    }
    return TLM_CLIENT_OK;
}

static tlm_client_result check_memory(const json_t *statement, const json_t *body,
                                      tlm_client_error *error)
{
    const json_t *proven = json_object_get(statement, "memory");
    const json_t *said = json_object_get(body, "memory");
    bool none = said == NULL || json_is_null(said);
    if (proven == NULL || json_is_null(proven)) {
        return none ? TLM_CLIENT_OK : unproven(error, "memory", "");
    }
    json_t *value = json_loads(json_string_value(proven) != NULL ? json_string_value(proven) : "",
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    /* Memory that is the JSON value null cannot be told from none, and is none. */
    bool same = value != NULL && (json_equal(value, said) || (json_is_null(value) && none));
    json_decref(value);
    return same ? TLM_CLIENT_OK : unproven(error, "memory", "");
}

/* The end in the statement against the answer's: a lease's by the time that is left of it. */
static tlm_client_result check_end(const json_t *statement, const json_t *body, bool lease,
                                   tlm_client_error *error)
{
    const json_t *exp = json_object_get(statement, "exp");
    if (lease) {
        long long left =
            json_integer_value(exp) - json_integer_value(json_object_get(statement, "iat"));
        long long ttl = json_integer_value(json_object_get(body, "ttl"));
        return json_is_integer(exp) && ttl <= left + 1 ? TLM_CLIENT_OK : unproven(error, "ttl", "");
    }
    const char *text = json_string_value(json_object_get(body, "expires"));
    long long said = -1;
    if (text != NULL && !tlm_reply_instant(text, &said)) {
        return unproven(error, "expires", "");
    }
    long long proven = json_is_integer(exp) ? json_integer_value(exp) : -1;
    /* The statement has whole seconds. */
    return said == proven ? TLM_CLIENT_OK : unproven(error, "expires", "");
}

static tlm_client_result check_shared(const json_t *statement, const json_t *body,
                                      tlm_client_error *error)
{
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        const json_t *proven = json_object_get(statement, shared[i]);
        const json_t *said = json_object_get(body, shared[i]);
        if (proven != NULL && said != NULL && !json_is_null(said) && !json_equal(proven, said)) {
            return unproven(error, shared[i], "");
        }
    }
    return TLM_CLIENT_OK;
}

static tlm_client_result check_question(const json_t *statement, const tlm_proof_question *question,
                                        tlm_client_error *error)
{
    const struct {
        const char *name;
        const char *asked;
    } texts[] = {{"feature", question->feature},
                 {"client", question->client},
                 {"lease", question->lease},
                 {"license", question->license},
                 {"request", question->request}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *said = json_string_value(json_object_get(statement, texts[i].name));
        if (texts[i].asked != NULL && (said == NULL || strcmp(said, texts[i].asked) != 0)) {
            return unproven(error, "it is about another ", texts[i].name);
        }
    }
    long long units = json_integer_value(json_object_get(statement, "units"));
    return question->units == 0 || units == question->units
               ? TLM_CLIENT_OK
               : unproven(error, "it is about another number of ", "units");
}

static tlm_client_result verify(tlm_client *client, const json_t *body, const char *nonce,
                                tlm_client_error *error)
{
    const json_t *keys = NULL;
    tlm_statement_report report;
    tlm_error cause = {0};
    (void)pthread_mutex_lock(&client->key_lock);
    tlm_client_result result = tlm_host_keys_find(client, client->received, &keys, error);
    if (result == TLM_CLIENT_OK &&
        tlm_statement_verify(body, keys, nonce, &report, &cause) != TLM_OK) {
        result = tlm_trouble_of(error, &cause);
        if (cause.result != TLM_ERR_MEMORY) {
            result = TLM_CLIENT_UNPROVEN; /* also what is not of the form of a statement */
        }
        if (error != NULL) {
            error->result = result;
        }
    }
    (void)pthread_mutex_unlock(&client->key_lock);
    return result;
}

tlm_client_result tlm_proof_check(tlm_client *client, const json_t *body,
                                  const tlm_proof_question *question, tlm_client_error *error)
{
    tlm_client_result result = verify(client, body, question->nonce, error);
    const json_t *statement = json_object_get(body, "statement");
    bool usage = strcmp(question->type, "usage") == 0;
    if (result == TLM_CLIENT_OK) {
        result = check_needed(statement, question->type, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = check_question(statement, question, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = check_shared(statement, body, error);
    }
    if (result == TLM_CLIENT_OK && !usage) {
        result = check_memory(statement, body, error);
    }
    if (result == TLM_CLIENT_OK && !usage) {
        result = check_end(statement, body, strcmp(question->type, "lease") == 0, error);
    }
    return result;
}
