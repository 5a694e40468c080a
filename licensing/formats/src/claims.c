/* SPDX-License-Identifier: BSD-2-Clause */
#include "claims_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/json.h>

#include "text_private.h"

tlm_claims tlm_claims_at(const json_t *object, const char *format, ...)
{
    tlm_claims made = {.object = object};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(made.path, sizeof made.path, format, arguments);
    va_end(arguments);
    return made;
}

static const char *dot(const tlm_claims *claims)
{
    return claims->path[0] != '\0' ? "." : "";
}

/* The same text for every kind of trouble with a member: its path, and what it is not. */
static tlm_result refuse(const tlm_claims *claims, const char *name, tlm_error *error,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

static tlm_result refuse(const tlm_claims *claims, const char *name, tlm_error *error,
                         const char *format, ...)
{
    char what[192];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s%s%s %s", claims->path, dot(claims), name,
                         what);
}

tlm_result tlm_claims_wrong(const tlm_claims *claims, const char *name, const char *wanted,
                            tlm_error *error)
{
    const json_t *value = json_object_get(claims->object, name);
    if (value == NULL) {
        return refuse(claims, name, error, "is missing");
    }
    return refuse(claims, name, error, "is %s, not %s", tlm_json_type(value), wanted);
}

bool tlm_claims_has(const tlm_claims *claims, const char *name)
{
    return json_object_get(claims->object, name) != NULL;
}

tlm_result tlm_claims_text(const tlm_claims *claims, const char *name, size_t max, char **text,
                           tlm_error *error)
{
    const json_t *value = json_object_get(claims->object, name);
    if (!json_is_string(value)) {
        return tlm_claims_wrong(claims, name, "a text", error);
    }
    size_t length = json_string_length(value);
    if (length == 0 || length > max) {
        return refuse(claims, name, error, "has %zu bytes, which is not 1 to %zu", length, max);
    }
    if (tlm_text_has_controls(json_string_value(value))) {
        return refuse(claims, name, error, "has a control character");
    }
    *text = strdup(json_string_value(value));
    return *text != NULL ? TLM_OK
                         : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a text");
}

tlm_result tlm_claims_integer(const tlm_claims *claims, const char *name, int64_t least,
                              int64_t most, int64_t *value, tlm_error *error)
{
    const json_t *member = json_object_get(claims->object, name);
    if (!json_is_integer(member)) {
        return tlm_claims_wrong(claims, name, "an integer", error);
    }
    int64_t number = json_integer_value(member);
    if (number < least || number > most) {
        return refuse(claims, name, error, "is %lld, which is not %lld to %lld", (long long)number,
                      (long long)least, (long long)most);
    }
    *value = number;
    return TLM_OK;
}

tlm_result tlm_claims_time(const tlm_claims *claims, const char *name, int64_t *time,
                           tlm_error *error)
{
    return tlm_claims_integer(claims, name, 0, TLM_CLAIMS_TIME_MAX, time, error);
}

bool tlm_claims_uuid_copy(const char *from, char to[37])
{
    size_t length = strlen(from);
    if (length != 36) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        bool upper = from[i] >= 'A' && from[i] <= 'F';
        to[i] = (char)(upper ? from[i] - 'A' + 'a' : from[i]);
    }
    to[length] = '\0';
    return tlm_uuid_valid(to, length);
}

tlm_result tlm_claims_uuid(const tlm_claims *claims, const char *name, char **uuid,
                           tlm_error *error)
{
    const json_t *value = json_object_get(claims->object, name);
    char lower[37];
    if (!json_is_string(value)) {
        return tlm_claims_wrong(claims, name, "a text", error);
    }
    if (json_string_length(value) != 36 || !tlm_claims_uuid_copy(json_string_value(value), lower)) {
        return refuse(claims, name, error, "is no UUID");
    }
    *uuid = strdup(lower);
    return *uuid != NULL ? TLM_OK
                         : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a UUID");
}

tlm_result tlm_claims_fingerprint(const tlm_claims *claims, const char *name, char fingerprint[65],
                                  tlm_error *error)
{
    const json_t *value = json_object_get(claims->object, name);
    if (!json_is_string(value)) {
        return tlm_claims_wrong(claims, name, "a text", error);
    }
    if (json_string_length(value) != 64 || !tlm_hex_valid(json_string_value(value), 64)) {
        return refuse(claims, name, error, "is no fingerprint of 64 lower case hexadecimal digits");
    }
    tlm_text_copy(fingerprint, 65, json_string_value(value));
    return TLM_OK;
}

tlm_result tlm_claims_object(const tlm_claims *claims, const char *name, tlm_claims *to,
                             tlm_error *error)
{
    const json_t *value = json_object_get(claims->object, name);
    if (!json_is_object(value)) {
        return tlm_claims_wrong(claims, name, "an object", error);
    }
    *to = tlm_claims_at(value, "%s%s%s", claims->path, dot(claims), name);
    return TLM_OK;
}

tlm_result tlm_claims_array(const tlm_claims *claims, const char *name, size_t least, size_t most,
                            const json_t **array, tlm_error *error)
{
    const json_t *value = json_object_get(claims->object, name);
    if (!json_is_array(value)) {
        return tlm_claims_wrong(claims, name, "an array", error);
    }
    size_t count = json_array_size(value);
    if (count < least || count > most) {
        return refuse(claims, name, error, "has %zu elements, which is not %zu to %zu", count,
                      least, most);
    }
    *array = value;
    return TLM_OK;
}
