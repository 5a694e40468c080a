/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include <tlm/license.h>
#include <tlm/trust.h>

#include "input.h"
#include "json_private.h"
#include "options.h"
#include "output.h"
#include "signer.h"

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a trust file");
}

/* Appends a key unless the same one is there already; takes the reference. */
static tlm_result append(json_t *keys, json_t *jwk, tlm_error *error)
{
    size_t index = 0;
    json_t *present = NULL;
    json_array_foreach(keys, index, present)
    {
        if (json_equal(present, jwk) == 1) {
            json_decref(jwk);
            return TLM_OK;
        }
    }
    return json_array_append_new(keys, jwk) == 0 ? TLM_OK : no_memory(error);
}

static tlm_result add_file(const char *path, json_t *keys, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    json_t *object = NULL;
    tlm_result result = tlm_input_read(path, TLM_JWKS_MAX, &text, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_json_parse(text, size, tlm_input_name(path), &object, error);
    free(text);
    const json_t *list = json_object_get(object, "keys");
    if (result == TLM_OK && !json_is_array(list)) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s has no list of keys", path);
    }
    for (size_t i = 0; result == TLM_OK && i < json_array_size(list); i++) {
        result = append(keys, json_incref(json_array_get(list, i)), error);
    }
    json_decref(object);
    return result;
}

/* `vendor` is NULL for an issuer's key. */
static tlm_result add_key(const tlm_issue_options *options, const char *key, const char *vendor,
                          json_t *keys, tlm_error *error)
{
    tlm_signer_config config = tlm_signer_config_of(options);
    json_t *jwk = NULL;
    config.key = key;
    tlm_result result = tlm_signer_public(&config, &jwk, error);
    if (result != TLM_OK) {
        return result;
    }
    if (json_object_set_new(jwk, "tlm:use", json_string(vendor != NULL ? "vendor" : "issuer")) !=
            0 ||
        (vendor != NULL && json_object_set_new(jwk, "tlm:iss", json_string(vendor)) != 0)) {
        json_decref(jwk);
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "a vendor code is no text in UTF-8");
    }
    return append(keys, jwk, error);
}

static tlm_result add_vendor(const tlm_issue_options *options, const char *word, json_t *keys,
                             tlm_error *error)
{
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : 0;
    if (length == 0 || length > TLM_LICENSE_TEXT_MAX || tlm_signer_in_token(word)) {
        return tlm_error_set(error, TLM_ERR_SETTING, "for example: --vendor ACME=vendor.pem",
                             "--vendor needs the vendor's code before its key");
    }
    char *code = strndup(word, length);
    if (code == NULL) {
        return no_memory(error);
    }
    tlm_result result = add_key(options, equals + 1, code, keys, error);
    free(code);
    return result;
}

static tlm_result collect(const tlm_issue_options *options, json_t *keys, tlm_error *error)
{
    tlm_result result = TLM_OK;
    for (size_t i = 0; result == TLM_OK && i < options->operands.count; i++) {
        result = add_file(options->operands.items[i], keys, error);
    }
    for (size_t i = 0; result == TLM_OK && i < options->vendor.count; i++) {
        result = add_vendor(options, options->vendor.items[i], keys, error);
    }
    for (size_t i = 0; result == TLM_OK && i < options->issuer.count; i++) {
        result = add_key(options, options->issuer.items[i], NULL, keys, error);
    }
    if (result == TLM_OK && json_array_size(keys) == 0) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "add --vendor CODE=KEY and --issuer KEY, or files to merge",
                             "a trust file without keys was asked for");
    }
    return result;
}

/* As a host would read it. */
static tlm_result check(const char *text, tlm_error *error)
{
    tlm_trust *trust = NULL;
    tlm_result result = tlm_trust_new(&trust, error);
    if (result == TLM_OK) {
        result = tlm_trust_add(trust, text, strlen(text), "the trust file", error);
    }
    tlm_trust_free(&trust);
    return result;
}

int tlm_issue_jwks(const tlm_issue_options *options)
{
    tlm_error error = {0};
    json_t *keys = json_array();
    json_t *jwks = json_pack("{s:o}", "keys", keys);
    char *text = NULL;
    if (options->kid != NULL && options->vendor.count + options->issuer.count != 1) {
        (void)tlm_error_set(&error, TLM_ERR_SETTING, "add the keys one by one",
                            "--kid is for one key");
        json_decref(jwks);
        return tlm_output_failure(&error);
    }
    tlm_result result = jwks != NULL ? collect(options, keys, &error) : no_memory(&error);
    if (result == TLM_OK) {
        text = json_dumps(jwks, JSON_INDENT(2));
        result = text != NULL ? check(text, &error) : no_memory(&error);
    }
    if (result == TLM_OK) {
        result = tlm_output_write(options->out, text, options->force, &error);
    }
    free(text);
    json_decref(jwks);
    return result == TLM_OK ? TLM_EXIT_DONE : tlm_output_failure(&error);
}
