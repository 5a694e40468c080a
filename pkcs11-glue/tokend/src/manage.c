/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, changing and removing objects, for the operators that the access table names. */
#include "provider_private.h"

#include <string.h>

typedef struct manage_call {
    tlm_client *client;
    tlm_entry *entry; /* that is copied, changed or destroyed */
    CK_MECHANISM *mechanism;
    CK_ATTRIBUTE *attributes;
    CK_ULONG count;
    CK_ATTRIBUTE *private; /* of the private half */
    CK_ULONG private_count;
    bool tried;
    tlm_entry *made;
    tlm_entry *made_private;
    CK_RV rv;
} manage_call;

/* The label in a template; "" without one, false where it is no text of ours. */
static bool read_label(const CK_ATTRIBUTE *attributes, CK_ULONG count, char *label, bool *given)
{
    label[0] = '\0';
    *given = false;
    for (CK_ULONG i = 0; i < count; i++) {
        if (attributes[i].type != CKA_LABEL) {
            continue;
        }
        CK_ULONG size = attributes[i].ulValueLen;
        if (size > TLM_LABEL_MAX ||
            (size > 0 && memchr(attributes[i].pValue, '\0', size) != NULL)) {
            return false;
        }
        if (size > 0) {
            memcpy(label, attributes[i].pValue, size);
        }
        label[size] = '\0';
        *given = true;
    }
    return true;
}

static bool read_flag(const CK_ATTRIBUTE *attributes, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
                      bool otherwise)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (attributes[i].type == type && attributes[i].ulValueLen == sizeof(CK_BBOOL)) {
            otherwise = *(const CK_BBOOL *)attributes[i].pValue != CK_FALSE;
        }
    }
    return otherwise;
}

static CK_RV check_manager(const tlm_client *client, const char *label)
{
    if (tlm_access_allows(client->access, &client->peer, label, TLM_USE_MANAGE)) {
        return CKR_OK;
    }
    tlm_audit_refused(&client->peer, label, TLM_AUDIT_NO_MECHANISM, "manage",
                      CKR_ACTION_PROHIBITED);
    return CKR_ACTION_PROHIBITED;
}

static bool names(const CK_ATTRIBUTE *attributes, CK_ULONG count, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (attributes[i].type == type) {
            return true;
        }
    }
    return false;
}

/* What every call here asks of a template. */
static CK_RV check_template(const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    char label[TLM_LABEL_MAX + 1];
    bool given = false;
    CK_RV rv = tlm_template_check(attributes, count);
    if (rv != CKR_OK) {
        return rv;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        if ((attributes[i].type & CKA_VENDOR_DEFINED) != 0) {
            return CKR_ATTRIBUTE_TYPE_INVALID;
        }
    }
    return read_label(attributes, count, label, &given) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* The same for a new object of the token. */
static CK_RV check_new(const tlm_client_session *session, const CK_ATTRIBUTE *attributes,
                       CK_ULONG count, bool private, bool token)
{
    char label[TLM_LABEL_MAX + 1];
    bool given = false;
    CK_RV rv = check_template(attributes, count);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!read_flag(attributes, count, CKA_TOKEN, token)) {
        return CKR_TEMPLATE_INCONSISTENT; /* sessions of the back end are not those of clients */
    }
    if (!session->writable) {
        return CKR_SESSION_READ_ONLY;
    }
    if (read_flag(attributes, count, CKA_PRIVATE, private) && !session->client->logged_in) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    (void)read_label(attributes, count, label, &given);
    return check_manager(session->client, label);
}

/* In the gate: whether an earlier attempt may have made the object and lost the answer. */
static tlm_result begin(manage_call *call, tlm_error *error)
{
    if (call->tried) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE,
                             "Look whether the object is there before you make it again.",
                             "the token went away while it made an object");
    }
    call->tried = true;
    return TLM_OK;
}

static CK_RV finish(tlm_client *client, const char *label, CK_MECHANISM_TYPE mechanism, CK_RV rv,
                    CK_RV own)
{
    rv = rv != CKR_OK ? rv : own;
    tlm_audit_used(&client->peer, label, mechanism, "manage", rv);
    return rv;
}

/* The client's handle of a new object; CKR_OK, or CKR_HOST_MEMORY where there is none left. */
static CK_RV give_handle(tlm_client *client, tlm_entry *entry, CK_OBJECT_HANDLE *object)
{
    *object = tlm_client_handle(client, entry, 0);
    return *object != 0 ? CKR_OK : CKR_HOST_MEMORY;
}

/* ---- create, copy ---- */

/* In the gate. */
static tlm_result call_create(tlm_token *token, void *context, tlm_error *error)
{
    manage_call *call = context;
    const CK_FUNCTION_LIST *functions = token->module->functions;
    tlm_provider *provider = call->client->provider;
    CK_OBJECT_HANDLE made = 0;
    tlm_result result = begin(call, error);
    if (result == TLM_OK && call->entry != NULL) {
        result = tlm_entry_resolve(provider, token, call->entry, error);
        call->rv = atomic_load(&call->entry->gone) ? CKR_OBJECT_HANDLE_INVALID : CKR_OK;
    }
    if (result != TLM_OK || call->rv != CKR_OK) {
        return result;
    }
    CK_RV rv = call->entry != NULL ? functions->C_CopyObject(token->session, call->entry->backend,
                                                             call->attributes, call->count, &made)
                                   : functions->C_CreateObject(token->session, call->attributes,
                                                               call->count, &made);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, call->entry != NULL ? "C_CopyObject" : "C_CreateObject",
                                "%s", "for a client");
    }
    return tlm_entry_identify(provider, token, made, &call->made, error);
}

static CK_RV create(tlm_client_session *session, manage_call *call, CK_OBJECT_HANDLE *object)
{
    tlm_client *client = session->client;
    CK_RV rv = tlm_provider_run(client, call_create, call);
    rv = finish(client, call->made != NULL ? call->made->label : "", TLM_AUDIT_NO_MECHANISM, rv,
                call->rv);
    return rv == CKR_OK ? give_handle(client, call->made, object) : rv;
}

CK_RV tlm_C_CreateObject(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *attributes, CK_ULONG count,
                         CK_OBJECT_HANDLE *object)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (object == NULL || attributes == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    rv = check_template(attributes, count);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!names(attributes, count, CKA_CLASS)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (!read_flag(attributes, count, CKA_TOKEN, false)) {
        return tlm_own_create(session, attributes, count, object);
    }
    rv = check_new(session, attributes, count, false, true);
    if (rv != CKR_OK) {
        return rv;
    }
    manage_call call = {.client = session->client, .attributes = attributes, .count = count};
    return create(session, &call, object);
}

CK_RV tlm_C_CopyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
                       CK_ULONG count, CK_OBJECT_HANDLE *copy)
{
    tlm_client_session *session = NULL;
    tlm_handle found = {.handle = 0};
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (copy == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!tlm_client_lookup(session->client, object, &found)) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (found.entry == NULL || found.entry->attributes != NULL) {
        return CKR_ACTION_PROHIBITED;
    }
    rv = check_new(session, attributes, count, found.entry->private, true);
    if (rv == CKR_OK) {
        rv = check_manager(session->client, found.entry->label);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    manage_call call = {
        .client = session->client, .entry = found.entry, .attributes = attributes, .count = count};
    return create(session, &call, copy);
}

/* ---- destroy, change ---- */

/* In the gate. */
static tlm_result call_destroy(tlm_token *token, void *context, tlm_error *error)
{
    manage_call *call = context;
    tlm_entry *entry = call->entry;
    tlm_result result = tlm_entry_resolve(call->client->provider, token, entry, error);
    if (result != TLM_OK || atomic_load(&entry->gone)) {
        /* Of a second attempt it was destroyed by the first. */
        call->rv = call->tried ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
        return result;
    }
    call->tried = true;
    CK_RV rv = token->module->functions->C_DestroyObject(token->session, entry->backend);
    if (rv == CKR_FUNCTION_FAILED) {
        /* tpm2-pkcs11 counts users of a key, and one that had no room stays counted until then. */
        token->restart_next = true;
    }
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_DestroyObject", "of object '%s'", entry->label);
    }
    atomic_store(&entry->gone, true);
    call->rv = CKR_OK;
    return TLM_OK;
}

/* In the gate. */
static tlm_result call_change(tlm_token *token, void *context, tlm_error *error)
{
    manage_call *call = context;
    tlm_entry *entry = call->entry;
    tlm_result result = tlm_entry_resolve(call->client->provider, token, entry, error);
    if (result != TLM_OK || atomic_load(&entry->gone)) {
        call->rv = CKR_OBJECT_HANDLE_INVALID;
        return result;
    }
    CK_RV rv = token->module->functions->C_SetAttributeValue(token->session, entry->backend,
                                                             call->attributes, call->count);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_SetAttributeValue", "of object '%s'", entry->label);
    }
    return tlm_entry_renew(call->client->provider, token, entry, error);
}

/* What the two begin with. */
static CK_RV find_managed(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, manage_call *call)
{
    tlm_client_session *session = NULL;
    tlm_handle found = {.handle = 0};
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!tlm_client_lookup(session->client, object, &found)) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    call->client = session->client;
    call->entry = found.entry;
    if (found.entry == NULL) {
        return CKR_ACTION_PROHIBITED;
    }
    if (found.entry->attributes != NULL) {
        return CKR_OK;
    }
    return session->writable ? check_manager(session->client, found.entry->label)
                             : CKR_SESSION_READ_ONLY;
}

CK_RV tlm_C_DestroyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object)
{
    manage_call call = {.count = 0};
    CK_RV rv = find_managed(handle, object, &call);
    if (rv != CKR_OK) {
        return rv;
    }
    if (call.entry->attributes != NULL) {
        tlm_own_drop(call.client, call.entry);
        return CKR_OK;
    }
    rv = tlm_provider_run(call.client, call_destroy, &call);
    rv = finish(call.client, call.entry->label, TLM_AUDIT_NO_MECHANISM, rv, call.rv);
    if (rv == CKR_OK) {
        tlm_client_drop(call.client, object);
    }
    return rv;
}

/* What makes an object the one it is. tpm2-pkcs11 would let a client change it. */
static bool is_fixed(const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    static const CK_ATTRIBUTE_TYPE fixed[] = {
        CKA_CLASS,        CKA_TOKEN,           CKA_PRIVATE,          CKA_KEY_TYPE,
        CKA_MODULUS,      CKA_PUBLIC_EXPONENT, CKA_CERTIFICATE_TYPE, CKA_EC_PARAMS,
        CKA_EC_POINT,     CKA_LOCAL,           CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
        CKA_MODULUS_BITS,
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (names(attributes, count, fixed[i])) {
            return true;
        }
    }
    return false;
}

CK_RV tlm_C_SetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
                              CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    char label[TLM_LABEL_MAX + 1];
    bool given = false;
    manage_call call = {.attributes = attributes, .count = count};
    CK_RV rv = find_managed(handle, object, &call);
    if (rv == CKR_OK) {
        rv = check_template(attributes, count);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    if (call.entry->attributes != NULL) {
        return CKR_ACTION_PROHIBITED;
    }
    if (is_fixed(attributes, count)) {
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    (void)read_label(attributes, count, label, &given);
    rv = given ? check_manager(call.client, label) : CKR_OK;
    if (rv != CKR_OK) {
        return rv;
    }
    rv = tlm_provider_run(call.client, call_change, &call);
    return finish(call.client, call.entry->label, TLM_AUDIT_NO_MECHANISM, rv, call.rv);
}

/* ---- generate ---- */

/* In the gate. */
static tlm_result call_generate(tlm_token *token, void *context, tlm_error *error)
{
    manage_call *call = context;
    const CK_FUNCTION_LIST *functions = token->module->functions;
    tlm_provider *provider = call->client->provider;
    bool pair = call->private != NULL;
    CK_OBJECT_HANDLE made = 0;
    CK_OBJECT_HANDLE other = 0;
    tlm_result result = begin(call, error);
    if (result != TLM_OK) {
        return result;
    }
    CK_RV rv = pair ? functions->C_GenerateKeyPair(token->session, call->mechanism,
                                                   call->attributes, call->count, call->private,
                                                   call->private_count, &made, &other)
                    : functions->C_GenerateKey(token->session, call->mechanism, call->attributes,
                                               call->count, &made);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, pair ? "C_GenerateKeyPair" : "C_GenerateKey", "with %s",
                                tlm_pkcs11_mechanism_name(call->mechanism->mechanism));
    }
    result = tlm_entry_identify(provider, token, made, &call->made, error);
    if (result == TLM_OK && pair) {
        result = tlm_entry_identify(provider, token, other, &call->made_private, error);
    }
    /* The parent and the new key stay in the TPM's few slots until the next login. */
    token->state = TLM_SESSION_SPENT;
    return result;
}

static CK_RV check_generation(const tlm_client_session *session, const CK_MECHANISM *mechanism,
                              CK_FLAGS flag)
{
    const tlm_mechanism_kind *kind = NULL;
    if (mechanism == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    CK_RV rv = tlm_mechanism_find(session->client, mechanism->mechanism, flag, &kind);
    return rv == CKR_OK && mechanism->ulParameterLen != 0 ? CKR_MECHANISM_PARAM_INVALID : rv;
}

CK_RV tlm_C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attributes,
                        CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (key == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    rv = check_generation(session, mechanism, CKF_GENERATE);
    if (rv == CKR_OK) {
        rv = check_new(session, attributes, count, true, false);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    manage_call call = {.client = session->client,
                        .mechanism = mechanism,
                        .attributes = attributes,
                        .count = count};
    rv = tlm_provider_run(session->client, call_generate, &call);
    rv = finish(session->client, call.made != NULL ? call.made->label : "", mechanism->mechanism,
                rv, call.rv);
    return rv == CKR_OK ? give_handle(session->client, call.made, key) : rv;
}

CK_RV tlm_C_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                            CK_ULONG publics, CK_ATTRIBUTE *private, CK_ULONG privates,
                            CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (public_key == NULL || private_key == NULL || private == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    rv = check_generation(session, mechanism, CKF_GENERATE_KEY_PAIR);
    if (rv == CKR_OK) {
        rv = check_new(session, public, publics, false, false);
    }
    if (rv == CKR_OK) {
        rv = check_new(session, private, privates, true, false);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    manage_call call = {.client = session->client,
                        .mechanism = mechanism,
                        .attributes = public,
                        .count = publics,
                        .private = private,
                        .private_count = privates};
    rv = tlm_provider_run(session->client, call_generate, &call);
    rv = finish(session->client, call.made != NULL ? call.made->label : "", mechanism->mechanism,
                rv, call.rv);
    if (rv == CKR_OK) {
        rv = give_handle(session->client, call.made, public_key);
    }
    return rv == CKR_OK ? give_handle(session->client, call.made_private, private_key) : rv;
}
