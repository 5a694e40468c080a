/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that this provider has not: the state of an operation, two operations on the same data,
 * keys that travel. Keys of this token stay in it.
 */
#include "provider_private.h"

static CK_RV not_supported(CK_SESSION_HANDLE handle)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV tlm_C_GetOperationState(CK_SESSION_HANDLE handle, CK_BYTE *state, CK_ULONG *size)
{
    (void)state;
    (void)size;
    return not_supported(handle);
}

CK_RV tlm_C_SetOperationState(CK_SESSION_HANDLE handle, CK_BYTE *state, CK_ULONG size,
                              CK_OBJECT_HANDLE encryption, CK_OBJECT_HANDLE authentication)
{
    (void)state;
    (void)size;
    (void)encryption;
    (void)authentication;
    return not_supported(handle);
}

CK_RV tlm_C_DigestEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size,
                                CK_BYTE *result, CK_ULONG *room)
{
    (void)data;
    (void)size;
    (void)result;
    (void)room;
    return not_supported(handle);
}

CK_RV tlm_C_DecryptDigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size,
                                CK_BYTE *result, CK_ULONG *room)
{
    (void)data;
    (void)size;
    (void)result;
    (void)room;
    return not_supported(handle);
}

CK_RV tlm_C_SignEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size,
                              CK_BYTE *result, CK_ULONG *room)
{
    (void)data;
    (void)size;
    (void)result;
    (void)room;
    return not_supported(handle);
}

CK_RV tlm_C_DecryptVerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size,
                                CK_BYTE *result, CK_ULONG *room)
{
    (void)data;
    (void)size;
    (void)result;
    (void)room;
    return not_supported(handle);
}

CK_RV tlm_C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
                    CK_OBJECT_HANDLE key, CK_BYTE *wrapped, CK_ULONG *room)
{
    (void)mechanism;
    (void)wrapping;
    (void)key;
    (void)wrapped;
    (void)room;
    return not_supported(handle);
}

CK_RV tlm_C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                      CK_OBJECT_HANDLE unwrapping, CK_BYTE *wrapped, CK_ULONG size,
                      CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    (void)mechanism;
    (void)unwrapping;
    (void)wrapped;
    (void)size;
    (void)attributes;
    (void)count;
    (void)key;
    return not_supported(handle);
}

CK_RV tlm_C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                      CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    (void)mechanism;
    (void)base;
    (void)attributes;
    (void)count;
    (void)key;
    return not_supported(handle);
}
