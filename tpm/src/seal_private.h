/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SEAL_PRIVATE_H
#define TLM_SEAL_PRIVATE_H

/*
 * What the files about sealing share: the parent, and sessions salted with it.
 *
 * A salted session keeps what passes it from whoever listens between processor and TPM. Against one
 * who answers in the TPM's place it helps only where the parent's name was known before, as it is
 * from a file of sealed data.
 *
 *     ESYS_TR session = ESYS_TR_NONE;
 *     if (tlm_session_salted(tpm, &session, error) == TLM_OK) {
 *         rc = Esys_Create(tpm->esys, parent, session, …);
 *     }
 *     tlm_session_end(tpm, &session);
 */

#include <tlm/seal.h>

#include "tpm_private.h"

/* ---- seal_parent.c ---- */

typedef struct tlm_seal_parent {
    ESYS_TR object;
    bool transient; /* made for now, to be flushed */
    tlm_tpm_name name;
} tlm_seal_parent;

/*
 * The object at TLM_HANDLE_SEAL where its public area is of our template; TLM_ERR_EXISTS where
 * another one stands there, TLM_ERR_NOT_FOUND where it is free.
 */
TLM_CHECKED tlm_result tlm_seal_parent_find(tlm_tpm *tpm, tlm_seal_parent *parent,
                                            tlm_error *error);

/* TPM2_CreatePrimary of it, which needs the owner's authorization. */
TLM_CHECKED tlm_result tlm_seal_parent_make(tlm_tpm *tpm, tlm_seal_parent *parent,
                                            tlm_error *error);
void tlm_seal_parent_close(tlm_tpm *tpm, tlm_seal_parent *parent);

/* TLM_ERR_FOREIGN: sealed by another TPM, or this one was cleared. */
tlm_result tlm_seal_other_tpm(tlm_error *error);

/* ---- session.c ---- */

/* TPM2_StartAuthSession, SHA-256, AES-128-CFB, salted with `key`; with ESYS_TR_NONE not salted. */
TLM_CHECKED tlm_result tlm_session_start(tlm_tpm *tpm, ESYS_TR key, TPM2_SE type, ESYS_TR *session,
                                         tlm_error *error);

/*
 * An HMAC session for commands of the owner hierarchy, salted with the parent (which is made for
 * the purpose where none stands at its handle), that encrypts the first parameter to the TPM.
 */
TLM_CHECKED tlm_result tlm_session_salted(tlm_tpm *tpm, ESYS_TR *session, tlm_error *error);

/* Says which way parameters are encrypted from now on: TPMA_SESSION_DECRYPT is towards the TPM. */
TLM_CHECKED tlm_result tlm_session_encrypt(tlm_tpm *tpm, ESYS_TR session, TPMA_SESSION ways,
                                           tlm_error *error);

/* Flushes; accepts ESYS_TR_NONE. */
void tlm_session_end(tlm_tpm *tpm, ESYS_TR *session);

/* ---- seal.c ---- */

/* Values of the policy's registers now, from the SHA-256 bank. */
TLM_CHECKED tlm_result tlm_seal_read_pcrs(tlm_tpm *tpm, tlm_vault_policy policy,
                                          tlm_seal_pcr pcrs[TLM_SEAL_PCR_MAX], size_t *count,
                                          tlm_error *error);

/* Attributes and policy of an object sealed by us. */
TLM_CHECKED tlm_result tlm_seal_template(tlm_vault_policy policy, const tlm_seal_pcr *pcrs,
                                         size_t count, TPM2B_PUBLIC *template, tlm_error *error);

#endif
