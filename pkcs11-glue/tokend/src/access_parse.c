/* SPDX-License-Identifier: BSD-2-Clause */
#include "access_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/json.h>
#include <tlm/log.h>
#include <tlm/settings.h>

#include "../../src/internal.h"

#define PLACE_MAX 400U
#define VERSION 1
/* (uid_t)-1 and (gid_t)-1 mean "nobody in particular" to the kernel. */
#define ID_MAX 4294967294LL
#define FORM_HINT                                                                                  \
    "the form is {\"version\": 1, \"rules\": [{\"group\": \"tlm\", \"objects\": [\"*\"], "         \
    "\"operations\": [\"use\"]}]}"

static const struct {
    const char *word;
    unsigned uses;
} operations[] = {
    {"see", TLM_USE_SEE},        {"sign", TLM_USE_SIGN},       {"decrypt", TLM_USE_DECRYPT},
    {"derive", TLM_USE_DERIVE},  {"counter", TLM_USE_COUNTER}, {"manage", TLM_USE_MANAGE},
    {"use", TLM_ACCESS_USE_ALL},
};
#define OPERATION_COUNT (sizeof operations / sizeof operations[0])

static tlm_result wrong(const char *place, const char *name, const json_t *value,
                        const char *expected, tlm_error *error)
{
    if (value == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT, "%s has no \"%s\"", place, name);
    }
    return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT, "%s: \"%s\" is %s, not %s", place, name,
                         tlm_json_type(value), expected);
}

static tlm_result check_members(json_t *object, const char *place, const char *const known[],
                                size_t count, tlm_error *error)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(known[i], name) != 0) {
            i++;
        }
        if (i == count) {
            char quoted[128];
            tlm_result result = tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s: unknown member %s",
                                              place, tlm_log_quote(name, quoted, sizeof quoted));
            tlm_settings_suggest(name, known, count, error);
            return result;
        }
    }
    return TLM_OK;
}

/* Who a rule is about: a name, or a number. */
static tlm_result parse_subject(const json_t *object, const char *place, tlm_access_rule *rule,
                                tlm_error *error)
{
    const json_t *user = json_object_get(object, "user");
    const json_t *group = json_object_get(object, "group");
    if ((user == NULL) == (group == NULL)) {
        return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT, "%s: it has %s", place,
                             user == NULL ? "neither \"user\" nor \"group\""
                                          : "both \"user\" and \"group\"; make two rules of it");
    }
    rule->is_group = group != NULL;
    const json_t *subject = rule->is_group ? group : user;
    const char *name = rule->is_group ? "group" : "user";
    if (json_is_integer(subject)) {
        json_int_t number = json_integer_value(subject);
        if (number < 0 || number > ID_MAX) {
            return tlm_error_set(error, TLM_ERR_SETTING, "a number is from 0 to 4294967294",
                                 "%s: \"%s\" is %" JSON_INTEGER_FORMAT, place, name, number);
        }
        rule->id = (unsigned)number;
        return TLM_OK;
    }
    if (!json_is_string(subject)) {
        return wrong(place, name, subject, "a name or a number", error);
    }
    return rule->is_group
               ? tlm_access_find_group(json_string_value(subject), place, &rule->id, error)
               : tlm_access_find_user(json_string_value(subject), place, &rule->id, error);
}

/* A list of 1 to `max` texts. */
static tlm_result check_list(const json_t *list, const char *place, const char *name, size_t max,
                             tlm_error *error)
{
    if (!json_is_array(list)) {
        return wrong(place, name, list, "an array of strings", error);
    }
    size_t count = json_array_size(list);
    if (count == 0 || count > max) {
        return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT,
                             "%s: \"%s\" has %zu entries; 1 to %zu are allowed", place, name, count,
                             max);
    }
    for (size_t i = 0; i < count; i++) {
        if (!json_is_string(json_array_get(list, i))) {
            return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT,
                                 "%s: entry %zu of \"%s\" is %s, not a string", place, i + 1, name,
                                 tlm_json_type(json_array_get(list, i)));
        }
    }
    return TLM_OK;
}

/* What a message, or a log line, cannot show as it is names no object either. */
static bool is_label(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > TLM_LABEL_MAX) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at) != 0 || *at == '*') {
            return false;
        }
    }
    return true;
}

static tlm_result parse_objects(const json_t *object, const char *place, tlm_access_rule *rule,
                                tlm_error *error)
{
    const json_t *list = json_object_get(object, "objects");
    tlm_result result = check_list(list, place, "objects", TLM_ACCESS_OBJECTS_MAX, error);
    if (result != TLM_OK) {
        return result;
    }
    rule->objects = calloc(json_array_size(list), sizeof *rule->objects);
    if (rule->objects == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the access table");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *label = json_string_value(json_array_get(list, i));
        if (strcmp(label, "*") == 0) {
            rule->every_object = true;
            continue;
        }
        if (!is_label(label)) {
            char quoted[128];
            return tlm_error_set(error, TLM_ERR_SETTING,
                                 "an object is named by its whole label; \"*\" is every object",
                                 "%s: %s is no label of 1 to %u bytes", place,
                                 tlm_log_quote(label, quoted, sizeof quoted), TLM_LABEL_MAX);
        }
        char *copy = strdup(label);
        if (copy == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the access table");
        }
        rule->objects[rule->object_count++] = copy;
    }
    return TLM_OK;
}

static tlm_result parse_operations(const json_t *object, const char *place, tlm_access_rule *rule,
                                   tlm_error *error)
{
    const json_t *list = json_object_get(object, "operations");
    tlm_result result = check_list(list, place, "operations", OPERATION_COUNT, error);
    for (size_t i = 0; result == TLM_OK && i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));
        const char *known[OPERATION_COUNT];
        size_t n = 0;
        for (; n < OPERATION_COUNT && strcmp(operations[n].word, word) != 0; n++) {
            known[n] = operations[n].word;
        }
        if (n < OPERATION_COUNT) {
            rule->uses |= operations[n].uses | (unsigned)TLM_USE_SEE;
            continue;
        }
        char quoted[128];
        result = tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s: unknown operation %s", place,
                               tlm_log_quote(word, quoted, sizeof quoted));
        tlm_settings_suggest(word, known, OPERATION_COUNT, error);
    }
    return result;
}

static tlm_result parse_rule(json_t *object, size_t number, const char *path, tlm_access_rule *rule,
                             tlm_error *error)
{
    static const char *const known[] = {"user", "group", "objects", "operations"};
    char place[PLACE_MAX];
    (void)snprintf(place, sizeof place, "rule %zu in %s", number, path);
    if (!json_is_object(object)) {
        return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT, "%s is %s, not an object", place,
                             tlm_json_type(object));
    }
    tlm_result result = check_members(object, place, known, sizeof known / sizeof known[0], error);
    if (result == TLM_OK) {
        result = parse_subject(object, place, rule, error);
    }
    if (result == TLM_OK) {
        result = parse_objects(object, place, rule, error);
    }
    if (result == TLM_OK) {
        result = parse_operations(object, place, rule, error);
    }
    return result;
}

/* Before anything else is looked at: a newer form may have members of its own. */
static tlm_result check_version(const json_t *root, const char *path, tlm_error *error)
{
    if (!json_is_object(root)) {
        return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT, "%s is %s, not an object", path,
                             tlm_json_type(root));
    }
    const json_t *version = json_object_get(root, "version");
    if (!json_is_integer(version)) {
        return wrong(path, "version", version, "an integer", error);
    }
    if (json_integer_value(version) > VERSION) {
        return tlm_error_set(error, TLM_ERR_NEWER, "install the version of this program it is for",
                             "%s has version %" JSON_INTEGER_FORMAT ", this program knows %d", path,
                             json_integer_value(version), VERSION);
    }
    if (json_integer_value(version) < VERSION) {
        return tlm_error_set(error, TLM_ERR_SETTING, FORM_HINT,
                             "%s: there is no version %" JSON_INTEGER_FORMAT, path,
                             json_integer_value(version));
    }
    return TLM_OK;
}

static tlm_result parse_root(json_t *root, const char *path, tlm_access **access, tlm_error *error)
{
    static const char *const known[] = {"version", "rules"};
    tlm_result result = check_version(root, path, error);
    if (result == TLM_OK) {
        result = check_members(root, path, known, sizeof known / sizeof known[0], error);
    }
    if (result != TLM_OK) {
        return result;
    }
    json_t *rules = json_object_get(root, "rules");
    if (!json_is_array(rules)) {
        return wrong(path, "rules", rules, "an array of rules", error);
    }
    size_t count = json_array_size(rules);
    if (count > TLM_ACCESS_RULES_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE,
                             "name several objects in one rule, or make a group of several users",
                             "%s has %zu rules; %u are the most", path, count,
                             TLM_ACCESS_RULES_MAX);
    }
    tlm_access *made = tlm_access_new(count);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the access table");
    }
    for (size_t i = 0; result == TLM_OK && i < count; i++) {
        result = parse_rule(json_array_get(rules, i), i + 1, path, &made->rules[i], error);
    }
    if (result != TLM_OK) {
        tlm_access_free(&made);
        return result;
    }
    *access = made;
    return TLM_OK;
}

tlm_result tlm_access_parse(const char *text, size_t size, const char *path, tlm_access **access,
                            tlm_error *error)
{
    if (text == NULL || path == NULL || access == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "parsing no access table");
    }
    if (size > TLM_ACCESS_FILE_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "%s is larger than the %u bytes of an access table", path,
                             TLM_ACCESS_FILE_MAX);
    }
    json_t *root = NULL;
    tlm_result result = tlm_json_read(text, size, path, &root, error);
    if (result == TLM_OK) {
        result = parse_root(root, path, access, error);
    }
    json_decref(root);
    return result;
}
