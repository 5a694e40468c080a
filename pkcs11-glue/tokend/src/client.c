/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <stdlib.h>
#include <string.h>

#include "guard.h"

static _Thread_local tlm_client *current;

tlm_result tlm_client_new(tlm_provider *provider, const tlm_peer *peer, tlm_client **client,
                          tlm_error *error)
{
    tlm_client *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a client");
    }
    made->provider = provider;
    made->access = atomic_load(&provider->access);
    made->peer = *peer;
    *client = made;
    return TLM_OK;
}

void tlm_client_free(tlm_client **client)
{
    if (client == NULL || *client == NULL) {
        return;
    }
    tlm_client_reset(*client);
    if (current == *client) {
        current = NULL;
    }
    free(*client);
    *client = NULL;
}

void tlm_client_enter(tlm_client *client)
{
    current = client;
}

tlm_client *tlm_client_entered(void)
{
    return current;
}

CK_RV tlm_client_current(tlm_client **client)
{
    tlm_guard_next();
    if (current == NULL || !current->initialized) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    *client = current;
    return CKR_OK;
}

CK_RV tlm_client_token(const tlm_client *client, CK_SLOT_ID slot, tlm_token **token)
{
    if (slot != TLM_PROVIDER_SLOT) {
        return CKR_SLOT_ID_INVALID;
    }
    *token = atomic_load(&client->provider->token);
    if (*token == NULL || !tlm_access_knows(client->access, &client->peer)) {
        return CKR_TOKEN_NOT_PRESENT;
    }
    return CKR_OK;
}

/* ---- handles of objects ---- */

bool tlm_client_sees(const tlm_client *client, const tlm_entry *entry)
{
    if (entry->private && !client->logged_in) {
        return false;
    }
    return entry->attributes != NULL ||
           tlm_access_allows(client->access, &client->peer, entry->label, TLM_USE_SEE);
}

static tlm_entry *newest(tlm_entry *entry)
{
    for (tlm_entry *next = atomic_load(&entry->successor); next != NULL;
         next = atomic_load(&entry->successor)) {
        entry = next;
    }
    return entry;
}

static tlm_handle *find_handle(const tlm_client *client, CK_OBJECT_HANDLE handle)
{
    size_t low = 0;
    size_t high = client->handle_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (client->handles[middle].handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < client->handle_count && client->handles[low].handle == handle
               ? &client->handles[low]
               : NULL;
}

bool tlm_client_lookup(const tlm_client *client, CK_OBJECT_HANDLE handle, tlm_handle *found)
{
    tlm_handle *known = find_handle(client, handle);
    if (known == NULL) {
        return false;
    }
    *found = *known;
    if (found->entry == NULL) {
        return true;
    }
    found->entry = newest(found->entry);
    return !atomic_load(&found->entry->gone) && tlm_client_sees(client, found->entry);
}

static bool make_room(tlm_client *client)
{
    if (client->handle_count < client->handle_room) {
        return true;
    }
    size_t room = client->handle_room == 0 ? 16 : client->handle_room * 2;
    tlm_handle *grown = reallocarray(client->handles, room, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    client->handles = grown;
    client->handle_room = room;
    return true;
}

CK_OBJECT_HANDLE tlm_client_handle(tlm_client *client, tlm_entry *entry, size_t feature)
{
    for (size_t i = 0; i < client->handle_count; i++) {
        tlm_handle *at = &client->handles[i];
        bool same = entry == NULL ? at->entry == NULL && at->feature == feature
                                  : at->entry != NULL && newest(at->entry) == entry;
        if (same) {
            return at->handle;
        }
    }
    if (!make_room(client)) {
        return 0;
    }
    CK_OBJECT_HANDLE handle = atomic_fetch_add(&client->provider->next_handle, 1UL);
    client->handles[client->handle_count++] =
        (tlm_handle){.handle = handle, .entry = entry, .feature = feature};
    return handle;
}

static void drop_at(tlm_client *client, size_t index)
{
    client->handle_count--;
    memmove(&client->handles[index], &client->handles[index + 1],
            (client->handle_count - index) * sizeof *client->handles);
}

void tlm_client_drop(tlm_client *client, CK_OBJECT_HANDLE handle)
{
    tlm_handle *known = find_handle(client, handle);
    if (known != NULL) {
        drop_at(client, (size_t)(known - client->handles));
    }
}

/* PKCS#11 v2.40 section 5.6, C_Logout: handles of private objects end for good. */
static void drop_private(tlm_client *client)
{
    for (size_t i = client->handle_count; i > 0; i--) {
        const tlm_entry *entry = client->handles[i - 1].entry;
        if (entry != NULL && entry->private) {
            drop_at(client, i - 1);
        }
    }
}

/* ---- sessions ---- */

static void end_works(tlm_client_session *session)
{
    tlm_work_end(session, &session->digest);
    tlm_work_end(session, &session->sign);
    tlm_work_end(session, &session->verify);
    tlm_work_end(session, &session->encrypt);
    tlm_work_end(session, &session->decrypt);
}

static void free_session(tlm_client_session *session)
{
    end_works(session);
    free(session->found);
    free(session);
}

static void log_out(tlm_client *client)
{
    client->logged_in = false;
    tlm_own_drop_private(client);
    drop_private(client);
}

static void close_all(tlm_client *client)
{
    while (client->sessions != NULL) {
        tlm_client_session *next = client->sessions->next;
        free_session(client->sessions);
        client->sessions = next;
    }
    client->session_count = 0;
    tlm_own_drop_session(client, NULL);
    log_out(client);
}

void tlm_client_reset(tlm_client *client)
{
    close_all(client);
    free(client->handles);
    client->handles = NULL;
    client->handle_count = 0;
    client->handle_room = 0;
    client->initialized = false;
}

CK_RV tlm_client_session_find(CK_SESSION_HANDLE handle, tlm_client_session **session)
{
    tlm_client *client = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    for (tlm_client_session *at = client->sessions; at != NULL; at = at->next) {
        if (at->handle == handle) {
            *session = at;
            return CKR_OK;
        }
    }
    return CKR_SESSION_HANDLE_INVALID;
}

CK_RV tlm_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                        CK_SESSION_HANDLE *session)
{
    (void)application;
    (void)notify; /* nothing to tell: no token of a slot here comes or goes in mid-session */
    tlm_client *client = NULL;
    tlm_token *token = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (session == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    rv = tlm_client_token(client, slot, &token);
    if (rv != CKR_OK) {
        return rv;
    }
    if ((flags & CKF_SERIAL_SESSION) == 0) {
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    }
    if (client->session_count >= client->provider->config.sessions) {
        return CKR_SESSION_COUNT;
    }
    tlm_client_session *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return CKR_HOST_MEMORY;
    }
    made->handle = atomic_fetch_add(&client->provider->next_handle, 1UL);
    made->client = client;
    made->writable = (flags & CKF_RW_SESSION) != 0;
    made->next = client->sessions;
    client->sessions = made;
    client->session_count++;
    *session = made->handle;
    return CKR_OK;
}

CK_RV tlm_C_CloseSession(CK_SESSION_HANDLE handle)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_client *client = session->client;
    tlm_client_session **link = &client->sessions;
    while (*link != session) {
        link = &(*link)->next;
    }
    *link = session->next;
    tlm_own_drop_session(client, session);
    free_session(session);
    if (--client->session_count == 0) {
        log_out(client);
    }
    return CKR_OK;
}

CK_RV tlm_C_CloseAllSessions(CK_SLOT_ID slot)
{
    tlm_client *client = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (slot != TLM_PROVIDER_SLOT) {
        return CKR_SLOT_ID_INVALID;
    }
    close_all(client);
    return CKR_OK;
}

CK_RV tlm_C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (info == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    bool user = session->client->logged_in;
    CK_STATE public = session->writable ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
    CK_STATE own = session->writable ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
    *info =
        (CK_SESSION_INFO){.slotID = TLM_PROVIDER_SLOT,
                          .state = user ? own : public,
                          .flags = CKF_SERIAL_SESSION | (session->writable ? CKF_RW_SESSION : 0UL)};
    return CKR_OK;
}

/* The login is the peer's, by who it is. A PIN is taken as given and never looked at. */
static CK_RV log_in(tlm_client_session *session, CK_USER_TYPE user)
{
    tlm_client *client = session->client;
    switch (user) {
    case CKU_USER:
        if (client->logged_in) {
            return CKR_USER_ALREADY_LOGGED_IN;
        }
        client->logged_in = true;
        return CKR_OK;
    case CKU_SO:
        tlm_audit_refused(&client->peer, "", TLM_AUDIT_NO_MECHANISM, "manage",
                          CKR_ACTION_PROHIBITED);
        return CKR_ACTION_PROHIBITED;
    case CKU_CONTEXT_SPECIFIC:
        /* No key here asks for a login of its own. */
        return session->sign.active || session->decrypt.active ? CKR_OK
                                                               : CKR_OPERATION_NOT_INITIALIZED;
    default:
        return CKR_USER_TYPE_INVALID;
    }
}

CK_RV tlm_C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    return pin == NULL && size > 0 ? CKR_ARGUMENTS_BAD : log_in(session, user);
}

CK_RV tlm_C_Logout(CK_SESSION_HANDLE handle)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_client *client = session->client;
    if (!client->logged_in) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    log_out(client);
    /* Operations with keys that are out of reach now end; searches may hold their handles. */
    for (tlm_client_session *at = client->sessions; at != NULL; at = at->next) {
        tlm_work_end(at, &at->sign);
        tlm_work_end(at, &at->decrypt);
        at->found_count = at->found_given;
    }
    return CKR_OK;
}
