/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/primary.h>

#include <stdio.h>
#include <string.h>

#include <tlm/log.h>

#include "seal_private.h"

/* Neither exported nor moved; no dictionary attack protection, for its value has 128 random bits.
 */
#define PRIMARY_ATTRIBUTES                                                                         \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |            \
     TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

static tlm_result copy_name(const TPM2B_NAME *from, tlm_tpm_name *name, tlm_error *error)
{
    if (from->size == 0 || from->size > sizeof name->bytes) {
        return tlm_error_set(error, TLM_ERR_TPM, NULL, "the TPM gave an object name of %u bytes",
                             from->size);
    }
    memcpy(name->bytes, from->name, from->size);
    name->size = from->size;
    return TLM_OK;
}

static void describe(const TPMT_PUBLIC *area, char *type, size_t size)
{
    const char *use = "key";
    if ((area->objectAttributes & TPMA_OBJECT_DECRYPT) != 0) {
        use = (area->objectAttributes & TPMA_OBJECT_RESTRICTED) != 0 ? "storage key"
                                                                     : "decryption key";
    } else if ((area->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) != 0) {
        use = (area->objectAttributes & TPMA_OBJECT_RESTRICTED) != 0 ? "attestation key"
                                                                     : "signing key";
    }
    switch (area->type) {
    case TPM2_ALG_RSA:
        (void)snprintf(type, size, "RSA-%u %s", area->parameters.rsaDetail.keyBits, use);
        break;
    case TPM2_ALG_ECC:
        (void)snprintf(type, size, "ECC %s (curve 0x%04X)", use,
                       area->parameters.eccDetail.curveID);
        break;
    case TPM2_ALG_KEYEDHASH:
        (void)snprintf(type, size, "sealed data or HMAC key");
        break;
    case TPM2_ALG_SYMCIPHER:
        (void)snprintf(type, size, "symmetric key");
        break;
    default:
        (void)snprintf(type, size, "object of algorithm 0x%04X", area->type);
        break;
    }
}

tlm_result tlm_tpm_find_object(tlm_tpm *tpm, uint32_t handle, ESYS_TR *object, tlm_error *error)
{
    *object = ESYS_TR_NONE;
    uint32_t handles[TLM_TPM_HANDLES_MAX];
    size_t count = 0;
    /* The list starts at the handle itself, so it is the first one or it is not there. */
    tlm_result result = tlm_tpm_list_handles(tpm, handle, handles, &count, error);
    if (result != TLM_OK || count == 0 || handles[0] != handle) {
        return result;
    }
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                   object);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_ReadPublic", "of 0x%08X", handle);
    }
    return TLM_OK;
}

tlm_result tlm_tpm_read_object(tlm_tpm *tpm, uint32_t handle, tlm_tpm_object *object,
                               tlm_error *error)
{
    memset(object, 0, sizeof *object);
    ESYS_TR resource = ESYS_TR_NONE;
    tlm_result result = tlm_tpm_find_object(tpm, handle, &resource, error);
    if (result != TLM_OK || resource == ESYS_TR_NONE) {
        return result;
    }
    TPM2B_PUBLIC *area = NULL;
    TPM2B_NAME *name = NULL;
    TPM2B_NAME *qualified = NULL;
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_ReadPublic(tpm->esys, resource, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area,
                             &name, &qualified);
    } while (tlm_tpm_again(&wait, rc));
    (void)Esys_TR_Close(tpm->esys, &resource);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_ReadPublic", "of 0x%08X", handle);
    }
    result = copy_name(name, &object->name, error);
    describe(&area->publicArea, object->type, sizeof object->type);
    object->present = result == TLM_OK;
    Esys_Free(area);
    Esys_Free(name);
    Esys_Free(qualified);
    return result;
}

static void fill_template(TPM2B_PUBLIC *template, const tlm_secret *seed)
{
    *template = (TPM2B_PUBLIC){.publicArea = {
                                   .type = TPM2_ALG_RSA,
                                   .nameAlg = TPM2_ALG_SHA256,
                                   .objectAttributes = PRIMARY_ATTRIBUTES,
                                   .parameters.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
                                                                          .keyBits.aes = 128,
                                                                          .mode.aes = TPM2_ALG_CFB},
                                                            .scheme.scheme = TPM2_ALG_NULL,
                                                            .keyBits = 2048,
                                                            .exponent = 0},
                                   .unique.rsa.size = 256,
                               }};
    memcpy(template->publicArea.unique.rsa.buffer, tlm_secret_bytes(seed), tlm_secret_size(seed));
}

tlm_result tlm_primary_create(tlm_tpm *tpm, const tlm_secret *seed, const tlm_secret *auth,
                              tlm_primary *primary, tlm_error *error)
{
    memset(primary, 0, sizeof *primary);
    if (tlm_secret_size(seed) != 16 || tlm_secret_size(auth) > 32) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "TPM_SEED has %zu bytes instead of 16, or TPM_AUTH more than 32",
                             tlm_secret_size(seed));
    }
    TPM2B_PUBLIC template;
    fill_template(&template, seed);
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    sensitive.sensitive.userAuth.size = (UINT16)tlm_secret_size(auth); /* at most 32 */
    memcpy(sensitive.sensitive.userAuth.buffer, tlm_secret_bytes(auth), tlm_secret_size(auth));
    const TPM2B_DATA outside = {0};
    const TPML_PCR_SELECTION registers = {0};
    TSS2_RC rc = TSS2_RC_SUCCESS;
    tlm_tpm_wait wait = {0};
    ESYS_TR session = ESYS_TR_NONE;
    ESYS_TR object = ESYS_TR_NONE;
    /* TPM_AUTH goes encrypted. TPM_SEED cannot: a session encrypts the first parameter alone. */
    tlm_result result = tlm_session_salted(tpm, &session, error);
    if (result == TLM_OK) {
        do {
            rc = Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_OWNER, session, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &sensitive, &template, &outside, &registers,
                                    &object, NULL, NULL, NULL, NULL);
        } while (tlm_tpm_again(&wait, rc));
    }
    tlm_session_end(tpm, &session);
    explicit_bzero(&sensitive, sizeof sensitive);
    explicit_bzero(&template, sizeof template);
    if (result != TLM_OK) {
        return result;
    }
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_CreatePrimary", "under the owner hierarchy");
    }
    primary->object = object;
    primary->loaded = true;
    TPM2B_NAME *name = NULL;
    rc = Esys_TR_GetName(tpm->esys, object, &name);
    result = rc == TSS2_RC_SUCCESS
                 ? copy_name(name, &primary->name, error)
                 : tlm_error_set_tss(error, rc, "Esys_TR_GetName", "of the primary");
    Esys_Free(name);
    if (result != TLM_OK) {
        tlm_primary_close(tpm, primary);
    }
    return result;
}

void tlm_primary_close(tlm_tpm *tpm, tlm_primary *primary)
{
    if (!primary->loaded) {
        return;
    }
    TSS2_RC rc = Esys_FlushContext(tpm->esys, primary->object);
    if (rc != TSS2_RC_SUCCESS) {
        tlm_log(TLM_LOG_WARNING, "tpm_flush_failed", "rc=0x%X", rc);
    }
    primary->loaded = false;
}

/* A session, for a password would carry the owner's authorization in clear. */
static tlm_result owner_session(tlm_tpm *tpm, ESYS_TR *session, tlm_error *error)
{
    tlm_result result = tlm_session_salted(tpm, session, error);
    return result == TLM_OK ? tlm_session_encrypt(tpm, *session, 0, error) : result;
}

/* TPM2_EvictControl persists a transient object and removes a persistent one. */
static tlm_result evict_control(tlm_tpm *tpm, ESYS_TR session, ESYS_TR object, uint32_t handle,
                                tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    ESYS_TR persistent = ESYS_TR_NONE;
    do {
        rc = Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, object, session, ESYS_TR_NONE,
                               ESYS_TR_NONE, handle, &persistent);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_EvictControl", "of 0x%08X", handle);
    }
    if (persistent != ESYS_TR_NONE) {
        (void)Esys_TR_Close(tpm->esys, &persistent);
    }
    return TLM_OK;
}

tlm_result tlm_primary_persist(tlm_tpm *tpm, const tlm_primary *primary, uint32_t handle,
                               tlm_error *error)
{
    ESYS_TR session = ESYS_TR_NONE;
    tlm_result result = owner_session(tpm, &session, error);
    if (result == TLM_OK) {
        result = evict_control(tpm, session, primary->object, handle, error);
    }
    tlm_session_end(tpm, &session);
    if (result != TLM_OK) {
        return result;
    }
    tlm_tpm_object object;
    result = tlm_tpm_read_object(tpm, handle, &object, error);
    if (result != TLM_OK) {
        return result;
    }
    if (!object.present || !tlm_tpm_name_equal(&object.name, &primary->name)) {
        return tlm_error_set(error, TLM_ERR_TPM, "run: tlm-token-init doctor",
                             "the TPM does not show our key at 0x%08X after it was put there",
                             handle);
    }
    return TLM_OK;
}

tlm_result tlm_tpm_evict(tlm_tpm *tpm, uint32_t handle, tlm_error *error)
{
    ESYS_TR session = ESYS_TR_NONE;
    ESYS_TR object = ESYS_TR_NONE;
    /* The session first: ESYS has one entry for a handle, which the salt's key may share. */
    tlm_result result = owner_session(tpm, &session, error);
    if (result == TLM_OK) {
        result = tlm_tpm_find_object(tpm, handle, &object, error);
    }
    if (result == TLM_OK && object == ESYS_TR_NONE) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL, "nothing stands at 0x%08X", handle);
    }
    if (result == TLM_OK) {
        result = evict_control(tpm, session, object, handle, error);
        /* ESYS keeps the name of what stood there and would refuse another object at the handle. */
        (void)Esys_TR_Close(tpm->esys, &object);
    }
    tlm_session_end(tpm, &session);
    return result;
}

tlm_result tlm_tpm_serialize(tlm_tpm *tpm, uint32_t handle, unsigned char blob[TLM_TPM_BLOB_MAX],
                             size_t *size, tlm_error *error)
{
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = tlm_tpm_find_object(tpm, handle, &object, error);
    if (result != TLM_OK) {
        return result;
    }
    if (object == ESYS_TR_NONE) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "run: tlm-token-init recover",
                             "nothing stands at 0x%08X", handle);
    }
    uint8_t *bytes = NULL;
    size_t length = 0;
    TSS2_RC rc = Esys_TR_Serialize(tpm->esys, object, &bytes, &length);
    (void)Esys_TR_Close(tpm->esys, &object);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "Esys_TR_Serialize", "of 0x%08X", handle);
    }
    if (length > TLM_TPM_BLOB_MAX) {
        result = tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                               "the serialized object 0x%08X has %zu bytes", handle, length);
    } else {
        memcpy(blob, bytes, length);
        *size = length;
    }
    Esys_Free(bytes);
    return result;
}
