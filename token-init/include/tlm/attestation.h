/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ATTESTATION_H
#define TLM_ATTESTATION_H

/*
 * Attestation: a host's statement that its keys are inside a genuine TPM, and what a vendor does
 * with it. docs/attestation.md tells the way, docs/formats.md the files.
 *
 * The host:
 *
 *     char *text = NULL;
 *     tlm_attest_request request = {.settings = &settings};
 *     result = tlm_attest_make(&request, &text, &error);
 *
 * The vendor, without a TPM and in a build without tpm2-tss too:
 *
 *     tlm_attestation *attestation = NULL;
 *     tlm_attestation_report report;
 *     if (tlm_attestation_load("host.json", &attestation, &error) == TLM_OK) {
 *         tlm_attestation_expect expect = {.ca = files, .ca_count = 1};
 *         result = tlm_attestation_verify(attestation, &expect, &report, &error);
 *     }
 *     tlm_attestation_free(&attestation);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>
#include <tlm/settings.h>

#define TLM_ATTESTATION_VERSION 1
#define TLM_ATTESTATION_FILE_MAX 262144U
#define TLM_ATTESTATION_NONCE_MAX 64U
#define TLM_ATTESTATION_CHAIN_MAX 16U

/* ---- the host ---- */

typedef struct tlm_attest_request {
    const tlm_settings *settings;
    const char *nonce;                 /* hexadecimal, from the vendor; NULL for none */
    const char *endorsement_auth_file; /* authorization of the endorsement hierarchy, or NULL */
} tlm_attest_request;

/*
 * The attestation as JSON in a new string. TLM_ERR_UNSUPPORTED where the token's keys are in no
 * TPM, TLM_ERR_NOT_PROVISIONED, TLM_ERR_LOCKED.
 */
TLM_CHECKED tlm_result tlm_attest_make(const tlm_attest_request *request, char **text,
                                       tlm_error *error);

/* Answers a challenge (a file) with what only this TPM can know; needs no token. */
TLM_CHECKED tlm_result tlm_attest_answer(const tlm_attest_request *request, const char *challenge,
                                         char **text, tlm_error *error);

/* ---- the vendor ---- */

typedef struct tlm_attestation tlm_attestation;

/* Reads the form; nothing is verified yet. TLM_ERR_FORMAT, TLM_ERR_NEWER, TLM_ERR_TOO_LARGE. */
TLM_CHECKED tlm_result tlm_attestation_parse(const char *text, size_t size,
                                             tlm_attestation **attestation, tlm_error *error);
TLM_CHECKED tlm_result tlm_attestation_load(const char *path, tlm_attestation **attestation,
                                            tlm_error *error);
void tlm_attestation_free(tlm_attestation **attestation);

typedef struct tlm_attestation_expect {
    const char *const *ca; /* files: certificates that are trusted to certify TPMs */
    size_t ca_count;
    const char *ek_public;   /* PEM of an EK known to be genuine, instead of a certificate */
    const char *nonce;       /* hexadecimal, the one that was asked for; NULL for any */
    const char *fingerprint; /* 64 hexadecimal digits, or NULL for any */
} tlm_attestation_expect;

typedef struct tlm_attestation_report {
    char fingerprint[65];  /* of tlm-srk */
    char created[32];      /* as the host says */
    char manufacturer[16]; /* of the TPM, as its EK certificate says; "" without one */
    char model[64];
    char version[32];
    char firmware[24]; /* as the TPM signed it */
    char ek_name[137]; /* hexadecimal */
    char ak_name[137];
} tlm_attestation_report;

/*
 * Verifies everything that one file can show. What it does not show is that the attestation key is
 * in the TPM of the EK: that takes a challenge. Each refusal says which part failed, and why.
 */
TLM_CHECKED tlm_result tlm_attestation_verify(const tlm_attestation *attestation,
                                              const tlm_attestation_expect *expect,
                                              tlm_attestation_report *report, tlm_error *error);

/*
 * A challenge for the host, and what its answer is compared with; both JSON in new strings. Only
 * after tlm_attestation_verify.
 */
TLM_CHECKED tlm_result tlm_attestation_challenge(const tlm_attestation *attestation,
                                                 char **challenge, char **expected,
                                                 tlm_error *error);

/*
 * Compares an answer with what was kept of the challenge. TLM_ERR_FOREIGN where the challenge was
 * for another TPM, TLM_ERR_SIGNATURE where the answer is wrong.
 */
TLM_CHECKED tlm_result tlm_attestation_check_answer(const tlm_attestation *attestation,
                                                    const char *answer, size_t answer_size,
                                                    const char *expected, size_t expected_size,
                                                    tlm_error *error);

#endif
