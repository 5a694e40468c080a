/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <stdlib.h>
#include <string.h>

static void free_entry(tlm_entry *entry)
{
    if (entry == NULL) {
        return;
    }
    for (CK_ULONG i = 0; i < entry->attribute_count; i++) {
        free(entry->attributes[i].pValue);
    }
    free(entry->attributes);
    free(entry);
}

/* ---- in the gate ---- */

static CK_RV make(const tlm_token *token, CK_ATTRIBUTE *attributes, CK_ULONG count,
                  CK_OBJECT_HANDLE *made)
{
    return token->module->functions->C_CreateObject(token->session, attributes, count, made);
}

tlm_result tlm_own_make(tlm_provider *provider, tlm_token *token, tlm_entry *entry,
                        tlm_error *error)
{
    if (entry->made) {
        return TLM_OK;
    }
    CK_RV rv = make(token, entry->attributes, entry->attribute_count, &entry->backend);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_CreateObject", "for a session object");
    }
    entry->made = true;
    entry->login = token->login;
    entry->made_next = provider->made;
    provider->made = entry;
    return TLM_OK;
}

void tlm_own_unmake(tlm_provider *provider, tlm_token *token)
{
    for (tlm_entry *at = provider->made; at != NULL; at = at->made_next) {
        (void)token->module->functions->C_DestroyObject(token->session, at->backend);
        at->made = false;
    }
    provider->made = NULL;
}

typedef struct own_call {
    tlm_provider *provider;
    const CK_ATTRIBUTE *attributes;
    CK_ULONG count;
    tlm_entry *entry;
    CK_RV rv;
} own_call;

/* tpm2-pkcs11 1.9 stores every object, CKA_TOKEN or not, and says CKA_TOKEN false of it then. */
static bool stores_all(tlm_token *token)
{
    tlm_token_info info;
    tlm_token_get_info(token, &info);
    return strcmp(info.library, "TPM2.0 Cryptoki") == 0;
}

static bool is_of_token(const tlm_token *token, CK_OBJECT_HANDLE object)
{
    CK_BBOOL value = CK_TRUE;
    CK_ATTRIBUTE wanted = {CKA_TOKEN, &value, sizeof value};
    CK_RV rv = token->module->functions->C_GetAttributeValue(token->session, object, &wanted, 1);
    return rv != CKR_OK || value != CK_FALSE;
}

/* Tries the template in the back end, reads what came of it, and takes it away again. */
static tlm_result call_try(tlm_token *token, void *context, tlm_error *error)
{
    own_call *call = context;
    CK_OBJECT_HANDLE made = 0;
    if (call->provider->no_session_objects || stores_all(token)) {
        call->rv = CKR_TEMPLATE_INCONSISTENT;
        return TLM_OK;
    }
    CK_RV rv = make(token, tlm_unconst(call->attributes), call->count, &made);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_CreateObject", "for a session object");
    }
    call->provider->no_session_objects = is_of_token(token, made);
    tlm_result result = tlm_entry_read(token, made, &call->entry, error);
    (void)token->module->functions->C_DestroyObject(token->session, made);
    call->rv = call->provider->no_session_objects ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
    return result;
}

/* ---- of a client ---- */

/* Whether values of the template are public: keys in clear do not travel through the socket. */
static bool is_public(const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    CK_OBJECT_CLASS class = CKO_VENDOR_DEFINED;
    for (CK_ULONG i = 0; i < count; i++) {
        if (attributes[i].type == CKA_CLASS && attributes[i].ulValueLen == sizeof class) {
            memcpy(&class, attributes[i].pValue, sizeof class);
        }
    }
    return class == CKO_PUBLIC_KEY || class == CKO_CERTIFICATE || class == CKO_DATA;
}

static bool says_private(const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (attributes[i].type == CKA_PRIVATE && attributes[i].ulValueLen == sizeof(CK_BBOOL)) {
            return *(const CK_BBOOL *)attributes[i].pValue != CK_FALSE;
        }
    }
    return false;
}

static bool copy_attributes(tlm_entry *entry, const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    entry->attributes = calloc(count, sizeof *entry->attributes);
    if (entry->attributes == NULL) {
        return false;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        CK_ULONG size = attributes[i].ulValueLen;
        void *value = malloc(size + 1);
        if (value == NULL) {
            return false;
        }
        if (size > 0) {
            memcpy(value, attributes[i].pValue, size);
        }
        entry->attributes[entry->attribute_count++] =
            (CK_ATTRIBUTE){attributes[i].type, value, size};
        entry->weight += size;
    }
    return true;
}

static CK_RV keep(tlm_client_session *session, const own_call *call, CK_OBJECT_HANDLE *object)
{
    tlm_client *client = session->client;
    tlm_entry *entry = call->entry;
    if (entry->private && !client->logged_in) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    if (!copy_attributes(entry, call->attributes, call->count) ||
        client->collected + entry->weight > TLM_COLLECT_CLIENT_MAX) {
        return CKR_HOST_MEMORY;
    }
    *object = tlm_client_handle(client, entry, 0);
    if (*object == 0) {
        return CKR_HOST_MEMORY;
    }
    entry->owner = session;
    entry->next = client->own;
    client->own = entry;
    client->own_count++;
    client->collected += entry->weight;
    return CKR_OK;
}

CK_RV tlm_own_create(tlm_client_session *session, const CK_ATTRIBUTE *attributes, CK_ULONG count,
                     CK_OBJECT_HANDLE *object)
{
    tlm_client *client = session->client;
    own_call call = {.provider = client->provider, .attributes = attributes, .count = count};
    if (!is_public(attributes, count)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    if (says_private(attributes, count) && !client->logged_in) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    if (client->own_count >= TLM_OWN_MAX) {
        return CKR_DEVICE_MEMORY;
    }
    CK_RV rv = tlm_provider_run(client, call_try, &call);
    rv = rv == CKR_OK ? call.rv : rv;
    if (rv == CKR_OK) {
        rv = keep(session, &call, object);
    }
    if (rv != CKR_OK) {
        free_entry(call.entry);
    }
    return rv;
}

static void end_work(tlm_client_session *session, tlm_work *work, const tlm_entry *entry)
{
    if (work->active && work->entry == entry) {
        tlm_work_end(session, work);
    }
}

void tlm_own_drop(tlm_client *client, tlm_entry *entry)
{
    tlm_entry **link = &client->own;
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    client->own_count--;
    client->collected -= entry->weight;
    for (tlm_client_session *at = client->sessions; at != NULL; at = at->next) {
        end_work(at, &at->verify, entry);
        end_work(at, &at->encrypt, entry);
    }
    tlm_client_drop(client, tlm_client_handle(client, entry, 0));
    free_entry(entry);
}

void tlm_own_drop_session(tlm_client *client, const tlm_client_session *owner)
{
    tlm_entry *next = NULL;
    for (tlm_entry *at = client->own; at != NULL; at = next) {
        next = at->next;
        if (owner == NULL || at->owner == owner) {
            tlm_own_drop(client, at);
        }
    }
}

void tlm_own_drop_private(tlm_client *client)
{
    tlm_entry *next = NULL;
    for (tlm_entry *at = client->own; at != NULL; at = next) {
        next = at->next;
        if (at->private) {
            tlm_own_drop(client, at);
        }
    }
}
