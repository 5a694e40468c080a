/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SEAL_H
#define TLM_SEAL_H

/*
 * Few bytes sealed into the TPM, optionally under PCR values, and the file that carries them.
 *
 * The parent is the TCG's storage primary (ECC P-256 where the TPM has it, else RSA-2048; owner
 * hierarchy, empty unique and authorization), kept at TLM_HANDLE_SEAL. The same TPM makes the same
 * key from it again until somebody clears the TPM, so nothing is lost with the handle.
 *
 * With a vault policy the data opens in one of two ways: PCRs as they were (PolicyPCR), or the
 * recovery key, 128 bits that the operator keeps elsewhere (PolicyAuthValue). Nothing here counts
 * towards the TPM's lockout.
 *
 *     tlm_sealed sealed;
 *     if (tlm_seal_place_parent(tpm, NULL, false, &changed, &error) == TLM_OK &&
 *         tlm_seal_make(tpm, TLM_VAULT_NONE, NULL, data, &sealed, &error) == TLM_OK) {
 *         result = tlm_sealed_save(path, &sealed, &error);
 *     }
 *     …
 *     if (tlm_sealed_load(path, &sealed, &error) == TLM_OK) {
 *         result = tlm_seal_open(tpm, &sealed, NULL, &data, &error);
 *     }
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/primary.h>
#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/tpm.h>

typedef enum tlm_vault_policy {
    TLM_VAULT_NONE = 0,
    TLM_VAULT_SECURE_BOOT,   /* PCR 7: the state of Secure Boot and its keys */
    TLM_VAULT_FIRMWARE_BOOT, /* PCR 0 and 7: the firmware too */
    TLM_VAULT_BOOT_SEQUENCE, /* PCR 0, 2 and 7: option ROMs too */
    TLM_VAULT_COUNT
} tlm_vault_policy;

#define TLM_SEAL_DATA_MAX 128U /* what a TPM must be able to seal */
#define TLM_SEAL_PCR_MAX 3U
#define TLM_SEAL_DIGEST 32U
#define TLM_SEAL_BLOB_MAX 1024U
#define TLM_SEAL_RECOVERY_SIZE 16U

/* "none", "SecureBoot", "FirmwareBoot", "BootSequence". */
const char *tlm_vault_policy_name(tlm_vault_policy policy);
bool tlm_vault_policy_from_name(const char *name, tlm_vault_policy *policy);

/* The registers of a policy, one bit each: bit 7 is PCR 7. */
unsigned tlm_vault_policy_registers(tlm_vault_policy policy);

typedef struct tlm_seal_pcr {
    unsigned index;
    unsigned char sha256[TLM_SEAL_DIGEST];
} tlm_seal_pcr;

/* Sealed data as it rests in a file: nothing in it is secret. */
typedef struct tlm_sealed {
    tlm_vault_policy policy;
    tlm_seal_pcr pcrs[TLM_SEAL_PCR_MAX]; /* at sealing time, ascending */
    size_t pcr_count;
    tlm_tpm_name parent;
    unsigned char public_area[TLM_SEAL_BLOB_MAX]; /* TPM2B_PUBLIC */
    size_t public_size;
    unsigned char private_area[TLM_SEAL_BLOB_MAX]; /* TPM2B_PRIVATE */
    size_t private_size;
} tlm_sealed;

/* ---- the file ---- */

/*
 * Reads a file of sealed data (docs/formats.md). TLM_ERR_NOT_FOUND where there is none,
 * TLM_ERR_NEWER, TLM_ERR_DAMAGED for anything that tlm_sealed_save does not write.
 */
TLM_CHECKED tlm_result tlm_sealed_load(const char *path, tlm_sealed *sealed, tlm_error *error);

/* Writes it in one step, mode 0600; a .bak copy of the file before is removed. */
TLM_CHECKED tlm_result tlm_sealed_save(const char *path, const tlm_sealed *sealed,
                                       tlm_error *error);

/* The parser over memory; `path` is for messages. */
TLM_CHECKED tlm_result tlm_sealed_parse(const char *text, size_t size, const char *path,
                                        tlm_sealed *sealed, tlm_error *error);

/*
 * The policy digest of sealed data: PolicyOR(PolicyPCR(values), PolicyAuthValue), SHA-256 (TPM 2.0
 * Part 3, sections 23.7, 23.17 and 23.6). `branches` are the two digests that are joined.
 */
TLM_CHECKED tlm_result tlm_seal_policy_digest(const tlm_seal_pcr *pcrs, size_t count,
                                              unsigned char branches[2][TLM_SEAL_DIGEST],
                                              unsigned char digest[TLM_SEAL_DIGEST],
                                              tlm_error *error);

/* ---- the TPM ---- */

/*
 * Makes the parent and puts it at TLM_HANDLE_SEAL where that is free. TLM_ERR_EXISTS where another
 * object stands there; with `replace` that one is removed. `expected`, where it is not NULL, is the
 * name it must have: TLM_ERR_FOREIGN, with nothing changed, where this TPM makes another key.
 * *changed: the TPM was written to.
 */
TLM_CHECKED tlm_result tlm_seal_place_parent(tlm_tpm *tpm, const tlm_tpm_name *expected,
                                             bool replace, bool *changed, tlm_error *error);

/*
 * Name of the parent at TLM_HANDLE_SEAL. TLM_ERR_NOT_FOUND where nothing stands there,
 * TLM_ERR_EXISTS where it is another kind of object.
 */
TLM_CHECKED tlm_result tlm_seal_parent_name(tlm_tpm *tpm, tlm_tpm_name *name, tlm_error *error);

/*
 * Seals 1 to TLM_SEAL_DATA_MAX bytes under the PCR values of now. `recovery` has
 * TLM_SEAL_RECOVERY_SIZE bytes, or is NULL under TLM_VAULT_NONE. TLM_ERR_UNSUPPORTED where the TPM
 * has no SHA-256 bank.
 */
TLM_CHECKED tlm_result tlm_seal_make(tlm_tpm *tpm, tlm_vault_policy policy,
                                     const tlm_secret *recovery, const tlm_secret *data,
                                     tlm_sealed *sealed, tlm_error *error);

/*
 * Unseals into a new secret of the caller. With `recovery` NULL by the PCRs, else by that key.
 *   TLM_ERR_PCR         registers differ; the message names them
 *   TLM_ERR_PERMISSION  the recovery key is not the one
 *   TLM_ERR_FOREIGN     sealed by another TPM, or this one was cleared
 *   TLM_ERR_EXISTS      another object stands at TLM_HANDLE_SEAL
 *   TLM_ERR_INCOMPLETE  nothing stands there, and the owner's authorization is needed to mend it
 *   TLM_ERR_DAMAGED     the sealed data was changed
 *   TLM_ERR_LOCKED      the TPM is in lockout
 */
TLM_CHECKED tlm_result tlm_seal_open(tlm_tpm *tpm, const tlm_sealed *sealed,
                                     const tlm_secret *recovery, tlm_secret **data,
                                     tlm_error *error);

/* The registers whose values are others than at sealing time. */
TLM_CHECKED tlm_result tlm_seal_changed(tlm_tpm *tpm, const tlm_sealed *sealed,
                                        unsigned changed[TLM_SEAL_PCR_MAX], size_t *count,
                                        tlm_error *error);

#endif
