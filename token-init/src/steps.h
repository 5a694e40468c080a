/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_STEPS_H
#define TLM_STEPS_H

/* The steps of provisioning, in the order of the table in provision.c. */

#include "job.h"

TLM_CHECKED tlm_result tlm_step_record(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_seal_parent(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_secrets(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_primary(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_counter(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_database(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_parent(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_token(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_pin(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_pss(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_srk(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_attest(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_srk_certificate(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_attest_certificate(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_public(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_check(tlm_job *job, tlm_error *error);
TLM_CHECKED tlm_result tlm_step_complete(tlm_job *job, tlm_error *error);

/*
 * The counter of a complete store, which an older version made without one. A TPM that is away or
 * another one is left alone: then there is nothing to say about its counter.
 */
TLM_CHECKED tlm_result tlm_step_counter_late(tlm_job *job, tlm_error *error);

#endif
