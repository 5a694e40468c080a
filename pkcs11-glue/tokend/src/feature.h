/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FEATURE_H
#define TLM_FEATURE_H

/*
 * The hardware feature objects of PKCS#11 v2.40 section 4.3, which neither back end has:
 * CKH_MONOTONIC_COUNTER and CKH_CLOCK over tlm_hardware. As the standard has it, a search shows
 * them only where its template names CKA_CLASS CKO_HW_FEATURE. They are public, and read without a
 * login.
 *
 * Vendor attributes: CKA_TLM_TAMPER_PROOF (CK_BBOOL), and of the clock CKA_TLM_CLOCK_MS (8 bytes,
 * big endian), CKA_TLM_RESET_COUNT, CKA_TLM_RESTART_COUNT (4 bytes, big endian),
 * CKA_TLM_CLOCK_SAFE (CK_BBOOL). docs/provider.md describes them.
 */

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

#include "hardware.h"

#define CKA_TLM_VENDOR (CKA_VENDOR_DEFINED | 0x544c4d00UL)
#define CKA_TLM_TAMPER_PROOF (CKA_TLM_VENDOR | 1UL)
#define CKA_TLM_CLOCK_MS (CKA_TLM_VENDOR | 2UL)
#define CKA_TLM_RESET_COUNT (CKA_TLM_VENDOR | 3UL)
#define CKA_TLM_RESTART_COUNT (CKA_TLM_VENDOR | 4UL)
#define CKA_TLM_CLOCK_SAFE (CKA_TLM_VENDOR | 5UL)

#define TLM_FEATURES_MAX 2U

/* Labels of the objects, which access rules name too. */
#define TLM_COUNTER_LABEL "tlm-counter"
#define TLM_CLOCK_LABEL "tlm-clock"

/* How many feature objects `hardware` gives; NULL gives none. They have the numbers 0 to count-1.
 */
size_t tlm_feature_count(const tlm_hardware *hardware);
const char *tlm_feature_label(const tlm_hardware *hardware, size_t number);

/* Whether a search template shows feature `number`: names the class, and nothing that differs. */
bool tlm_feature_matches(const tlm_hardware *hardware, size_t number,
                         const CK_ATTRIBUTE *attributes, CK_ULONG count);

/*
 * C_GetAttributeValue of a feature object, with that function's contract (PKCS#11 v2.40 section
 * 5.7). Reading CKA_VALUE of the counter with room for it counts; asking for the size does not.
 */
CK_RV tlm_feature_get(const tlm_hardware *hardware, size_t number, CK_ATTRIBUTE *attributes,
                      CK_ULONG count);

#endif
