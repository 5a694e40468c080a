/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/statement.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/jws.h>

/* RFC 8785 section 3.2.2.3 writes numbers as ECMAScript does, which is exact up to here. */
#define INTEGER_MAX 9007199254740991LL

typedef struct writer {
    char *text;
    size_t length;
    size_t room;
    tlm_error *error;
} writer;

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a canonical JSON text");
}

static tlm_result put(writer *to, const char *data, size_t size)
{
    if (size >= to->room - to->length) { /* always with room for the zero byte */
        size_t room = to->room;
        do {
            if (room > SIZE_MAX / 2) {
                return no_memory(to->error);
            }
            room *= 2;
        } while (size >= room - to->length);
        char *larger = realloc(to->text, room);
        if (larger == NULL) {
            return no_memory(to->error);
        }
        to->text = larger;
        to->room = room;
    }
    memcpy(to->text + to->length, data, size);
    to->length += size;
    to->text[to->length] = '\0';
    return TLM_OK;
}

/* What stands for a character that a JSON text must escape; NULL for all others. */
static const char *escape_of(unsigned char c, char room[8])
{
    static const char *const shorts[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    if (c < sizeof shorts / sizeof shorts[0] && shorts[c] != NULL) {
        return shorts[c];
    }
    if (c < 0x20) {
        (void)snprintf(room, 8, "\\u%04x", c);
        return room;
    }
    return NULL;
}

static tlm_result put_string(writer *to, const char *text, size_t length)
{
    tlm_result result = put(to, "\"", 1);
    size_t begin = 0;
    for (size_t i = 0; i < length && result == TLM_OK; i++) {
        char room[8];
        const char *escape = escape_of((unsigned char)text[i], room);
        if (escape != NULL) {
            result = put(to, text + begin, i - begin);
            if (result == TLM_OK) {
                result = put(to, escape, strlen(escape));
            }
            begin = i + 1;
        }
    }
    if (result == TLM_OK) {
        result = put(to, text + begin, length - begin);
    }
    return result == TLM_OK ? put(to, "\"", 1) : result;
}

/*
 * Orders by UTF-16 code units (section 3.2.3). UTF-8 has the order of code points, which differs
 * where surrogates come before U+E000: lead bytes 0xf0 to 0xf4 before 0xee and 0xef.
 */
static unsigned unit_rank(unsigned char byte)
{
    return byte == 0xee || byte == 0xef ? byte + 0x10U : byte;
}

static int compare_names(const void *left, const void *right)
{
    const unsigned char *a = *(const unsigned char *const *)left;
    const unsigned char *b = *(const unsigned char *const *)right;
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (int)unit_rank(*a) - (int)unit_rank(*b);
}

static tlm_result put_value(writer *to, const json_t *value, unsigned depth);

static tlm_result put_members(writer *to, const json_t *object, const char **names, size_t count,
                              unsigned depth)
{
    tlm_result result = TLM_OK;
    for (size_t i = 0; i < count && result == TLM_OK; i++) {
        result = i == 0 ? TLM_OK : put(to, ",", 1);
        if (result == TLM_OK) {
            result = put_string(to, names[i], strlen(names[i]));
        }
        if (result == TLM_OK) {
            result = put(to, ":", 1);
        }
        if (result == TLM_OK) {
            result = put_value(to, json_object_get(object, names[i]), depth + 1);
        }
    }
    return result;
}

static tlm_result put_object(writer *to, const json_t *object, unsigned depth)
{
    size_t count = 0;
    const char **names = calloc(json_object_size(object) + 1, sizeof *names);
    if (names == NULL) {
        return no_memory(to->error);
    }
    /* jansson walks objects through a pointer that is not const; nothing is changed. */
    union {
        const json_t *object;
        json_t *walked;
    } both = {.object = object};
    for (void *at = json_object_iter(both.walked); at != NULL;
         at = json_object_iter_next(both.walked, at)) {
        names[count] = json_object_iter_key(at);
        count++;
    }
    qsort(names, count, sizeof *names, compare_names);
    tlm_result result = put(to, "{", 1);
    if (result == TLM_OK) {
        result = put_members(to, object, names, count, depth);
    }
    free(names);
    return result == TLM_OK ? put(to, "}", 1) : result;
}

static tlm_result put_array(writer *to, const json_t *array, unsigned depth)
{
    tlm_result result = put(to, "[", 1);
    for (size_t i = 0; i < json_array_size(array) && result == TLM_OK; i++) {
        result = i == 0 ? TLM_OK : put(to, ",", 1);
        if (result == TLM_OK) {
            result = put_value(to, json_array_get(array, i), depth + 1);
        }
    }
    return result == TLM_OK ? put(to, "]", 1) : result;
}

static tlm_result put_integer(writer *to, json_int_t value)
{
    char digits[24];
    if (value > INTEGER_MAX || value < -INTEGER_MAX) {
        return tlm_error_set(to->error, TLM_ERR_FORMAT, NULL,
                             "the number %lld of a statement is not exact in every JSON reader",
                             (long long)value);
    }
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    return put(to, digits, (size_t)length);
}

static tlm_result put_value(writer *to, const json_t *value, unsigned depth)
{
    if (depth > TLM_JSON_DEPTH_MAX) {
        return tlm_error_set(to->error, TLM_ERR_FORMAT, NULL,
                             "a statement is nested deeper than %u", TLM_JSON_DEPTH_MAX);
    }
    if (value == NULL) {
        return no_memory(to->error);
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return put_object(to, value, depth);
    case JSON_ARRAY:
        return put_array(to, value, depth);
    case JSON_STRING:
        return put_string(to, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        return put_integer(to, json_integer_value(value));
    case JSON_TRUE:
        return put(to, "true", 4);
    case JSON_FALSE:
        return put(to, "false", 5);
    case JSON_NULL:
        return put(to, "null", 4);
    case JSON_REAL:
        break;
    }
    return tlm_error_set(to->error, TLM_ERR_FORMAT, NULL,
                         "a number of a statement is not an integer");
}

tlm_result tlm_statement_canonical(const json_t *statement, char **text, tlm_error *error)
{
    writer to = {.room = 512, .error = error};
    to.text = malloc(to.room);
    if (to.text == NULL) {
        return no_memory(error);
    }
    tlm_result result = put_value(&to, statement, 1);
    if (result != TLM_OK) {
        free(to.text);
        return result;
    }
    *text = to.text;
    return TLM_OK;
}
