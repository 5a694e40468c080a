/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ATTEST_PRIVATE_H
#define TLM_ATTEST_PRIVATE_H

/* What the files of tlm/attest.h share. */

#include <tlm/attest.h>

#include "tpm_private.h"

/* Loads the EK; the caller flushes it. `area` may be NULL. */
TLM_CHECKED tlm_result tlm_attest_ek_load(tlm_tpm *tpm, tlm_ek_kind kind, ESYS_TR *object,
                                          tlm_tpm_bytes *area, tlm_error *error);

/* Loads the AK; the caller flushes it. `area` may be NULL. */
TLM_CHECKED tlm_result tlm_attest_ak_load(tlm_tpm *tpm, ESYS_TR *object, tlm_tpm_bytes *area,
                                          tlm_error *error);

void tlm_attest_flush(tlm_tpm *tpm, ESYS_TR object);

/* A copy of `size` bytes. */
TLM_CHECKED tlm_result tlm_tpm_bytes_copy(tlm_tpm_bytes *to, const void *data, size_t size,
                                          tlm_error *error);

#endif
