/* SPDX-License-Identifier: BSD-2-Clause */
#include "proof_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <tlm/file.h>
#include <tlm/key.h>

#include "client_private.h"
#include "link_private.h"
#include "reply_private.h"

#define KEYS_HINT                                                                                  \
    "save the host's keys once, from a place that is trusted: tlm keys > host.jwks (or pin its "   \
    "kid, or name a trust file)"

static const char *member(const json_t *jwk, const char *name)
{
    return json_string_value(json_object_get(jwk, name));
}

bool tlm_host_keys_thumbprint(const json_t *jwk, char thumbprint[44])
{
    static const char *const ec[] = {"crv", "kty", "x", "y"};
    static const char *const rsa[] = {"e", "kty", "n"};
    const char *kty = member(jwk, "kty");
    bool is_ec = kty != NULL && strcmp(kty, "EC") == 0;
    if (!is_ec && (kty == NULL || strcmp(kty, "RSA") != 0)) {
        return false;
    }
    const char *const *names = is_ec ? ec : rsa;
    size_t count = is_ec ? sizeof ec / sizeof ec[0] : sizeof rsa / sizeof rsa[0];
    json_t *needed = json_object();
    for (size_t i = 0; i < count; i++) {
        if (json_object_set(needed, names[i], json_object_get(jwk, names[i])) != 0) {
            json_decref(needed);
            return false;
        }
    }
    char *text = json_dumps(needed, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(needed);
    unsigned char digest[TLM_DIGEST_SIZE];
    bool good =
        text != NULL && EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) == 1;
    char *encoded = good ? tlm_base64url_encode(digest, sizeof digest) : NULL;
    free(text);
    if (encoded == NULL || strlen(encoded) != 43) {
        free(encoded);
        return false;
    }
    memcpy(thumbprint, encoded, 44);
    free(encoded);
    return true;
}

static tlm_client_result parse_keys(const char *text, size_t size, const char *origin,
                                    json_t **keys, tlm_client_error *error)
{
    json_t *made = tlm_reply_object(text, size);
    if (made != NULL && (json_is_array(json_object_get(made, "keys")) ||
                         json_is_string(json_object_get(made, "kty")))) {
        *keys = made;
        return TLM_CLIENT_OK;
    }
    json_decref(made);
    return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "format", KEYS_HINT,
                       "%s is not a JWKS (RFC 7517 section 5)", origin);
}

static tlm_client_result read_keys(const char *path, json_t **keys, tlm_client_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_error cause = {0};
    if (tlm_file_read(path, TLM_CLIENT_FILE_MAX, &text, &size, &cause) != TLM_OK) {
        tlm_client_result result = tlm_trouble_of(error, &cause);
        return cause.result == TLM_ERR_NOT_FOUND ? TLM_CLIENT_GONE : result;
    }
    tlm_client_result result = parse_keys(text, size, path, keys, error);
    free(text);
    return result;
}

static tlm_client_result fetch_keys(tlm_client *client, json_t **keys, tlm_client_error *error)
{
    const tlm_link_request request = {.method = "GET", .path = "/api/v1/keys", .tries = 2};
    tlm_link_answer answer;
    tlm_client_result result = tlm_link_call(client, &request, &answer, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    if (!json_is_array(json_object_get(answer.body, "keys"))) {
        json_decref(answer.body);
        return tlm_trouble(error, TLM_CLIENT_FAILED, "format", NULL,
                           "the daemon's answer to GET /api/v1/keys is no JWKS");
    }
    *keys = answer.body;
    return TLM_CLIENT_OK;
}

/* The one key whose own thumbprint is the pinned one: what the daemon calls it does not count. */
static tlm_client_result pinned_key(const json_t *offered, const char *pin, json_t **keys,
                                    tlm_client_error *error)
{
    size_t index = 0;
    json_t *jwk = NULL;
    json_array_foreach(json_object_get(offered, "keys"), index, jwk)
    {
        char thumbprint[44];
        if (tlm_host_keys_thumbprint(jwk, thumbprint) && strcmp(thumbprint, pin) == 0) {
            json_t *only = json_deep_copy(jwk);
            if (only == NULL || json_object_set_new(only, "kid", json_string(pin)) != 0) {
                json_decref(only);
                return tlm_trouble_memory(error);
            }
            *keys = json_pack("{s:[o]}", "keys", only);
            return *keys != NULL ? TLM_CLIENT_OK : tlm_trouble_memory(error);
        }
    }
    return tlm_trouble(error, TLM_CLIENT_UNPROVEN, "untrusted",
                       "this is another host, or its keys were made anew",
                       "the daemon has no key with the thumbprint %s", pin);
}

static tlm_client_result first_use(tlm_client *client, const char *path, json_t **keys,
                                   tlm_client_error *error)
{
    tlm_client_result result = read_keys(path, keys, error);
    if (result != TLM_CLIENT_GONE) {
        return result;
    }
    json_t *fetched = NULL;
    result = fetch_keys(client, &fetched, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    char *text = json_dumps(fetched, JSON_INDENT(2) | JSON_SORT_KEYS);
    tlm_error cause = {.result = TLM_ERR_MEMORY};
    tlm_result kept =
        text == NULL ? TLM_ERR_MEMORY : tlm_file_create(path, text, strlen(text), 0600, &cause);
    free(text);
    if (kept == TLM_OK) {
        *keys = fetched;
        return TLM_CLIENT_OK;
    }
    json_decref(fetched);
    /* Somebody was first: what they keep counts. */
    return kept == TLM_ERR_EXISTS ? read_keys(path, keys, error) : tlm_trouble_of(error, &cause);
}

static tlm_client_result find(tlm_client *client, const json_t *received, json_t **keys,
                              tlm_client_error *error)
{
    const char *text = tlm_client_text(client, TLM_CLIENT_HOST_KEYS);
    const char *file = tlm_client_text(client, TLM_CLIENT_HOST_KEYS_FILE);
    const char *pin = tlm_client_text(client, TLM_CLIENT_HOST_KID);
    const char *trust = tlm_client_text(client, TLM_CLIENT_TRUST_FILE);
    if (text != NULL) {
        return parse_keys(text, strlen(text), "the option for the host's keys", keys, error);
    }
    if (file != NULL) {
        tlm_client_result result = read_keys(file, keys, error);
        return result == TLM_CLIENT_GONE ? TLM_CLIENT_ARGUMENT : result;
    }
    if (pin != NULL) {
        json_t *fetched = NULL;
        tlm_client_result result =
            received != NULL ? TLM_CLIENT_OK : fetch_keys(client, &fetched, error);
        if (result == TLM_CLIENT_OK) {
            result = pinned_key(received != NULL ? received : fetched, pin, keys, error);
        }
        json_decref(fetched);
        return result;
    }
    if (trust != NULL) {
        return first_use(client, trust, keys, error);
    }
    return tlm_trouble(error, TLM_CLIENT_UNPROVEN, "untrusted", KEYS_HINT,
                       "no key of the host is known, so no answer can be verified");
}

tlm_client_result tlm_host_keys_find(tlm_client *client, const json_t *received,
                                     const json_t **keys, tlm_client_error *error)
{
    if (client->keys == NULL) {
        json_t *found = NULL;
        tlm_client_result result = find(client, received, &found, error);
        if (result != TLM_CLIENT_OK) {
            return result;
        }
        client->keys = found;
    }
    *keys = client->keys;
    return TLM_CLIENT_OK;
}
