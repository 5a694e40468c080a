/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/json.h>

/* A place in a message: key and path; a longer one is cut, as the message would be. */
#define PLACE_MAX 480U
#define SECTION_MAX 32U
#define OBJECT_HINT "the form is {\"" TLM_SETTINGS_ROOT "\": {\"REST\": {\"ServerPort\": 52014}}}"

static tlm_result wrong_type(const char *place, const json_t *value, const char *expected,
                             const char *hint, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_SETTING, hint, "%s is %s, not %s", place,
                         tlm_json_type(value), expected);
}

/* An array of strings as one comma-separated text; the caller frees it. */
static tlm_result join(const json_t *array, const char *place, char **joined, tlm_error *error)
{
    size_t size = 1;
    size_t index = 0;
    const json_t *item = NULL;
    json_array_foreach(array, index, item)
    {
        if (!json_is_string(item) || json_string_length(item) == 0) {
            return tlm_error_set(error, TLM_ERR_SETTING, "write it as [\"…\", \"…\"]",
                                 "%s: entry %zu is %s, not a string with something in it", place,
                                 index + 1, json_is_string(item) ? "empty" : tlm_json_type(item));
        }
        size += json_string_length(item) + 1; /* the file's maximum bounds the sum */
    }
    char *text = malloc(size);
    if (text == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the value of %s", place);
    }
    size_t used = 0;
    json_array_foreach(array, index, item)
    {
        int done = snprintf(text + used, size - used, "%s%s", index > 0 ? "," : "",
                            json_string_value(item));
        used += (size_t)done;
    }
    text[used] = '\0';
    *joined = text;
    return TLM_OK;
}

static tlm_result store_value(tlm_settings *settings, const tlm_setting_row *row,
                              const json_t *value, const char *place, tlm_error *error)
{
    const tlm_setting_source source = {TLM_ORIGIN_FILE, row->key, place};
    char number[32];
    switch (row->type) {
    case TLM_TYPE_switch:
        if (!json_is_boolean(value)) {
            return wrong_type(place, value, "a boolean", "write true or false, without quotes",
                              error);
        }
        return tlm_settings_store(settings, row, json_is_true(value) ? "true" : "false", &source,
                                  error);
    case TLM_TYPE_number:
        if (!json_is_integer(value)) {
            return wrong_type(place, value, "an integer", "write the number alone, without quotes",
                              error);
        }
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return tlm_settings_store(settings, row, number, &source, error);
    case TLM_TYPE_list: {
        if (!json_is_array(value)) {
            return wrong_type(place, value, "an array of strings", "write it as [\"…\", \"…\"]",
                              error);
        }
        char *joined = NULL;
        tlm_result result = join(value, place, &joined, error);
        if (result == TLM_OK) {
            result = tlm_settings_store(settings, row, joined, &source, error);
        }
        free(joined);
        return result;
    }
    case TLM_TYPE_text:
    case TLM_TYPE_level:
    case TLM_TYPE_format:
    case TLM_TYPE_word:
        if (!json_is_string(value)) {
            return wrong_type(place, value, "a string", "put the value into quotes", error);
        }
        return tlm_settings_store(settings, row, json_string_value(value), &source, error);
    }
    return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "%s is of no known type", place);
}

/* The key's name in `section`, or NULL where the row lies elsewhere or in no file at all. */
static const char *name_in(const tlm_setting_row *row, const char *section)
{
    size_t length = strlen(section);
    bool inside = strncmp(row->key, section, length) == 0 && row->key[length] == '.';
    return inside ? row->key + length + 1 : NULL;
}

/* Says which name is unknown in `parent`, and the nearest one there or all there are. */
static tlm_result unknown_key(const char *parent, const char *name, const char *path,
                              const char *const known[], size_t count, tlm_error *error)
{
    char quoted[128];
    tlm_result result = tlm_error_set(error, TLM_ERR_SETTING, NULL, "unknown key %s in %s in %s",
                                      tlm_log_quote(name, quoted, sizeof quoted), parent, path);
    tlm_settings_suggest(name, known, count, error);
    return result;
}

/* What stands in a section: settings, and sections of its own ("Tls" in "REST"). */
typedef struct section_names {
    char names[TLM_SETTING_COUNT][SECTION_MAX];
    const char *known[TLM_SETTING_COUNT];
    const tlm_setting_row *rows[TLM_SETTING_COUNT]; /* NULL for a section */
    size_t count;
} section_names;

static void list_names(const char *section, section_names *list)
{
    list->count = 0;
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const char *name = name_in(&tlm_setting_rows[i], section);
        size_t length = name != NULL ? strcspn(name, ".") : 0;
        bool listed = length == 0 || length >= SECTION_MAX;
        for (size_t n = 0; n < list->count && !listed; n++) {
            listed = strncmp(list->names[n], name, length) == 0 && list->names[n][length] == '\0';
        }
        if (!listed) {
            char *copy = list->names[list->count];
            memcpy(copy, name, length);
            copy[length] = '\0';
            list->known[list->count] = copy;
            list->rows[list->count++] = name[length] == '\0' ? &tlm_setting_rows[i] : NULL;
        }
    }
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the keys of the table are
static tlm_result parse_section(const char *section, json_t *object, const char *path,
                                tlm_settings *settings, tlm_error *error)
{
    char place[PLACE_MAX];
    (void)snprintf(place, sizeof place, TLM_SETTINGS_ROOT ".%s in %s", section, path);
    if (!json_is_object(object)) {
        return wrong_type(place, object, "an object", OBJECT_HINT, error);
    }
    section_names list;
    list_names(section, &list);
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < list.count && strcmp(list.known[i], name) != 0) {
            i++;
        }
        tlm_result result = TLM_OK;
        if (i == list.count) {
            (void)snprintf(place, sizeof place, TLM_SETTINGS_ROOT ".%s", section);
            return unknown_key(place, name, path, list.known, list.count, error);
        }
        if (list.rows[i] == NULL) {
            char inner[SECTION_MAX * 2];
            (void)snprintf(inner, sizeof inner, "%s.%s", section, name);
            result = parse_section(inner, value, path, settings, error);
        } else {
            (void)snprintf(place, sizeof place, TLM_SETTINGS_ROOT ".%s in %s", list.rows[i]->key,
                           path);
            result = store_value(settings, list.rows[i], value, place, error);
        }
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

/* The sections of the table ("TPM", "REST" …), each once, in its order. */
static size_t list_sections(char sections[TLM_SETTING_COUNT][SECTION_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        size_t length = strcspn(tlm_setting_rows[i].key, ".");
        bool listed = length == 0 || length >= SECTION_MAX;
        for (size_t n = 0; n < count && !listed; n++) {
            listed = name_in(&tlm_setting_rows[i], sections[n]) != NULL;
        }
        if (!listed) {
            memcpy(sections[count], tlm_setting_rows[i].key, length);
            sections[count++][length] = '\0';
        }
    }
    return count;
}

static tlm_result parse_sections(json_t *object, const char *path, tlm_settings *settings,
                                 tlm_error *error)
{
    char place[PLACE_MAX];
    if (!json_is_object(object)) {
        (void)snprintf(place, sizeof place, TLM_SETTINGS_ROOT " in %s", path);
        return wrong_type(place, object, "an object", OBJECT_HINT, error);
    }
    char sections[TLM_SETTING_COUNT][SECTION_MAX];
    const char *known[TLM_SETTING_COUNT];
    size_t count = list_sections(sections);
    for (size_t i = 0; i < count; i++) {
        known[i] = sections[i];
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(known[i], name) != 0) {
            i++;
        }
        tlm_result result = i < count
                                ? parse_section(name, value, path, settings, error)
                                : unknown_key(TLM_SETTINGS_ROOT, name, path, known, count, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

static tlm_result parse_root(json_t *root, const char *path, tlm_settings *settings,
                             tlm_error *error)
{
    static const char *const known[] = {TLM_SETTINGS_ROOT};
    if (!json_is_object(root)) {
        return wrong_type(path, root, "an object", OBJECT_HINT, error);
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(root, name, value)
    {
        tlm_result result = strcmp(name, TLM_SETTINGS_ROOT) == 0
                                ? parse_sections(value, path, settings, error)
                                : unknown_key("the top level", name, path, known, 1, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

tlm_result tlm_settings_parse(const char *data, size_t size, const char *path,
                              tlm_settings *settings, tlm_error *error)
{
    if (size > TLM_SETTINGS_FILE_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "%s is larger than the %zu bytes of a configuration file", path,
                             TLM_SETTINGS_FILE_MAX);
    }
    json_t *root = NULL;
    tlm_result result = tlm_json_read(data, size, path, &root, error);
    if (result == TLM_OK) {
        result = parse_root(root, path, settings, error);
    }
    json_decref(root);
    return result;
}
