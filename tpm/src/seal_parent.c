/* SPDX-License-Identifier: BSD-2-Clause */
#include "seal_private.h"

#include <string.h>

#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

#include <tlm/log.h>

/* TCG TPM v2.0 Provisioning Guidance, section 7.5.1: storage primary keys, without their unique. */
#define PARENT_ATTRIBUTES                                                                          \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |            \
     TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

static const TPMT_SYM_DEF_OBJECT parent_cipher = {
    .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};

static const TPMT_PUBLIC ecc_template = {
    .type = TPM2_ALG_ECC,
    .nameAlg = TPM2_ALG_SHA256,
    .objectAttributes = PARENT_ATTRIBUTES,
    .parameters.eccDetail = {
        .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
        .scheme.scheme = TPM2_ALG_NULL,
        .curveID = TPM2_ECC_NIST_P256,
        .kdf.scheme = TPM2_ALG_NULL}};

static const TPMT_PUBLIC rsa_template = {
    .type = TPM2_ALG_RSA,
    .nameAlg = TPM2_ALG_SHA256,
    .objectAttributes = PARENT_ATTRIBUTES,
    .parameters.rsaDetail = {
        .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
        .scheme.scheme = TPM2_ALG_NULL,
        .keyBits = 2048,
        .exponent = 0}};

static bool can_p256(tlm_tpm *tpm)
{
    const TPMT_PUBLIC_PARMS wanted = {.type = TPM2_ALG_ECC,
                                      .parameters.eccDetail = ecc_template.parameters.eccDetail};
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_TestParms(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted);
    } while (tlm_tpm_again(&wait, rc));
    return rc == TSS2_RC_SUCCESS;
}

static bool same_cipher(const TPMT_SYM_DEF_OBJECT *cipher)
{
    return cipher->algorithm == parent_cipher.algorithm &&
           cipher->keyBits.aes == parent_cipher.keyBits.aes &&
           cipher->mode.aes == parent_cipher.mode.aes;
}

/* All of the public area but `unique`, which is the key itself. */
static bool is_parent(const TPMT_PUBLIC *area)
{
    if (area->nameAlg != TPM2_ALG_SHA256 || area->objectAttributes != PARENT_ATTRIBUTES ||
        area->authPolicy.size != 0) {
        return false;
    }
    if (area->type == TPM2_ALG_ECC) {
        const TPMS_ECC_PARMS *ecc = &area->parameters.eccDetail;
        return same_cipher(&ecc->symmetric) && ecc->scheme.scheme == TPM2_ALG_NULL &&
               ecc->curveID == TPM2_ECC_NIST_P256 && ecc->kdf.scheme == TPM2_ALG_NULL;
    }
    const TPMS_RSA_PARMS *rsa = &area->parameters.rsaDetail;
    return area->type == TPM2_ALG_RSA && same_cipher(&rsa->symmetric) &&
           rsa->scheme.scheme == TPM2_ALG_NULL && rsa->keyBits == 2048 &&
           (rsa->exponent == 0 || rsa->exponent == 65537);
}

/* The name as it follows from the public area, whatever the TPM says it is. */
static tlm_result compute_name(const TPMT_PUBLIC *area, tlm_tpm_name *name, tlm_error *error)
{
    unsigned char bytes[sizeof(TPMT_PUBLIC)];
    size_t size = 0;
    TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Marshal(area, bytes, sizeof bytes, &size);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "Tss2_MU_TPMT_PUBLIC_Marshal", "of a primary key");
    }
    name->bytes[0] = (unsigned char)(TPM2_ALG_SHA256 >> 8);
    name->bytes[1] = (unsigned char)(TPM2_ALG_SHA256 & 0xff);
    if (EVP_Digest(bytes, size, name->bytes + 2, NULL, EVP_sha256(), NULL) != 1) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "SHA-256 of a public area failed");
    }
    name->size = 2 + (size_t)TLM_SEAL_DIGEST;
    return TLM_OK;
}

static tlm_result occupied(const TPMT_PUBLIC *area, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_EXISTS,
                         "find out whose it is (tpm2_readpublic -c 0x810003E9). If nobody needs "
                         "it, run: tlm-token-init recover --replace; nothing brings it back",
                         "a foreign object of algorithm 0x%04X stands at 0x%08X, where the parent "
                         "of the sealed secrets belongs",
                         area->type, TLM_HANDLE_SEAL);
}

tlm_result tlm_seal_other_tpm(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FOREIGN,
                         "attach the TPM that sealed them, or move the store aside and run: "
                         "tlm-token-init provision (a new identity: licenses must be issued anew)",
                         "the secrets were sealed by another TPM, or this one was cleared: it has "
                         "another storage primary");
}

tlm_result tlm_seal_parent_find(tlm_tpm *tpm, tlm_seal_parent *parent, tlm_error *error)
{
    *parent = (tlm_seal_parent){.object = ESYS_TR_NONE};
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = tlm_tpm_find_object(tpm, TLM_HANDLE_SEAL, &object, error);
    if (result != TLM_OK) {
        return result;
    }
    if (object == ESYS_TR_NONE) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "run: tlm-token-init recover",
                             "nothing stands at 0x%08X", TLM_HANDLE_SEAL);
    }
    TPM2B_PUBLIC *area = NULL;
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_ReadPublic(tpm->esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area,
                             NULL, NULL);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        result = tlm_tpm_fail(tpm, error, rc, "TPM2_ReadPublic", "of 0x%08X", TLM_HANDLE_SEAL);
    } else if (!is_parent(&area->publicArea)) {
        result = occupied(&area->publicArea, error);
    } else {
        result = compute_name(&area->publicArea, &parent->name, error);
    }
    Esys_Free(area);
    if (result != TLM_OK) {
        (void)Esys_TR_Close(tpm->esys, &object);
        return result;
    }
    parent->object = object;
    return TLM_OK;
}

tlm_result tlm_seal_parent_name(tlm_tpm *tpm, tlm_tpm_name *name, tlm_error *error)
{
    tlm_seal_parent parent = {.object = ESYS_TR_NONE};
    tlm_result result = tlm_seal_parent_find(tpm, &parent, error);
    *name = parent.name;
    tlm_seal_parent_close(tpm, &parent);
    return result;
}

tlm_result tlm_seal_parent_make(tlm_tpm *tpm, tlm_seal_parent *parent, tlm_error *error)
{
    *parent = (tlm_seal_parent){.object = ESYS_TR_NONE};
    const TPM2B_PUBLIC template = {.publicArea = can_p256(tpm) ? ecc_template : rsa_template};
    const TPM2B_SENSITIVE_CREATE sensitive = {0};
    const TPM2B_DATA outside = {0};
    const TPML_PCR_SELECTION registers = {0};
    TPM2B_PUBLIC *made = NULL;
    ESYS_TR session = ESYS_TR_NONE;
    ESYS_TR object = ESYS_TR_NONE;
    /* Nothing here is secret but the owner's authorization, which a session does not send. */
    tlm_result result = tlm_session_start(tpm, ESYS_TR_NONE, TPM2_SE_HMAC, &session, error);
    if (result != TLM_OK) {
        return result;
    }
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_OWNER, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                &sensitive, &template, &outside, &registers, &object, &made, NULL,
                                NULL, NULL);
    } while (tlm_tpm_again(&wait, rc));
    tlm_session_end(tpm, &session);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_CreatePrimary", "of the parent of sealed data");
    }
    parent->object = object;
    parent->transient = true;
    result = compute_name(&made->publicArea, &parent->name, error);
    Esys_Free(made);
    if (result != TLM_OK) {
        tlm_seal_parent_close(tpm, parent);
    }
    return result;
}

void tlm_seal_parent_close(tlm_tpm *tpm, tlm_seal_parent *parent)
{
    if (parent->object == ESYS_TR_NONE) {
        return;
    }
    TSS2_RC rc = parent->transient ? Esys_FlushContext(tpm->esys, parent->object)
                                   : Esys_TR_Close(tpm->esys, &parent->object);
    if (rc != TSS2_RC_SUCCESS) {
        tlm_log(TLM_LOG_WARNING, "tpm_flush_failed", "rc=0x%X", rc);
    }
    parent->object = ESYS_TR_NONE;
}

tlm_result tlm_seal_place_parent(tlm_tpm *tpm, const tlm_tpm_name *expected, bool replace,
                                 bool *changed, tlm_error *error)
{
    tlm_seal_parent parent = {.object = ESYS_TR_NONE};
    tlm_tpm_object there;
    *changed = false;
    tlm_tpm_name present;
    if (expected != NULL && tlm_seal_parent_name(tpm, &present, NULL) == TLM_OK &&
        tlm_tpm_name_equal(expected, &present)) {
        return TLM_OK; /* known by its name, without the owner's authorization */
    }
    tlm_result result = tlm_seal_parent_make(tpm, &parent, error);
    if (result != TLM_OK) {
        return result;
    }
    if (expected != NULL && !tlm_tpm_name_equal(expected, &parent.name)) {
        result = tlm_seal_other_tpm(error);
        goto out;
    }
    result = tlm_tpm_read_object(tpm, TLM_HANDLE_SEAL, &there, error);
    if (result != TLM_OK || tlm_tpm_name_equal(&there.name, &parent.name)) {
        goto out;
    }
    if (there.present && !replace) {
        char name[2 * TLM_TPM_NAME_MAX + 1];
        tlm_tpm_name_text(&there.name, name);
        result = tlm_error_set(
            error, TLM_ERR_EXISTS,
            "find out whose it is (tpm2_readpublic -c 0x810003E9). If nobody "
            "needs it, repeat the command with --replace; nothing brings it back",
            "a foreign object stands at 0x%08X: %s, name %s", TLM_HANDLE_SEAL, there.type, name);
        goto out;
    }
    if (there.present) {
        tlm_log(TLM_LOG_WARNING, "foreign_object_replaced", "handle=0x%08X type=\"%s\"",
                TLM_HANDLE_SEAL, there.type);
        result = tlm_tpm_evict(tpm, TLM_HANDLE_SEAL, error);
    }
    if (result == TLM_OK) {
        const tlm_primary primary = {.loaded = true, .object = parent.object, .name = parent.name};
        *changed = true;
        result = tlm_primary_persist(tpm, &primary, TLM_HANDLE_SEAL, error);
    }
out:
    tlm_seal_parent_close(tpm, &parent);
    return result;
}
