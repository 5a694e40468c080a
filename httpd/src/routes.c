/* SPDX-License-Identifier: BSD-2-Clause */
#include "routes.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <tlm/settings.h>

#define UUID_LENGTH 36U
#define API "/api/v1/"

#define DOCUMENT(path, document)                                                                   \
    {                                                                                              \
        "GET", path, document, .call = TLM_CALL_COUNT                                              \
    }
#define READ(path, op, who, query)                                                                 \
    {                                                                                              \
        "GET", path, TLM_DOCUMENT_COUNT, TLM_CALL_##op, TLM_WHO_##who, TLM_MEDIA_NONE, 0, query    \
    }
#define JSON(method, path, op, who, query)                                                         \
    {                                                                                              \
        method, path, TLM_DOCUMENT_COUNT, TLM_CALL_##op, TLM_WHO_##who, TLM_MEDIA_JSON,            \
            TLM_BODY_JSON_MAX, query                                                               \
    }
#define JOSE(path, op, maximum)                                                                    \
    {                                                                                              \
        "POST", path, TLM_DOCUMENT_COUNT, TLM_CALL_##op, TLM_WHO_ADMINISTRATORS, TLM_MEDIA_JOSE,   \
            maximum, 0                                                                             \
    }

/* Equal paths stand together, and their methods in the order in which Allow has them. */
static const tlm_route routes[] = {
    DOCUMENT("/health", TLM_DOCUMENT_HEALTH),
    DOCUMENT("/status", TLM_DOCUMENT_STATUS),
    DOCUMENT("/fingerprint", TLM_DOCUMENT_FINGERPRINT),
    DOCUMENT("/fingerprint/fallback", TLM_DOCUMENT_FALLBACK),
    DOCUMENT("/ready", TLM_DOCUMENT_READY),
    READ("/api/v1/keys", KEYS, ANYBODY, 0),
    JSON("POST", "/api/v1/attest", ATTEST, ANYBODY, 0),
    READ("/api/v1/leases", LEASES, ADMINISTRATORS, 0),
    JSON("POST", "/api/v1/leases", ACQUIRE, APPLICATIONS, 0),
    READ("/api/v1/leases/{id}", LEASE, APPLICATIONS, 0),
    JSON("PUT", "/api/v1/leases/{id}", RENEW, APPLICATIONS, 0),
    JSON("DELETE", "/api/v1/leases/{id}", RELEASE, APPLICATIONS, TLM_QUERY_FORCE),
    JSON("POST", "/api/v1/check", CHECK, APPLICATIONS, 0),
    JSON("POST", "/api/v1/usage", USE, APPLICATIONS, 0),
    READ("/api/v1/licenses", LICENSES, APPLICATIONS, 0),
    JOSE("/api/v1/licenses", ACTIVATE, TLM_BODY_PACKAGE_MAX),
    READ("/api/v1/licenses/{jti}", LICENSE, APPLICATIONS, 0),
    {"DELETE", "/api/v1/licenses/{jti}", TLM_DOCUMENT_COUNT, TLM_CALL_REMOVE,
     TLM_WHO_ADMINISTRATORS, TLM_MEDIA_NONE, 0, 0},
    READ("/api/v1/revocations", REVOCATIONS, APPLICATIONS, 0),
    JOSE("/api/v1/revocations", REVOKE, TLM_BODY_REVOCATION_MAX),
    READ("/api/v1/state", STATE, APPLICATIONS, 0),
    JSON("POST", "/api/v1/state/accept", ACCEPT, ADMINISTRATORS, 0),
    READ("/api/v1/audit", AUDIT, ADMINISTRATORS, TLM_QUERY_PAGE),
};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

/* Each path once, and all of them in one text. */
static const char *paths[ROUTE_COUNT];
static size_t path_count;
static char path_list[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void list_paths(void)
{
    size_t used = 0;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (i > 0 && strcmp(routes[i].path, routes[i - 1].path) == 0) {
            continue;
        }
        paths[path_count++] = routes[i].path;
        int more = snprintf(path_list + used, sizeof path_list - used, "%s%s", used > 0 ? " " : "",
                            routes[i].path);
        used += more > 0 && (size_t)more < sizeof path_list - used ? (size_t)more : 0;
    }
}

/* A UUID in its text form (RFC 9562 section 4), which is what ids are; written in lower case. */
static bool take_id(const char *text, char *id)
{
    if (strlen(text) != UUID_LENGTH) {
        return false;
    }
    for (size_t i = 0; i < UUID_LENGTH; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char letter = text[i];
        if (letter >= 'A' && letter <= 'F') {
            letter = (char)(letter - 'A' + 'a');
        }
        bool digit = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
        if (dash ? letter != '-' : !digit) {
            return false;
        }
        id[i] = letter;
    }
    id[UUID_LENGTH] = '\0';
    return true;
}

static bool fits(const tlm_route *route, const char *path, char *id)
{
    const char *brace = strchr(route->path, '{');
    if (brace == NULL) {
        return strcmp(route->path, path) == 0;
    }
    size_t before = (size_t)(brace - route->path);
    return strncmp(route->path, path, before) == 0 && take_id(path + before, id);
}

static void allow(tlm_route_match *match, const char *method)
{
    size_t used = strlen(match->allow);
    (void)snprintf(match->allow + used, sizeof match->allow - used, "%s%s%s", used > 0 ? ", " : "",
                   method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

tlm_route_result tlm_route_find(const char *method, const char *path, tlm_route_match *match)
{
    *match = (tlm_route_match){.route = NULL};
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!fits(&routes[i], path, match->id)) {
            continue;
        }
        if (strcmp(routes[i].method, wanted) == 0) {
            match->route = &routes[i];
            return TLM_ROUTE_FOUND;
        }
        allow(match, routes[i].method);
    }
    return match->allow[0] != '\0' ? TLM_ROUTE_WRONG_METHOD : TLM_ROUTE_NOT_FOUND;
}

bool tlm_route_is_api(const char *path)
{
    return strncmp(path, API, sizeof API - 1) == 0;
}

const char *tlm_route_nearest(const char *path)
{
    (void)pthread_once(&once, list_paths);
    return tlm_settings_nearest(path, paths, path_count);
}

const char *tlm_route_list(void)
{
    (void)pthread_once(&once, list_paths);
    return path_list;
}

const char *tlm_route_path(tlm_document document)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (routes[i].document == document) {
            return routes[i].path;
        }
    }
    return NULL;
}

const char *tlm_route_log_path(const char *path, char *buffer, size_t size)
{
    static const char *const kept[] = {API "leases/", API "licenses/"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        size_t length = strlen(kept[i]);
        if (strncmp(path, kept[i], length) == 0 && strlen(path + length) > 8) {
            (void)snprintf(buffer, size, "%.*s...", (int)length + 8, path);
            return buffer;
        }
    }
    return path;
}

const tlm_route *tlm_route_at(size_t index)
{
    return index < ROUTE_COUNT ? &routes[index] : NULL;
}
