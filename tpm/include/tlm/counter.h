/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_COUNTER_H
#define TLM_COUNTER_H

/*
 * The monotonic counter in the TPM: an NV index of type TPM2_NT_COUNTER, and the TPM's clock.
 *
 * The TPM itself sees to it that the number never falls: a counter that was undefined, or went with
 * TPM2_Clear, and is defined anew begins above every value that any counter of the TPM had (TPM 2.0
 * Part 1, section 37.2.4). Owner and whoever knows the (empty) authorization may read and
 * increment; no failure counts towards the lockout (NO_DA).
 *
 *     tlm_counter counter = {0};
 *     uint64_t value = 0;
 *     if (tlm_counter_open(tpm, &counter, &error) == TLM_OK) {
 *         result = tlm_counter_next(tpm, &counter, &value, &error);
 *     }
 *     tlm_counter_close(tpm, &counter);
 */

#include <stdbool.h>
#include <stdint.h>

#include <tlm/result.h>
#include <tlm/tpm.h>

#define TLM_COUNTER_INDEX 0x018003E8U

typedef struct tlm_counter_state {
    bool present; /* something is defined at the index */
    bool ours;    /* and it is a counter of our attributes, without authorization value */
    bool written; /* and was incremented once: until then it has no value */
    uint64_t value;
    char type[48]; /* "counter", "8 bytes of data" …, with the attributes */
} tlm_counter_state;

/* Reads what stands at the index; increments nothing. Nothing there is TLM_OK. */
TLM_CHECKED tlm_result tlm_counter_read_state(tlm_tpm *tpm, tlm_counter_state *state,
                                              tlm_error *error);

/*
 * Defines the index and increments it once; done before, it changes nothing. Needs the owner's
 * authorization (tlm_tpm_set_owner_auth). What is not ours is TLM_ERR_FOREIGN or, with `replace`,
 * removed. *changed tells whether the TPM was written to.
 */
TLM_CHECKED tlm_result tlm_counter_define(tlm_tpm *tpm, bool replace, bool *changed,
                                          tlm_error *error);

/* Removes our index. TLM_ERR_NOT_FOUND where there is none, TLM_ERR_FOREIGN for one not ours. */
TLM_CHECKED tlm_result tlm_counter_undefine(tlm_tpm *tpm, tlm_error *error);

typedef struct tlm_counter {
    bool opened;
    uint32_t object; /* of ESYS */
    uint64_t last;   /* the value that the last reading saw */
} tlm_counter;

/* TLM_ERR_NOT_FOUND where the index is not defined, TLM_ERR_FOREIGN where it is not ours. */
TLM_CHECKED tlm_result tlm_counter_open(tlm_tpm *tpm, tlm_counter *counter, tlm_error *error);

/*
 * Increments and reads: a number that no other call has got or will get, and larger than that of
 * each call that ended before this one began; also where several processes do it. Under their load
 * it tries again for half a minute, then TLM_ERR_BUSY. Each call writes the TPM's NV memory once or
 * more, and a TPM may slow the caller down (TPM_RC_NV_RATE) to spare it. After an error, close.
 */
TLM_CHECKED tlm_result tlm_counter_next(tlm_tpm *tpm, tlm_counter *counter, uint64_t *value,
                                        tlm_error *error);

/* Accepts one that is not open. */
void tlm_counter_close(tlm_tpm *tpm, tlm_counter *counter);

/* TPMS_CLOCK_INFO, TPM 2.0 Part 2, section 10.11.1. */
typedef struct tlm_tpm_clock {
    uint64_t clock_ms;      /* time the TPM was powered since TPM2_Clear; never set back */
    uint32_t reset_count;   /* TPM resets since TPM2_Clear */
    uint32_t restart_count; /* restarts and resumes since the last reset */
    bool safe;              /* no larger clock_ms was told before a power cut lost it */
} tlm_tpm_clock;

/* TPM2_ReadClock; no authorization. */
TLM_CHECKED tlm_result tlm_tpm_read_clock(tlm_tpm *tpm, tlm_tpm_clock *clock, tlm_error *error);

#endif
