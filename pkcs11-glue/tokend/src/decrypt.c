/* SPDX-License-Identifier: BSD-2-Clause */
/* Decrypting: PKCS#11 v2.40 section 5.9. Data of update calls is collected and decrypted as one. */
#include "provider_private.h"

#include <string.h>

static const tlm_work_kind about = {CKF_DECRYPT, CKO_PRIVATE_KEY, TLM_USE_DECRYPT, "decrypt"};

CK_RV tlm_C_DecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : tlm_work_init(session, &session->decrypt, &about, mechanism, key);
}

static bool is_rsa(const tlm_work *work)
{
    return work->kind->key == CKK_RSA;
}

/*
 * Whether the key as such decrypts. A wrong cipher text and a token in trouble give the same
 * CK_RV on tpm2-pkcs11, and wrong cipher texts must cost no login.
 */
static bool key_works(tlm_token *token, const tlm_work *work)
{
    const tlm_entry *entry = work->entry;
    tlm_key_name name = {.label = entry->label};
    tlm_key *key = NULL;
    tlm_error ignored = {0};
    if (!is_rsa(work) || tlm_session_exchange(token, &ignored) != TLM_OK) {
        return false;
    }
    if (entry->id_size > 0) {
        name = (tlm_key_name){.id = entry->id, .id_size = entry->id_size};
    }
    if (tlm_key_load(token, &name, &key, &ignored) != TLM_OK) {
        return false;
    }
    bool works = key->handle == entry->backend && tlm_key_works(token, key);
    tlm_key_free(&key);
    return works;
}

/* In the gate: an operation was begun in the back end and failed. */
static tlm_result fail_late(tlm_work_call *call, tlm_token *token, CK_RV rv, tlm_error *error)
{
    tlm_entry *entry = call->work->entry;
    token->state = TLM_SESSION_ACTIVE;
    if (rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE) {
        call->rv = rv;
        return TLM_OK;
    }
    (void)tlm_error_set_rv(error, rv, "C_Decrypt", "with key '%s'", entry->label);
    if (tlm_error_is_recoverable(error) && key_works(token, call->work)) {
        call->rv = CKR_ENCRYPTED_DATA_INVALID;
        return TLM_OK;
    }
    tlm_entry_note(token, entry, rv);
    return error->result;
}

/* In the gate: what the back end has begun. */
static tlm_result finish(tlm_work_call *call, tlm_token *token, CK_ULONG *size, tlm_error *error)
{
    CK_ULONG room = call->output_size;
    *size = room;
    CK_RV rv = token->module->functions->C_Decrypt(token->session, call->input,
                                                   (CK_ULONG)call->input_size, call->output, size);
    if (rv == CKR_OK && *size > room) {
        rv = CKR_FUNCTION_FAILED;
    }
    if (rv != CKR_OK) {
        return fail_late(call, token, rv, error);
    }
    tlm_entry_note(token, call->work->entry, CKR_OK);
    return TLM_OK;
}

static tlm_result fail_early(tlm_work_call *call, tlm_token *token, CK_RV rv, tlm_error *error)
{
    tlm_entry *entry = call->work->entry;
    tlm_entry_note(token, entry, rv);
    return tlm_error_set_rv(error, rv, "C_DecryptInit", "with key '%s', %s", entry->label,
                            tlm_pkcs11_mechanism_name(call->mechanism.mechanism.mechanism));
}

/* In the gate: raw RSA by the back end, the padding removed here. */
static tlm_result decrypt_raw(tlm_work_call *call, tlm_token *token, CK_OBJECT_HANDLE key,
                              tlm_error *error)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_RSA_X_509};
    size_t size = call->work->entry->size;
    CK_ULONG raw = 0;
    size_t plain_size = 0;
    tlm_secret *plain = NULL;
    CK_RV rv = token->module->functions->C_DecryptInit(token->session, &mechanism, key);
    if (rv != CKR_OK) {
        return fail_early(call, token, rv, error);
    }
    tlm_result result = finish(call, token, &raw, error);
    if (result != TLM_OK || call->rv != CKR_OK) {
        return result;
    }
    result = tlm_secret_new(size, &plain, error);
    if (result != TLM_OK) {
        return result;
    }
    /* Some tokens leave leading zero bytes out. */
    memmove(call->output + (size - raw), call->output, raw);
    memset(call->output, 0, size - raw);
    bool good = tlm_oaep_unpad(&call->mechanism.parameter.oaep, call->output, size,
                               tlm_secret_data(plain), &plain_size);
    memcpy(call->output, tlm_secret_bytes(plain), size);
    tlm_secret_free(&plain);
    call->output_size = (CK_ULONG)plain_size;
    call->rv = good ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID;
    return TLM_OK;
}

/* In the gate. */
static tlm_result call_decrypt(tlm_token *token, void *context, tlm_error *error)
{
    tlm_work_call *call = context;
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG size = 0;
    tlm_result result = tlm_work_call_key(call, token, &key, error);
    if (result != TLM_OK || call->rv != CKR_OK) {
        return result;
    }
    if (tlm_oaep_is_ours(&call->mechanism.mechanism, &call->mechanism.parameter.oaep)) {
        return decrypt_raw(call, token, key, error);
    }
    CK_RV rv =
        token->module->functions->C_DecryptInit(token->session, &call->mechanism.mechanism, key);
    if (call->mechanism.mechanism.mechanism == CKM_RSA_PKCS_OAEP && tlm_oaep_is_refusal(rv)) {
        return decrypt_raw(call, token, key, error);
    }
    if (rv != CKR_OK) {
        return fail_early(call, token, rv, error);
    }
    result = finish(call, token, &size, error);
    if (result == TLM_OK && call->rv == CKR_OK) {
        call->output_size = size;
    }
    return result;
}

/* At most so many bytes come out. */
static CK_ULONG plain_max(const tlm_work *work, size_t size)
{
    return is_rsa(work) ? work->entry->size : (CK_ULONG)size;
}

static CK_RV check_size(const tlm_work *work, size_t size)
{
    bool fits = true;
    switch (work->kind->type) {
    case CKM_AES_CBC_PAD:
        fits = size > 0 && size % 16 == 0;
        break;
    case CKM_AES_CBC:
    case CKM_AES_ECB:
        fits = size % 16 == 0;
        break;
    default:
        fits = !is_rsa(work) || size == work->entry->size;
        break;
    }
    return fits ? CKR_OK : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

/* Hands out the plain text. Too little room is no end: the call is repeated with more. */
static CK_RV deliver(const tlm_work_call *call, CK_BYTE *plain, CK_ULONG *room)
{
    bool fits = call->output_size <= *room;
    *room = call->output_size;
    if (!fits) {
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(plain, call->output, call->output_size);
    return CKR_OK;
}

/* Decrypts what the operation was given. */
static CK_RV decrypt(tlm_client_session *session, const void *data, size_t size, CK_BYTE *plain,
                     CK_ULONG *room)
{
    tlm_work *work = &session->decrypt;
    tlm_work_call call;
    tlm_secret *block = NULL;
    CK_RV rv = tlm_work_call_fill(&call, session, work, data, size);
    if (rv == CKR_OK) {
        rv = check_size(work, call.input_size);
    }
    /* With a block more for a back end that wants room for the padding. */
    if (rv == CKR_OK && tlm_secret_new(plain_max(work, call.input_size) + (is_rsa(work) ? 0U : 16U),
                                       &block, NULL) != TLM_OK) {
        rv = CKR_HOST_MEMORY;
    }
    if (rv == CKR_OK) {
        call.output = tlm_secret_data(block);
        call.output_size = (CK_ULONG)tlm_secret_size(block);
        rv = tlm_work_call_run(&call, call_decrypt, about.name);
    }
    if (rv == CKR_OK) {
        rv = deliver(&call, plain, room);
    }
    tlm_work_call_clear(&call);
    tlm_secret_free(&block);
    return rv == CKR_BUFFER_TOO_SMALL ? rv : tlm_work_close(session, work, rv);
}

CK_RV tlm_C_Decrypt(CK_SESSION_HANDLE handle, CK_BYTE *cipher, CK_ULONG size, CK_BYTE *plain,
                    CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->decrypt;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL || (cipher == NULL && size > 0)) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (work->begun) {
        /* Section 5.9: C_Decrypt does not end a multi-part operation. */
        return tlm_work_close(session, work, CKR_OPERATION_NOT_INITIALIZED);
    }
    if (plain == NULL) {
        *room = plain_max(work, size);
        return CKR_OK;
    }
    return decrypt(session, cipher, size, plain, room);
}

CK_RV tlm_C_DecryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE *cipher, CK_ULONG size, CK_BYTE *part,
                          CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->decrypt.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL) {
        return tlm_work_close(session, &session->decrypt, CKR_ARGUMENTS_BAD);
    }
    if (part == NULL && size > 0) {
        *room = size; /* only asked */
        return CKR_OK;
    }
    *room = 0;
    rv = tlm_work_update(session, &session->decrypt, cipher, size);
    return rv == CKR_OK ? rv : tlm_work_close(session, &session->decrypt, rv);
}

CK_RV tlm_C_DecryptFinal(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->decrypt;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (part == NULL) {
        *room = plain_max(work, work->size);
        return CKR_OK;
    }
    return decrypt(session, NULL, 0, part, room);
}
