/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ROUTES_H
#define TLM_ROUTES_H

/*
 * What there is to ask for: one const table of methods and paths, with who may, what comes with
 * the request, and which document or which call answers.
 *
 *     tlm_route_match match;
 *     switch (tlm_route_find("PUT", "/api/v1/leases/0190…", &match)) {
 *     case TLM_ROUTE_FOUND:                     // match.route, match.id
 *     case TLM_ROUTE_WRONG_METHOD:              // match.allow: "GET, HEAD, PUT, DELETE"
 *     case TLM_ROUTE_NOT_FOUND: hint = tlm_route_nearest("/api/v1/lease");
 *     }
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/licensing.h>

/* What the server answers with; each is built once and again when what it says changes. */
typedef enum tlm_document {
    TLM_DOCUMENT_HEALTH = 0,
    TLM_DOCUMENT_READY,
    TLM_DOCUMENT_STATUS,
    TLM_DOCUMENT_FINGERPRINT,
    TLM_DOCUMENT_FALLBACK,
    TLM_DOCUMENT_COUNT
} tlm_document;

typedef enum tlm_who { TLM_WHO_ANYBODY = 0, TLM_WHO_APPLICATIONS, TLM_WHO_ADMINISTRATORS } tlm_who;

typedef enum tlm_media {
    TLM_MEDIA_NONE = 0, /* the request has no body */
    TLM_MEDIA_JSON,     /* application/json: an object */
    TLM_MEDIA_JOSE      /* application/jose: compact text */
} tlm_media;

/* What may stand behind the question mark of a call; a document takes anything. */
typedef enum tlm_query { TLM_QUERY_NONE = 0, TLM_QUERY_FORCE, TLM_QUERY_PAGE } tlm_query;

#define TLM_BODY_JSON_MAX ((size_t)16 * 1024)
#define TLM_BODY_PACKAGE_MAX ((size_t)1024 * 1024)
#define TLM_BODY_REVOCATION_MAX ((size_t)8 * 1024 * 1024)

typedef struct tlm_route {
    const char *method;    /* a GET answers HEAD, too */
    const char *path;      /* "{…}" stands for a UUID */
    tlm_document document; /* TLM_DOCUMENT_COUNT: `call` answers */
    tlm_call_op call;
    tlm_who who;
    tlm_media media;
    size_t body_max;
    tlm_query query;
} tlm_route;

typedef enum tlm_route_result {
    TLM_ROUTE_FOUND = 0,
    TLM_ROUTE_WRONG_METHOD,
    TLM_ROUTE_NOT_FOUND
} tlm_route_result;

typedef struct tlm_route_match {
    const tlm_route *route;
    char id[37];    /* of the path, in lower case; "" where it has none */
    char allow[40]; /* the methods of this path (RFC 9110 section 10.2.1) */
} tlm_route_match;

/* Fills `match` as far as the result goes. */
tlm_route_result tlm_route_find(const char *method, const char *path, tlm_route_match *match);

/* Whether the path lies below /api/v1: those are limited, and the others are prebuilt documents. */
bool tlm_route_is_api(const char *path);

/* The path nearest to one that is not there, or NULL where none is near. */
const char *tlm_route_nearest(const char *path);

/* All paths, separated by blanks, for messages. */
const char *tlm_route_list(void);

const char *tlm_route_path(tlm_document document);

/*
 * The path as the log may have it: who knows a lease's whole id can end it, and licenses have no
 * place in the log, so of what stands below them eight bytes are kept.
 */
const char *tlm_route_log_path(const char *path, char *buffer, size_t size);

/* Row `index` of the table, NULL behind its end. */
const tlm_route *tlm_route_at(size_t index);

#endif
