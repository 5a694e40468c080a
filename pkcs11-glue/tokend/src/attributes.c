/* SPDX-License-Identifier: BSD-2-Clause */
/* Attributes of objects: PKCS#11 v2.40 section 5.7. */
#include "provider_private.h"

#include <string.h>

CK_RV tlm_template_check(const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    if ((attributes == NULL && count > 0) || count > TLM_TEMPLATE_MAX) {
        return CKR_ARGUMENTS_BAD;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        if (attributes[i].pValue == NULL && attributes[i].ulValueLen > 0) {
            return CKR_ATTRIBUTE_VALUE_INVALID;
        }
        if (attributes[i].ulValueLen > TLM_COLLECT_MAX) {
            return CKR_ATTRIBUTE_VALUE_INVALID;
        }
    }
    return CKR_OK;
}

typedef struct attribute_call {
    tlm_client *client;
    tlm_entry *entry;
    const CK_ATTRIBUTE *asked;
    CK_ATTRIBUTE answer[TLM_TEMPLATE_MAX];
    CK_ULONG count;
    CK_ULONG size; /* of the object */
    CK_RV rv;
} attribute_call;

/* In the gate; call->rv where the object is gone. */
static tlm_result resolve(attribute_call *call, tlm_token *token, tlm_error *error)
{
    tlm_result result = tlm_entry_resolve(call->client->provider, token, call->entry, error);
    call->rv = atomic_load(&call->entry->gone) ? CKR_OBJECT_HANDLE_INVALID : CKR_OK;
    return result;
}

/* Answers that are about single attributes and come with all the others. */
static bool is_partial(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
           rv == CKR_BUFFER_TOO_SMALL;
}

/* In the gate. */
static tlm_result call_get(tlm_token *token, void *context, tlm_error *error)
{
    attribute_call *call = context;
    tlm_result result = resolve(call, token, error);
    if (result != TLM_OK || call->rv != CKR_OK || call->count == 0) {
        return result;
    }
    /* Afresh for a second attempt: the lengths are answers too. */
    memcpy(call->answer, call->asked, call->count * sizeof *call->answer);
    CK_RV rv = token->module->functions->C_GetAttributeValue(token->session, call->entry->backend,
                                                             call->answer, call->count);
    if (rv != CKR_OK && !is_partial(rv)) {
        return tlm_error_set_rv(error, rv, "C_GetAttributeValue", "of object '%s'",
                                call->entry->label);
    }
    call->rv = rv;
    return TLM_OK;
}

/* Parts of a key that it is, where a back end would show them. */
static bool is_secret(CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_VALUE:
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
        return true;
    default:
        return false;
    }
}

/* CKR_OK where an attribute goes to the back end. */
static CK_RV check_type(const tlm_entry *entry, CK_ATTRIBUTE_TYPE type)
{
    bool key = entry->class == CKO_PRIVATE_KEY || entry->class == CKO_SECRET_KEY;
    if (key && is_secret(type)) {
        return CKR_ATTRIBUTE_SENSITIVE;
    }
    /* p11-kit 0.24 cannot transport the array of mechanisms: its client sees a broken device. */
    bool shown = (type & CKA_VENDOR_DEFINED) == 0 && type != CKA_ALLOWED_MECHANISMS;
    return shown ? CKR_OK : CKR_ATTRIBUTE_TYPE_INVALID;
}

static CK_RV get(tlm_client *client, tlm_entry *entry, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    CK_ATTRIBUTE passed[TLM_TEMPLATE_MAX];
    attribute_call call = {.client = client, .entry = entry, .asked = passed};
    CK_RV refusal = CKR_OK;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV rv = check_type(entry, attributes[i].type);
        if (rv == CKR_OK) {
            passed[call.count++] = attributes[i];
        }
        refusal = rv != CKR_OK ? rv : refusal;
    }
    CK_RV rv = tlm_provider_run(client, call_get, &call);
    if (rv != CKR_OK || (call.rv != CKR_OK && !is_partial(call.rv))) {
        return rv != CKR_OK ? rv : call.rv;
    }
    CK_ULONG next = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        bool withheld = check_type(entry, attributes[i].type) != CKR_OK;
        attributes[i].ulValueLen =
            withheld ? CK_UNAVAILABLE_INFORMATION : call.answer[next].ulValueLen;
        next += withheld ? 0U : 1U;
    }
    return refusal != CKR_OK ? refusal : call.rv;
}

static CK_RV get_feature(tlm_client *client, size_t feature, CK_ATTRIBUTE *attributes,
                         CK_ULONG count)
{
    const tlm_provider_config *config = &client->provider->config;
    const char *label = tlm_feature_label(config->hardware, feature);
    bool value = false;
    for (CK_ULONG i = 0; i < count; i++) {
        value = value || (attributes[i].type == CKA_VALUE && attributes[i].pValue != NULL);
    }
    if (value && !tlm_access_allows(client->access, &client->peer, label, TLM_USE_COUNTER)) {
        tlm_audit_refused(&client->peer, label, TLM_AUDIT_NO_MECHANISM, "counter",
                          CKR_ATTRIBUTE_SENSITIVE);
        for (CK_ULONG i = 0; i < count; i++) {
            attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        }
        return CKR_ATTRIBUTE_SENSITIVE;
    }
    CK_RV rv = tlm_feature_get(config->hardware, feature, attributes, count);
    if (value) {
        tlm_audit_used(&client->peer, label, TLM_AUDIT_NO_MECHANISM, "counter", rv);
    }
    return rv;
}

CK_RV tlm_C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
                              CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    tlm_client_session *session = NULL;
    tlm_handle found = {.handle = 0};
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (attributes == NULL || count > TLM_TEMPLATE_MAX) {
        return CKR_ARGUMENTS_BAD;
    }
    tlm_client *client = session->client;
    if (!tlm_client_lookup(client, object, &found)) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (found.entry != NULL) {
        return get(client, found.entry, attributes, count);
    }
    return get_feature(client, found.feature, attributes, count);
}

/* In the gate. */
static tlm_result call_size(tlm_token *token, void *context, tlm_error *error)
{
    attribute_call *call = context;
    tlm_result result = resolve(call, token, error);
    if (result != TLM_OK || call->rv != CKR_OK) {
        return result;
    }
    CK_RV rv = token->module->functions->C_GetObjectSize(token->session, call->entry->backend,
                                                         &call->size);
    if (rv == CKR_FUNCTION_NOT_SUPPORTED) {
        call->size = CK_UNAVAILABLE_INFORMATION;
        return TLM_OK;
    }
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetObjectSize", "of object '%s'", call->entry->label);
    }
    return TLM_OK;
}

CK_RV tlm_C_GetObjectSize(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ULONG *size)
{
    tlm_client_session *session = NULL;
    tlm_handle found = {.handle = 0};
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (size == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!tlm_client_lookup(session->client, object, &found)) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (found.entry == NULL) {
        *size = CK_UNAVAILABLE_INFORMATION;
        return CKR_OK;
    }
    attribute_call call = {.client = session->client, .entry = found.entry};
    rv = tlm_provider_run(session->client, call_size, &call);
    if (rv == CKR_OK && call.rv == CKR_OK) {
        *size = call.size;
    }
    return rv != CKR_OK ? rv : call.rv;
}
