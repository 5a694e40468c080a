/* SPDX-License-Identifier: BSD-2-Clause */
/* Encrypting: PKCS#11 v2.40 section 5.8. Data of update calls is collected and encrypted as one. */
#include "provider_private.h"

#include <openssl/crypto.h>

static const tlm_work_kind about = {CKF_ENCRYPT, CKO_PUBLIC_KEY, TLM_USE_DECRYPT, "decrypt"};

CK_RV tlm_C_EncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : tlm_work_init(session, &session->encrypt, &about, mechanism, key);
}

/* In the gate: what the back end has begun. The length it gives is not looked at: tpm2-pkcs11
 * leaves it as it was, and it follows from the mechanism. */
static tlm_result finish(tlm_work_call *call, tlm_token *token, unsigned char *data, size_t size,
                         tlm_error *error)
{
    CK_ULONG length = call->output_size;
    CK_RV rv = token->module->functions->C_Encrypt(token->session, data, (CK_ULONG)size,
                                                   call->output, &length);
    if (rv != CKR_OK) {
        token->state = TLM_SESSION_ACTIVE;
        return tlm_error_set_rv(error, rv, "C_Encrypt", "with key '%s'", call->work->entry->label);
    }
    return TLM_OK;
}

static tlm_result fail_early(const tlm_work_call *call, CK_RV rv, tlm_error *error)
{
    return tlm_error_set_rv(error, rv, "C_EncryptInit", "with key '%s', %s",
                            call->work->entry->label,
                            tlm_pkcs11_mechanism_name(call->mechanism.mechanism.mechanism));
}

/* In the gate: the padding made here, raw RSA by the back end. */
static tlm_result encrypt_raw(tlm_work_call *call, tlm_token *token, CK_OBJECT_HANDLE key,
                              tlm_error *error)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_RSA_X_509};
    tlm_secret *block = NULL;
    tlm_result result = tlm_secret_new(call->work->entry->size, &block, error);
    if (result != TLM_OK) {
        return result;
    }
    if (!tlm_oaep_pad(&call->mechanism.parameter.oaep, call->input, call->input_size,
                      tlm_secret_data(block), tlm_secret_size(block))) {
        call->rv = CKR_DATA_LEN_RANGE;
        goto out;
    }
    CK_RV rv = token->module->functions->C_EncryptInit(token->session, &mechanism, key);
    result = rv == CKR_OK
                 ? finish(call, token, tlm_secret_data(block), tlm_secret_size(block), error)
                 : fail_early(call, rv, error);
out:
    tlm_secret_free(&block);
    return result;
}

/* In the gate. */
static tlm_result call_encrypt(tlm_token *token, void *context, tlm_error *error)
{
    tlm_work_call *call = context;
    CK_OBJECT_HANDLE key = 0;
    tlm_result result = tlm_work_call_key(call, token, &key, error);
    if (result != TLM_OK || call->rv != CKR_OK) {
        return result;
    }
    if (tlm_oaep_is_ours(&call->mechanism.mechanism, &call->mechanism.parameter.oaep)) {
        return encrypt_raw(call, token, key, error);
    }
    CK_RV rv =
        token->module->functions->C_EncryptInit(token->session, &call->mechanism.mechanism, key);
    if (call->mechanism.mechanism.mechanism == CKM_RSA_PKCS_OAEP && tlm_oaep_is_refusal(rv)) {
        return encrypt_raw(call, token, key, error);
    }
    if (rv != CKR_OK) {
        return fail_early(call, rv, error);
    }
    return finish(call, token, call->input, call->input_size, error);
}

/* Bytes that come out for `size` bytes. */
static CK_ULONG cipher_size(const tlm_work *work, size_t size)
{
    if (work->kind->key == CKK_RSA) {
        return work->entry->size;
    }
    return (CK_ULONG)(work->kind->type == CKM_AES_CBC_PAD ? (size / 16 + 1) * 16 : size);
}

static CK_RV check_size(const tlm_work *work, size_t size)
{
    const CK_RSA_PKCS_OAEP_PARAMS *oaep = &work->mechanism.parameter.oaep;
    size_t overhead = 0;
    switch (work->kind->type) {
    case CKM_RSA_PKCS_OAEP:
        overhead = 2 * (size_t)EVP_MD_get_size(tlm_mechanism_md(oaep->hashAlg)) + 2;
        break;
    case CKM_RSA_PKCS:
        overhead = 11;
        break;
    case CKM_RSA_X_509:
        break;
    case CKM_AES_CBC:
    case CKM_AES_ECB:
        return size % 16 == 0 ? CKR_OK : CKR_DATA_LEN_RANGE;
    default:
        return CKR_OK;
    }
    return size + overhead <= work->entry->size ? CKR_OK : CKR_DATA_LEN_RANGE;
}

/* Encrypts what the operation was given; ends it. */
static CK_RV encrypt(tlm_client_session *session, const void *data, size_t size, CK_BYTE *cipher,
                     CK_ULONG *room)
{
    tlm_work *work = &session->encrypt;
    tlm_work_call call;
    CK_RV rv = tlm_work_call_fill(&call, session, work, data, size);
    if (rv == CKR_OK) {
        rv = check_size(work, call.input_size);
    }
    if (rv == CKR_OK) {
        call.output = cipher;
        call.output_size = cipher_size(work, call.input_size);
        rv = tlm_work_call_run(&call, call_encrypt, about.name);
    }
    if (rv == CKR_OK) {
        *room = call.output_size;
    }
    tlm_work_call_clear(&call);
    return tlm_work_close(session, work, rv);
}

CK_RV tlm_C_Encrypt(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *cipher,
                    CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->encrypt;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL || (data == NULL && size > 0)) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (work->begun) {
        /* Section 5.8: C_Encrypt does not end a multi-part operation. */
        return tlm_work_close(session, work, CKR_OPERATION_NOT_INITIALIZED);
    }
    if (tlm_room_answers(cipher, room, cipher_size(work, size), &rv)) {
        return rv;
    }
    return encrypt(session, data, size, cipher, room);
}

CK_RV tlm_C_EncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *part,
                          CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->encrypt.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL) {
        return tlm_work_close(session, &session->encrypt, CKR_ARGUMENTS_BAD);
    }
    if (part == NULL && size > 0) {
        *room = size; /* only asked */
        return CKR_OK;
    }
    *room = 0;
    rv = tlm_work_update(session, &session->encrypt, data, size);
    return rv == CKR_OK ? rv : tlm_work_close(session, &session->encrypt, rv);
}

CK_RV tlm_C_EncryptFinal(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->encrypt;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (tlm_room_answers(part, room, cipher_size(work, work->size), &rv)) {
        return rv;
    }
    return encrypt(session, NULL, 0, part, room);
}
