/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_DOCUMENT_H
#define TLM_ISSUE_DOCUMENT_H

/*
 * A YAML or JSON text as JSON values, each with its line and column, so that whoever checks it can
 * say where something is wrong.
 *
 * Of YAML what JSON has: maps with distinct text keys, sequences, scalars. A scalar without quotes
 * is a number, a boolean or null exactly where JSON has it so, and a text otherwise: 1.10 is a
 * number, 2026-01-31 and yes are texts. No anchors, aliases, tags of one's own, second documents.
 *
 *     tlm_document *document = NULL;
 *     result = tlm_document_parse(text, size, "license.yaml", &document, &error);
 *     const tlm_node *days = tlm_node_member(&document->root, "days");
 *     tlm_document_free(&document);
 */

#include <stddef.h>

#include <jansson.h>

#include <tlm/result.h>

/* Largest text in bytes, and deepest nesting. */
#define TLM_DOCUMENT_MAX 1048576U
#define TLM_DOCUMENT_DEPTH_MAX 32U

/* Places beside a value: children in the order of the object's members or the array's elements. */
typedef struct tlm_node {
    unsigned line; /* from 1 */
    unsigned column;
    char *key;         /* name of the member; NULL where it is none */
    unsigned key_line; /* of the name; 0 where it is no member */
    unsigned key_column;
    struct tlm_node *children;
    size_t count;
} tlm_node;

typedef struct tlm_document {
    char *path; /* as messages call it */
    json_t *value;
    tlm_node root;
} tlm_document;

/* TLM_ERR_FORMAT names line and column; the caller frees the document. */
TLM_CHECKED tlm_result tlm_document_parse(const char *text, size_t size, const char *path,
                                          tlm_document **document, tlm_error *error);

/* The same from a file; "-" is standard input. */
TLM_CHECKED tlm_result tlm_document_read(const char *path, tlm_document **document,
                                         tlm_error *error);
void tlm_document_free(tlm_document **document);

/* The place of a member or element; NULL where there is none. */
const tlm_node *tlm_node_member(const tlm_node *node, const char *name);
const tlm_node *tlm_node_element(const tlm_node *node, size_t index);

/*
 * Fills an error with path, line and column before the message; the result is TLM_ERR_FORMAT.
 * `hint` may be NULL.
 */
tlm_result tlm_document_wrong(const tlm_document *document, unsigned line, unsigned column,
                              tlm_error *error, const char *hint, const char *format, ...)
    TLM_PRINTF(6, 7);

#endif
