/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_private.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/json.h>
#include <tlm/jws.h>

json_t *tlm_json_load(const void *data, size_t size)
{
    tlm_json_protect();
    json_t *value = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(value)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

/* Whether arrays and objects are nested deeper than is accepted: before a parser recurses. */
static bool too_deep(const char *text, size_t size)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            i += c == '\\' ? 1 : 0;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
        if (depth > TLM_JSON_DEPTH_MAX) {
            return true;
        }
    }
    return false;
}

/* The parser's own words show parts of the text, which may not get into a log. */
static const char *why(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "a member is repeated";
    case json_error_invalid_utf8:
        return "it is not UTF-8";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a text holds a NUL";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something stands behind it";
    default:
        return "its syntax is wrong";
    }
}

tlm_result tlm_json_parse(const void *data, size_t size, const char *what, json_t **object,
                          tlm_error *error)
{
    json_error_t cause = {.line = 0};
    tlm_json_protect();
    if (too_deep(data, size)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is nested deeper than %u levels",
                             what, TLM_JSON_DEPTH_MAX);
    }
    json_t *value = json_loadb(data, size, JSON_REJECT_DUPLICATES, &cause);
    if (value == NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is no JSON object, at byte %d: %s",
                             what, cause.position, why(&cause));
    }
    if (!json_is_object(value)) {
        (void)tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is %s, not a JSON object", what,
                            tlm_json_type(value));
        json_decref(value);
        return TLM_ERR_FORMAT;
    }
    *object = value;
    return TLM_OK;
}

const char *tlm_json_member(const json_t *object, const char *name, size_t max)
{
    const json_t *value = json_object_get(object, name);
    size_t length = json_string_length(value);
    return length >= 1 && length <= max ? json_string_value(value) : NULL;
}

bool tlm_json_only(const json_t *object, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_object_get(object, names[i]) == NULL) {
            return false;
        }
    }
    return json_object_size(object) == count;
}

tlm_result tlm_json_dump(const json_t *object, tlm_secret **text, tlm_error *error)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    size_t size = object == NULL ? 0 : json_dumpb(object, NULL, 0, flags);
    if (size == 0) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JSON text");
    }
    tlm_secret *made = NULL;
    tlm_result result = tlm_secret_new(size, &made, error);
    if (result != TLM_OK) {
        return result;
    }
    if (json_dumpb(object, (char *)tlm_secret_data(made), size, flags) != size) {
        tlm_secret_free(&made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JSON text");
    }
    *text = made;
    return TLM_OK;
}
