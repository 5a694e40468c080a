/* SPDX-License-Identifier: BSD-2-Clause */
#include "exchange_private.h"

#include <stdio.h>
#include <string.h>

#include "client_private.h"
#include "link_private.h"
#include "reply_private.h"

#define USE_TRIES 3U
#define TEXT_MAX 256U
#define REQUEST_MAX 128U
#define NUMBER_MAX 9007199254740991LL

static bool add_text(json_t *body, const char *name, const char *text)
{
    return text == NULL || json_object_set_new(body, name, json_string(text)) == 0;
}

json_t *tlm_exchange_body(const tlm_client *client, const tlm_client_ask *ask)
{
    json_t *body = json_object();
    bool good = body != NULL && add_text(body, "feature", ask->feature) &&
                add_text(body, "client", tlm_client_text(client, TLM_CLIENT_NAME)) &&
                add_text(body, "vendor", ask->vendor) && add_text(body, "product", ask->product) &&
                add_text(body, "license", ask->license);
    if (!good) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static bool text_fits(const char *text, size_t most)
{
    return text == NULL || (text[0] != '\0' && strlen(text) <= most);
}

tlm_client_result tlm_exchange_check(const tlm_client_ask *ask, tlm_client_error *error)
{
    if (ask == NULL || ask->feature == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                           "there is no feature to ask for");
    }
    const struct {
        const char *name;
        bool fits;
    } members[] = {{"feature", text_fits(ask->feature, TEXT_MAX)},
                   {"vendor", text_fits(ask->vendor, TEXT_MAX)},
                   {"product", text_fits(ask->product, TEXT_MAX)},
                   {"license", text_fits(ask->license, TEXT_MAX)},
                   {"request", text_fits(ask->request, REQUEST_MAX)},
                   {"units", ask->units >= 0 && ask->units <= NUMBER_MAX},
                   {"ttl", ask->ttl >= 0 && ask->ttl <= NUMBER_MAX}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!members[i].fits) {
            return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                               "the %s to ask for is empty or too large", members[i].name);
        }
    }
    return TLM_CLIENT_OK;
}

bool tlm_exchange_path(const char *lease, char path[TLM_EXCHANGE_PATH_SIZE])
{
    /* The id comes from the network and goes into a URL. */
    size_t length = strspn(lease, "0123456789abcdefABCDEF-");
    int written = -1;
    if (length > 0 && lease[length] == '\0') {
        written = snprintf(path, TLM_EXCHANGE_PATH_SIZE, "/api/v1/leases/%s", lease);
    }
    return written > 0 && (size_t)written < TLM_EXCHANGE_PATH_SIZE;
}

static tlm_client_result read_grant(const tlm_exchange *exchange, const json_t *body,
                                    tlm_client_grant *grant, tlm_client_error *error)
{
    char path[TLM_EXCHANGE_PATH_SIZE];
    tlm_client_result result = tlm_reply_grant(body, grant, error);
    if (result == TLM_CLIENT_OK && exchange->lease &&
        (!tlm_exchange_path(grant->lease, path) || grant->ttl < 1)) {
        return tlm_trouble(error, TLM_CLIENT_FAILED, "format", NULL,
                           "the answer is a lease without id or time");
    }
    return result;
}

static tlm_client_result run(tlm_client *client, tlm_exchange *exchange, bool proven,
                             tlm_client_grant *grant, tlm_client_error *error)
{
    const tlm_link_request request = {.method = exchange->method,
                                      .path = exchange->path,
                                      .body = exchange->body,
                                      .tries = exchange->tries,
                                      .address = exchange->question.lease};
    tlm_link_answer answer;
    tlm_client_result result = tlm_link_call(client, &request, &answer, error);
    if (result == TLM_CLIENT_OK) {
        result = read_grant(exchange, answer.body, grant, error);
    }
    if (result == TLM_CLIENT_OK && proven) {
        result = tlm_proof_check(client, answer.body, &exchange->question, error);
        grant->verified = result == TLM_CLIENT_OK;
    }
    if (result == TLM_CLIENT_OK && exchange->kept != NULL) {
        *exchange->kept = json_incref(answer.body);
    }
    json_decref(answer.body);
    return result;
}

tlm_client_result tlm_exchange_run(tlm_client *client, tlm_exchange *exchange,
                                   tlm_client_grant *grant, tlm_client_error *error)
{
    char nonce[TLM_CLIENT_NONCE_SIZE];
    bool proven = exchange->proven || tlm_proof_wanted(client);
    *grant = (tlm_client_grant){0};
    tlm_client_result result = exchange->body != NULL ? TLM_CLIENT_OK : tlm_trouble_memory(error);
    if (result == TLM_CLIENT_OK && proven) {
        /* Whom to believe is settled before anything is taken. */
        const json_t *keys = NULL;
        (void)pthread_mutex_lock(&client->key_lock);
        result = tlm_host_keys_find(client, client->received, &keys, error);
        (void)pthread_mutex_unlock(&client->key_lock);
    }
    if (result == TLM_CLIENT_OK && proven) {
        result = tlm_random_text(nonce, error);
        exchange->question.nonce = nonce;
        if (result == TLM_CLIENT_OK && !add_text(exchange->body, "nonce", nonce)) {
            result = tlm_trouble_memory(error);
        }
    }
    if (result == TLM_CLIENT_OK) {
        result = run(client, exchange, proven, grant, error);
    }
    json_decref(exchange->body);
    exchange->body = NULL;
    exchange->question.nonce = NULL;
    if (result == TLM_CLIENT_OK && error != NULL) {
        *error = (tlm_client_error){0};
    }
    return result;
}

tlm_client_result tlm_exchange_return(tlm_client *client, const char *lease, const char *proof,
                                      long timeout, tlm_client_error *error)
{
    char path[TLM_EXCHANGE_PATH_SIZE];
    if (!tlm_exchange_path(lease, path)) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "not the id of a lease");
    }
    json_t *body = proof != NULL ? json_pack("{s:s}", "proof", proof) : NULL;
    if (proof != NULL && body == NULL) {
        return tlm_trouble_memory(error);
    }
    const tlm_link_request request = {.method = "DELETE",
                                      .path = path,
                                      .body = body,
                                      .tries = 2,
                                      .timeout = timeout,
                                      .last = true,
                                      .address = lease};
    tlm_link_answer answer;
    tlm_client_result result = tlm_link_call(client, &request, &answer, error);
    json_decref(answer.body);
    json_decref(body);
    if (result == TLM_CLIENT_GONE || result == TLM_CLIENT_OK) {
        if (error != NULL) {
            *error = (tlm_client_error){0};
        }
        return TLM_CLIENT_OK;
    }
    return result;
}

tlm_client_result tlm_client_check(tlm_client *client, const tlm_client_ask *ask,
                                   tlm_client_grant *grant, tlm_client_error *error)
{
    if (grant == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "no place for a grant");
    }
    *grant = (tlm_client_grant){0};
    tlm_client_result result = tlm_client_begin(client, error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_exchange_check(ask, error);
    }
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    tlm_exchange exchange = {
        .method = "POST",
        .path = "/api/v1/check",
        .body = tlm_exchange_body(client, ask),
        .question = {.type = "check", .feature = ask->feature, .license = ask->license},
        .tries = 2};
    return tlm_exchange_run(client, &exchange, grant, error);
}

static json_t *use_body(const tlm_client *client, const tlm_client_ask *ask, const char *request)
{
    json_t *body = tlm_exchange_body(client, ask);
    long long units = ask->units > 0 ? ask->units : 1;
    bool good = body != NULL && add_text(body, "request", request) &&
                json_object_set_new(body, "units", json_integer(units)) == 0 &&
                add_text(body, "action", ask->give_back ? "return" : NULL);
    if (!good) {
        json_decref(body);
        return NULL;
    }
    return body;
}

tlm_client_result tlm_client_use(tlm_client *client, const tlm_client_ask *ask,
                                 tlm_client_grant *grant, tlm_client_error *error)
{
    char request[REQUEST_MAX + 1] = "";
    if (grant == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "no place for a grant");
    }
    *grant = (tlm_client_grant){0};
    tlm_client_result result = tlm_client_begin(client, error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_exchange_check(ask, error);
    }
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    if (ask->request != NULL) {
        (void)snprintf(request, sizeof request, "%s", ask->request);
    } else {
        result = tlm_random_text(request, error);
    }
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    tlm_exchange exchange = {.method = "POST",
                             .path = "/api/v1/usage",
                             .body = use_body(client, ask, request),
                             .question = {.type = "usage",
                                          .feature = ask->feature,
                                          .license = ask->license,
                                          .client = tlm_client_text(client, TLM_CLIENT_NAME),
                                          .request = request,
                                          .units = ask->units > 0 ? ask->units : 1},
                             .tries = USE_TRIES};
    result = tlm_exchange_run(client, &exchange, grant, error);
    /* What the answer calls it does not count, and without one it is needed most. */
    (void)snprintf(grant->request, sizeof grant->request, "%s", request);
    return result;
}
