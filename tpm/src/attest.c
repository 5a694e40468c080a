/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of attestation: EK and AK, both primaries of the endorsement hierarchy. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include <tlm/log.h>

#include "attest_private.h"
#include "seal_private.h"

#define AK_ATTRIBUTES                                                                              \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |            \
     TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |                        \
     TPMA_OBJECT_SIGN_ENCRYPT)

#define EK_ATTRIBUTES                                                                              \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |            \
     TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

/* PolicyA of the profile: TPM2_PolicySecret(TPM_RH_ENDORSEMENT). */
static const TPM2B_DIGEST ek_policy = {
    .size = 32, .buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC,
                           0x8D, 0x46, 0xA5, 0xD7, 0x24, 0xFD, 0x52, 0xD7, 0x6E, 0x06, 0x52,
                           0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B, 0x33, 0x14, 0x69, 0xAA}};

/* The AK's unique value keeps it apart from other programs' keys of the same template. */
static const char ak_unique[] = "TLLicenseManager attestation 1";

#define STORAGE_SYMMETRIC                                                                          \
    {                                                                                              \
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB                    \
    }

static void ek_template(tlm_ek_kind kind, TPM2B_PUBLIC *template)
{
    *template = (TPM2B_PUBLIC){.publicArea = {.nameAlg = TPM2_ALG_SHA256,
                                              .objectAttributes = EK_ATTRIBUTES,
                                              .authPolicy = ek_policy}};
    TPMT_PUBLIC *area = &template->publicArea;
    if (kind == TLM_EK_RSA_2048) {
        area->type = TPM2_ALG_RSA;
        area->parameters.rsaDetail = (TPMS_RSA_PARMS){
            .symmetric = STORAGE_SYMMETRIC, .scheme.scheme = TPM2_ALG_NULL, .keyBits = 2048};
        area->unique.rsa.size = 256;
        return;
    }
    area->type = TPM2_ALG_ECC;
    area->parameters.eccDetail = (TPMS_ECC_PARMS){.symmetric = STORAGE_SYMMETRIC,
                                                  .scheme.scheme = TPM2_ALG_NULL,
                                                  .curveID = TPM2_ECC_NIST_P256,
                                                  .kdf.scheme = TPM2_ALG_NULL};
    area->unique.ecc.x.size = 32;
    area->unique.ecc.y.size = 32;
}

static void ak_template(TPM2B_PUBLIC *template)
{
    *template =
        (TPM2B_PUBLIC){.publicArea = {.type = TPM2_ALG_ECC,
                                      .nameAlg = TPM2_ALG_SHA256,
                                      .objectAttributes = AK_ATTRIBUTES,
                                      .parameters.eccDetail = {
                                          .symmetric.algorithm = TPM2_ALG_NULL,
                                          .scheme = {.scheme = TPM2_ALG_ECDSA,
                                                     .details.ecdsa.hashAlg = TPM2_ALG_SHA256},
                                          .curveID = TPM2_ECC_NIST_P256,
                                          .kdf.scheme = TPM2_ALG_NULL}}};
    TPM2B_ECC_PARAMETER *x = &template->publicArea.unique.ecc.x;
    x->size = sizeof ak_unique - 1;
    memcpy(x->buffer, ak_unique, sizeof ak_unique - 1);
}

void tlm_attest_flush(tlm_tpm *tpm, ESYS_TR object)
{
    TSS2_RC rc = Esys_FlushContext(tpm->esys, object);
    if (rc != TSS2_RC_SUCCESS) {
        tlm_log(TLM_LOG_WARNING, "tpm_flush_failed", "rc=0x%X", rc);
    }
}

tlm_result tlm_attest_set_endorsement_auth(tlm_tpm *tpm, const tlm_secret *auth, tlm_error *error)
{
    TPM2B_AUTH value = {.size = 0};
    if (tlm_secret_size(auth) > sizeof value.buffer) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "an authorization of %zu bytes, more than %zu", tlm_secret_size(auth),
                             sizeof value.buffer);
    }
    value.size = (UINT16)tlm_secret_size(auth); /* at most 64 */
    memcpy(value.buffer, tlm_secret_bytes(auth), value.size);
    TSS2_RC rc = Esys_TR_SetAuth(tpm->esys, ESYS_TR_RH_ENDORSEMENT, &value);
    explicit_bzero(&value, sizeof value);
    return rc == TSS2_RC_SUCCESS
               ? TLM_OK
               : tlm_error_set_tss(error, rc, "Esys_TR_SetAuth", "of the endorsement hierarchy");
}

static tlm_result marshal_public(const TPM2B_PUBLIC *area, tlm_tpm_bytes *bytes, tlm_error *error)
{
    unsigned char buffer[sizeof(TPMT_PUBLIC)];
    size_t size = 0;
    TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Marshal(&area->publicArea, buffer, sizeof buffer, &size);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "Tss2_MU_TPMT_PUBLIC_Marshal", "of a key");
    }
    return tlm_tpm_bytes_copy(bytes, buffer, size, error);
}

static tlm_result create_primary(tlm_tpm *tpm, const TPM2B_PUBLIC *template, const char *what,
                                 ESYS_TR *object, tlm_tpm_bytes *area, tlm_error *error)
{
    const TPM2B_SENSITIVE_CREATE sensitive = {0};
    const TPM2B_DATA outside = {0};
    const TPML_PCR_SELECTION registers = {0};
    TPM2B_PUBLIC *public = NULL;
    ESYS_TR session = ESYS_TR_NONE; /* proves the authorization without sending it */
    tlm_result result = tlm_session_start(tpm, ESYS_TR_NONE, TPM2_SE_HMAC, &session, error);
    if (result != TLM_OK) {
        return result;
    }
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_ENDORSEMENT, session, ESYS_TR_NONE,
                                ESYS_TR_NONE, &sensitive, template, &outside, &registers, object,
                                &public, NULL, NULL, NULL);
    } while (tlm_tpm_again(&wait, rc));
    tlm_session_end(tpm, &session);
    if (rc != TSS2_RC_SUCCESS) {
        result = tlm_tpm_fail(tpm, error, rc, "TPM2_CreatePrimary",
                              "of the %s, under the endorsement hierarchy", what);
        if (tlm_tpm_rc_base(rc) == TPM2_RC_BAD_AUTH || tlm_tpm_rc_base(rc) == TPM2_RC_AUTH_FAIL) {
            tlm_error_set_hint(error, "the endorsement hierarchy has an authorization value: pass "
                                      "it with --endorsement-auth-file FILE");
        }
        return result;
    }
    result = area != NULL ? marshal_public(public, area, error) : TLM_OK;
    Esys_Free(public);
    if (result != TLM_OK) {
        tlm_attest_flush(tpm, *object);
    }
    return result;
}

tlm_result tlm_attest_ek_load(tlm_tpm *tpm, tlm_ek_kind kind, ESYS_TR *object, tlm_tpm_bytes *area,
                              tlm_error *error)
{
    TPM2B_PUBLIC template;
    ek_template(kind, &template);
    return create_primary(tpm, &template, "endorsement key", object, area, error);
}

tlm_result tlm_attest_ek_public(tlm_tpm *tpm, tlm_ek_kind kind, tlm_tpm_bytes *area,
                                tlm_error *error)
{
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = tlm_attest_ek_load(tpm, kind, &object, area, error);
    if (result == TLM_OK) {
        tlm_attest_flush(tpm, object);
    }
    return result;
}

tlm_result tlm_attest_ak_load(tlm_tpm *tpm, ESYS_TR *object, tlm_tpm_bytes *area, tlm_error *error)
{
    TPM2B_PUBLIC template;
    ak_template(&template);
    return create_primary(tpm, &template, "attestation key", object, area, error);
}

tlm_result tlm_attest_ak_public(tlm_tpm *tpm, tlm_tpm_bytes *area, tlm_error *error)
{
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = tlm_attest_ak_load(tpm, &object, area, error);
    if (result == TLM_OK) {
        tlm_attest_flush(tpm, object);
    }
    return result;
}
