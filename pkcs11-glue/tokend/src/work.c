/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

bool tlm_room_answers(const void *buffer, CK_ULONG *room, CK_ULONG needed, CK_RV *rv)
{
    if (buffer == NULL) {
        *room = needed;
        *rv = CKR_OK;
        return true;
    }
    if (*room < needed) {
        *room = needed;
        *rv = CKR_BUFFER_TOO_SMALL;
        return true;
    }
    return false;
}

bool tlm_work_hashes(const tlm_work *work)
{
    return work->kind->base != TLM_NO_MECHANISM || (work->kind->flags & CKF_DIGEST) != 0;
}

static bool has_secret(const tlm_entry *entry)
{
    return entry->class == CKO_PRIVATE_KEY || entry->class == CKO_SECRET_KEY;
}

static CK_RV check_key(const tlm_work_kind *about, const tlm_mechanism_kind *kind,
                       const tlm_entry *entry)
{
    if (!has_secret(entry) && entry->class != CKO_PUBLIC_KEY) {
        return CKR_KEY_HANDLE_INVALID;
    }
    bool fits =
        kind->key == TLM_KEY_ANY ? entry->class == CKO_SECRET_KEY : kind->key == entry->key_type;
    if (!fits) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    if (entry->class != CKO_SECRET_KEY && entry->class != about->class) {
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    }
    return (entry->uses & about->flag) != 0 ? CKR_OK : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

static CK_RV check_access(const tlm_client *client, const tlm_work_kind *about,
                          const tlm_mechanism_kind *kind, const tlm_entry *entry)
{
    if (!has_secret(entry) ||
        tlm_access_allows(client->access, &client->peer, entry->label, about->use)) {
        return CKR_OK;
    }
    tlm_audit_refused(&client->peer, entry->label, kind->type, about->name,
                      CKR_KEY_FUNCTION_NOT_PERMITTED);
    return CKR_KEY_FUNCTION_NOT_PERMITTED;
}

CK_RV tlm_work_init(tlm_client_session *session, tlm_work *work, const tlm_work_kind *about,
                    const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    const tlm_mechanism_kind *kind = NULL;
    tlm_handle handle = {.handle = 0};
    tlm_work made = {.key = key};
    if (mechanism == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if (work->active) {
        return CKR_OPERATION_ACTIVE;
    }
    CK_RV rv = tlm_mechanism_find(session->client, mechanism->mechanism, about->flag, &kind);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!tlm_client_lookup(session->client, key, &handle) || handle.entry == NULL) {
        return CKR_KEY_HANDLE_INVALID;
    }
    made.kind = kind;
    made.entry = handle.entry;
    rv = check_key(about, kind, handle.entry);
    if (rv == CKR_OK) {
        rv = tlm_mechanism_copy_from(kind, mechanism, &made.mechanism);
    }
    if (rv == CKR_OK) {
        rv = check_access(session->client, about, kind, handle.entry);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    made.active = true;
    *work = made;
    /* Its parameter points into the copy. */
    tlm_mechanism_copy_as(kind->type, &made.mechanism, &work->mechanism);
    return CKR_OK;
}

static CK_RV hash(tlm_work *work, const void *data, size_t size)
{
    if (work->digest == NULL) {
        work->digest = EVP_MD_CTX_new();
        if (work->digest == NULL ||
            EVP_DigestInit_ex(work->digest, tlm_mechanism_md(work->kind->hash), NULL) != 1) {
            ERR_clear_error();
            return CKR_HOST_MEMORY;
        }
    }
    return size == 0 || EVP_DigestUpdate(work->digest, data, size) == 1 ? CKR_OK
                                                                        : CKR_FUNCTION_FAILED;
}

static CK_RV collect(tlm_client_session *session, tlm_work *work, const void *data, size_t size)
{
    tlm_client *client = session->client;
    if (size > TLM_COLLECT_MAX - work->size) {
        return CKR_DATA_LEN_RANGE;
    }
    if (work->size + size > work->room) {
        size_t room = work->room == 0 ? 1024 : work->room;
        while (room < work->size + size) {
            room *= 2;
        }
        if (client->collected + (room - work->room) > TLM_COLLECT_CLIENT_MAX) {
            return CKR_HOST_MEMORY;
        }
        unsigned char *grown = OPENSSL_clear_realloc(work->data, work->room, room);
        if (grown == NULL) {
            ERR_clear_error();
            return CKR_HOST_MEMORY;
        }
        client->collected += room - work->room;
        work->data = grown;
        work->room = room;
    }
    if (size > 0) {
        memcpy(work->data + work->size, data, size);
    }
    work->size += size;
    return CKR_OK;
}

CK_RV tlm_work_update(tlm_client_session *session, tlm_work *work, const void *data, size_t size)
{
    if (data == NULL && size > 0) {
        return CKR_ARGUMENTS_BAD;
    }
    work->begun = true;
    return tlm_work_hashes(work) ? hash(work, data, size) : collect(session, work, data, size);
}

void tlm_work_end(tlm_client_session *session, tlm_work *work)
{
    EVP_MD_CTX_free(work->digest);
    OPENSSL_clear_free(work->data, work->room);
    session->client->collected -= work->room;
    *work = (tlm_work){.active = false};
}

CK_RV tlm_work_close(tlm_client_session *session, tlm_work *work, CK_RV rv)
{
    tlm_work_end(session, work);
    return rv;
}

CK_ULONG tlm_work_signature_size(const tlm_work *work)
{
    if (work->kind->key == TLM_KEY_ANY) {
        const EVP_MD *md = tlm_mechanism_md(work->kind->hash);
        return md != NULL ? (CK_ULONG)EVP_MD_get_size(md) : 0;
    }
    return work->entry->size * (work->kind->key == CKK_EC ? 2U : 1U);
}

/* ---- calls ---- */

CK_RV tlm_work_call_fill(tlm_work_call *call, tlm_client_session *session, tlm_work *work,
                         const void *data, size_t size)
{
    *call = (tlm_work_call){.client = session->client, .work = work};
    tlm_mechanism_copy_as(work->kind->type, &work->mechanism, &call->mechanism);
    const void *from = work->begun ? work->data : data;
    size_t length = work->begun ? work->size : size;
    if (length > TLM_COLLECT_MAX) {
        return CKR_DATA_LEN_RANGE;
    }
    call->input = OPENSSL_malloc(length + 1);
    if (call->input == NULL) {
        ERR_clear_error();
        return CKR_HOST_MEMORY;
    }
    if (length > 0) {
        memcpy(call->input, from, length);
    }
    call->input_size = length;
    return CKR_OK;
}

/* DER of a DigestInfo up to the digest, RFC 8017 section 9.2 note 1. */
static size_t put_prefix(CK_MECHANISM_TYPE type, unsigned char *to)
{
    static const unsigned char sha1[] = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                         0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
    /* The SHA-2 family differs in three of these bytes. */
    static const unsigned char sha2[] = {0x30, 0x11, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                         0x65, 0x03, 0x04, 0x02, 0x00, 0x05, 0x00, 0x04, 0x00};
    if (type == CKM_SHA_1) {
        memcpy(to, sha1, sizeof sha1);
        return sizeof sha1;
    }
    unsigned char length = (unsigned char)EVP_MD_get_size(tlm_mechanism_md(type));
    memcpy(to, sha2, sizeof sha2);
    to[1] = (unsigned char)(0x11U + length);
    to[14] = type == CKM_SHA224 ? 4 : (unsigned char)(length / 16U - 1U);
    to[18] = length;
    return sizeof sha2;
}

#define PREFIX_MAX 19U

static CK_RV fill_digest(tlm_work_call *call, const void *data, size_t size)
{
    tlm_work *work = call->work;
    unsigned length = 0;
    CK_RV rv = hash(work, work->begun ? NULL : data, work->begun ? 0 : size);
    if (rv != CKR_OK) {
        return rv;
    }
    call->input = OPENSSL_malloc(PREFIX_MAX + EVP_MAX_MD_SIZE);
    if (call->input == NULL) {
        ERR_clear_error();
        return CKR_HOST_MEMORY;
    }
    size_t prefix =
        work->kind->base == CKM_RSA_PKCS ? put_prefix(work->kind->hash, call->input) : 0;
    if (EVP_DigestFinal_ex(work->digest, call->input + prefix, &length) != 1) {
        ERR_clear_error();
        return CKR_FUNCTION_FAILED;
    }
    call->input_size = prefix + length;
    tlm_mechanism_copy_as(work->kind->base, &work->mechanism, &call->mechanism);
    return CKR_OK;
}

/* What the standard asks of the data of a signature, before the token sees it. */
static CK_RV check_layout(tlm_work_call *call)
{
    const tlm_entry *entry = call->work->entry;
    size_t digest = 0;
    switch (call->mechanism.mechanism.mechanism) {
    case CKM_ECDSA:
        /* FIPS 186-4 section 6.4: the leftmost bits count. Orders of whole bytes are cut here. */
        if (entry->size > 0 && entry->size != 66 && call->input_size > entry->size) {
            call->input_size = entry->size;
        }
        return call->input_size > 0 ? CKR_OK : CKR_DATA_LEN_RANGE;
    case CKM_RSA_PKCS:
        return entry->size == 0 || call->input_size + 11 <= entry->size ? CKR_OK
                                                                        : CKR_DATA_LEN_RANGE;
    case CKM_RSA_X_509:
        return entry->size == 0 || call->input_size <= entry->size ? CKR_OK : CKR_DATA_LEN_RANGE;
    case CKM_RSA_PKCS_PSS:
        digest = (size_t)EVP_MD_get_size(tlm_mechanism_md(call->mechanism.parameter.pss.hashAlg));
        return call->input_size == digest ? CKR_OK : CKR_DATA_LEN_RANGE;
    default:
        return CKR_OK;
    }
}

CK_RV tlm_work_call_fill_signed(tlm_work_call *call, tlm_client_session *session, tlm_work *work,
                                const void *data, size_t size)
{
    CK_RV rv = CKR_OK;
    if (tlm_work_hashes(work)) {
        *call = (tlm_work_call){.client = session->client, .work = work};
        rv = fill_digest(call, data, size);
    } else {
        rv = tlm_work_call_fill(call, session, work, data, size);
    }
    return rv == CKR_OK ? check_layout(call) : rv;
}

void tlm_work_call_clear(tlm_work_call *call)
{
    OPENSSL_clear_free(call->input, call->input_size);
    call->input = NULL;
}

tlm_result tlm_work_call_key(tlm_work_call *call, tlm_token *token, CK_OBJECT_HANDLE *key,
                             tlm_error *error)
{
    tlm_entry *entry = call->work->entry;
    tlm_result result = tlm_entry_resolve(call->client->provider, token, entry, error);
    call->rv = result == TLM_OK && atomic_load(&entry->gone) ? CKR_KEY_HANDLE_INVALID : CKR_OK;
    *key = entry->backend;
    return result;
}

CK_RV tlm_work_call_run(tlm_work_call *call, tlm_token_operation operation, const char *name)
{
    const tlm_entry *entry = call->work->entry;
    CK_RV rv = tlm_provider_run(call->client, operation, call);
    rv = rv == CKR_OK ? call->rv : rv;
    if (has_secret(entry)) {
        tlm_audit_used(&call->client->peer, entry->label, call->work->kind->type, name, rv);
    }
    return rv;
}
