/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HARDWARE_H
#define TLM_HARDWARE_H

/*
 * Counter and clock behind the token, whatever it is: of the TPM, or of files and the system.
 * feature.h shows them to PKCS#11 applications as CKO_HW_FEATURE objects.
 */

#include <stdbool.h>
#include <stdint.h>

#include <tlm/result.h>

typedef struct tlm_hardware_clock {
    uint64_t system_seconds; /* since 1970, UTC */
    uint64_t clock_ms;       /* TPMS_CLOCK_INFO.clock: time the TPM was powered, never set back */
    uint32_t reset_count;    /* TPM resets since TPM2_Clear */
    uint32_t restart_count;  /* restarts and resumes since the last reset */
    bool safe;               /* clock_ms was not lost in an unorderly shutdown */
} tlm_hardware_clock;

/* Each function is safe under threads. A member that is NULL is a thing this back end lacks. */
typedef struct tlm_hardware {
    bool tamper_proof; /* neither files nor root can set them back */
    /* Increments and reads: every call gives a larger number, also after a crash in between. */
    tlm_result (*count)(void *context, uint64_t *value, tlm_error *error);
    tlm_result (*clock)(void *context, tlm_hardware_clock *now, tlm_error *error);
    void *context;
} tlm_hardware;

#endif
