/* SPDX-License-Identifier: BSD-2-Clause */
/* Signing: PKCS#11 v2.40 section 5.11. */
#include "provider_private.h"

#include <openssl/crypto.h>

static const tlm_work_kind about = {CKF_SIGN, CKO_PRIVATE_KEY, TLM_USE_SIGN, "sign"};

CK_RV tlm_C_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : tlm_work_init(session, &session->sign, &about, mechanism, key);
}

/* In the gate. */
static tlm_result call_sign(tlm_token *token, void *context, tlm_error *error)
{
    tlm_work_call *call = context;
    tlm_entry *entry = call->work->entry;
    const CK_FUNCTION_LIST *functions = token->module->functions;
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG size = call->output_size;
    tlm_result result = tlm_work_call_key(call, token, &key, error);
    if (result != TLM_OK || call->rv != CKR_OK) {
        return result;
    }
    CK_RV rv = functions->C_SignInit(token->session, &call->mechanism.mechanism, key);
    if (rv != CKR_OK) {
        tlm_entry_note(token, entry, rv);
        return tlm_error_set_rv(error, rv, "C_SignInit", "with key '%s', %s", entry->label,
                                tlm_pkcs11_mechanism_name(call->mechanism.mechanism.mechanism));
    }
    rv = functions->C_Sign(token->session, call->input, (CK_ULONG)call->input_size, call->output,
                           &size);
    tlm_entry_note(token, entry, rv);
    if (rv != CKR_OK) {
        token->state = TLM_SESSION_ACTIVE;
        return tlm_error_set_rv(error, rv, "C_Sign", "with key '%s'", entry->label);
    }
    call->output_size = size;
    return TLM_OK;
}

/* The signature of what the operation was given; ends it. */
static CK_RV sign(tlm_client_session *session, const void *data, size_t size, CK_BYTE *signature,
                  CK_ULONG *room)
{
    tlm_work *work = &session->sign;
    tlm_work_call call;
    CK_RV rv = tlm_work_call_fill_signed(&call, session, work, data, size);
    if (rv == CKR_OK) {
        call.output = signature;
        call.output_size = *room;
        rv = tlm_work_call_run(&call, call_sign, about.name);
    }
    if (rv == CKR_OK) {
        *room = call.output_size;
    }
    tlm_work_call_clear(&call);
    return tlm_work_close(session, work, rv);
}

CK_RV tlm_C_Sign(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature,
                 CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->sign;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL || (data == NULL && size > 0)) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (work->begun) {
        /* Section 5.11: C_Sign does not end a multi-part operation. */
        return tlm_work_close(session, work, CKR_OPERATION_NOT_INITIALIZED);
    }
    if (tlm_room_answers(signature, room, tlm_work_signature_size(work), &rv)) {
        return rv;
    }
    return sign(session, data, size, signature, room);
}

CK_RV tlm_C_SignUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->sign.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    rv = tlm_work_update(session, &session->sign, data, size);
    return rv == CKR_OK ? rv : tlm_work_close(session, &session->sign, rv);
}

CK_RV tlm_C_SignFinal(CK_SESSION_HANDLE handle, CK_BYTE *signature, CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->sign;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (tlm_room_answers(signature, room, tlm_work_signature_size(work), &rv)) {
        return rv;
    }
    return sign(session, NULL, 0, signature, room);
}

CK_RV tlm_C_SignRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)mechanism;
    (void)key;
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV tlm_C_SignRecover(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature,
                        CK_ULONG *room)
{
    (void)data;
    (void)size;
    (void)signature;
    (void)room;
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_SUPPORTED;
}
