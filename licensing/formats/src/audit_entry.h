/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FORMATS_AUDIT_ENTRY_H
#define TLM_FORMATS_AUDIT_ENTRY_H

/* What who writes the audit log and who verifies it have in common: an entry's hash. */

#include <jansson.h>

#include <tlm/audit.h>
#include <tlm/result.h>

#define TLM_AUDIT_HASH_SIZE 65U /* hexadecimal digits and the end */

/* `prev` of the first entry. */
#define TLM_AUDIT_BEGIN "0000000000000000000000000000000000000000000000000000000000000000"

/* The canonical form of an entry without its hash as a new string, and its SHA-256. */
TLM_CHECKED tlm_result tlm_audit_hash(const json_t *entry, char **text,
                                      char hash[TLM_AUDIT_HASH_SIZE], tlm_error *error);

#endif
