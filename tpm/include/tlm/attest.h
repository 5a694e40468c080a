/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ATTEST_H
#define TLM_ATTEST_H

/*
 * What a TPM says about itself and about keys inside it: endorsement key (EK) and its certificate,
 * an attestation key (AK), TPM2_Certify, TPM2_ActivateCredential.
 *
 * The AK is a restricted signing key, made as a primary of the endorsement hierarchy from a fixed
 * template: the same TPM makes the same key each time, and nothing is stored. Structures are given
 * as the TPM marshals them (TPM 2.0 Part 2), so that whoever verifies needs no tpm2-tss.
 *
 * At most two objects are loaded at a time: a TPM without resource manager holds three, and another
 * program may use one.
 *
 *     tlm_tpm_bytes attest = {0};
 *     tlm_tpm_bytes signature = {0};
 *     if (tlm_attest_certify(tpm, &parent, &object, digest, &attest, &signature, &error) ==
 *         TLM_OK) { … }
 *     tlm_tpm_bytes_clear(&attest);
 *     tlm_tpm_bytes_clear(&signature);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlm/primary.h>
#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/tpm.h>

typedef struct tlm_tpm_bytes {
    unsigned char *data;
    size_t size;
} tlm_tpm_bytes;

void tlm_tpm_bytes_clear(tlm_tpm_bytes *bytes);

/* Templates L-1 and L-2 of the TCG EK Credential Profile 2.x. */
typedef enum tlm_ek_kind { TLM_EK_RSA_2048 = 1, TLM_EK_ECC_P256 } tlm_ek_kind;

/* Authorization of the endorsement hierarchy; empty without this call. */
TLM_CHECKED tlm_result tlm_attest_set_endorsement_auth(tlm_tpm *tpm, const tlm_secret *auth,
                                                       tlm_error *error);

/* DER of the EK certificate from NV (0x01C00002, 0x01C0000A); TLM_ERR_NOT_FOUND without one. */
TLM_CHECKED tlm_result tlm_attest_read_certificate(tlm_tpm *tpm, tlm_ek_kind kind,
                                                   tlm_tpm_bytes *der, tlm_error *error);

/*
 * What stands in NV from 0x01C00100 on: DER of the certificates between, one behind the other.
 * Empty where there are none.
 */
TLM_CHECKED tlm_result tlm_attest_read_chain(tlm_tpm *tpm, tlm_tpm_bytes *der, tlm_error *error);

/* Makes the EK and gives its public area (TPMT_PUBLIC); nothing stays loaded. */
TLM_CHECKED tlm_result tlm_attest_ek_public(tlm_tpm *tpm, tlm_ek_kind kind, tlm_tpm_bytes *area,
                                            tlm_error *error);

/* The AK's public area (TPMT_PUBLIC): ECC P-256, ECDSA with SHA-256; nothing stays loaded. */
TLM_CHECKED tlm_result tlm_attest_ak_public(tlm_tpm *tpm, tlm_tpm_bytes *area, tlm_error *error);

/* A persistent parent and its authorization. */
typedef struct tlm_attest_parent {
    uint32_t handle;
    const tlm_secret *auth;
} tlm_attest_parent;

/* An object below a parent: TPM2B_PUBLIC and TPM2B_PRIVATE, and its authorization. */
typedef struct tlm_attest_object {
    tlm_tpm_bytes public;
    tlm_tpm_bytes private;
    const tlm_secret *auth;
} tlm_attest_object;

/* Loads sealed data and unseals it, encrypted on its way. The caller frees it. */
TLM_CHECKED tlm_result tlm_attest_unseal(tlm_tpm *tpm, const tlm_attest_parent *parent,
                                         const tlm_attest_object *object, tlm_secret **data,
                                         tlm_error *error);

#define TLM_ATTEST_DIGEST_SIZE 32U

/*
 * Loads the object and has the AK certify it (TPM2_Certify): TPMS_ATTEST and TPMT_SIGNATURE.
 * `digest` becomes the extraData of the statement.
 */
TLM_CHECKED tlm_result tlm_attest_certify(tlm_tpm *tpm, const tlm_attest_parent *parent,
                                          const tlm_attest_object *object,
                                          const unsigned char digest[TLM_ATTEST_DIGEST_SIZE],
                                          tlm_tpm_bytes *attest, tlm_tpm_bytes *signature,
                                          tlm_error *error);

/*
 * The challenge: contents of TPM2B_ID_OBJECT and of TPM2B_ENCRYPTED_SECRET, and the names of EK and
 * AK it was made for.
 */
typedef struct tlm_attest_credential {
    tlm_tpm_name ek;
    tlm_tpm_name ak;
    tlm_tpm_bytes id_object;
    tlm_tpm_bytes secret;
} tlm_attest_credential;

/*
 * TPM2_ActivateCredential with EK and AK: the TPM gives the secret only where the challenge was
 * made for this EK and this AK; otherwise TLM_ERR_FOREIGN. The caller frees it.
 */
TLM_CHECKED tlm_result tlm_attest_activate(tlm_tpm *tpm, tlm_ek_kind kind,
                                           const tlm_attest_credential *credential,
                                           tlm_secret **secret, tlm_error *error);

#endif
