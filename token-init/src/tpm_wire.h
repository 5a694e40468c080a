/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TPM_WIRE_H
#define TLM_TPM_WIRE_H

/*
 * Structures as a TPM marshals them (TPM 2.0 Part 2), read without tpm2-tss: a vendor verifies
 * where no TPM is. Only what attestations hold is known; everything else is TLM_ERR_FORMAT, and so
 * are bytes behind the end.
 *
 *     tlm_wire_public area;
 *     if (tlm_wire_read_public(bytes, size, &area, &error) == TLM_OK &&
 *         (area.attributes & TLM_WIRE_FIXED_TPM) != 0) { … }
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include <tlm/primary.h>
#include <tlm/result.h>

/* TPMA_OBJECT, Part 2 section 8.3. */
#define TLM_WIRE_FIXED_TPM 0x2U
#define TLM_WIRE_FIXED_PARENT 0x10U
#define TLM_WIRE_SENSITIVE_ORIGIN 0x20U
#define TLM_WIRE_ENCRYPTED_DUPLICATION 0x800U
#define TLM_WIRE_RESTRICTED 0x10000U
#define TLM_WIRE_DECRYPT 0x20000U
#define TLM_WIRE_SIGN 0x40000U

#define TLM_WIRE_ALG_RSA 0x0001U
#define TLM_WIRE_ALG_AES 0x0006U
#define TLM_WIRE_ALG_SHA256 0x000BU
#define TLM_WIRE_ALG_NULL 0x0010U
#define TLM_WIRE_ALG_ECDSA 0x0018U
#define TLM_WIRE_ALG_ECC 0x0023U
#define TLM_WIRE_ALG_CFB 0x0043U
#define TLM_WIRE_P256 0x0003U

/* Bytes inside what was read. */
typedef struct tlm_wire_part {
    const unsigned char *data;
    size_t size;
} tlm_wire_part;

/* TPMT_PUBLIC of an RSA or a P-256 key whose nameAlg is SHA-256. */
typedef struct tlm_wire_public {
    uint16_t type;
    uint32_t attributes;
    tlm_wire_part policy;
    uint16_t symmetric; /* TLM_WIRE_ALG_NULL where it is no storage key */
    uint16_t symmetric_bits;
    uint16_t scheme;
    uint16_t scheme_hash;
    uint16_t bits;      /* RSA */
    uint32_t exponent;  /* RSA; 65537 */
    tlm_wire_part x, y; /* RSA: x is the modulus */
    tlm_tpm_name name;  /* computed, Part 1 section 16 */
} tlm_wire_public;

TLM_CHECKED tlm_result tlm_wire_read_public(const unsigned char *data, size_t size,
                                            tlm_wire_public *area, tlm_error *error);

/* The key for OpenSSL; the caller frees it. TLM_ERR_FORMAT for a point that is not on the curve. */
TLM_CHECKED tlm_result tlm_wire_to_key(const tlm_wire_public *area, EVP_PKEY **key,
                                       tlm_error *error);

/* TPMS_ATTEST of TPM2_Certify. */
typedef struct tlm_wire_attest {
    tlm_wire_part signer; /* qualified name of the signing key */
    tlm_wire_part extra;
    uint64_t clock;
    uint32_t reset_count;
    uint32_t restart_count;
    bool safe;
    uint64_t firmware;
    tlm_wire_part name;
    tlm_wire_part qualified_name;
} tlm_wire_attest;

/* TLM_ERR_SIGNATURE where its magic is not TPM_GENERATED_VALUE: a TPM did not make it. */
TLM_CHECKED tlm_result tlm_wire_read_attest(const unsigned char *data, size_t size,
                                            tlm_wire_attest *attest, tlm_error *error);

/* TPMT_SIGNATURE, ECDSA with SHA-256 on P-256, as r || s. */
#define TLM_WIRE_SIGNATURE_SIZE 64U
TLM_CHECKED tlm_result tlm_wire_read_signature(const unsigned char *data, size_t size,
                                               unsigned char signature[TLM_WIRE_SIGNATURE_SIZE],
                                               tlm_error *error);

#endif
