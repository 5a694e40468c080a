/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CREDENTIAL_H
#define TLM_CREDENTIAL_H

/*
 * TPM2_MakeCredential in software (TPM 2.0 Part 1 section 24): a secret that a TPM gives away only
 * when it holds the endorsement key and, beside it, an object of the given name.
 *
 *     tlm_credential made;
 *     result = tlm_credential_make(&ek, &ak.name, secret, sizeof secret, &made, &error);
 */

#include <stddef.h>

#include <tlm/primary.h>
#include <tlm/result.h>

#include "tpm_wire.h"

#define TLM_CREDENTIAL_SECRET_SIZE 32U
#define TLM_CREDENTIAL_SEED_SIZE 32U /* the digest of the EK's nameAlg */
/* TPM2B of the HMAC, and the secret encrypted as a TPM2B. */
#define TLM_CREDENTIAL_ID_SIZE (2U + 32U + 2U + TLM_CREDENTIAL_SECRET_SIZE)
#define TLM_CREDENTIAL_ENCRYPTED_MAX 512U

typedef struct tlm_credential {
    unsigned char id_object[TLM_CREDENTIAL_ID_SIZE]; /* contents of TPM2B_ID_OBJECT */
    size_t id_size;
    unsigned char encrypted[TLM_CREDENTIAL_ENCRYPTED_MAX]; /* of TPM2B_ENCRYPTED_SECRET */
    size_t encrypted_size;
} tlm_credential;

/*
 * `ek` is a storage key of the default templates: RSA or P-256, AES-128-CFB, nameAlg SHA-256. The
 * secret has TLM_CREDENTIAL_SECRET_SIZE bytes.
 */
TLM_CHECKED tlm_result tlm_credential_make(const tlm_wire_public *ek, const tlm_tpm_name *name,
                                           const unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE],
                                           tlm_credential *credential, tlm_error *error);

/* The part that follows from the seed alone; shown for tests against other programs' results. */
TLM_CHECKED tlm_result
tlm_credential_protect(const unsigned char seed[TLM_CREDENTIAL_SEED_SIZE], const tlm_tpm_name *name,
                       const unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE],
                       tlm_credential *credential, tlm_error *error);

/* KDFa with SHA-256 (Part 1 section 11.4.10.2), `size` bytes; contextV is empty. */
TLM_CHECKED tlm_result tlm_credential_kdfa(const unsigned char *key, size_t key_size,
                                           const char *label, const unsigned char *context,
                                           size_t context_size, unsigned char *out, size_t size,
                                           tlm_error *error);

#endif
