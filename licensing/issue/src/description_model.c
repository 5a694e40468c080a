/* SPDX-License-Identifier: BSD-2-Clause */
#include "description_model.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/license.h>
#include <tlm/log.h>

json_t *tlm_description_integer(const json_t *number)
{
    double real = json_number_value(number);
    return json_integer(json_is_real(number) ? (json_int_t)real : json_integer_value(number));
}

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a feature");
}

/* Seconds of a number, or of "90m": the schema knows the form. */
static json_t *seconds_of(const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return tlm_description_integer(value);
    }
    char *unit = NULL;
    long long number = strtoll(text, &unit, 10);
    static const struct {
        char unit;
        int seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].unit == *unit) {
            number *= units[i].seconds;
        }
    }
    return json_integer(number);
}

/* An instant of a period as a number; nothing where it is missing. */
static tlm_result add_instant(const tlm_document *document, const json_t *model,
                              const tlm_node *node, const char *name, json_t *claim,
                              tlm_error *error)
{
    int64_t seconds = 0;
    bool end = strcmp(name, "notAfter") == 0;
    if (json_object_get(model, name) == NULL) {
        return TLM_OK;
    }
    tlm_result result = tlm_description_instant(document, model, node, name, end, &seconds, error);
    if (result == TLM_OK && json_object_set_new(claim, name, json_integer(seconds)) != 0) {
        return no_memory(error);
    }
    return result;
}

static tlm_result add_period(const tlm_document *document, const json_t *model,
                             const tlm_node *node, json_t *claim, tlm_error *error)
{
    tlm_result result = add_instant(document, model, node, "notBefore", claim, error);
    if (result == TLM_OK) {
        result = add_instant(document, model, node, "notAfter", claim, error);
    }
    const json_t *begin = json_object_get(claim, "notBefore");
    if (result == TLM_OK && begin != NULL &&
        json_integer_value(begin) >= json_integer_value(json_object_get(claim, "notAfter"))) {
        const tlm_node *place = tlm_node_member(node, "notAfter");
        return tlm_document_wrong(document, place->line, place->column, error, NULL,
                                  "notAfter is not after notBefore");
    }
    return result;
}

static tlm_result make_model(const tlm_document *document, const json_t *model,
                             const tlm_node *node, json_t **claim, tlm_error *error)
{
    if (json_is_string(model)) {
        *claim = json_pack("{s:O}", "type", model);
        return *claim != NULL ? TLM_OK : no_memory(error);
    }
    json_t *made = json_pack("{s:O}", "type", json_object_get(model, "type"));
    const char *type = json_string_value(json_object_get(model, "type"));
    tlm_result result = made != NULL ? TLM_OK : no_memory(error);
    if (result == TLM_OK && strcmp(type, "period") == 0) {
        result = add_period(document, model, node, made, error);
    }
    static const char *const numbers[] = {"days", "limit", "amount", "max"};
    for (size_t i = 0; result == TLM_OK && i < sizeof numbers / sizeof numbers[0]; i++) {
        const json_t *value = json_object_get(model, numbers[i]);
        if (value != NULL &&
            json_object_set_new(made, numbers[i], tlm_description_integer(value)) != 0) {
            result = no_memory(error);
        }
    }
    const json_t *direction = json_object_get(model, "direction");
    const json_t *seconds = json_object_get(model, "seconds");
    if (result == TLM_OK &&
        ((direction != NULL &&
          json_object_set_new(made, "direction", json_deep_copy(direction)) != 0) ||
         (seconds != NULL && json_object_set_new(made, "seconds", seconds_of(seconds)) != 0))) {
        result = no_memory(error);
    }
    if (result != TLM_OK) {
        json_decref(made);
        return result;
    }
    *claim = made;
    return TLM_OK;
}

static tlm_result check_id(const tlm_document *document, const json_t *feature,
                           const tlm_node *node, const json_t *before, tlm_error *error)
{
    const json_t *id = json_object_get(feature, "id");
    const tlm_node *place = tlm_node_member(node, "id");
    for (size_t i = 0; i < json_array_size(before); i++) {
        if (json_equal(id, json_object_get(json_array_get(before, i), "id")) == 1) {
            char quoted[96];
            return tlm_document_wrong(document, place->line, place->column, error,
                                      "give each feature an id of its own",
                                      "the feature %s stands there twice",
                                      tlm_log_quote(json_string_value(id), quoted, sizeof quoted));
        }
    }
    return TLM_OK;
}

static tlm_result add_memory(const tlm_document *document, const json_t *feature,
                             const tlm_node *node, json_t *claim, tlm_error *error)
{
    const json_t *memory = json_object_get(feature, "memory");
    if (memory == NULL || json_is_null(memory)) {
        return TLM_OK;
    }
    size_t size = json_dumpb(memory, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    if (size > TLM_MEMORY_MAX) {
        const tlm_node *place = tlm_node_member(node, "memory");
        return tlm_document_wrong(document, place->line, place->column, error,
                                  "keep it short, and the rest with the application",
                                  "memory has %zu bytes as compact JSON, %u are the most", size,
                                  TLM_MEMORY_MAX);
    }
    return json_object_set_new(claim, "memory", json_deep_copy(memory)) == 0 ? TLM_OK
                                                                             : no_memory(error);
}

/* Name and numbers as they stand there. */
static bool add_plain(const json_t *feature, json_t *claim)
{
    const json_t *name = json_object_get(feature, "name");
    const json_t *seats = json_object_get(feature, "seats");
    const json_t *borrow = json_object_get(feature, "borrowDays");
    json_t *number = seats != NULL ? tlm_description_integer(seats) : json_integer(0);
    return json_object_set_new(claim, "id", json_deep_copy(json_object_get(feature, "id"))) == 0 &&
           json_object_set_new(claim, "seats", number) == 0 &&
           (name == NULL || json_object_set_new(claim, "name", json_deep_copy(name)) == 0) &&
           (borrow == NULL ||
            json_object_set_new(claim, "borrowDays", tlm_description_integer(borrow)) == 0);
}

tlm_result tlm_description_feature(const tlm_document *document, const json_t *feature,
                                   const tlm_node *node, const json_t *before, json_t **claim,
                                   tlm_error *error)
{
    json_t *made = json_object();
    json_t *model = NULL;
    tlm_result result = check_id(document, feature, node, before, error);
    if (result == TLM_OK && (made == NULL || !add_plain(feature, made))) {
        result = no_memory(error);
    }
    if (result == TLM_OK) {
        result = make_model(document, json_object_get(feature, "model"),
                            tlm_node_member(node, "model"), &model, error);
    }
    if (result == TLM_OK && json_object_set_new(made, "model", model) != 0) {
        result = no_memory(error);
    }
    if (result == TLM_OK) {
        result = add_memory(document, feature, node, made, error);
    }
    if (result != TLM_OK) {
        json_decref(made);
        return result;
    }
    *claim = made;
    return TLM_OK;
}
