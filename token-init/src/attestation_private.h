/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ATTESTATION_PRIVATE_H
#define TLM_ATTESTATION_PRIVATE_H

/* What the files of tlm/attestation.h share. */

#include <jansson.h>
#include <openssl/x509.h>

#include <tlm/attest.h>
#include <tlm/attestation.h>

#include "tpm_wire.h"

#define TLM_ATTESTATION_TYPE "tlm-attestation"
#define TLM_CHALLENGE_TYPE "tlm-attestation-challenge"
#define TLM_EXPECTED_TYPE "tlm-attestation-expected"
#define TLM_ANSWER_TYPE "tlm-attestation-answer"

#define TLM_ATTESTATION_KEYS 2U

typedef struct tlm_attested_key {
    const char *label;
    const json_t *jwk;
    tlm_tpm_bytes area;
    tlm_tpm_bytes attest;
    tlm_tpm_bytes signature;
} tlm_attested_key;

struct tlm_attestation {
    json_t *root; /* owns the texts */
    tlm_tpm_bytes nonce;
    const char *created;
    const char *firmware;
    tlm_tpm_bytes ek_area;
    tlm_tpm_bytes ek_certificate; /* empty without one */
    tlm_tpm_bytes chain[TLM_ATTESTATION_CHAIN_MAX];
    size_t chain_count;
    tlm_tpm_bytes ak_area;
    tlm_attested_key keys[TLM_ATTESTATION_KEYS]; /* tlm-srk, tlm-attest */
};

/*
 * The extraData of a key's statement: SHA-256 of the file without `keys` and with the key's
 * `label`, as JSON without blanks and with sorted members. It ties the whole file to the signature.
 */
TLM_CHECKED tlm_result tlm_attestation_digest(json_t *root, const char *label,
                                              unsigned char digest[TLM_ATTEST_DIGEST_SIZE],
                                              tlm_error *error);

/* A document of that type and version, with exactly these members (NULL ends them). */
TLM_CHECKED tlm_result tlm_attestation_read_json(const char *text, size_t size, const char *type,
                                                 const char *const members[], json_t **root,
                                                 tlm_error *error);

/* Members of an object; TLM_ERR_FORMAT names the one that is not as it must be. */
TLM_CHECKED tlm_result tlm_attestation_get_text(const json_t *object, const char *member,
                                                const char **text, tlm_error *error);
TLM_CHECKED tlm_result tlm_attestation_get_bytes(const json_t *object, const char *member,
                                                 tlm_tpm_bytes *bytes, tlm_error *error);

/* Base64url as a JSON string; NULL without memory. */
json_t *tlm_attestation_from_bytes(const unsigned char *data, size_t size);

/* Hexadecimal digits, at most `max` bytes. */
TLM_CHECKED tlm_result tlm_attestation_from_hex(const char *text, size_t max, tlm_tpm_bytes *bytes,
                                                tlm_error *error);

/* ek_certificate.c: whether the EK is one of a genuine TPM. */
TLM_CHECKED tlm_result tlm_ek_verify(const tlm_attestation *attestation,
                                     const tlm_attestation_expect *expect, EVP_PKEY *ek,
                                     tlm_attestation_report *report, tlm_error *error);

#endif
