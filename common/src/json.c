/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/json.h>

const char *tlm_json_type(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction or exponent";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

tlm_result tlm_json_read(const char *text, size_t size, const char *path, json_t **root,
                         tlm_error *error)
{
    json_error_t cause;
    json_t *read = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &cause);
    if (read == NULL) {
        /* The parser quotes from the file: nothing there shall steer a terminal. */
        for (char *at = cause.text; *at != '\0'; at++) {
            if (*at < 0x20 || *at > 0x7e) {
                *at = '?';
            }
        }
        tlm_result result =
            tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s, line %d, column %d: %s", path,
                          cause.line, cause.column, cause.text);
        tlm_error_set_hint(error, "mend the JSON there; to check it: jq . %s", path);
        return result;
    }
    *root = read;
    return TLM_OK;
}
