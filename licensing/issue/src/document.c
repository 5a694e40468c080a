/* SPDX-License-Identifier: BSD-2-Clause */
#include "document.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include <tlm/log.h>

#include "input.h"
#include "scalar.h"

/* A map or sequence that is still open; its value is owned by what it stands in. */
typedef struct level {
    json_t *value;
    tlm_node *node;
    char *key; /* of the member whose value comes next */
    tlm_node key_place;
} level;

typedef struct builder {
    tlm_document *document;
    level levels[TLM_DOCUMENT_DEPTH_MAX];
    size_t depth;
    tlm_error *error;
} builder;

tlm_result tlm_document_wrong(const tlm_document *document, unsigned line, unsigned column,
                              tlm_error *error, const char *hint, const char *format, ...)
{
    char message[384];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return tlm_error_set(error, TLM_ERR_FORMAT, hint, "%s, line %u, column %u: %s", document->path,
                         line, column, message);
}

static unsigned clamp(size_t number)
{
    return number < UINT32_MAX ? (unsigned)number + 1 : UINT32_MAX;
}

static tlm_node place_of(const yaml_mark_t *mark)
{
    return (tlm_node){.line = clamp(mark->line), .column = clamp(mark->column)};
}

static tlm_result refuse(const builder *self, const yaml_event_t *event, const char *hint,
                         const char *what)
{
    tlm_node place = place_of(&event->start_mark);
    return tlm_document_wrong(self->document, place.line, place.column, self->error, hint, "%s",
                              what);
}

static tlm_result no_memory(const builder *self)
{
    return tlm_error_set(self->error, TLM_ERR_MEMORY, NULL, "no memory for %s",
                         self->document->path);
}

static tlm_node *add_child(tlm_node *parent)
{
    /* The room doubles whenever the count is a power of two. */
    if ((parent->count & (parent->count - 1)) == 0) {
        size_t room = parent->count == 0 ? 1 : 2 * parent->count;
        tlm_node *grown = realloc(parent->children, room * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        parent->children = grown;
    }
    tlm_node *child = &parent->children[parent->count];
    *child = (tlm_node){.line = 0};
    parent->count++;
    return child;
}

/* Puts a value where it belongs and takes the reference; *node is where its place stands. */
static tlm_result put(builder *self, const yaml_event_t *event, json_t *value, tlm_node **node)
{
    if (value == NULL) {
        return no_memory(self);
    }
    tlm_node place = place_of(&event->start_mark);
    if (self->depth == 0) {
        self->document->value = value;
        *node = &self->document->root;
        **node = place;
        return TLM_OK;
    }
    level *top = &self->levels[self->depth - 1];
    tlm_node *child = add_child(top->node);
    bool done = child != NULL &&
                (json_is_object(top->value) ? json_object_set_new(top->value, top->key, value) == 0
                                            : json_array_append_new(top->value, value) == 0);
    if (child == NULL) {
        json_decref(value);
    }
    if (!done) {
        return no_memory(self);
    }
    place.key_line = top->key_place.line;
    place.key_column = top->key_place.column;
    place.key = top->key;
    top->key = NULL;
    *child = place;
    *node = child;
    return TLM_OK;
}

static bool expects_key(const builder *self)
{
    return self->depth > 0 && json_is_object(self->levels[self->depth - 1].value) &&
           self->levels[self->depth - 1].key == NULL;
}

static tlm_result take_key(builder *self, const yaml_event_t *event)
{
    level *top = &self->levels[self->depth - 1];
    const char *text = (const char *)event->data.scalar.value;
    char quoted[96];
    if (strlen(text) != event->data.scalar.length) {
        return refuse(self, event, NULL, "a zero byte in the name of a member");
    }
    if (json_object_get(top->value, text) != NULL) {
        tlm_node place = place_of(&event->start_mark);
        return tlm_document_wrong(self->document, place.line, place.column, self->error,
                                  "leave one of them away", "the member %s stands there twice",
                                  tlm_log_quote(text, quoted, sizeof quoted));
    }
    top->key = strdup(text);
    top->key_place = place_of(&event->start_mark);
    return top->key != NULL ? TLM_OK : no_memory(self);
}

static tlm_result take_scalar(builder *self, const yaml_event_t *event)
{
    const char *tag = (const char *)event->data.scalar.tag;
    bool text = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (tag != NULL && strcmp(tag, YAML_STR_TAG) != 0 && strcmp(tag, "!") != 0) {
        return refuse(self, event, "write the value without it", "a tag is not accepted");
    }
    if (event->data.scalar.anchor != NULL) {
        return refuse(self, event, "write the value out", "an anchor is not accepted");
    }
    if (expects_key(self)) {
        return take_key(self, event);
    }
    json_t *value = tlm_scalar_value((const char *)event->data.scalar.value,
                                     event->data.scalar.length, text || tag != NULL);
    if (value == NULL) {
        return refuse(self, event, NULL, "a text that is not valid, or a number out of range");
    }
    tlm_node *node = NULL;
    return put(self, event, value, &node);
}

static tlm_result open_level(builder *self, const yaml_event_t *event, const char *tag,
                             const char *anchor)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    if (tag != NULL && strcmp(tag, map ? YAML_MAP_TAG : YAML_SEQ_TAG) != 0) {
        return refuse(self, event, "write the value without it", "a tag is not accepted");
    }
    if (anchor != NULL) {
        return refuse(self, event, "write the value out", "an anchor is not accepted");
    }
    if (expects_key(self)) {
        return refuse(self, event, "write the name as a text",
                      "the name of a member is not a text");
    }
    if (self->depth == TLM_DOCUMENT_DEPTH_MAX) {
        return refuse(self, event, NULL, "nested deeper than is accepted");
    }
    tlm_node *node = NULL;
    json_t *value = map ? json_object() : json_array();
    tlm_result result = put(self, event, value, &node);
    if (result == TLM_OK) {
        self->levels[self->depth++] = (level){.value = value, .node = node};
    }
    return result;
}

static tlm_result take(builder *self, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(self, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(self, event, (const char *)event->data.sequence_start.tag,
                          (const char *)event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return open_level(self, event, (const char *)event->data.mapping_start.tag,
                          (const char *)event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        self->depth--;
        return TLM_OK;
    case YAML_ALIAS_EVENT:
        return refuse(self, event, "write the value out", "an alias is not accepted");
    case YAML_DOCUMENT_START_EVENT:
        return self->document->value == NULL
                   ? TLM_OK
                   : refuse(self, event, "write it into a file of its own", "a second document");
    default:
        return TLM_OK;
    }
}

static tlm_result parser_failed(const builder *self, const yaml_parser_t *parser)
{
    tlm_node place = place_of(&parser->problem_mark);
    if (parser->error == YAML_MEMORY_ERROR) {
        return no_memory(self);
    }
    if (parser->error == YAML_READER_ERROR) {
        return tlm_error_set(self->error, TLM_ERR_FORMAT, "save it as UTF-8", "%s, byte %zu: %s",
                             self->document->path, parser->problem_offset, parser->problem);
    }
    return tlm_document_wrong(self->document, place.line, place.column, self->error,
                              "mend the YAML or JSON there", "%s", parser->problem);
}

static tlm_result build(builder *self, yaml_parser_t *parser)
{
    bool ended = false;
    while (!ended) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) != 1) {
            return parser_failed(self, parser);
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        tlm_result result = take(self, &event);
        yaml_event_delete(&event);
        if (result != TLM_OK) {
            return result;
        }
    }
    if (self->document->value == NULL) {
        return tlm_error_set(self->error, TLM_ERR_FORMAT, NULL, "%s is empty",
                             self->document->path);
    }
    return TLM_OK;
}

static tlm_result parse_into(tlm_document *document, const char *text, size_t size,
                             tlm_error *error)
{
    yaml_parser_t parser;
    builder self = {.document = document, .error = error};
    if (yaml_parser_initialize(&parser) != 1) {
        return no_memory(&self);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    tlm_result result = build(&self, &parser);
    for (size_t i = 0; i < self.depth; i++) {
        free(self.levels[i].key);
    }
    yaml_parser_delete(&parser);
    return result;
}

tlm_result tlm_document_parse(const char *text, size_t size, const char *path,
                              tlm_document **document, tlm_error *error)
{
    if (size > TLM_DOCUMENT_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "%s is larger than the %u bytes that are accepted", path,
                             TLM_DOCUMENT_MAX);
    }
    tlm_document *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->path = strdup(path);
    }
    if (made == NULL || made->path == NULL) {
        free(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", path);
    }
    tlm_result result = parse_into(made, text, size, error);
    if (result != TLM_OK) {
        tlm_document_free(&made);
        return result;
    }
    *document = made;
    return TLM_OK;
}

tlm_result tlm_document_read(const char *path, tlm_document **document, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_input_read(path, TLM_DOCUMENT_MAX, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_document_parse(text, size, tlm_input_name(path), document, error);
        free(text);
    }
    return result;
}

/* Depth first without recursion: a node's children are freed once none of them has any. */
static void clear_node(tlm_node *root)
{
    tlm_node *path[TLM_DOCUMENT_DEPTH_MAX + 1];
    size_t depth = 0;
    path[depth++] = root;
    while (depth > 0) {
        tlm_node *node = path[depth - 1];
        if (node->count == 0) {
            free(node->children);
            node->children = NULL;
            depth--;
            continue;
        }
        node->count--;
        tlm_node *last = &node->children[node->count];
        free(last->key);
        if (last->children != NULL) {
            path[depth++] = last;
        }
    }
}

void tlm_document_free(tlm_document **document)
{
    if (document == NULL || *document == NULL) {
        return;
    }
    clear_node(&(*document)->root);
    json_decref((*document)->value);
    free((*document)->path);
    free(*document);
    *document = NULL;
}

const tlm_node *tlm_node_member(const tlm_node *node, const char *name)
{
    for (size_t i = 0; node != NULL && i < node->count; i++) {
        if (node->children[i].key != NULL && strcmp(node->children[i].key, name) == 0) {
            return &node->children[i];
        }
    }
    return NULL;
}

const tlm_node *tlm_node_element(const tlm_node *node, size_t index)
{
    return node != NULL && index < node->count ? &node->children[index] : NULL;
}
