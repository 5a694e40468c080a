/* SPDX-License-Identifier: BSD-2-Clause */
#include "seal_private.h"

#include <stdio.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#define SEALED_ATTRIBUTES (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA)

static tlm_result no_bank(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                         "enable the bank in the firmware's setup or with: tpm2_pcrallocate "
                         "sha256:all, and start again; or use --vault-policy none",
                         "the TPM does not keep the registers of the policy in a SHA-256 bank");
}

tlm_result tlm_seal_read_pcrs(tlm_tpm *tpm, tlm_vault_policy policy,
                              tlm_seal_pcr pcrs[TLM_SEAL_PCR_MAX], size_t *count, tlm_error *error)
{
    unsigned registers = tlm_vault_policy_registers(policy);
    TPML_PCR_SELECTION selection = {.count = 1};
    selection.pcrSelections[0].hash = TPM2_ALG_SHA256;
    selection.pcrSelections[0].sizeofSelect = 3;
    *count = 0;
    for (unsigned index = 0; registers >> index != 0; index++) {
        if ((registers >> index & 1U) != 0) {
            pcrs[(*count)++].index = index;
            selection.pcrSelections[0].pcrSelect[index / 8] |= (BYTE)(1U << (index % 8));
        }
    }
    if (*count == 0) {
        return TLM_OK;
    }
    UINT32 counter = 0;
    TPML_DIGEST *values = NULL;
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_PCR_Read(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &selection,
                           &counter, NULL, &values);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_PCR_Read", "of the SHA-256 bank");
    }
    tlm_result result = values->count == *count ? TLM_OK : no_bank(error);
    for (size_t i = 0; result == TLM_OK && i < *count; i++) {
        if (values->digests[i].size != TLM_SEAL_DIGEST) {
            result = no_bank(error);
            break;
        }
        memcpy(pcrs[i].sha256, values->digests[i].buffer, TLM_SEAL_DIGEST);
    }
    Esys_Free(values);
    return result;
}

tlm_result tlm_seal_template(tlm_vault_policy policy, const tlm_seal_pcr *pcrs, size_t count,
                             TPM2B_PUBLIC *template, tlm_error *error)
{
    unsigned char branches[2][TLM_SEAL_DIGEST];
    *template =
        (TPM2B_PUBLIC){.publicArea = {.type = TPM2_ALG_KEYEDHASH,
                                      .nameAlg = TPM2_ALG_SHA256,
                                      .objectAttributes = SEALED_ATTRIBUTES,
                                      .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
    if (policy == TLM_VAULT_NONE) {
        template->publicArea.objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
        return TLM_OK;
    }
    template->publicArea.authPolicy.size = TLM_SEAL_DIGEST;
    return tlm_seal_policy_digest(pcrs, count, branches, template->publicArea.authPolicy.buffer,
                                  error);
}

static tlm_result check_input(tlm_vault_policy policy, const tlm_secret *recovery,
                              const tlm_secret *data, tlm_error *error)
{
    size_t size = data != NULL ? tlm_secret_size(data) : 0;
    if (size == 0 || size > TLM_SEAL_DATA_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "%zu bytes cannot be sealed: 1 to %u can", size, TLM_SEAL_DATA_MAX);
    }
    bool wanted = policy != TLM_VAULT_NONE;
    if ((unsigned)policy >= TLM_VAULT_COUNT || (recovery != NULL) != wanted ||
        (wanted && tlm_secret_size(recovery) != TLM_SEAL_RECOVERY_SIZE)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a recovery key of %u bytes belongs to a vault policy, and to nothing "
                             "else",
                             TLM_SEAL_RECOVERY_SIZE);
    }
    return TLM_OK;
}

static tlm_result keep_blobs(const TPM2B_PUBLIC *area, const TPM2B_PRIVATE *hidden,
                             tlm_sealed *sealed, tlm_error *error)
{
    TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(area, sealed->public_area, sizeof sealed->public_area,
                                              &sealed->public_size);
    if (rc == TSS2_RC_SUCCESS) {
        rc = Tss2_MU_TPM2B_PRIVATE_Marshal(hidden, sealed->private_area,
                                           sizeof sealed->private_area, &sealed->private_size);
    }
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "Tss2_MU_TPM2B_Marshal", "of sealed data");
    }
    return TLM_OK;
}

/* TPM2_Create: data and authorization go encrypted, and the private area comes so. */
static tlm_result create(tlm_tpm *tpm, const tlm_seal_parent *parent, const TPM2B_PUBLIC *template,
                         TPM2B_SENSITIVE_CREATE *sensitive, tlm_sealed *sealed, tlm_error *error)
{
    const TPM2B_DATA outside = {0};
    const TPML_PCR_SELECTION registers = {0};
    TPM2B_PRIVATE *hidden = NULL;
    TPM2B_PUBLIC *area = NULL;
    ESYS_TR session = ESYS_TR_NONE;
    tlm_result result = tlm_session_start(tpm, parent->object, TPM2_SE_HMAC, &session, error);
    if (result == TLM_OK) {
        result =
            tlm_session_encrypt(tpm, session, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT, error);
    }
    if (result == TLM_OK) {
        TSS2_RC rc;
        tlm_tpm_wait wait = {0};
        do {
            rc = Esys_Create(tpm->esys, parent->object, session, ESYS_TR_NONE, ESYS_TR_NONE,
                             sensitive, template, &outside, &registers, &hidden, &area, NULL, NULL,
                             NULL);
        } while (tlm_tpm_again(&wait, rc));
        result = rc == TSS2_RC_SUCCESS
                     ? keep_blobs(area, hidden, sealed, error)
                     : tlm_tpm_fail(tpm, error, rc, "TPM2_Create", "of sealed data");
        Esys_Free(area);
        Esys_Free(hidden);
    }
    tlm_session_end(tpm, &session);
    return result;
}

tlm_result tlm_seal_make(tlm_tpm *tpm, tlm_vault_policy policy, const tlm_secret *recovery,
                         const tlm_secret *data, tlm_sealed *sealed, tlm_error *error)
{
    TPM2B_PUBLIC template;
    tlm_seal_parent parent = {.object = ESYS_TR_NONE};
    memset(sealed, 0, sizeof *sealed);
    sealed->policy = policy;
    tlm_result result = check_input(policy, recovery, data, error);
    if (result == TLM_OK) {
        result = tlm_seal_read_pcrs(tpm, policy, sealed->pcrs, &sealed->pcr_count, error);
    }
    if (result == TLM_OK) {
        result = tlm_seal_template(policy, sealed->pcrs, sealed->pcr_count, &template, error);
    }
    if (result == TLM_OK) {
        result = tlm_seal_parent_find(tpm, &parent, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    sealed->parent = parent.name;
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    sensitive.sensitive.data.size = (UINT16)tlm_secret_size(data); /* at most 128 */
    memcpy(sensitive.sensitive.data.buffer, tlm_secret_bytes(data), tlm_secret_size(data));
    if (recovery != NULL) {
        sensitive.sensitive.userAuth.size = TLM_SEAL_RECOVERY_SIZE;
        memcpy(sensitive.sensitive.userAuth.buffer, tlm_secret_bytes(recovery),
               TLM_SEAL_RECOVERY_SIZE);
    }
    result = create(tpm, &parent, &template, &sensitive, sealed, error);
    explicit_bzero(&sensitive, sizeof sensitive);
    tlm_seal_parent_close(tpm, &parent);
    return result;
}

tlm_result tlm_seal_changed(tlm_tpm *tpm, const tlm_sealed *sealed,
                            unsigned changed[TLM_SEAL_PCR_MAX], size_t *count, tlm_error *error)
{
    tlm_seal_pcr now[TLM_SEAL_PCR_MAX];
    size_t have = 0;
    *count = 0;
    tlm_result result = tlm_seal_read_pcrs(tpm, sealed->policy, now, &have, error);
    /* Both lists are the registers of the policy, ascending. */
    for (size_t i = 0; result == TLM_OK && i < have; i++) {
        if (memcmp(now[i].sha256, sealed->pcrs[i].sha256, TLM_SEAL_DIGEST) != 0) {
            changed[(*count)++] = now[i].index;
        }
    }
    return result;
}
