/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HARDWARE_FEATURE_H
#define TLM_HARDWARE_FEATURE_H

/*
 * Counter and clock of a token, read as the hardware feature objects of PKCS#11 v2.40 section 4.3
 * through whatever module the token was opened with. tlm-tokend has them (docs/provider.md); bare
 * softhsm2 and tpm2-pkcs11 have not.
 *
 *     uint64_t value = 0;
 *     bool tamper_proof = false;
 *     if (tlm_token_counter_next(token, &value, &tamper_proof, &error) == TLM_OK) {
 *         … larger than every number before …
 *     }
 *
 * Both functions are safe under threads and go through the token's recovery as all calls do.
 */

#include <stdbool.h>
#include <stdint.h>

#include <p11-kit/pkcs11.h>

#include <tlm/token.h>

/* Vendor attributes of the objects; numbers are big endian. */
#define CKA_TLM_VENDOR (CKA_VENDOR_DEFINED | 0x544c4d00UL)
#define CKA_TLM_TAMPER_PROOF (CKA_TLM_VENDOR | 1UL)  /* CK_BBOOL */
#define CKA_TLM_CLOCK_MS (CKA_TLM_VENDOR | 2UL)      /* 8 bytes */
#define CKA_TLM_RESET_COUNT (CKA_TLM_VENDOR | 3UL)   /* 4 bytes */
#define CKA_TLM_RESTART_COUNT (CKA_TLM_VENDOR | 4UL) /* 4 bytes */
#define CKA_TLM_CLOCK_SAFE (CKA_TLM_VENDOR | 5UL)    /* CK_BBOOL */

/*
 * Reads CKA_VALUE of the token's CKH_MONOTONIC_COUNTER: a number that was never given before, and
 * larger than each that was given before this call. Numbers may be left out. *tamper_proof is true
 * where the token says that neither files nor root can set the counter back. TLM_ERR_UNSUPPORTED
 * where the token has no counter, or one of more than 8 bytes. A reading wears the TPM's memory.
 */
TLM_CHECKED tlm_result tlm_token_counter_next(tlm_token *token, uint64_t *value, bool *tamper_proof,
                                              tlm_error *error);

/*
 * The same for who takes account of each number: one call takes one at most. Where it fails it may
 * have taken it; TLM_ERR_TOKEN_UNAVAILABLE is a token that went away meanwhile and may be back.
 */
TLM_CHECKED tlm_result tlm_token_counter_once(tlm_token *token, uint64_t *value, bool *tamper_proof,
                                              tlm_error *error);

typedef struct tlm_token_clock {
    uint64_t system_seconds; /* CKA_VALUE, as seconds since 1970 */
    bool counted;            /* the token tells the rest, too */
    bool tamper_proof;       /* as for the counter; never of system_seconds */
    uint64_t clock_ms;       /* time the TPM was powered; without a TPM time since the boot */
    uint32_t reset_count;    /* TPM resets */
    uint32_t restart_count;  /* restarts and resumes since the last reset */
    bool safe;               /* clock_ms was not lost in an unorderly shutdown */
} tlm_token_clock;

/* Reads CKH_CLOCK, all of one moment. TLM_ERR_UNSUPPORTED where the token has no clock. */
TLM_CHECKED tlm_result tlm_token_clock_read(tlm_token *token, tlm_token_clock *clock,
                                            tlm_error *error);

#endif
