/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_SCHEMA_PRIVATE_H
#define TLM_ISSUE_SCHEMA_PRIVATE_H

#include "schema.h"

struct tlm_schema {
    json_t *root;
};

/* What #/$defs/NAME refers to; NULL where there is no such definition. */
json_t *tlm_schema_definition(const tlm_schema *schema, const json_t *reference);

#endif
