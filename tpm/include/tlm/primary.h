/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PRIMARY_H
#define TLM_PRIMARY_H

/*
 * The Storage Root Key: made from TPM_SEED under the owner hierarchy, kept at a persistent handle.
 *
 * The same seed on the same TPM gives the same key (TPM 2.0 Part 1, section 14.4), so the key comes
 * back after it was evicted, and a name that differs means another TPM, another seed or a cleared
 * owner hierarchy.
 *
 *     tlm_primary primary = {0};
 *     if (tlm_primary_create(tpm, seed, auth, &primary, &error) == TLM_OK) {
 *         result = tlm_primary_persist(tpm, &primary, TLM_HANDLE_SRK, &error);
 *     }
 *     tlm_primary_close(tpm, &primary);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/tpm.h>

/* Persistent handles of ours: the SRK, and the parent of sealed data. */
#define TLM_HANDLE_SRK 0x810003E8U
#define TLM_HANDLE_SEAL 0x810003E9U

#define TLM_TPM_NAME_MAX 68U
#define TLM_TPM_BLOB_MAX 2048U

/* Name of an object: algorithm identifier and digest of its public area (Part 1, section 16). */
typedef struct tlm_tpm_name {
    unsigned char bytes[TLM_TPM_NAME_MAX];
    size_t size;
} tlm_tpm_name;

bool tlm_tpm_name_equal(const tlm_tpm_name *left, const tlm_tpm_name *right);

/* The name as hexadecimal digits. */
void tlm_tpm_name_text(const tlm_tpm_name *name, char text[2 * TLM_TPM_NAME_MAX + 1]);

/* What stands at a persistent handle. */
typedef struct tlm_tpm_object {
    bool present;
    tlm_tpm_name name;
    char type[48]; /* "RSA-2048 storage key", "ECC P-256 signing key" … */
} tlm_tpm_object;

TLM_CHECKED tlm_result tlm_tpm_read_object(tlm_tpm *tpm, uint32_t handle, tlm_tpm_object *object,
                                           tlm_error *error);

typedef struct tlm_primary {
    bool loaded;
    uint32_t object; /* of ESYS */
    tlm_tpm_name name;
} tlm_primary;

/*
 * TPM2_CreatePrimary: RSA-2048, restricted decryption, AES-128-CFB, SHA-256, `seed` (16 bytes) and
 * zeros as the template's unique value, `auth` as the object's authorization. The caller closes it.
 */
TLM_CHECKED tlm_result tlm_primary_create(tlm_tpm *tpm, const tlm_secret *seed,
                                          const tlm_secret *auth, tlm_primary *primary,
                                          tlm_error *error);

/* TPM2_EvictControl to a free handle, read back and compared. */
TLM_CHECKED tlm_result tlm_primary_persist(tlm_tpm *tpm, const tlm_primary *primary,
                                           uint32_t handle, tlm_error *error);

/* Unloads the transient object. */
void tlm_primary_close(tlm_tpm *tpm, tlm_primary *primary);

/* Removes what stands at a persistent handle. */
TLM_CHECKED tlm_result tlm_tpm_evict(tlm_tpm *tpm, uint32_t handle, tlm_error *error);

/* The persistent object as Esys_TR_Serialize writes it, which is what tpm2-pkcs11 stores. */
TLM_CHECKED tlm_result tlm_tpm_serialize(tlm_tpm *tpm, uint32_t handle,
                                         unsigned char blob[TLM_TPM_BLOB_MAX], size_t *size,
                                         tlm_error *error);

/* Handle and name out of such a blob; TLM_ERR_DAMAGED where it is none. No TPM needed. */
TLM_CHECKED tlm_result tlm_tpm_parse_blob(const unsigned char *blob, size_t size, uint32_t *handle,
                                          tlm_tpm_name *name, tlm_error *error);

#endif
