/* SPDX-License-Identifier: BSD-2-Clause */
#include "routes.h"

#include <string.h>

#include <tlm/settings.h>

#define ROUTES(ROW)                                                                                \
    ROW("/health", TLM_DOCUMENT_HEALTH)                                                            \
    ROW("/status", TLM_DOCUMENT_STATUS)                                                            \
    ROW("/fingerprint", TLM_DOCUMENT_FINGERPRINT)                                                  \
    ROW("/fingerprint/fallback", TLM_DOCUMENT_FALLBACK)                                            \
    ROW("/ready", TLM_DOCUMENT_READY)

#define ROUTE(path, document) {path, sizeof(path) - 1, document},
#define PATH(path, document) path,
#define WORD(path, document) " " path

static const tlm_route routes[] = {ROUTES(ROUTE)};
static const char *const paths[] = {ROUTES(PATH)};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

const tlm_route *tlm_route_find(const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (routes[i].size == size && memcmp(routes[i].path, path, size) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

bool tlm_route_allows(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

const char *tlm_route_nearest(const char *path)
{
    return tlm_settings_nearest(path, paths, ROUTE_COUNT);
}

const char *tlm_route_list(void)
{
    return &ROUTES(WORD)[1]; /* behind the first blank */
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
