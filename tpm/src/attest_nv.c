/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates that the TPM's maker left in NV (TCG EK Credential Profile, section 2.2.1). */
#include <stdlib.h>
#include <string.h>

#include "attest_private.h"

#define CERTIFICATE_RSA 0x01C00002U
#define CERTIFICATE_ECC 0x01C0000AU
#define CHAIN_FIRST 0x01C00100U
#define CHAIN_LAST 0x01C001FFU

/* Much more than any maker stores; NV memory is some 8 KiB. */
#define NV_SIZE_MAX 16384U
#define NV_CHUNK_USUAL 512U

static tlm_result open_index(tlm_tpm *tpm, uint32_t index, ESYS_TR *object, size_t *size,
                             ESYS_TR *auth, tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    TPM2B_NV_PUBLIC *area = NULL;
    do {
        rc = Esys_TR_FromTPMPublic(tpm->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                   object);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_NV_ReadPublic", "of 0x%08X", index);
    }
    rc = Esys_NV_ReadPublic(tpm->esys, *object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area,
                            NULL);
    if (rc != TSS2_RC_SUCCESS) {
        (void)Esys_TR_Close(tpm->esys, object);
        return tlm_tpm_fail(tpm, error, rc, "TPM2_NV_ReadPublic", "of 0x%08X", index);
    }
    *size = area->nvPublic.dataSize;
    *auth = (area->nvPublic.attributes & TPMA_NV_AUTHREAD) != 0 ? *object : ESYS_TR_RH_OWNER;
    Esys_Free(area);
    return TLM_OK;
}

static tlm_result read_object(tlm_tpm *tpm, uint32_t index, ESYS_TR object, ESYS_TR auth,
                              unsigned char *data, size_t size, tlm_error *error)
{
    uint32_t chunk = NV_CHUNK_USUAL;
    (void)tlm_tpm_property(tpm, TPM2_PT_NV_BUFFER_MAX, &chunk);
    chunk = chunk == 0 || chunk > TPM2_MAX_NV_BUFFER_SIZE ? NV_CHUNK_USUAL : chunk;
    for (size_t at = 0; at < size;) {
        UINT16 part = (UINT16)(size - at < chunk ? size - at : chunk); /* at most 2048 */
        TPM2B_MAX_NV_BUFFER *read = NULL;
        TSS2_RC rc;
        tlm_tpm_wait wait = {0};
        do {
            rc = Esys_NV_Read(tpm->esys, auth, object, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                              part, (UINT16)at, &read);
        } while (tlm_tpm_again(&wait, rc));
        if (rc != TSS2_RC_SUCCESS) {
            return tlm_tpm_fail(tpm, error, rc, "TPM2_NV_Read", "of 0x%08X at %zu", index, at);
        }
        bool whole = read->size == part;
        memcpy(data + at, read->buffer, whole ? part : 0);
        Esys_Free(read);
        if (!whole) {
            return tlm_error_set(error, TLM_ERR_TPM, NULL, "TPM2_NV_Read of 0x%08X was cut short",
                                 index);
        }
        at += part;
    }
    return TLM_OK;
}

/* Adds what the index holds; it is known to be there. */
static tlm_result append_index(tlm_tpm *tpm, uint32_t index, tlm_tpm_bytes *bytes, tlm_error *error)
{
    ESYS_TR object = ESYS_TR_NONE;
    ESYS_TR auth = ESYS_TR_NONE;
    size_t size = 0;
    tlm_result result = open_index(tpm, index, &object, &size, &auth, error);
    if (result != TLM_OK) {
        return result;
    }
    unsigned char *grown = NULL;
    if (size == 0 || size > NV_SIZE_MAX - bytes->size) {
        result = tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                               "certificates of more than %u bytes at 0x%08X", NV_SIZE_MAX, index);
    } else {
        grown = realloc(bytes->data, bytes->size + size);
        result = grown != NULL ? TLM_OK
                               : tlm_error_set(error, TLM_ERR_MEMORY, NULL,
                                               "out of memory for a certificate");
    }
    if (grown != NULL) {
        bytes->data = grown;
        result = read_object(tpm, index, object, auth, grown + bytes->size, size, error);
        bytes->size += result == TLM_OK ? size : 0;
    }
    (void)Esys_TR_Close(tpm->esys, &object);
    return result;
}

tlm_result tlm_attest_read_certificate(tlm_tpm *tpm, tlm_ek_kind kind, tlm_tpm_bytes *der,
                                       tlm_error *error)
{
    uint32_t index = kind == TLM_EK_RSA_2048 ? CERTIFICATE_RSA : CERTIFICATE_ECC;
    uint32_t handles[TLM_TPM_HANDLES_MAX];
    size_t count = 0;
    memset(der, 0, sizeof *der);
    tlm_result result = tlm_tpm_list_handles(tpm, index, handles, &count, error);
    if (result == TLM_OK && (count == 0 || handles[0] != index)) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL,
                               "the TPM holds no EK certificate at 0x%08X", index);
    }
    if (result == TLM_OK) {
        result = append_index(tpm, index, der, error);
    }
    if (result != TLM_OK) {
        tlm_tpm_bytes_clear(der);
    }
    return result;
}

tlm_result tlm_attest_read_chain(tlm_tpm *tpm, tlm_tpm_bytes *der, tlm_error *error)
{
    uint32_t handles[TLM_TPM_HANDLES_MAX];
    size_t count = 0;
    memset(der, 0, sizeof *der);
    tlm_result result = tlm_tpm_list_handles(tpm, CHAIN_FIRST, handles, &count, error);
    for (size_t i = 0; result == TLM_OK && i < count && handles[i] <= CHAIN_LAST; i++) {
        result = append_index(tpm, handles[i], der, error);
    }
    if (result != TLM_OK) {
        tlm_tpm_bytes_clear(der);
    }
    return result;
}
