/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FEATURE_H
#define TLM_FEATURE_H

/*
 * The hardware feature objects of PKCS#11 v2.40 section 4.3, which neither back end has:
 * CKH_MONOTONIC_COUNTER and CKH_CLOCK over tlm_hardware. As the standard has it, a search shows
 * them only where its template names CKA_CLASS CKO_HW_FEATURE. They are public, and read without a
 * login.
 *
 * The vendor attributes stand in tlm/hardware_feature.h; docs/provider.md describes all of them.
 */

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

#include <tlm/hardware_feature.h>

#include "hardware.h"

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
 * CKR_DEVICE_ERROR where the hardware does not answer, which may pass; CKR_FUNCTION_REJECTED where
 * it refuses: the counter is missing or damaged, and the log says which.
 */
CK_RV tlm_feature_get(const tlm_hardware *hardware, size_t number, CK_ATTRIBUTE *attributes,
                      CK_ULONG count);

#endif
