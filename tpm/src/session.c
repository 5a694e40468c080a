/* SPDX-License-Identifier: BSD-2-Clause */
#include "seal_private.h"

#include <tlm/log.h>

tlm_result tlm_session_start(tlm_tpm *tpm, ESYS_TR key, TPM2_SE type, ESYS_TR *session,
                             tlm_error *error)
{
    const TPMT_SYM_DEF cipher = {
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
    const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    *session = ESYS_TR_NONE;
    do {
        rc = Esys_StartAuthSession(tpm->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                   ESYS_TR_NONE, NULL, type, key == ESYS_TR_NONE ? &none : &cipher,
                                   TPM2_ALG_SHA256, session);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        *session = ESYS_TR_NONE;
        return tlm_tpm_fail(tpm, error, rc, "TPM2_StartAuthSession", "of type 0x%02X", type);
    }
    tlm_result result = tlm_session_encrypt(tpm, *session, 0, error);
    if (result != TLM_OK) {
        tlm_session_end(tpm, session);
    }
    return result;
}

tlm_result tlm_session_encrypt(tlm_tpm *tpm, ESYS_TR session, TPMA_SESSION ways, tlm_error *error)
{
    TSS2_RC rc = Esys_TRSess_SetAttributes(
        tpm->esys, session, (TPMA_SESSION)(ways | TPMA_SESSION_CONTINUESESSION), 0xff);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "Esys_TRSess_SetAttributes", "to 0x%02X", ways);
    }
    return TLM_OK;
}

tlm_result tlm_session_salted(tlm_tpm *tpm, ESYS_TR *session, tlm_error *error)
{
    tlm_seal_parent parent = {.object = ESYS_TR_NONE};
    *session = ESYS_TR_NONE;
    tlm_result result = tlm_seal_parent_find(tpm, &parent, NULL);
    if (result != TLM_OK) {
        result = tlm_seal_parent_make(tpm, &parent, error);
    }
    if (result == TLM_OK) {
        result = tlm_session_start(tpm, parent.object, TPM2_SE_HMAC, session, error);
    }
    tlm_seal_parent_close(tpm, &parent);
    if (result == TLM_OK) {
        result = tlm_session_encrypt(tpm, *session, TPMA_SESSION_DECRYPT, error);
        if (result != TLM_OK) {
            tlm_session_end(tpm, session);
        }
    }
    return result;
}

void tlm_session_end(tlm_tpm *tpm, ESYS_TR *session)
{
    if (*session == ESYS_TR_NONE) {
        return;
    }
    TSS2_RC rc = Esys_FlushContext(tpm->esys, *session);
    if (rc != TSS2_RC_SUCCESS) {
        tlm_log(TLM_LOG_WARNING, "tpm_session_flush_failed", "rc=0x%X", rc);
    }
    *session = ESYS_TR_NONE;
}
