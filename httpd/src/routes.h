/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ROUTES_H
#define TLM_ROUTES_H

/*
 * Which path gives which document: one const table.
 *
 *     const tlm_route *route = tlm_route_find("/health");
 *     if (route == NULL) { hint = tlm_route_nearest("/helth"); }
 */

#include <stdbool.h>
#include <stddef.h>

/* What the server answers with; each is built once and again when what it says changes. */
typedef enum tlm_document {
    TLM_DOCUMENT_HEALTH = 0,
    TLM_DOCUMENT_READY,
    TLM_DOCUMENT_STATUS,
    TLM_DOCUMENT_FINGERPRINT,
    TLM_DOCUMENT_FALLBACK,
    TLM_DOCUMENT_COUNT
} tlm_document;

typedef struct tlm_route {
    const char *path;
    size_t size; /* of the path */
    tlm_document document;
} tlm_route;

/* All of them are read with GET or HEAD and nothing else (RFC 9110 section 10.2.1). */
#define TLM_ROUTE_METHODS "GET, HEAD"

/* The route of exactly this path, or NULL. */
const tlm_route *tlm_route_find(const char *path);
bool tlm_route_allows(const char *method);

/* The path nearest to one that is not there, or NULL where none is near. */
const char *tlm_route_nearest(const char *path);

/* All paths, separated by blanks, for messages. */
const char *tlm_route_list(void);

const char *tlm_route_path(tlm_document document);

#endif
