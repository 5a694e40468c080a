/* SPDX-License-Identifier: BSD-2-Clause */
#include "attestation_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include <tlm/key.h>

#include "job.h"

/* TPM_RH_ENDORSEMENT, the qualified name of the hierarchy (Part 1 section 16). */
static const unsigned char endorsement[] = {0x40, 0x00, 0x00, 0x0B};

/* Made by this TPM, and never to leave it: what every key of an attestation has. */
#define INSIDE (TLM_WIRE_FIXED_TPM | TLM_WIRE_FIXED_PARENT | TLM_WIRE_SENSITIVE_ORIGIN)

typedef struct verify {
    const tlm_attestation *attestation;
    const tlm_attestation_expect *expect;
    tlm_attestation_report *report;
    tlm_wire_public ek;
    tlm_wire_public ak;
    EVP_PKEY *ek_key;
    EVP_PKEY *ak_key;
} verify;

static tlm_result read_area(const tlm_tpm_bytes *bytes, const char *what, tlm_wire_public *area,
                            EVP_PKEY **key, tlm_error *error)
{
    tlm_result result = tlm_wire_read_public(bytes->data, bytes->size, area, error);
    if (result == TLM_OK) {
        result = tlm_wire_to_key(area, key, error);
    }
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", what);
    }
    return result;
}

/* `needed` are set and `barred` are not. */
static tlm_result check_attributes(const tlm_wire_public *area, uint32_t needed, uint32_t barred,
                                   const char *what, tlm_error *error)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{TLM_WIRE_FIXED_TPM, "fixedTPM"},
                 {TLM_WIRE_FIXED_PARENT, "fixedParent"},
                 {TLM_WIRE_SENSITIVE_ORIGIN, "sensitiveDataOrigin"},
                 {TLM_WIRE_ENCRYPTED_DUPLICATION, "encryptedDuplication"},
                 {TLM_WIRE_RESTRICTED, "restricted"},
                 {TLM_WIRE_DECRYPT, "decrypt"},
                 {TLM_WIRE_SIGN, "sign"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool set = (area->attributes & names[i].bit) != 0;
        if (((needed & names[i].bit) != 0 && !set) || ((barred & names[i].bit) != 0 && set)) {
            return tlm_error_set(
                error, TLM_ERR_SIGNATURE, NULL, "%s %s the attribute %s, which such a key %s", what,
                set ? "has" : "lacks", names[i].name, set ? "must not have" : "must have");
        }
    }
    return TLM_OK;
}

static tlm_result verify_ek(verify *work, tlm_error *error)
{
    tlm_result result = read_area(&work->attestation->ek_area, "the endorsement key", &work->ek,
                                  &work->ek_key, error);
    if (result == TLM_OK) {
        result = check_attributes(&work->ek, INSIDE | TLM_WIRE_RESTRICTED | TLM_WIRE_DECRYPT,
                                  TLM_WIRE_SIGN, "the endorsement key", error);
    }
    if (result == TLM_OK) {
        result = tlm_ek_verify(work->attestation, work->expect, work->ek_key, work->report, error);
    }
    return result;
}

static tlm_result verify_ak(verify *work, tlm_error *error)
{
    tlm_result result = read_area(&work->attestation->ak_area, "the attestation key", &work->ak,
                                  &work->ak_key, error);
    if (result == TLM_OK) {
        /* Restricted: it signs nothing that looks like a TPM's statement and was made elsewhere. */
        result = check_attributes(&work->ak, INSIDE | TLM_WIRE_RESTRICTED | TLM_WIRE_SIGN,
                                  TLM_WIRE_DECRYPT, "the attestation key", error);
    }
    if (result == TLM_OK &&
        (work->ak.type != TLM_WIRE_ALG_ECC || work->ak.scheme != TLM_WIRE_ALG_ECDSA ||
         work->ak.scheme_hash != TLM_WIRE_ALG_SHA256)) {
        result = tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                               "the attestation key is not one for ECDSA with SHA-256 on P-256");
    }
    return result;
}

static bool part_is(const tlm_wire_part *part, const unsigned char *data, size_t size)
{
    return part->data != NULL && part->size == size && memcmp(part->data, data, size) == 0;
}

/* A primary's qualified name is the digest of its hierarchy and its name. */
static bool signed_by(const tlm_wire_attest *attest, const tlm_tpm_name *ak)
{
    unsigned char text[sizeof endorsement + TLM_TPM_NAME_MAX];
    unsigned char name[2 + SHA256_DIGEST_LENGTH] = {0x00, TLM_WIRE_ALG_SHA256};
    memcpy(text, endorsement, sizeof endorsement);
    memcpy(text + sizeof endorsement, ak->bytes, ak->size);
    (void)SHA256(text, sizeof endorsement + ak->size, name + 2);
    return part_is(&attest->signer, name, sizeof name);
}

static void firmware_text(uint64_t value, char text[24])
{
    (void)snprintf(text, 24, "%u.%u.%u.%u", (unsigned)(value >> 48),
                   (unsigned)(value >> 32) & 0xFFFFU, (unsigned)(value >> 16) & 0xFFFFU,
                   (unsigned)value & 0xFFFFU);
}

/* What the TPM says in its statement about the key. */
static tlm_result check_statement(verify *work, const tlm_attested_key *key,
                                  const tlm_wire_public *area, tlm_error *error)
{
    tlm_wire_attest attest;
    unsigned char digest[TLM_ATTEST_DIGEST_SIZE];
    tlm_result result = tlm_wire_read_attest(key->attest.data, key->attest.size, &attest, error);
    if (result != TLM_OK) {
        return result;
    }
    if (!part_is(&attest.name, area->name.bytes, area->name.size)) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                             "the TPM's statement is about another key (its name is another one)");
    }
    if (!signed_by(&attest, &work->ak.name)) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                             "the statement names another attestation key than the attestation's, "
                             "or one of another hierarchy");
    }
    result = tlm_attestation_digest(work->attestation->root, key->label, digest, error);
    if (result == TLM_OK && !part_is(&attest.extra, digest, sizeof digest)) {
        result = tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                               "the attestation was changed after the TPM signed it: its digest "
                               "is not the one in the statement");
    }
    firmware_text(attest.firmware, work->report->firmware);
    if (result == TLM_OK && strcmp(work->report->firmware, work->attestation->firmware) != 0) {
        result = tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                               "the TPM signed the firmware version %s, and the attestation says "
                               "%s",
                               work->report->firmware, work->attestation->firmware);
    }
    return result;
}

static tlm_result check_signature(const verify *work, const tlm_attested_key *key, tlm_error *error)
{
    unsigned char signature[TLM_WIRE_SIGNATURE_SIZE];
    tlm_result result =
        tlm_wire_read_signature(key->signature.data, key->signature.size, signature, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_public_verify(work->ak_key, TLM_JWA_ES256, key->attest.data, key->attest.size,
                               signature, sizeof signature, error);
    if (result == TLM_ERR_SIGNATURE) {
        (void)tlm_error_set(error, result, NULL, "the attestation key did not sign this statement");
    }
    return result;
}

/* The JWK, by which everybody else knows the key, must be the one of the TPM's public area. */
static tlm_result check_jwk(const tlm_attested_key *key, EVP_PKEY *public, tlm_error *error)
{
    char *text = NULL;
    tlm_result result = tlm_public_to_jwk(public, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    json_t *expected = json_loads(text, 0, NULL);
    bool same = expected != NULL && json_equal(expected, key->jwk) == 1;
    json_decref(expected);
    free(text);
    return same ? TLM_OK
                : tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                                "its JWK is not the key of the TPM's public area");
}

/* tlm-srk decrypts and is RSA, tlm-attest signs and is P-256. */
static tlm_result check_kind(const tlm_attested_key *key, const tlm_wire_public *area,
                             tlm_error *error)
{
    bool srk = strcmp(key->label, TLM_SRK_LABEL) == 0;
    if (area->type != (srk ? TLM_WIRE_ALG_RSA : TLM_WIRE_ALG_ECC)) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, NULL, "it is no %s key",
                             srk ? "RSA" : "P-256");
    }
    return check_attributes(area, INSIDE | (srk ? TLM_WIRE_DECRYPT : TLM_WIRE_SIGN),
                            TLM_WIRE_ENCRYPTED_DUPLICATION | TLM_WIRE_RESTRICTED, "it", error);
}

static tlm_result verify_key(verify *work, const tlm_attested_key *key, tlm_error *error)
{
    tlm_wire_public area;
    EVP_PKEY *public = NULL;
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_result result = read_area(&key->area, "its public area", &area, &public, error);
    if (result == TLM_OK) {
        result = check_statement(work, key, &area, error);
    }
    if (result == TLM_OK) {
        result = check_signature(work, key, error);
    }
    if (result == TLM_OK) {
        result = check_kind(key, &area, error);
    }
    if (result == TLM_OK) {
        result = check_jwk(key, public, error);
    }
    if (result == TLM_OK && key == &work->attestation->keys[0]) {
        result = tlm_public_thumbprint(public, thumbprint, error);
        char *hex = result == TLM_OK ? tlm_hex_encode(thumbprint, sizeof thumbprint) : NULL;
        (void)snprintf(work->report->fingerprint, sizeof work->report->fingerprint, "%s",
                       hex != NULL ? hex : "");
        free(hex);
    }
    EVP_PKEY_free(public);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "key '%s'", key->label);
    }
    return result;
}

static tlm_result check_expected(const verify *work, tlm_error *error)
{
    const tlm_attestation_expect *expect = work->expect;
    const char *fingerprint = work->report->fingerprint;
    if (expect->nonce != NULL) {
        tlm_tpm_bytes nonce = {.data = NULL};
        tlm_result result =
            tlm_attestation_from_hex(expect->nonce, TLM_ATTESTATION_NONCE_MAX, &nonce, error);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "--nonce");
            return result;
        }
        const tlm_tpm_bytes *there = &work->attestation->nonce;
        bool same = nonce.size == there->size && memcmp(nonce.data, there->data, nonce.size) == 0;
        tlm_tpm_bytes_clear(&nonce);
        if (!same) {
            return tlm_error_set(error, TLM_ERR_SIGNATURE,
                                 "have the host make one with: tlm-token-init attest --nonce HEX",
                                 "the attestation was not made for this nonce");
        }
    }
    if (expect->fingerprint != NULL && strcasecmp(expect->fingerprint, fingerprint) != 0) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                             "the attestation is of the host %s, not of the expected one",
                             fingerprint);
    }
    return TLM_OK;
}

tlm_result tlm_attestation_verify(const tlm_attestation *attestation,
                                  const tlm_attestation_expect *expect,
                                  tlm_attestation_report *report, tlm_error *error)
{
    memset(report, 0, sizeof *report);
    verify work = {.attestation = attestation, .expect = expect, .report = report};
    tlm_result result = verify_ek(&work, error);
    if (result == TLM_OK) {
        result = verify_ak(&work, error);
    }
    for (size_t i = 0; result == TLM_OK && i < TLM_ATTESTATION_KEYS; i++) {
        result = verify_key(&work, &attestation->keys[i], error);
    }
    if (result == TLM_OK) {
        result = check_expected(&work, error);
    }
    if (result == TLM_OK) {
        (void)snprintf(report->created, sizeof report->created, "%s", attestation->created);
        tlm_tpm_name_text(&work.ek.name, report->ek_name);
        tlm_tpm_name_text(&work.ak.name, report->ak_name);
    }
    EVP_PKEY_free(work.ek_key);
    EVP_PKEY_free(work.ak_key);
    return result;
}
