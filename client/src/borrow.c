/* SPDX-License-Identifier: BSD-2-Clause */
#include "borrow_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/key.h>
#include <tlm/statement.h>

#include "client_private.h"
#include "exchange_private.h"
#include "reply_private.h"

#define BORROWED_TYPE "tlm-borrowed"
#define BORROWED_VERSION 1
#define CLOCK_TOLERANCE 300

static json_t *borrow_body(const tlm_client *client, const tlm_client_ask *ask, long long seconds,
                           EVP_PKEY *key)
{
    char *jwk = NULL;
    json_t *body = tlm_exchange_body(client, ask);
    bool good = body != NULL && tlm_public_to_jwk(key, &jwk, NULL) == TLM_OK;
    json_t *public_key = good ? json_loads(jwk, 0, NULL) : NULL;
    free(jwk);
    good = public_key != NULL &&
           json_object_set_new(
               body, "borrow",
               json_pack("{s:I, s:o}", "seconds", (json_int_t)seconds, "key", public_key)) == 0;
    if (good && ask->units > 0) {
        good = json_object_set_new(body, "units", json_integer(ask->units)) == 0;
    }
    if (!good) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static tlm_client_result keep(tlm_client *client, const char *path, const json_t *answer,
                              tlm_client_error *error)
{
    (void)pthread_mutex_lock(&client->key_lock);
    json_t *file = json_pack(
        "{s:s, s:i, s:{s:O, s:O, s:O, s:O}, s:O}", "type", BORROWED_TYPE, "version",
        BORROWED_VERSION, "answer", "statement", json_object_get(answer, "statement"), "index",
        json_object_get(answer, "index"), "path", json_object_get(answer, "path"), "root",
        json_object_get(answer, "root"), "keys", client->keys);
    char *text = file != NULL ? json_dumps(file, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
    json_decref(file); /* with the lock: jansson counts for one thread */
    (void)pthread_mutex_unlock(&client->key_lock);
    if (text == NULL) {
        return tlm_trouble_memory(error);
    }
    tlm_error cause = {0};
    tlm_result result = tlm_file_create(path, text, strlen(text), 0600, &cause);
    free(text);
    return result == TLM_OK ? TLM_CLIENT_OK : tlm_trouble_of(error, &cause);
}

static tlm_client_result check_binding(const json_t *statement, EVP_PKEY *key,
                                       tlm_client_error *error)
{
    char thumbprint[44];
    tlm_client_result result = tlm_borrow_thumbprint(key, thumbprint, error);
    const char *bound = json_string_value(json_object_get(statement, "jkt"));
    if (result == TLM_CLIENT_OK && (bound == NULL || strcmp(bound, thumbprint) != 0)) {
        return tlm_trouble(error, TLM_CLIENT_UNPROVEN, "signature",
                           "keep both files together, as they were made",
                           "the borrowed lease is not bound to the key beside it");
    }
    return result;
}

/* What was lent and could not be kept goes back. */
static void give_back(tlm_client *client, const char *lease, EVP_PKEY *key)
{
    char *word = NULL;
    if (tlm_borrow_word(key, lease, &word, NULL) == TLM_CLIENT_OK) {
        (void)!tlm_exchange_return(client, lease, word, 0, NULL);
    }
    free(word);
}

static tlm_client_result borrow_with(tlm_client *client, const tlm_client_ask *ask,
                                     long long seconds, const char *path, EVP_PKEY *key,
                                     tlm_client_error *error)
{
    json_t *answer = NULL;
    tlm_client_grant grant = {0};
    tlm_exchange exchange = {.method = "POST",
                             .path = "/api/v1/leases",
                             .body = borrow_body(client, ask, seconds, key),
                             .question = {.type = "lease",
                                          .feature = ask->feature,
                                          .license = ask->license,
                                          .client = tlm_client_text(client, TLM_CLIENT_NAME),
                                          .units = ask->units > 0 ? ask->units : 1},
                             .tries = 2,
                             .lease = true,
                             .proven = true,
                             .kept = &answer};
    tlm_client_result result = tlm_exchange_run(client, &exchange, &grant, error);
    bool lent = grant.lease[0] != '\0';
    if (result == TLM_CLIENT_OK) {
        result = check_binding(json_object_get(answer, "statement"), key, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = keep(client, path, answer, error);
    }
    if (result != TLM_CLIENT_OK && lent) {
        give_back(client, grant.lease, key);
    }
    json_decref(answer);
    tlm_client_grant_clear(&grant);
    return result;
}

tlm_client_result tlm_client_borrow(tlm_client *client, const tlm_client_ask *ask,
                                    long long seconds, const char *path, tlm_client_error *error)
{
    tlm_client_result result = tlm_client_begin(client, error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_exchange_check(ask, error);
    }
    if (result == TLM_CLIENT_OK && (path == NULL || path[0] == '\0' || seconds < 1)) {
        result = tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                             "no file to borrow to, or no time to borrow for");
    }
    if (result == TLM_CLIENT_OK && tlm_file_exists(path)) {
        result = tlm_trouble(error, TLM_CLIENT_FAILED, "exists", "name another file",
                             "%s is there already", path);
    }
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    EVP_PKEY *key = NULL;
    char *key_path = tlm_borrow_key_path(path);
    result =
        key_path != NULL ? tlm_borrow_key_make(key_path, &key, error) : tlm_trouble_memory(error);
    if (result == TLM_CLIENT_OK) {
        result = borrow_with(client, ask, seconds, path, key, error);
        if (result != TLM_CLIENT_OK) {
            (void)!tlm_file_wipe(key_path, NULL);
        }
    }
    EVP_PKEY_free(key);
    free(key_path);
    return result;
}

static tlm_client_result read_file(const char *path, json_t **file, tlm_client_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_error cause = {0};
    if (tlm_file_read(path, TLM_CLIENT_FILE_MAX, &text, &size, &cause) != TLM_OK) {
        return tlm_trouble_of(error, &cause);
    }
    json_t *made = tlm_reply_object(text, size);
    free(text);
    const char *type = json_string_value(json_object_get(made, "type"));
    long long version = json_integer_value(json_object_get(made, "version"));
    if (type == NULL || strcmp(type, BORROWED_TYPE) != 0 || version < 1 ||
        !json_is_object(json_object_get(json_object_get(made, "answer"), "statement"))) {
        json_decref(made);
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "format", NULL, "%s is not a borrowed lease",
                           path);
    }
    if (version > BORROWED_VERSION) {
        json_decref(made);
        return tlm_trouble(error, TLM_CLIENT_FAILED, "newer", "install the newer library",
                           "%s was written by a newer version", path);
    }
    *file = made;
    return TLM_CLIENT_OK;
}

static tlm_client_result verify_file(tlm_client *client, const json_t *file, const char *feature,
                                     tlm_client_error *error)
{
    const json_t *answer = json_object_get(file, "answer");
    const tlm_proof_question question = {.type = "lease", .feature = feature};
    /* The proof compares an answer with its statement; here the statement is all there is. */
    json_t *body = json_deep_copy(answer);
    if (body == NULL) {
        return tlm_trouble_memory(error);
    }
    const json_t *memory = json_object_get(json_object_get(answer, "statement"), "memory");
    if (json_is_string(memory)) {
        json_t *value = json_loads(json_string_value(memory), JSON_DECODE_ANY, NULL);
        (void)json_object_set_new(body, "memory", value);
    }
    (void)pthread_mutex_lock(&client->key_lock);
    json_decref(client->received);
    client->received = json_deep_copy(json_object_get(file, "keys"));
    (void)pthread_mutex_unlock(&client->key_lock);
    tlm_client_result result = tlm_proof_check(client, body, &question, error);
    json_decref(body);
    return result;
}

static tlm_client_result check_times(const json_t *statement, const char *path, time_t now,
                                     tlm_client_error *error)
{
    long long iat = json_integer_value(json_object_get(statement, "iat"));
    long long exp = json_integer_value(json_object_get(statement, "exp"));
    if (now >= exp) {
        return tlm_trouble(error, TLM_CLIENT_REFUSED, "expired",
                           "borrow again, with contact to the daemon",
                           "the lease in %s ran out %lld seconds ago", path, (long long)now - exp);
    }
    if (now < iat - CLOCK_TOLERANCE) {
        return tlm_trouble(error, TLM_CLIENT_REFUSED, "rollback", "set this host's clock",
                           "the lease in %s was made %lld seconds in the future of this clock",
                           path, iat - (long long)now);
    }
    return TLM_CLIENT_OK;
}

static tlm_client_result take_grant(const json_t *statement, time_t now, tlm_client_grant *grant,
                                    tlm_client_error *error)
{
    /* Everything but the memory, which a statement has as a text, is as in an answer. */
    json_t *copy = json_deep_copy(statement);
    const char *memory = json_string_value(json_object_get(statement, "memory"));
    if (copy == NULL) {
        return tlm_trouble_memory(error);
    }
    (void)json_object_del(copy, "memory");
    tlm_client_result result = tlm_reply_grant(copy, grant, error);
    json_decref(copy);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    grant->expires = json_integer_value(json_object_get(statement, "exp"));
    grant->ttl = grant->expires - (long long)now;
    grant->borrowed = true;
    grant->verified = true;
    grant->memory = memory != NULL ? strdup(memory) : NULL;
    return memory == NULL || grant->memory != NULL ? TLM_CLIENT_OK : tlm_trouble_memory(error);
}

static tlm_client_result open_borrowed(const char *path, json_t **file, EVP_PKEY **key,
                                       tlm_client_error *error)
{
    char *key_path = tlm_borrow_key_path(path);
    tlm_client_result result =
        key_path != NULL ? read_file(path, file, error) : tlm_trouble_memory(error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_borrow_key_read(key_path, key, error);
    }
    free(key_path);
    return result;
}

static tlm_client_result begin_file(tlm_client *client, const char *path, tlm_client_error *error)
{
    tlm_client_result result = tlm_client_begin(client, error);
    if (result == TLM_CLIENT_OK && path == NULL) {
        result = tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "no file is named");
    }
    return result;
}

tlm_client_result tlm_client_borrowed(tlm_client *client, const char *path, const char *feature,
                                      tlm_client_grant *grant, tlm_client_error *error)
{
    json_t *file = NULL;
    EVP_PKEY *key = NULL;
    time_t now = time(NULL);
    tlm_client_result result = begin_file(client, path, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    if (grant == NULL || feature == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                           "no feature, or no place for a grant");
    }
    *grant = (tlm_client_grant){0};
    result = open_borrowed(path, &file, &key, error);
    const json_t *statement = json_object_get(json_object_get(file, "answer"), "statement");
    if (result == TLM_CLIENT_OK) {
        result = verify_file(client, file, feature, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = check_binding(statement, key, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = check_times(statement, path, now, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = take_grant(statement, now, grant, error);
    }
    EVP_PKEY_free(key);
    json_decref(file);
    return result;
}

static tlm_client_result remove_files(const char *path, tlm_client_error *error)
{
    char *key_path = tlm_borrow_key_path(path);
    tlm_error cause = {0};
    tlm_client_result result = TLM_CLIENT_OK;
    if (key_path == NULL) {
        return tlm_trouble_memory(error);
    }
    if (tlm_file_wipe(path, &cause) != TLM_OK || tlm_file_wipe(key_path, &cause) != TLM_OK) {
        result = tlm_trouble_of(error, &cause);
    }
    free(key_path);
    return result;
}

tlm_client_result tlm_client_return(tlm_client *client, const char *path, tlm_client_error *error)
{
    json_t *file = NULL;
    EVP_PKEY *key = NULL;
    char *word = NULL;
    tlm_client_result result = begin_file(client, path, error);
    if (result == TLM_CLIENT_OK) {
        result = open_borrowed(path, &file, &key, error);
    }
    const json_t *statement = json_object_get(json_object_get(file, "answer"), "statement");
    const char *lease = json_string_value(json_object_get(statement, "lease"));
    if (result == TLM_CLIENT_OK && lease == NULL) {
        result = tlm_trouble(error, TLM_CLIENT_ARGUMENT, "format", NULL, "%s names no lease", path);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_borrow_word(key, lease, &word, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_exchange_return(client, lease, word, 0, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = remove_files(path, error);
    }
    free(word);
    EVP_PKEY_free(key);
    json_decref(file);
    return result;
}
