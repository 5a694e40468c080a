/* SPDX-License-Identifier: BSD-2-Clause */
#include "schema_private.h"

#include <math.h>
#include <regex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <tlm/json.h>
#include <tlm/log.h>
#include <tlm/settings.h>

#include "text_private.h"

#define PATH_MAX_SHOWN 256U
#define NAMES_MAX 64U

/* A value, where it stands, and how messages call it: features[0].model. */
typedef struct place {
    json_t *value;
    const tlm_node *node;
    char path[PATH_MAX_SHOWN];
} place;

/* `error` is NULL where only yes or no counts: the condition of an `if`. */
typedef struct checker {
    const tlm_schema *schema;
    const tlm_document *document;
    tlm_error *error;
    tlm_result wrong;
} checker;

static bool check(checker *self, json_t *schema, const place *at);

static bool fail(checker *self, const place *at, const tlm_node *node, const char *hint,
                 const char *format, ...) TLM_PRINTF(5, 6);

static bool fail(checker *self, const place *at, const tlm_node *node, const char *hint,
                 const char *format, ...)
{
    self->wrong = TLM_ERR_FORMAT;
    if (self->error == NULL) {
        return false;
    }
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    bool key = node != NULL;
    node = key ? node : at->node;
    unsigned line = key && node->key_line != 0 ? node->key_line : node->line;
    unsigned column = key && node->key_line != 0 ? node->key_column : node->column;
    self->wrong = tlm_document_wrong(self->document, line, column, self->error, hint, "%s%s%s",
                                     at->path, at->path[0] != '\0' ? " " : "", message);
    return false;
}

/* What is longer than a message is cut. */
static void set_path(place *at, const char *format, ...) TLM_PRINTF(2, 3);

static void set_path(place *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(at->path, sizeof at->path, format, arguments);
    va_end(arguments);
}

static place member_place(const place *of, const char *name, json_t *value)
{
    place made = {.value = value, .node = tlm_node_member(of->node, name)};
    char shown[64];
    tlm_text_show(shown, sizeof shown, name);
    set_path(&made, "%s%s%s", of->path, of->path[0] != '\0' ? "." : "", shown);
    return made;
}

static place element_place(const place *of, size_t index, json_t *value)
{
    place made = {.value = value, .node = tlm_node_element(of->node, index)};
    set_path(&made, "%s[%zu]", of->path, index);
    return made;
}

static bool is_integer(json_t *value)
{
    if (json_is_real(value)) {
        double number = json_real_value(value);
        return isfinite(number) && floor(number) == number;
    }
    return json_is_integer(value);
}

static bool has_type(json_t *value, const char *type)
{
    if (strcmp(type, "integer") == 0) {
        return is_integer(value);
    }
    static const struct {
        const char *name;
        json_type type;
    } types[] = {
        {"object", JSON_OBJECT}, {"array", JSON_ARRAY},    {"string", JSON_STRING},
        {"number", JSON_REAL},   {"number", JSON_INTEGER}, {"boolean", JSON_TRUE},
        {"boolean", JSON_FALSE}, {"null", JSON_NULL},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].type == json_typeof(value) && strcmp(types[i].name, type) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_type(checker *self, json_t *types, const place *at)
{
    json_t *first = json_is_array(types) ? json_array_get(types, 0) : types;
    size_t count = json_is_array(types) ? json_array_size(types) : 1;
    for (size_t i = 0; i < count; i++) {
        json_t *type = json_is_array(types) ? json_array_get(types, i) : types;
        if (has_type(at->value, json_string_value(type))) {
            return true;
        }
    }
    const char *wanted = json_string_value(first);
    const char *article = strchr("aeiou", wanted[0]) != NULL ? "an" : "a";
    bool quote =
        strcmp(wanted, "string") == 0 && (json_is_number(at->value) || json_is_boolean(at->value));
    return fail(self, at, NULL, quote ? "put it in quotes" : NULL, "is %s, not %s %s",
                tlm_json_type(at->value), article, wanted);
}

/* "a", "b" or "c" */
static void list_values(json_t *values, char *text, size_t size)
{
    size_t used = 0;
    size_t index = 0;
    json_t *value = NULL;
    text[0] = '\0';
    json_array_foreach(values, index, value)
    {
        const char *between = index == 0                             ? ""
                              : index + 1 == json_array_size(values) ? " or "
                                                                     : ", ";
        int length = snprintf(text + used, size - used, "%s%s", between, json_string_value(value));
        used += length > 0 && (size_t)length < size - used ? (size_t)length : 0;
    }
}

static bool check_enum(checker *self, json_t *values, const place *at)
{
    const char *names[NAMES_MAX];
    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach(values, index, value)
    {
        if (json_equal(value, at->value) == 1) {
            return true;
        }
        names[index % NAMES_MAX] = json_string_value(value);
    }
    char list[160];
    char quoted[64];
    char hint[96] = "";
    list_values(values, list, sizeof list);
    if (!json_is_string(at->value)) {
        return fail(self, at, NULL, NULL, "is %s, not %s", tlm_json_type(at->value), list);
    }
    const char *nearest = tlm_settings_nearest(json_string_value(at->value), names, index);
    if (nearest != NULL) {
        (void)snprintf(hint, sizeof hint, "did you mean %s?", nearest);
    }
    return fail(self, at, NULL, hint, "is %s, not %s",
                tlm_log_quote(json_string_value(at->value), quoted, sizeof quoted), list);
}

static bool check_const(checker *self, json_t *wanted, const place *at)
{
    return json_equal(wanted, at->value) == 1 ||
           fail(self, at, NULL, NULL, "is not %s", json_string_value(wanted));
}

static bool check_required(checker *self, json_t *names, const place *at)
{
    size_t index = 0;
    json_t *name = NULL;
    json_array_foreach(names, index, name)
    {
        if (json_is_object(at->value) &&
            json_object_get(at->value, json_string_value(name)) == NULL) {
            return fail(self, at, NULL, NULL, "lacks the member %s", json_string_value(name));
        }
    }
    return true;
}

static bool check_properties(checker *self, json_t *properties, const place *at)
{
    const char *name = NULL;
    json_t *schema = NULL;
    json_object_foreach(properties, name, schema)
    {
        json_t *value = json_object_get(at->value, name);
        if (value == NULL) {
            continue;
        }
        place member = member_place(at, name, value);
        if (!check(self, schema, &member)) {
            return false;
        }
    }
    return true;
}

/* additionalProperties: false */
static bool check_closed(checker *self, json_t *properties, const place *at)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    const char *name = NULL;
    json_t *ignored = NULL;
    json_object_foreach(properties, name, ignored)
    {
        if (count < NAMES_MAX) {
            names[count++] = name;
        }
    }
    json_object_foreach(at->value, name, ignored)
    {
        if (json_object_get(properties, name) != NULL) {
            continue;
        }
        place member = member_place(at, name, ignored);
        const char *nearest = tlm_settings_nearest(name, names, count);
        char hint[96] = "";
        if (nearest != NULL) {
            (void)snprintf(hint, sizeof hint, "did you mean %s?", nearest);
        }
        return fail(self, &member, member.node, hint, "is not a member that stands here");
    }
    return true;
}

static bool check_items(checker *self, json_t *schema, const place *at)
{
    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach(at->value, index, value)
    {
        place element = element_place(at, index, value);
        if (!check(self, schema, &element)) {
            return false;
        }
    }
    return true;
}

/* Characters, not bytes. */
static size_t length_of(json_t *text)
{
    const char *at = json_string_value(text);
    size_t length = 0;
    for (size_t i = 0; i < json_string_length(text); i++) {
        length += ((unsigned char)at[i] & 0xc0U) != 0x80U;
    }
    return length;
}

static bool check_size(checker *self, json_t *schema, const place *at)
{
    bool text = json_is_string(at->value);
    size_t size = text ? length_of(at->value) : json_array_size(at->value);
    json_t *least = json_object_get(schema, text ? "minLength" : "minItems");
    json_t *most = json_object_get(schema, text ? "maxLength" : "maxItems");
    const char *what = text ? "characters" : "elements";
    if (least != NULL && size < (size_t)json_integer_value(least)) {
        return size == 0 ? fail(self, at, NULL, NULL, "is empty")
                         : fail(self, at, NULL, NULL, "has %zu %s, %lld are the least", size, what,
                                (long long)json_integer_value(least));
    }
    return most == NULL || size <= (size_t)json_integer_value(most) ||
           fail(self, at, NULL, NULL, "has %zu %s, %lld are the most", size, what,
                (long long)json_integer_value(most));
}

static bool check_pattern(checker *self, json_t *schema, const place *at)
{
    json_t *pattern = json_object_get(schema, "pattern");
    regex_t expression;
    if (pattern == NULL || !json_is_string(at->value)) {
        return true;
    }
    if (regcomp(&expression, json_string_value(pattern), REG_EXTENDED | REG_NOSUB) != 0) {
        return fail(self, at, NULL, NULL, "cannot be checked: no memory for its pattern");
    }
    bool found = regexec(&expression, json_string_value(at->value), 0, NULL, 0) == 0;
    regfree(&expression);
    char quoted[96];
    return found || fail(self, at, NULL, NULL, "is %s, which is not of the form %s",
                         tlm_log_quote(json_string_value(at->value), quoted, sizeof quoted),
                         json_string_value(pattern));
}

static bool check_bounds(checker *self, json_t *schema, const place *at)
{
    json_t *least = json_object_get(schema, "minimum");
    json_t *most = json_object_get(schema, "maximum");
    if (!json_is_number(at->value)) {
        return true;
    }
    if (least != NULL && json_number_value(at->value) < json_number_value(least)) {
        return fail(self, at, NULL, NULL, "is less than %lld",
                    (long long)json_integer_value(least));
    }
    /* Integers as such: 2^53 and 2^53 - 1 are the same to some who compare them as numbers. */
    bool fits = most == NULL || (json_is_integer(at->value)
                                     ? json_integer_value(at->value) <= json_integer_value(most)
                                     : json_real_value(at->value) <= json_number_value(most));
    return fits ||
           fail(self, at, NULL, NULL, "is more than %lld", (long long)json_integer_value(most));
}

static bool check_condition(checker *self, json_t *schema, const place *at)
{
    json_t *condition = json_object_get(schema, "if");
    if (condition == NULL) {
        return true;
    }
    checker quiet = {.schema = self->schema, .document = self->document};
    json_t *next = json_object_get(schema, check(&quiet, condition, at) ? "then" : "else");
    return next == NULL || check(self, next, at);
}

static bool check_composed(checker *self, json_t *schema, const place *at)
{
    json_t *reference = json_object_get(schema, "$ref");
    if (reference != NULL && !check(self, tlm_schema_definition(self->schema, reference), at)) {
        return false;
    }
    size_t index = 0;
    json_t *part = NULL;
    json_array_foreach(json_object_get(schema, "allOf"), index, part)
    {
        if (!check(self, part, at)) {
            return false;
        }
    }
    return check_condition(self, schema, at);
}

/* Goes as deep as the schema, which refers to nothing that it stands in. */
static bool check(checker *self, json_t *schema, const place *at)
{
    json_t *type = json_object_get(schema, "type");
    json_t *values = json_object_get(schema, "enum");
    json_t *wanted = json_object_get(schema, "const");
    json_t *items = json_object_get(schema, "items");
    json_t *properties = json_object_get(schema, "properties");
    if ((type != NULL && !check_type(self, type, at)) ||
        (values != NULL && !check_enum(self, values, at)) ||
        (wanted != NULL && !check_const(self, wanted, at))) {
        return false;
    }
    bool closed = json_object_get(schema, "additionalProperties") != NULL;
    if (json_is_object(at->value) &&
        ((closed && !check_closed(self, properties, at)) ||
         !check_required(self, json_object_get(schema, "required"), at) ||
         !check_properties(self, properties, at))) {
        return false;
    }
    if ((json_is_array(at->value) || json_is_string(at->value)) && !check_size(self, schema, at)) {
        return false;
    }
    return (items == NULL || check_items(self, items, at)) && check_pattern(self, schema, at) &&
           check_bounds(self, schema, at) && check_composed(self, schema, at);
}

tlm_result tlm_schema_check(const tlm_schema *schema, const tlm_document *document,
                            tlm_error *error)
{
    tlm_error unused = {0};
    checker self = {.schema = schema,
                    .document = document,
                    .error = error != NULL ? error : &unused,
                    .wrong = TLM_OK};
    place root = {.value = document->value, .node = &document->root};
    return check(&self, schema->root, &root) ? TLM_OK : self.wrong;
}
