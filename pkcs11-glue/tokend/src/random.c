/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers, and functions that PKCS#11 keeps for old applications: sections 5.15, 5.16. */
#include "provider_private.h"

/* Bytes of one transaction: a TPM gives some tens of bytes a command, and others wait. */
#define RANDOM_CHUNK 1024U

typedef struct random_call {
    CK_BYTE *data;
    CK_ULONG size;
} random_call;

/* In the gate. */
static tlm_result call_random(tlm_token *token, void *context, tlm_error *error)
{
    const random_call *call = context;
    CK_RV rv = token->module->functions->C_GenerateRandom(token->session, call->data, call->size);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GenerateRandom", "for %lu bytes", call->size);
    }
    return TLM_OK;
}

CK_RV tlm_C_GenerateRandom(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (data == NULL && size > 0) {
        return CKR_ARGUMENTS_BAD;
    }
    for (CK_ULONG done = 0; done < size && rv == CKR_OK;) {
        CK_ULONG chunk = size - done < RANDOM_CHUNK ? size - done : RANDOM_CHUNK;
        random_call call = {.data = data + done, .size = chunk};
        rv = tlm_provider_run(session->client, call_random, &call);
        done += chunk;
    }
    return rv;
}

/* In the gate. */
static tlm_result call_seed(tlm_token *token, void *context, tlm_error *error)
{
    const random_call *call = context;
    CK_RV rv = token->module->functions->C_SeedRandom(token->session, call->data, call->size);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_SeedRandom", "with %lu bytes", call->size);
    }
    return TLM_OK;
}

CK_RV tlm_C_SeedRandom(CK_SESSION_HANDLE handle, CK_BYTE *seed, CK_ULONG size)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    if (rv != CKR_OK) {
        return rv;
    }
    if (seed == NULL || size > RANDOM_CHUNK) {
        return CKR_ARGUMENTS_BAD;
    }
    random_call call = {.data = seed, .size = size};
    return tlm_provider_run(session->client, call_seed, &call);
}

CK_RV tlm_C_GetFunctionStatus(CK_SESSION_HANDLE handle)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_PARALLEL;
}

CK_RV tlm_C_CancelFunction(CK_SESSION_HANDLE handle)
{
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_PARALLEL;
}
