/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_KEY_AUTH_H
#define TLM_KEY_AUTH_H

/*
 * The authorization of a key of tpm2-pkcs11, which TPM2_Certify asks for: the user PIN opens the
 * token's wrapping key in the TPM, and that one the authorization in the database. It is the way
 * the module itself goes (schema version 8).
 *
 *     tlm_key_auth auth;
 *     if (tlm_key_auth_open(job, &auth, &error) == TLM_OK) {
 *         result = tlm_key_auth_read(&auth, "tlm-srk", &key, &secret, &error);
 *     }
 *     tlm_key_auth_close(&auth);
 */

#include <tlm/attest.h>
#include <tlm/secret.h>
#include <tlm/tpm2_store.h>

#include "job.h"

typedef struct tlm_key_auth {
    tlm_tpm2_store *rows;
    const char *token_label;
    tlm_secret *wrapping; /* 32 bytes */
} tlm_key_auth;

/* The job has its TPM open, its store locked and its secrets loaded. */
TLM_CHECKED tlm_result tlm_key_auth_open(tlm_job *job, tlm_key_auth *auth, tlm_error *error);
void tlm_key_auth_close(tlm_key_auth *auth);

/* The key's blobs and, in a new secret, its authorization. */
TLM_CHECKED tlm_result tlm_key_auth_read(const tlm_key_auth *auth, const char *label,
                                         tlm_tpm2_key *key, tlm_secret **secret, tlm_error *error);

#endif
