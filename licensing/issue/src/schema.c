/* SPDX-License-Identifier: BSD-2-Clause */
#include "schema.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/json.h>

#include "schema_private.h"

/* What may stand below a keyword: nothing to look at, a schema, a map or an array of schemas. */
typedef enum below { BELOW_NOTHING, BELOW_SCHEMA, BELOW_MAP, BELOW_ARRAY } below;

static const struct {
    const char *name;
    below below;
} keywords[] = {
    {"$schema", BELOW_NOTHING},   {"$id", BELOW_NOTHING},
    {"$ref", BELOW_NOTHING},      {"$defs", BELOW_MAP},
    {"title", BELOW_NOTHING},     {"description", BELOW_NOTHING},
    {"type", BELOW_NOTHING},      {"enum", BELOW_NOTHING},
    {"const", BELOW_NOTHING},     {"required", BELOW_NOTHING},
    {"properties", BELOW_MAP},    {"additionalProperties", BELOW_NOTHING},
    {"items", BELOW_SCHEMA},      {"minItems", BELOW_NOTHING},
    {"maxItems", BELOW_NOTHING},  {"minLength", BELOW_NOTHING},
    {"maxLength", BELOW_NOTHING}, {"pattern", BELOW_NOTHING},
    {"minimum", BELOW_NOTHING},   {"maximum", BELOW_NOTHING},
    {"allOf", BELOW_ARRAY},       {"if", BELOW_SCHEMA},
    {"then", BELOW_SCHEMA},       {"else", BELOW_SCHEMA},
};

#define KEYWORD_COUNT (sizeof keywords / sizeof keywords[0])

/* Schemas that are still to be looked at. */
typedef struct pending {
    struct pending_item {
        json_t *schema;
    } * items;
    size_t count;
    size_t room;
} pending;

static bool push(pending *list, json_t *schema)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        struct pending_item *grown = realloc(list->items, room * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        list->items = grown;
        list->room = room;
    }
    list->items[list->count++].schema = schema;
    return true;
}

static bool push_below(pending *list, below kind, json_t *value)
{
    size_t index = 0;
    const char *name = NULL;
    json_t *item = NULL;
    switch (kind) {
    case BELOW_SCHEMA:
        return push(list, value);
    case BELOW_MAP:
        json_object_foreach(value, name, item)
        {
            if (!push(list, item)) {
                return false;
            }
        }
        return json_is_object(value);
    case BELOW_ARRAY:
        json_array_foreach(value, index, item)
        {
            if (!push(list, item)) {
                return false;
            }
        }
        return json_is_array(value);
    default:
        return true;
    }
}

json_t *tlm_schema_definition(const tlm_schema *schema, const json_t *reference)
{
    static const char prefix[] = "#/$defs/";
    const char *text = json_string_value(reference);
    if (text == NULL || strncmp(text, prefix, sizeof prefix - 1) != 0) {
        return NULL;
    }
    return json_object_get(json_object_get(schema->root, "$defs"), text + sizeof prefix - 1);
}

/* Keywords whose values have one form alone here. */
static bool value_fits(const tlm_schema *schema, const char *name, const json_t *value)
{
    if (strcmp(name, "additionalProperties") == 0) {
        return json_is_false(value);
    }
    if (strcmp(name, "$ref") == 0) {
        return tlm_schema_definition(schema, value) != NULL;
    }
    return true;
}

static tlm_result check_schema(const tlm_schema *schema, json_t *one, pending *list,
                               tlm_error *error)
{
    if (!json_is_object(one)) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL, "a schema that is %s",
                             tlm_json_type(one));
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(one, name, value)
    {
        size_t i = 0;
        while (i < KEYWORD_COUNT && strcmp(keywords[i].name, name) != 0) {
            i++;
        }
        if (i == KEYWORD_COUNT || !value_fits(schema, name, value) ||
            !push_below(list, keywords[i].below, value)) {
            return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                                 "the keyword %s of a schema is not known, or not with that value",
                                 name);
        }
    }
    return TLM_OK;
}

static tlm_result check_keywords(const tlm_schema *schema, tlm_error *error)
{
    pending list = {.count = 0};
    tlm_result result = push(&list, schema->root)
                            ? TLM_OK
                            : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a schema");
    while (result == TLM_OK && list.count > 0) {
        result = check_schema(schema, list.items[--list.count].schema, &list, error);
    }
    free(list.items);
    return result;
}

tlm_result tlm_schema_load(const char *text, size_t size, tlm_schema **schema, tlm_error *error)
{
    json_t *root = NULL;
    tlm_result result = tlm_json_read(text, size, "the schema", &root, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_schema *made = calloc(1, sizeof *made);
    if (made == NULL) {
        json_decref(root);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a schema");
    }
    made->root = root;
    result = check_keywords(made, error);
    if (result != TLM_OK) {
        tlm_schema_free(&made);
        return result;
    }
    *schema = made;
    return TLM_OK;
}

tlm_result tlm_schema_license(tlm_schema **schema, tlm_error *error)
{
    return tlm_schema_load(tlm_schema_license_text, tlm_schema_license_size, schema, error);
}

void tlm_schema_free(tlm_schema **schema)
{
    if (schema == NULL || *schema == NULL) {
        return;
    }
    json_decref((*schema)->root);
    free(*schema);
    *schema = NULL;
}
