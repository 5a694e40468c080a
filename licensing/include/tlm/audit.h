/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_AUDIT_H
#define TLM_AUDIT_H

/*
 * The audit log of licensing: numbered entries, each with the hash of the one before, and anchors:
 * proven statements (tlm/statement.h) over the newest hash of their moment. Written with the change
 * that it tells of, in one transaction.
 *
 * An exported log is JSON lines. One line is an entry,
 *
 *     {"seq":7,"at":"2026-01-31T12:00:00.000Z","event":"activated",…,"prev":"…","hash":"…"}
 *
 * where hash is SHA-256 over the canonical form (RFC 8785) of the entry without `hash`, as
 * hexadecimal digits; or an anchor,
 *
 *     {"anchor":{"statement":{"type":"audit","seq":7,"hash":"…",…},"index":0,"path":[],"root":"…"}}
 *
 *     result = tlm_audit_verify(text, size, jwks, &report, &error);
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/result.h>

typedef struct tlm_audit_report {
    int64_t first; /* numbers of the first and the last entry */
    int64_t last;
    size_t entries;
    size_t anchors;      /* that verified */
    int64_t anchored_to; /* the last entry that an anchor covers; 0: none */
} tlm_audit_report;

/*
 * Verifies chain and anchors of an exported log. `keys` is the host's JWKS, or NULL: anchors are
 * counted only if they verify, so none then. TLM_ERR_DAMAGED names the line and entry where the
 * chain breaks; TLM_ERR_SIGNATURE an anchor that does not verify or contradicts its entry.
 */
TLM_CHECKED tlm_result tlm_audit_verify(const char *text, size_t size, const json_t *keys,
                                        tlm_audit_report *report, tlm_error *error);

#endif
