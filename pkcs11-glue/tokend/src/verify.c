/* SPDX-License-Identifier: BSD-2-Clause */
/* Verifying: PKCS#11 v2.40 section 5.13. */
#include "provider_private.h"

static const tlm_work_kind about = {CKF_VERIFY, CKO_PUBLIC_KEY, TLM_USE_SIGN, "sign"};

CK_RV tlm_C_VerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : tlm_work_init(session, &session->verify, &about, mechanism, key);
}

/* In the gate. */
static tlm_result call_verify(tlm_token *token, void *context, tlm_error *error)
{
    tlm_work_call *call = context;
    tlm_entry *entry = call->work->entry;
    const CK_FUNCTION_LIST *functions = token->module->functions;
    CK_OBJECT_HANDLE key = 0;
    tlm_result result = tlm_work_call_key(call, token, &key, error);
    if (result != TLM_OK || call->rv != CKR_OK) {
        return result;
    }
    CK_RV rv = functions->C_VerifyInit(token->session, &call->mechanism.mechanism, key);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_VerifyInit", "with key '%s', %s", entry->label,
                                tlm_pkcs11_mechanism_name(call->mechanism.mechanism.mechanism));
    }
    rv = functions->C_Verify(token->session, call->input, (CK_ULONG)call->input_size, call->output,
                             call->output_size);
    if (rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE) {
        token->state = TLM_SESSION_ACTIVE;
        call->rv = rv;
        return TLM_OK;
    }
    if (rv != CKR_OK) {
        token->state = TLM_SESSION_ACTIVE;
        return tlm_error_set_rv(error, rv, "C_Verify", "with key '%s'", entry->label);
    }
    return TLM_OK;
}

/* Whether the signature is that of what the operation was given; ends it. */
static CK_RV verify(tlm_client_session *session, const void *data, size_t size, CK_BYTE *signature,
                    CK_ULONG signature_size)
{
    tlm_work *work = &session->verify;
    tlm_work_call call;
    CK_ULONG expected = tlm_work_signature_size(work);
    if (expected != 0 && signature_size != expected) {
        return tlm_work_close(session, work, CKR_SIGNATURE_LEN_RANGE);
    }
    CK_RV rv = tlm_work_call_fill_signed(&call, session, work, data, size);
    if (rv == CKR_OK) {
        call.output = signature;
        call.output_size = signature_size;
        rv = tlm_work_call_run(&call, call_verify, about.name);
    }
    tlm_work_call_clear(&call);
    return tlm_work_close(session, work, rv);
}

CK_RV tlm_C_Verify(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature,
                   CK_ULONG signature_size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->verify;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (signature == NULL || (data == NULL && size > 0)) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (work->begun) {
        /* Section 5.13: C_Verify does not end a multi-part operation. */
        return tlm_work_close(session, work, CKR_OPERATION_NOT_INITIALIZED);
    }
    return verify(session, data, size, signature, signature_size);
}

CK_RV tlm_C_VerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->verify.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    rv = tlm_work_update(session, &session->verify, data, size);
    return rv == CKR_OK ? rv : tlm_work_close(session, &session->verify, rv);
}

CK_RV tlm_C_VerifyFinal(CK_SESSION_HANDLE handle, CK_BYTE *signature, CK_ULONG size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->verify.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (signature == NULL) {
        return tlm_work_close(session, &session->verify, CKR_ARGUMENTS_BAD);
    }
    return verify(session, NULL, 0, signature, size);
}

CK_RV tlm_C_VerifyRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                              CK_OBJECT_HANDLE key)
{
    (void)mechanism;
    (void)key;
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV tlm_C_VerifyRecover(CK_SESSION_HANDLE handle, CK_BYTE *signature, CK_ULONG size,
                          CK_BYTE *data, CK_ULONG *room)
{
    (void)signature;
    (void)size;
    (void)data;
    (void)room;
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_SUPPORTED;
}
