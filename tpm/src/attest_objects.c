/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects below a parent: loaded, unsealed, certified; and the answer to a challenge. */
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include "attest_private.h"
#include "seal_private.h"

/* A parent and one object below it, in a session that keeps authorizations off the bus. */
typedef struct work {
    tlm_tpm *tpm;
    ESYS_TR parent;
    ESYS_TR session;
    ESYS_TR object;
} work;

tlm_result tlm_tpm_bytes_copy(tlm_tpm_bytes *to, const void *data, size_t size, tlm_error *error)
{
    to->data = malloc(size > 0 ? size : 1);
    if (to->data == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the TPM's answer");
    }
    memcpy(to->data, data, size);
    to->size = size;
    return TLM_OK;
}

static tlm_result set_auth(work *at, ESYS_TR object, const tlm_secret *auth, tlm_error *error)
{
    TPM2B_AUTH value = {.size = 0};
    if (tlm_secret_size(auth) > sizeof value.buffer) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "an authorization of %zu bytes, more than %zu", tlm_secret_size(auth),
                             sizeof value.buffer);
    }
    value.size = (UINT16)tlm_secret_size(auth); /* at most 64 */
    memcpy(value.buffer, tlm_secret_bytes(auth), value.size);
    TSS2_RC rc = Esys_TR_SetAuth(at->tpm->esys, object, &value);
    explicit_bzero(&value, sizeof value);
    return rc == TSS2_RC_SUCCESS ? TLM_OK
                                 : tlm_error_set_tss(error, rc, "Esys_TR_SetAuth", "of an object");
}

static tlm_result open_parent(work *at, const tlm_attest_parent *parent, tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_TR_FromTPMPublic(at->tpm->esys, parent->handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                   ESYS_TR_NONE, &at->parent);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        at->parent = ESYS_TR_NONE;
        tlm_result result =
            tlm_tpm_fail(at->tpm, error, rc, "TPM2_ReadPublic", "of 0x%08X", parent->handle);
        tlm_error_set_hint(error, "run: tlm-token-init recover");
        return result;
    }
    return set_auth(at, at->parent, parent->auth, error);
}

/* Salted with the parent, so that whoever listens on the bus learns no authorization. */
static tlm_result open_session(work *at, tlm_error *error)
{
    tlm_result result = tlm_session_start(at->tpm, at->parent, TPM2_SE_HMAC, &at->session, error);
    return result == TLM_OK ? tlm_session_encrypt(at->tpm, at->session, TPMA_SESSION_ENCRYPT, error)
                            : result;
}

static tlm_result load_object(work *at, const tlm_attest_object *object, tlm_error *error)
{
    TPM2B_PUBLIC public = {0};
    TPM2B_PRIVATE private = {0};
    size_t used = 0;
    TSS2_RC rc =
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(object->public.data, object->public.size, &used, &public);
    used = 0;
    if (rc == TSS2_RC_SUCCESS) {
        rc = Tss2_MU_TPM2B_PRIVATE_Unmarshal(object->private.data, object->private.size, &used,
                                             &private);
    }
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                             "the token's database holds an object that no TPM made");
    }
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_Load(at->tpm->esys, at->parent, at->session, ESYS_TR_NONE, ESYS_TR_NONE, &private,
                       &public, &at->object);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        at->object = ESYS_TR_NONE;
        return tlm_tpm_fail(at->tpm, error, rc, "TPM2_Load", "below the root key");
    }
    return set_auth(at, at->object, object->auth, error);
}

static void end(work *at)
{
    if (at->object != ESYS_TR_NONE) {
        tlm_attest_flush(at->tpm, at->object);
    }
    tlm_session_end(at->tpm, &at->session);
    if (at->parent != ESYS_TR_NONE) {
        (void)Esys_TR_Close(at->tpm->esys, &at->parent);
    }
}

static tlm_result begin(work *at, tlm_tpm *tpm, const tlm_attest_parent *parent,
                        const tlm_attest_object *object, tlm_error *error)
{
    *at =
        (work){.tpm = tpm, .parent = ESYS_TR_NONE, .session = ESYS_TR_NONE, .object = ESYS_TR_NONE};
    tlm_result result = open_parent(at, parent, error);
    if (result == TLM_OK) {
        result = open_session(at, error);
    }
    return result == TLM_OK ? load_object(at, object, error) : result;
}

tlm_result tlm_attest_unseal(tlm_tpm *tpm, const tlm_attest_parent *parent,
                             const tlm_attest_object *object, tlm_secret **data, tlm_error *error)
{
    work at;
    TPM2B_SENSITIVE_DATA *plain = NULL;
    tlm_result result = begin(&at, tpm, parent, object, error);
    if (result == TLM_OK) {
        TSS2_RC rc;
        tlm_tpm_wait wait = {0};
        do {
            rc = Esys_Unseal(tpm->esys, at.object, at.session, ESYS_TR_NONE, ESYS_TR_NONE, &plain);
        } while (tlm_tpm_again(&wait, rc));
        result = rc == TSS2_RC_SUCCESS
                     ? tlm_secret_from(plain->buffer, plain->size, data, error)
                     : tlm_tpm_fail(tpm, error, rc, "TPM2_Unseal", "of the token's wrapping key");
    }
    if (plain != NULL) {
        explicit_bzero(plain, sizeof *plain);
    }
    Esys_Free(plain);
    end(&at);
    return result;
}

static tlm_result marshal_signature(const TPMT_SIGNATURE *signature, tlm_tpm_bytes *bytes,
                                    tlm_error *error)
{
    unsigned char buffer[sizeof *signature];
    size_t size = 0;
    TSS2_RC rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, buffer, sizeof buffer, &size);
    return rc == TSS2_RC_SUCCESS
               ? tlm_tpm_bytes_copy(bytes, buffer, size, error)
               : tlm_error_set_tss(error, rc, "Tss2_MU_TPMT_SIGNATURE_Marshal", "of a statement");
}

static tlm_result certify(work *at, ESYS_TR ak, const TPM2B_DATA *extra, tlm_tpm_bytes *attest,
                          tlm_tpm_bytes *signature, tlm_error *error)
{
    const TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_NULL};
    TPM2B_ATTEST *statement = NULL;
    TPMT_SIGNATURE *signed_by = NULL;
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_Certify(at->tpm->esys, at->object, ak, at->session, ESYS_TR_PASSWORD,
                          ESYS_TR_NONE, extra, &scheme, &statement, &signed_by);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(at->tpm, error, rc, "TPM2_Certify", "of a key of the token");
    }
    tlm_result result =
        tlm_tpm_bytes_copy(attest, statement->attestationData, statement->size, error);
    if (result == TLM_OK) {
        result = marshal_signature(signed_by, signature, error);
    }
    Esys_Free(statement);
    Esys_Free(signed_by);
    return result;
}

tlm_result tlm_attest_certify(tlm_tpm *tpm, const tlm_attest_parent *parent,
                              const tlm_attest_object *object,
                              const unsigned char digest[TLM_ATTEST_DIGEST_SIZE],
                              tlm_tpm_bytes *attest, tlm_tpm_bytes *signature, tlm_error *error)
{
    work at;
    ESYS_TR ak = ESYS_TR_NONE;
    TPM2B_DATA extra = {.size = TLM_ATTEST_DIGEST_SIZE};
    memcpy(extra.buffer, digest, TLM_ATTEST_DIGEST_SIZE);
    memset(attest, 0, sizeof *attest);
    memset(signature, 0, sizeof *signature);
    tlm_result result = begin(&at, tpm, parent, object, error);
    if (result == TLM_OK) {
        /* After the key: loading it takes a slot for its parent too. */
        result = tlm_attest_ak_load(tpm, &ak, NULL, error);
    }
    if (result == TLM_OK) {
        result = certify(&at, ak, &extra, attest, signature, error);
        tlm_attest_flush(tpm, ak);
    }
    end(&at);
    return result;
}

/* The EK's policy: whoever may use the endorsement hierarchy may use the EK. */
static tlm_result open_policy(tlm_tpm *tpm, ESYS_TR *session, tlm_error *error)
{
    const TPM2B_NONCE none = {0};
    const TPM2B_DIGEST any = {0};
    ESYS_TR owner = ESYS_TR_NONE; /* proves the authorization without sending it */
    tlm_result result = tlm_session_start(tpm, ESYS_TR_NONE, TPM2_SE_HMAC, &owner, error);
    if (result == TLM_OK) {
        result = tlm_session_start(tpm, ESYS_TR_NONE, TPM2_SE_POLICY, session, error);
    }
    if (result == TLM_OK) {
        TSS2_RC rc =
            Esys_PolicySecret(tpm->esys, ESYS_TR_RH_ENDORSEMENT, *session, owner, ESYS_TR_NONE,
                              ESYS_TR_NONE, &none, &any, &none, 0, NULL, NULL);
        if (rc != TSS2_RC_SUCCESS) {
            result =
                tlm_tpm_fail(tpm, error, rc, "TPM2_PolicySecret", "of the endorsement hierarchy");
            tlm_session_end(tpm, session);
        }
    }
    tlm_session_end(tpm, &owner);
    return result;
}

static tlm_result fill_challenge(const tlm_attest_credential *credential, TPM2B_ID_OBJECT *blob,
                                 TPM2B_ENCRYPTED_SECRET *secret, tlm_error *error)
{
    if (credential->id_object.size > sizeof blob->credential ||
        credential->secret.size > sizeof secret->secret) {
        return tlm_error_set(error, TLM_ERR_FORMAT, "ask for the challenge again",
                             "the challenge has more bytes than any TPM takes");
    }
    blob->size = (UINT16)credential->id_object.size; /* both fit, as was just seen */
    memcpy(blob->credential, credential->id_object.data, blob->size);
    secret->size = (UINT16)credential->secret.size;
    memcpy(secret->secret, credential->secret.data, secret->size);
    return TLM_OK;
}

static tlm_result not_ours(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FOREIGN,
                         "send a new attestation of this host, and ask for a challenge for it",
                         "the challenge was not made for this TPM and its attestation key, or was "
                         "changed");
}

static bool has_name(tlm_tpm *tpm, ESYS_TR object, const tlm_tpm_name *name)
{
    TPM2B_NAME *own = NULL;
    bool same = Esys_TR_GetName(tpm->esys, object, &own) == TSS2_RC_SUCCESS &&
                own->size == name->size && memcmp(own->name, name->bytes, name->size) == 0;
    Esys_Free(own);
    return same;
}

static tlm_result activate(tlm_tpm *tpm, ESYS_TR ak, ESYS_TR ek, ESYS_TR session,
                           const tlm_attest_credential *credential, tlm_secret **secret,
                           tlm_error *error)
{
    TPM2B_ID_OBJECT blob = {0};
    TPM2B_ENCRYPTED_SECRET encrypted = {0};
    TPM2B_DIGEST *plain = NULL;
    if (!has_name(tpm, ek, &credential->ek) || !has_name(tpm, ak, &credential->ak)) {
        return not_ours(error);
    }
    tlm_result result = fill_challenge(credential, &blob, &encrypted, error);
    if (result != TLM_OK) {
        return result;
    }
    TSS2_RC rc = Esys_ActivateCredential(tpm->esys, ak, ek, ESYS_TR_PASSWORD, session, ESYS_TR_NONE,
                                         &blob, &encrypted, &plain);
    TSS2_RC base = tlm_tpm_rc_base(rc);
    /* RC_FAILURE: what libtpms says when a changed secret is no number below the EK's modulus. */
    if (base == TPM2_RC_INTEGRITY || base == TPM2_RC_VALUE || base == TPM2_RC_SIZE ||
        base == TPM2_RC_INSUFFICIENT || base == TPM2_RC_ECC_POINT || base == TPM2_RC_FAILURE) {
        return not_ours(error);
    }
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_ActivateCredential", "of the challenge");
    }
    result = plain->size > 0
                 ? tlm_secret_from(plain->buffer, plain->size, secret, error)
                 : tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the challenge holds no secret");
    explicit_bzero(plain, sizeof *plain);
    Esys_Free(plain);
    return result;
}

tlm_result tlm_attest_activate(tlm_tpm *tpm, tlm_ek_kind kind,
                               const tlm_attest_credential *credential, tlm_secret **secret,
                               tlm_error *error)
{
    ESYS_TR ek = ESYS_TR_NONE;
    ESYS_TR ak = ESYS_TR_NONE;
    ESYS_TR session = ESYS_TR_NONE;
    tlm_result result = tlm_attest_ek_load(tpm, kind, &ek, NULL, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_attest_ak_load(tpm, &ak, NULL, error);
    if (result == TLM_OK) {
        result = open_policy(tpm, &session, error);
    }
    if (result == TLM_OK) {
        result = activate(tpm, ak, ek, session, credential, secret, error);
    }
    tlm_session_end(tpm, &session);
    if (ak != ESYS_TR_NONE) {
        tlm_attest_flush(tpm, ak);
    }
    tlm_attest_flush(tpm, ek);
    return result;
}
