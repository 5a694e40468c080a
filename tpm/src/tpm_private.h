/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TPM_PRIVATE_H
#define TLM_TPM_PRIVATE_H

/*
 * ESYS side of tlm/tpm.h, for the files that call tpm2-tss.
 *
 *     tlm_tpm_wait wait = {0};
 *     do {
 *         rc = Esys_GetRandom(tpm->esys, …);
 *     } while (tlm_tpm_again(&wait, rc));
 *     if (rc != TSS2_RC_SUCCESS) {
 *         return tlm_tpm_fail(tpm, error, rc, "TPM2_GetRandom", "of %zu bytes", size);
 *     }
 */

#include <tss2/tss2_esys.h>

#include <tlm/tpm.h>

struct tlm_tpm {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    bool socket; /* no resource manager between us and the TPM */
};

typedef struct tlm_tpm_wait {
    unsigned waited_ms;
    unsigned next_ms;
} tlm_tpm_wait;

/* First handles of a kind; the macros of tpm2-tss shift into the sign bit of an int. */
#define TLM_FIRST_SESSION 0x02000000U
#define TLM_FIRST_TRANSIENT 0x80000000U
#define TLM_FIRST_PERSISTENT 0x81000000U

/* How long RETRY, YIELDED, TESTING and NV_RATE are waited out, all attempts together. */
#define TLM_TPM_WAIT_MS 10000U

/*
 * Whether to send the command again: true, after a pause, for TPM_RC_RETRY, TPM_RC_YIELDED,
 * TPM_RC_TESTING and TPM_RC_NV_RATE until TLM_TPM_WAIT_MS have passed; false for everything else.
 */
bool tlm_tpm_again(tlm_tpm_wait *wait, TSS2_RC rc);

/* The response code without layer and without parameter, handle or session number. */
TSS2_RC tlm_tpm_rc_base(TSS2_RC rc);

/*
 * Fills `error` from a TSS2_RC: "TPM2_EvictControl of 0x810003E8: tpm:error(2.0): (0x14B)", with
 * the result that fits and a hint. Returns that result.
 */
tlm_result tlm_error_set_tss(tlm_error *error, TSS2_RC rc, const char *call, const char *format,
                             ...) TLM_PRINTF(4, 5);

/* The same; for TPM_RC_LOCKOUT the TPM is asked for the seconds to recovery. */
tlm_result tlm_tpm_fail(tlm_tpm *tpm, tlm_error *error, TSS2_RC rc, const char *call,
                        const char *format, ...) TLM_PRINTF(5, 6);

/* Opens a persistent object; *object stays ESYS_TR_NONE where the handle is free. */
TLM_CHECKED tlm_result tlm_tpm_find_object(tlm_tpm *tpm, uint32_t handle, ESYS_TR *object,
                                           tlm_error *error);

/* One TPM property; false where the TPM does not have it. */
bool tlm_tpm_property(tlm_tpm *tpm, TPM2_PT property, uint32_t *value);

/* Up to TLM_TPM_HANDLES_MAX handles from `first` on. */
TLM_CHECKED tlm_result tlm_tpm_list_handles(tlm_tpm *tpm, uint32_t first, uint32_t *handles,
                                            size_t *count, tlm_error *error);

#endif
