/* SPDX-License-Identifier: BSD-2-Clause */
#include "description.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/license.h>
#include <tlm/log.h>

#include "description_model.h"
#include "input.h"
#include "instant.h"
#include "schema.h"
#include "text_private.h"

tlm_result tlm_description_parse(const char *text, size_t size, const char *path,
                                 tlm_description **description, tlm_error *error)
{
    tlm_description *made = calloc(1, sizeof *made);
    tlm_schema *schema = NULL;
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", path);
    }
    tlm_result result = tlm_document_parse(text, size, path, &made->document, error);
    if (result == TLM_OK) {
        result = tlm_schema_license(&schema, error);
    }
    if (result == TLM_OK) {
        result = tlm_schema_check(schema, made->document, error);
    }
    tlm_schema_free(&schema);
    if (result != TLM_OK) {
        tlm_description_free(&made);
        return result;
    }
    *description = made;
    return TLM_OK;
}

tlm_result tlm_description_read(const char *path, tlm_description **description, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_input_read(path, TLM_DOCUMENT_MAX, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_description_parse(text, size, tlm_input_name(path), description, error);
        free(text);
    }
    return result;
}

void tlm_description_free(tlm_description **description)
{
    if (description == NULL || *description == NULL) {
        return;
    }
    tlm_document_free(&(*description)->document);
    free(*description);
    *description = NULL;
}

bool tlm_description_has_id(const tlm_description *description)
{
    return json_object_get(description->document->value, "id") != NULL;
}

tlm_result tlm_description_instant(const tlm_document *document, const json_t *object,
                                   const tlm_node *node, const char *name, bool end,
                                   int64_t *seconds, tlm_error *error)
{
    const char *text = json_string_value(json_object_get(object, name));
    const tlm_node *place = tlm_node_member(node, name);
    if (text == NULL || tlm_instant_parse(text, end, seconds)) {
        return TLM_OK;
    }
    return tlm_document_wrong(document, place->line, place->column, error, NULL,
                              "%s is %s, which no calendar has", name, text);
}

static bool set(json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) == 0;
}

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the claims of a license");
}

/* iat, nbf and exp. */
static tlm_result add_times(const tlm_document *document, int64_t now, json_t *claims,
                            tlm_error *error)
{
    static const struct {
        const char *name;
        const char *claim;
        bool end;
    } times[] = {{"issued", "iat", false}, {"notBefore", "nbf", false}, {"expires", "exp", true}};
    int64_t seconds[3] = {now, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        tlm_result result =
            tlm_description_instant(document, document->value, &document->root, times[i].name,
                                    times[i].end, &seconds[i], error);
        if (result != TLM_OK) {
            return result;
        }
        bool given = i == 0 || json_object_get(document->value, times[i].name) != NULL;
        if (given && !set(claims, times[i].claim, json_integer(seconds[i]))) {
            return no_memory(error);
        }
    }
    if (seconds[1] >= seconds[2]) {
        const tlm_node *place = tlm_node_member(&document->root, "expires");
        return tlm_document_wrong(document, place->line, place->column, error, NULL,
                                  "expires is not after notBefore");
    }
    return TLM_OK;
}

/* The place of binding.NAME, or of binding, or of the whole. */
static const tlm_node *binding_place(const tlm_document *document, const char *name)
{
    const tlm_node *node = tlm_node_member(&document->root, "binding");
    const tlm_node *member = node != NULL ? tlm_node_member(node, name) : NULL;
    if (member != NULL) {
        return member;
    }
    return node != NULL ? node : &document->root;
}

static tlm_result wrong_binding(const tlm_document *document, const char *member, const char *hint,
                                const char *message, tlm_error *error)
{
    const tlm_node *place = binding_place(document, member);
    return tlm_document_wrong(document, place->line, place->column, error, hint, "binding: %s",
                              message);
}

/* Which of the host's identities is meant: the one that is named, or that has the type. */
static const tlm_host_identity *choose_identity(const tlm_host_file *host, const char *fingerprint,
                                                const char *type)
{
    if (fingerprint != NULL) {
        return tlm_host_file_find(host, fingerprint);
    }
    tlm_fingerprint_type wanted = TLM_FINGERPRINT_TPM;
    bool fallback = tlm_host_type_parse(type, &wanted) && wanted == TLM_FINGERPRINT_FALLBACK &&
                    host->fallback.key != NULL;
    return fallback ? &host->fallback : &host->primary;
}

static tlm_result check_components(const tlm_document *document, const tlm_host_identity *identity,
                                   const json_t *least, tlm_error *error)
{
    if (least == NULL || identity == NULL) {
        return TLM_OK;
    }
    if (identity->type != TLM_FINGERPRINT_FALLBACK) {
        return wrong_binding(document, "minComponents", "leave it away",
                             "minComponents is for a fallback fingerprint, and the host's is none",
                             error);
    }
    if (json_integer_value(least) > (json_int_t)identity->components) {
        return wrong_binding(document, "minComponents", "ask for fewer",
                             "minComponents is more than the host has", error);
    }
    return TLM_OK;
}

static tlm_result add_binding(const tlm_document *document, const tlm_host_file *host,
                              json_t *claims, tlm_error *error)
{
    const json_t *binding = json_object_get(document->value, "binding");
    const char *fingerprint = json_string_value(json_object_get(binding, "fingerprint"));
    const char *type = json_string_value(json_object_get(binding, "type"));
    const json_t *least = json_object_get(binding, "minComponents");
    const tlm_host_identity *identity = NULL;
    if (host != NULL) {
        identity = choose_identity(host, fingerprint, type);
        if (identity == NULL) {
            return wrong_binding(document, "fingerprint", "leave it away with --for",
                                 "the fingerprint is not that of the host", error);
        }
        fingerprint = identity->fingerprint;
        type = type != NULL ? type : tlm_host_type_name(identity->type);
    }
    if (fingerprint == NULL || type == NULL) {
        return wrong_binding(document, "type",
                             "write binding: {type: tpm, fingerprint: …}, or add: --for host.json",
                             "the host is not known", error);
    }
    tlm_fingerprint_type least_type = TLM_FINGERPRINT_TPM;
    tlm_result result = TLM_OK;
    if (identity != NULL && tlm_host_type_parse(type, &least_type)) {
        result = tlm_host_identity_check(identity, least_type, fingerprint, error);
    }
    if (result == TLM_OK) {
        result = check_components(document, identity, least, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    json_t *made = json_pack("{s:s, s:s}", "type", type, "fingerprint", fingerprint);
    if (made != NULL && least != NULL) {
        (void)json_object_set_new(made, "minComponents", tlm_description_integer(least));
    }
    return set(claims, "binding", made) ? TLM_OK : no_memory(error);
}

static tlm_result add_features(const tlm_document *document, json_t *claims, tlm_error *error)
{
    const json_t *features = json_object_get(document->value, "features");
    const tlm_node *node = tlm_node_member(&document->root, "features");
    json_t *list = json_array();
    if (!set(claims, "features", list)) {
        return no_memory(error);
    }
    for (size_t i = 0; i < json_array_size(features); i++) {
        json_t *made = NULL;
        tlm_result result = tlm_description_feature(document, json_array_get(features, i),
                                                    tlm_node_element(node, i), list, &made, error);
        if (result != TLM_OK) {
            return result;
        }
        if (json_array_append_new(list, made) != 0) {
            return no_memory(error);
        }
    }
    return TLM_OK;
}

static tlm_result add_names(const tlm_document *document, json_t *claims, tlm_error *error)
{
    const json_t *value = document->value;
    const json_t *id = json_object_get(value, "id");
    char uuid[TLM_UUID_SIZE];
    if (id == NULL) {
        tlm_result result = tlm_uuid_make(uuid, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    bool done = set(claims, "jti", id != NULL ? json_deep_copy(id) : json_string(uuid)) &&
                set(claims, "iss", json_deep_copy(json_object_get(value, "vendor"))) &&
                set(claims, "sub", json_deep_copy(json_object_get(value, "customer"))) &&
                set(claims, "product", json_deep_copy(json_object_get(value, "product")));
    return done ? TLM_OK : no_memory(error);
}

/* What the host's own parser says of the claims: nothing is signed that it would refuse. */
static tlm_result check_claims(const tlm_document *document, const json_t *claims, tlm_error *error)
{
    tlm_license *license = NULL;
    tlm_result result = tlm_license_parse(claims, &license, error);
    tlm_license_free(&license);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", document->path);
    }
    return result;
}

tlm_result tlm_description_claims(const tlm_description *description, const tlm_host_file *host,
                                  int64_t now, json_t **claims, tlm_error *error)
{
    const tlm_document *document = description->document;
    json_t *made = json_object();
    if (made == NULL) {
        return no_memory(error);
    }
    tlm_result result = add_names(document, made, error);
    if (result == TLM_OK) {
        result = add_times(document, now, made, error);
    }
    if (result == TLM_OK) {
        result = add_binding(document, host, made, error);
    }
    if (result == TLM_OK) {
        result = add_features(document, made, error);
    }
    if (result == TLM_OK) {
        result = check_claims(document, made, error);
    }
    if (result != TLM_OK) {
        json_decref(made);
        return result;
    }
    *claims = made;
    return TLM_OK;
}
