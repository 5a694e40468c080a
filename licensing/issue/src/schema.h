/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_SCHEMA_H
#define TLM_ISSUE_SCHEMA_H

/*
 * Checks a document against a JSON Schema (draft 2020-12), with the place of what is wrong.
 *
 * The keywords are those that schema/license.schema.json uses and no others: type, enum, const,
 * required, properties, additionalProperties (false), items, minItems, maxItems, minLength,
 * maxLength, pattern, minimum, maximum, allOf, if, then, else, $ref to #/$defs/NAME, and the
 * annotations $schema, $id, $defs, title, description. A schema with another one is refused.
 *
 *     tlm_schema *schema = NULL;
 *     result = tlm_schema_license(&schema, &error);
 *     if (result == TLM_OK) {
 *         result = tlm_schema_check(schema, document, &error);
 *     }
 *     tlm_schema_free(&schema);
 */

#include <stddef.h>

#include <tlm/result.h>

#include "document.h"

typedef struct tlm_schema tlm_schema;

/* TLM_ERR_UNSUPPORTED names a keyword that is not one of those. The caller frees the schema. */
TLM_CHECKED tlm_result tlm_schema_load(const char *text, size_t size, tlm_schema **schema,
                                       tlm_error *error);

/* The schema of license descriptions, which the program carries. */
TLM_CHECKED tlm_result tlm_schema_license(tlm_schema **schema, tlm_error *error);
void tlm_schema_free(tlm_schema **schema);

/* The text of that schema, as it is installed. */
extern const char tlm_schema_license_text[];
extern const size_t tlm_schema_license_size;

/* TLM_ERR_FORMAT names path, line, column, member and what is wrong with it: the first thing. */
TLM_CHECKED tlm_result tlm_schema_check(const tlm_schema *schema, const tlm_document *document,
                                        tlm_error *error);

#endif
