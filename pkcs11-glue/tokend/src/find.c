/* SPDX-License-Identifier: BSD-2-Clause */
/* Searching: PKCS#11 v2.40 section 5.7, C_FindObjectsInit to C_FindObjectsFinal. */
#include "provider_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct hit {
    tlm_entry *entry;
} hit;

typedef struct search {
    tlm_client *client;
    CK_ATTRIBUTE *attributes;
    CK_ULONG count;
    hit *hits; /* TLM_SEARCH_MAX */
    size_t found;
} search;

/* In the gate: the client's session objects take part. */
static tlm_result make_own(const search *request, tlm_token *token, tlm_error *error)
{
    tlm_result result = TLM_OK;
    for (tlm_entry *at = request->client->own; at != NULL && result == TLM_OK; at = at->next) {
        result = tlm_own_make(request->client->provider, token, at, error);
    }
    return result;
}

/* In the gate. */
static tlm_result identify(const search *request, tlm_token *token, CK_OBJECT_HANDLE handle,
                           tlm_entry **entry, tlm_error *error)
{
    for (tlm_entry *at = request->client->own; at != NULL; at = at->next) {
        if (at->made && at->backend == handle) {
            *entry = at;
            return TLM_OK;
        }
    }
    return tlm_entry_identify(request->client->provider, token, handle, entry, error);
}

/* In the gate. */
static tlm_result call_search(tlm_token *token, void *context, tlm_error *error)
{
    search *request = context;
    CK_OBJECT_HANDLE *handles = calloc(TLM_SEARCH_MAX, sizeof *handles);
    CK_ULONG count = 0;
    request->found = 0;
    if (handles == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a search");
    }
    tlm_result result = make_own(request, token, error);
    if (result == TLM_OK) {
        result = tlm_object_find(token, request->attributes, request->count, handles,
                                 TLM_SEARCH_MAX, &count, error);
    }
    for (CK_ULONG i = 0; i < count && result == TLM_OK; i++) {
        result = identify(request, token, handles[i], &request->hits[request->found].entry, error);
        request->found += result == TLM_OK ? 1U : 0U;
    }
    free(handles);
    return result;
}

static bool names_class(const CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_CLASS class)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (attributes[i].type == CKA_CLASS && attributes[i].ulValueLen == sizeof class &&
            memcmp(attributes[i].pValue, &class, sizeof class) == 0) {
            return true;
        }
    }
    return false;
}

/* Back ends keep wrapped keys and their secrets in vendor attributes; no client is told of them. */
static bool names_vendor(const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if ((attributes[i].type & CKA_VENDOR_DEFINED) != 0) {
            return true;
        }
    }
    return false;
}

static CK_RV add_found(tlm_client_session *session, tlm_entry *entry, size_t feature)
{
    CK_OBJECT_HANDLE handle = tlm_client_handle(session->client, entry, feature);
    if (handle == 0) {
        return CKR_HOST_MEMORY;
    }
    session->found[session->found_count++] = handle;
    return CKR_OK;
}

static CK_RV search_token(tlm_client_session *session, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    search request = {.client = session->client, .attributes = attributes, .count = count};
    request.hits = calloc(TLM_SEARCH_MAX, sizeof *request.hits);
    if (request.hits == NULL) {
        return CKR_HOST_MEMORY;
    }
    CK_RV rv = tlm_provider_run(session->client, call_search, &request);
    session->found = rv == CKR_OK ? calloc(request.found + 1, sizeof *session->found) : NULL;
    if (rv == CKR_OK && session->found == NULL) {
        rv = CKR_HOST_MEMORY;
    }
    for (size_t i = 0; i < request.found && rv == CKR_OK; i++) {
        if (tlm_client_sees(session->client, request.hits[i].entry)) {
            rv = add_found(session, request.hits[i].entry, 0);
        }
    }
    free(request.hits);
    return rv;
}

static CK_RV search_features(tlm_client_session *session, const CK_ATTRIBUTE *attributes,
                             CK_ULONG count)
{
    const tlm_client *client = session->client;
    const tlm_hardware *hardware = client->provider->config.hardware;
    size_t features = tlm_feature_count(hardware);
    CK_RV rv = CKR_OK;
    session->found = calloc(features + 1, sizeof *session->found);
    if (session->found == NULL) {
        return CKR_HOST_MEMORY;
    }
    for (size_t i = 0; i < features && rv == CKR_OK; i++) {
        if (tlm_feature_matches(hardware, i, attributes, count) &&
            tlm_access_allows(client->access, &client->peer, tlm_feature_label(hardware, i),
                              TLM_USE_SEE)) {
            rv = add_found(session, NULL, i);
        }
    }
    return rv;
}

static void end_search(tlm_client_session *session)
{
    free(session->found);
    session->found = NULL;
    session->found_count = 0;
    session->found_given = 0;
    session->searching = false;
}

CK_RV tlm_C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    rv = tlm_template_check(attributes, count);
    if (rv != CKR_OK) {
        return rv;
    }
    if (session->searching) {
        return CKR_OPERATION_ACTIVE;
    }
    if (names_class(attributes, count, CKO_HW_FEATURE)) {
        rv = search_features(session, attributes, count);
    } else if (!names_vendor(attributes, count)) {
        rv = search_token(session, attributes, count);
    }
    if (rv != CKR_OK) {
        end_search(session);
        return rv;
    }
    session->searching = true;
    return CKR_OK;
}

CK_RV tlm_C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *objects, CK_ULONG max,
                        CK_ULONG *count)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (count == NULL || (objects == NULL && max > 0)) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!session->searching) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    size_t left = session->found_count - session->found_given;
    size_t given = left < max ? left : max;
    if (given > 0) {
        memcpy(objects, session->found + session->found_given, given * sizeof *objects);
    }
    session->found_given += given;
    *count = (CK_ULONG)given;
    return CKR_OK;
}

CK_RV tlm_C_FindObjectsFinal(CK_SESSION_HANDLE handle)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->searching) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    end_search(session);
    return CKR_OK;
}
