/* SPDX-License-Identifier: BSD-2-Clause */
/* Digests, made here: PKCS#11 v2.40 section 5.10. */
#include "provider_private.h"

#include <openssl/err.h>

CK_RV tlm_C_DigestInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (mechanism == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if (session->digest.active) {
        return CKR_OPERATION_ACTIVE;
    }
    tlm_work made = {.active = true};
    rv = tlm_mechanism_find(session->client, mechanism->mechanism, CKF_DIGEST, &made.kind);
    if (rv == CKR_OK) {
        rv = tlm_mechanism_copy_from(made.kind, mechanism, &made.mechanism);
    }
    if (rv == CKR_OK) {
        session->digest = made;
        rv = tlm_work_update(session, &session->digest, NULL, 0);
        session->digest.begun = false;
    }
    return rv == CKR_OK || !session->digest.active ? rv
                                                   : tlm_work_close(session, &session->digest, rv);
}

static CK_ULONG digest_size(const tlm_work *work)
{
    return (CK_ULONG)EVP_MD_get_size(tlm_mechanism_md(work->kind->hash));
}

/* The digest of what came; ends the operation. */
static CK_RV finish(tlm_client_session *session, CK_BYTE *digest, CK_ULONG *room)
{
    tlm_work *work = &session->digest;
    unsigned size = 0;
    if (EVP_DigestFinal_ex(work->digest, digest, &size) != 1) {
        ERR_clear_error();
        return tlm_work_close(session, work, CKR_FUNCTION_FAILED);
    }
    *room = size;
    return tlm_work_close(session, work, CKR_OK);
}

CK_RV tlm_C_Digest(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *digest,
                   CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->digest;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL || (data == NULL && size > 0)) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (work->begun) {
        /* Section 5.10: C_Digest does not end a multi-part operation. */
        return tlm_work_close(session, work, CKR_OPERATION_NOT_INITIALIZED);
    }
    if (tlm_room_answers(digest, room, digest_size(work), &rv)) {
        return rv;
    }
    rv = tlm_work_update(session, work, data, size);
    return rv == CKR_OK ? finish(session, digest, room) : tlm_work_close(session, work, rv);
}

CK_RV tlm_C_DigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->digest.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    rv = tlm_work_update(session, &session->digest, data, size);
    return rv == CKR_OK ? rv : tlm_work_close(session, &session->digest, rv);
}

CK_RV tlm_C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key)
{
    tlm_client_session *session = NULL;
    tlm_handle found = {.handle = 0};
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->digest.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    /* Keys do not leave the token, and digests are made outside of it. */
    bool known = tlm_client_lookup(session->client, key, &found) && found.entry != NULL;
    return tlm_work_close(session, &session->digest,
                          known ? CKR_KEY_INDIGESTIBLE : CKR_KEY_HANDLE_INVALID);
}

CK_RV tlm_C_DigestFinal(CK_SESSION_HANDLE handle, CK_BYTE *digest, CK_ULONG *room)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    tlm_work *work = &session->digest;
    if (!work->active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (room == NULL) {
        return tlm_work_close(session, work, CKR_ARGUMENTS_BAD);
    }
    if (tlm_room_answers(digest, room, digest_size(work), &rv)) {
        return rv;
    }
    return finish(session, digest, room);
}
