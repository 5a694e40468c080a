/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_AUDIT_PRIVATE_H
#define TLM_LEDGER_AUDIT_PRIVATE_H

/*
 * The audit log in the ledger: rows that are only ever added (triggers forbid the rest), each with
 * the hash of the one before. The form is tlm/audit.h's.
 *
 *     json_t *detail = json_pack("{s:s}", "license", jti);
 *     result = tlm_audit_append(db, now, "removed", detail, &error);
 *
 * Inside the transaction of the change that an entry tells of.
 */

#include <stdint.h>

#include <jansson.h>
#include <sqlite3.h>

#include <tlm/audit.h>

extern const char tlm_audit_schema[];

/* Adds an entry with the members of `detail` (an object whose reference is taken, also on failure;
 * NULL: none). Names `seq`, `at`, `event`, `prev` and `hash` are the log's own. */
TLM_CHECKED tlm_result tlm_audit_append(sqlite3 *db, int64_t now, const char *event, json_t *detail,
                                        tlm_error *error);

/* Number and hash of the newest entry; 0 and 64 zeros for an empty log. */
TLM_CHECKED tlm_result tlm_audit_head(sqlite3 *db, int64_t *seq, char hash[65], tlm_error *error);

/* Keeps a proven statement over an entry. */
TLM_CHECKED tlm_result tlm_audit_anchor(sqlite3 *db, const json_t *proof, tlm_error *error);

/* At most `limit` entries above `after` with the anchors among them: {"entries": […], "last": n}.
 * A negative `after` counts from the end: -1 is the newest entry. New reference. */
TLM_CHECKED tlm_result tlm_audit_read(sqlite3 *db, int64_t after, int64_t limit, json_t **answer,
                                      tlm_error *error);

#endif
