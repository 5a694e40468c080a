/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SEALING_H
#define TLM_SEALING_H

/* Sealing as provisioning and the subcommands seal and reseal do it. */

#include "job.h"

/*
 * Refuses what would fail later: a policy without a file for its recovery key, a policy for a token
 * that is not in a TPM, another policy than the one the store's secrets are sealed under.
 */
TLM_CHECKED tlm_result tlm_job_check_policy(const tlm_job *job, tlm_error *error);

/* Whether the secrets of the job's store are sealed from the start. */
bool tlm_job_seals(const tlm_job *job);

/*
 * Seals job->secrets under the request's policy, with a recovery key that is made where the policy
 * has one. `may_exist`: its file may be there from a run that was interrupted.
 */
TLM_CHECKED tlm_result tlm_job_seal(tlm_job *job, bool may_exist, tlm_error *error);

/* Brings 0x810003E9 back for a store whose secrets are sealed; nothing to do for others. */
TLM_CHECKED tlm_result tlm_job_restore_parent(tlm_job *job, bool *changed, tlm_error *error);

#endif
