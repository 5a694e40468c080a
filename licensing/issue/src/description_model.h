/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_DESCRIPTION_MODEL_H
#define TLM_ISSUE_DESCRIPTION_MODEL_H

/* Features of a description and their models, as claims. The schema has been checked. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "document.h"

/* A feature's claim; `before` holds those that were made already, whose ids are not taken again. */
TLM_CHECKED tlm_result tlm_description_feature(const tlm_document *document, const json_t *feature,
                                               const tlm_node *node, const json_t *before,
                                               json_t **claim, tlm_error *error);

/* Seconds since 1970 of the member `name` of an object; left as it is where there is none. A date
 * is its begin or, with `end`, its end. */
TLM_CHECKED tlm_result tlm_description_instant(const tlm_document *document, const json_t *object,
                                               const tlm_node *node, const char *name, bool end,
                                               int64_t *seconds, tlm_error *error);

/* 1.0 and 1 as 1. */
json_t *tlm_description_integer(const json_t *number);

#endif
