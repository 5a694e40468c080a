/* SPDX-License-Identifier: BSD-2-Clause */
/* Unsealing, and why it fails. */
#include "seal_private.h"

#include <stdio.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include <tlm/log.h>

typedef struct opening {
    tlm_tpm *tpm;
    const tlm_sealed *sealed;
    TPM2B_PUBLIC area;
    TPM2B_PRIVATE hidden;
    tlm_seal_parent parent;
    ESYS_TR object;
    ESYS_TR session; /* encrypts what comes back; without a policy it authorizes too */
    ESYS_TR policy;
} opening;

static tlm_result damaged(const char *what, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_DAMAGED,
                         "restore sealed.json from a backup of this host's token store",
                         "the sealed secrets are damaged: %s", what);
}

static tlm_result pcrs_changed(const unsigned *changed, size_t count, const tlm_sealed *sealed,
                               tlm_error *error)
{
    char list[32] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++) {
        int length =
            snprintf(list + used, sizeof list - used, "%s%u", i > 0 ? ", " : "", changed[i]);
        used += length > 0 ? (size_t)length : 0;
    }
    return tlm_error_set(error, TLM_ERR_PCR,
                         "if the change is wanted, bring the recovery key and run: tlm-token-init "
                         "reseal --recovery-key FILE; otherwise find out who changed it",
                         "PCR %s changed since the secrets were sealed (policy %s): firmware, its "
                         "settings or what it boots are others",
                         count > 0 ? list : "values", tlm_vault_policy_name(sealed->policy));
}

/* What was read is an object of ours under the policy and the values that the file names. */
static tlm_result check_blobs(opening *at, tlm_error *error)
{
    const tlm_sealed *sealed = at->sealed;
    TPM2B_PUBLIC expected;
    size_t public_size = 0;
    size_t private_size = 0;
    if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(sealed->public_area, sealed->public_size, &public_size,
                                       &at->area) != TSS2_RC_SUCCESS ||
        public_size != sealed->public_size) {
        return damaged("the public area is none", error);
    }
    if (Tss2_MU_TPM2B_PRIVATE_Unmarshal(sealed->private_area, sealed->private_size, &private_size,
                                        &at->hidden) != TSS2_RC_SUCCESS ||
        private_size != sealed->private_size) {
        return damaged("the private area is none", error);
    }
    tlm_result result =
        tlm_seal_template(sealed->policy, sealed->pcrs, sealed->pcr_count, &expected, error);
    if (result != TLM_OK) {
        return result;
    }
    const TPMT_PUBLIC *is = &at->area.publicArea;
    const TPMT_PUBLIC *ours = &expected.publicArea;
    if (is->type != ours->type || is->nameAlg != ours->nameAlg ||
        is->objectAttributes != ours->objectAttributes ||
        is->parameters.keyedHashDetail.scheme.scheme != TPM2_ALG_NULL) {
        return damaged("the public area is not of data that this program seals", error);
    }
    if (is->authPolicy.size != ours->authPolicy.size ||
        memcmp(is->authPolicy.buffer, ours->authPolicy.buffer, ours->authPolicy.size) != 0) {
        return damaged("its policy and PCR values are not those of the sealed object", error);
    }
    return TLM_OK;
}

/*
 * The parent at its handle, or where that is free the same key made for now. A different key of our
 * template there can only be another TPM's, or this one's before it was cleared.
 */
static tlm_result open_parent(opening *at, tlm_error *error)
{
    tlm_error why = {0};
    tlm_result result = tlm_seal_parent_find(at->tpm, &at->parent, error);
    if (result == TLM_ERR_NOT_FOUND) {
        tlm_log(TLM_LOG_WARNING, "seal_parent_missing", "handle=0x%08X remedy=\"%s\"",
                TLM_HANDLE_SEAL, "tlm-token-init recover");
        result = tlm_seal_parent_make(at->tpm, &at->parent, &why);
        if (result == TLM_ERR_PERMISSION) {
            return tlm_error_set(error, TLM_ERR_INCOMPLETE,
                                 "run: tlm-token-init recover --owner-auth-file FILE",
                                 "the parent of the sealed secrets was evicted from 0x%08X, and "
                                 "making it anew needs the owner's authorization",
                                 TLM_HANDLE_SEAL);
        }
        if (result != TLM_OK) {
            return tlm_error_set(error, why.result, why.hint, "%s", why.message);
        }
    }
    if (result != TLM_OK) {
        return result;
    }
    return tlm_tpm_name_equal(&at->parent.name, &at->sealed->parent) ? TLM_OK
                                                                     : tlm_seal_other_tpm(error);
}

/* An error in one of the parameters of TPM2_Load, which are the two blobs. */
static bool blames_parameter(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    return (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER) &&
           (rc & TPM2_RC_FMT1) != 0 && (rc & TPM2_RC_P) != 0;
}

static tlm_result load(opening *at, tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_Load(at->tpm->esys, at->parent.object, at->session, ESYS_TR_NONE, ESYS_TR_NONE,
                       &at->hidden, &at->area, &at->object);
    } while (tlm_tpm_again(&wait, rc));
    if (rc == TSS2_RC_SUCCESS) {
        return TLM_OK;
    }
    at->object = ESYS_TR_NONE;
    tlm_result result = tlm_tpm_fail(at->tpm, error, rc, "TPM2_Load", "of the sealed secrets");
    if (blames_parameter(rc)) {
        return damaged("the TPM that sealed them finds a changed byte", error);
    }
    return result;
}

static tlm_result policy_failed(opening *at, TSS2_RC rc, const char *call, tlm_error *error)
{
    TSS2_RC base = tlm_tpm_rc_base(rc);
    unsigned changed[TLM_SEAL_PCR_MAX];
    size_t count = 0;
    /* A register can change between our reading and the policy. */
    if (base == TPM2_RC_VALUE || base == TPM2_RC_PCR_CHANGED) {
        tlm_result result = tlm_seal_changed(at->tpm, at->sealed, changed, &count, error);
        return result == TLM_OK ? pcrs_changed(changed, count, at->sealed, error) : result;
    }
    return tlm_tpm_fail(at->tpm, error, rc, call, "of the sealed secrets");
}

static TSS2_RC policy_pcr(opening *at)
{
    TPML_PCR_SELECTION selection = {.count = 1};
    selection.pcrSelections[0].hash = TPM2_ALG_SHA256;
    selection.pcrSelections[0].sizeofSelect = 3;
    for (size_t i = 0; i < at->sealed->pcr_count; i++) {
        unsigned index = at->sealed->pcrs[i].index;
        selection.pcrSelections[0].pcrSelect[index / 8] |= (BYTE)(1U << (index % 8));
    }
    const TPM2B_DIGEST of_now = {0};
    return Esys_PolicyPCR(at->tpm->esys, at->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                          &of_now, &selection);
}

static TSS2_RC policy_or(opening *at, unsigned char branches[2][TLM_SEAL_DIGEST])
{
    TPML_DIGEST list = {.count = 2};
    for (size_t i = 0; i < 2; i++) {
        list.digests[i].size = TLM_SEAL_DIGEST;
        memcpy(list.digests[i].buffer, branches[i], TLM_SEAL_DIGEST);
    }
    return Esys_PolicyOR(at->tpm->esys, at->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                         &list);
}

static TSS2_RC set_auth(opening *at, const tlm_secret *recovery)
{
    TPM2B_AUTH value = {.size = TLM_SEAL_RECOVERY_SIZE};
    memcpy(value.buffer, tlm_secret_bytes(recovery), TLM_SEAL_RECOVERY_SIZE);
    TSS2_RC rc = Esys_TR_SetAuth(at->tpm->esys, at->object, &value);
    explicit_bzero(&value, sizeof value);
    return rc;
}

static tlm_result satisfy(opening *at, const tlm_secret *recovery, tlm_error *error)
{
    unsigned char branches[2][TLM_SEAL_DIGEST];
    unsigned char digest[TLM_SEAL_DIGEST];
    tlm_result result =
        tlm_seal_policy_digest(at->sealed->pcrs, at->sealed->pcr_count, branches, digest, error);
    if (result == TLM_OK) {
        result = tlm_session_start(at->tpm, at->parent.object, TPM2_SE_POLICY, &at->policy, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    TSS2_RC rc = recovery == NULL ? policy_pcr(at) : set_auth(at, recovery);
    if (rc == TSS2_RC_SUCCESS && recovery != NULL) {
        rc = Esys_PolicyAuthValue(at->tpm->esys, at->policy, ESYS_TR_NONE, ESYS_TR_NONE,
                                  ESYS_TR_NONE);
    }
    if (rc == TSS2_RC_SUCCESS) {
        rc = policy_or(at, branches);
    }
    return rc == TSS2_RC_SUCCESS ? TLM_OK : policy_failed(at, rc, "the policy", error);
}

static tlm_result wrong_key(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_PERMISSION,
                         "name the file that was made when the secrets were sealed last",
                         "the recovery key is not the one the secrets were sealed with");
}

static tlm_result unseal(opening *at, bool by_key, tlm_secret **data, tlm_error *error)
{
    bool policy = at->policy != ESYS_TR_NONE;
    TPM2B_SENSITIVE_DATA *plain = NULL;
    tlm_result result = tlm_session_encrypt(at->tpm, at->session, TPMA_SESSION_ENCRYPT, error);
    if (result != TLM_OK) {
        return result;
    }
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    /*
     * Two sessions under a policy: what one session authorizes and encrypts would be encrypted with
     * the object's authorization too (Part 1, section 21.2), which only the operator has.
     */
    do {
        rc = Esys_Unseal(at->tpm->esys, at->object, policy ? at->policy : at->session,
                         policy ? at->session : ESYS_TR_NONE, ESYS_TR_NONE, &plain);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        TSS2_RC base = tlm_tpm_rc_base(rc);
        if (by_key && (base == TPM2_RC_BAD_AUTH || base == TPM2_RC_AUTH_FAIL)) {
            return wrong_key(error);
        }
        return policy_failed(at, rc, "TPM2_Unseal", error);
    }
    result = plain->size > 0 ? tlm_secret_from(plain->buffer, plain->size, data, error)
                             : damaged("nothing is in them", error);
    explicit_bzero(plain, sizeof *plain);
    Esys_Free(plain);
    return result;
}

static void close_all(opening *at)
{
    tlm_session_end(at->tpm, &at->policy);
    tlm_session_end(at->tpm, &at->session);
    if (at->object != ESYS_TR_NONE) {
        TSS2_RC rc = Esys_FlushContext(at->tpm->esys, at->object);
        if (rc != TSS2_RC_SUCCESS) {
            tlm_log(TLM_LOG_WARNING, "tpm_flush_failed", "rc=0x%X", rc);
        }
    }
    tlm_seal_parent_close(at->tpm, &at->parent);
}

tlm_result tlm_seal_open(tlm_tpm *tpm, const tlm_sealed *sealed, const tlm_secret *recovery,
                         tlm_secret **data, tlm_error *error)
{
    opening at = {.tpm = tpm,
                  .sealed = sealed,
                  .parent.object = ESYS_TR_NONE,
                  .object = ESYS_TR_NONE,
                  .session = ESYS_TR_NONE,
                  .policy = ESYS_TR_NONE};
    unsigned changed[TLM_SEAL_PCR_MAX];
    size_t count = 0;
    bool by_key = recovery != NULL && sealed->policy != TLM_VAULT_NONE;
    if (by_key && tlm_secret_size(recovery) != TLM_SEAL_RECOVERY_SIZE) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a recovery key has %u bytes",
                             TLM_SEAL_RECOVERY_SIZE);
    }
    tlm_result result = check_blobs(&at, error);
    if (result == TLM_OK) {
        result = open_parent(&at, error);
    }
    if (result == TLM_OK && !by_key) {
        result = tlm_seal_changed(tpm, sealed, changed, &count, error);
    }
    if (result == TLM_OK && count > 0) {
        result = pcrs_changed(changed, count, sealed, error);
    }
    if (result == TLM_OK) {
        result = tlm_session_start(tpm, at.parent.object, TPM2_SE_HMAC, &at.session, error);
    }
    if (result == TLM_OK) {
        result = load(&at, error);
    }
    if (result == TLM_OK && sealed->policy != TLM_VAULT_NONE) {
        result = satisfy(&at, by_key ? recovery : NULL, error);
    }
    if (result == TLM_OK) {
        result = unseal(&at, by_key, data, error);
    }
    close_all(&at);
    return result;
}
