/* SPDX-License-Identifier: BSD-2-Clause */
#include "body.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 1024U
#define BLANKS " \t\r\n"

void tlm_body_begin(tlm_body *body, size_t max)
{
    *body = (tlm_body){.max = max};
}

/* Room doubles, so that a large body is not moved each time a few bytes of it arrive. */
static bool make_room(tlm_body *body, size_t size)
{
    if (size < body->room) {
        return true;
    }
    size_t room = body->room > 0 ? body->room : ROOM_FIRST;
    while (room <= size) {
        room *= 2;
    }
    if (room > body->max + 1) {
        room = body->max + 1;
    }
    char *data = realloc(body->data, room);
    if (data == NULL) {
        return false;
    }
    body->data = data;
    body->room = room;
    return true;
}

void tlm_body_add(tlm_body *body, const char *data, size_t size)
{
    if (body->over > 0 || body->starving || size > body->max - body->size) {
        body->over += size;
        return;
    }
    if (!make_room(body, body->size + size)) {
        body->starving = true;
        return;
    }
    memcpy(body->data + body->size, data, size);
    body->size += size;
    body->data[body->size] = '\0';
}

void tlm_body_clear(tlm_body *body)
{
    free(body->data);
    *body = (tlm_body){.data = NULL};
}

/* Before jansson sees it: its own limit on depth is 2048, and each level is a call. */
static bool too_deep(const tlm_body *body)
{
    size_t depth = 0;
    bool text = false;
    for (size_t i = 0; i < body->size; i++) {
        char at = body->data[i];
        if (text) {
            i += at == '\\' ? 1 : 0;
            text = at != '"';
        } else if (at == '"') {
            text = true;
        } else if (at == '{' || at == '[') {
            depth++;
        } else if ((at == '}' || at == ']') && depth > 0) {
            depth--;
        }
        if (depth > TLM_BODY_DEPTH_MAX) {
            return true;
        }
    }
    return false;
}

static bool is_blank(const tlm_body *body)
{
    return body->size == 0 ||
           (strspn(body->data, BLANKS) == body->size && memchr(body->data, 0, body->size) == NULL);
}

tlm_result tlm_body_object(const tlm_body *body, json_t **object, tlm_error *error)
{
    static const char hint[] = "send one JSON object (RFC 8259), each member once";
    *object = NULL;
    if (is_blank(body)) {
        return TLM_OK;
    }
    if (too_deep(body)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, hint,
                             "the body has more than %u objects and arrays in each other",
                             TLM_BODY_DEPTH_MAX);
    }
    json_error_t wrong;
    json_t *read = json_loadb(body->data, body->size, JSON_REJECT_DUPLICATES, &wrong);
    if (read == NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT, hint,
                             "the body is not JSON: line %d, column %d: %s", wrong.line,
                             wrong.column, wrong.text);
    }
    if (!json_is_object(read)) {
        json_decref(read);
        return tlm_error_set(error, TLM_ERR_FORMAT, hint, "the body is no JSON object");
    }
    *object = read;
    return TLM_OK;
}

tlm_result tlm_body_text(tlm_body *body, const char **text, size_t *size, tlm_error *error)
{
    size_t end = body->size;
    size_t begin = 0;
    while (end > 0 && strchr(BLANKS, body->data[end - 1]) != NULL && body->data[end - 1] != '\0') {
        end--;
    }
    while (begin < end && strchr(BLANKS, body->data[begin]) != NULL && body->data[begin] != '\0') {
        begin++;
    }
    if (begin == end) {
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "send the file's content: curl --data-binary @FILE",
                             "the body is empty");
    }
    body->data[end] = '\0';
    *text = body->data + begin;
    *size = end - begin;
    return TLM_OK;
}
