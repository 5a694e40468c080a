/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_JOB_H
#define TLM_JOB_H

/*
 * What provisioning, recovery, removal and status share while they run: the store and its lock, the
 * secrets, the TPM's connection, the token's session.
 *
 * TPM and token are never open at the same time: a simulated TPM serves one connection.
 *
 *     tlm_job job = {0};
 *     result = tlm_job_begin(&job, request, &error);
 *     …
 *     tlm_job_end(&job);
 */

#include <tlm/key.h>
#include <tlm/primary.h>
#include <tlm/provision.h>
#include <tlm/secrets.h>
#include <tlm/store.h>
#include <tlm/tcti.h>
#include <tlm/token.h>
#include <tlm/tpm.h>

#define TLM_SRK_LABEL "tlm-srk"
#define TLM_SRK_ID 1U
#define TLM_ATTEST_LABEL "tlm-attest"
#define TLM_ATTEST_ID 2U

typedef struct tlm_job {
    const tlm_provision_request *request;
    char *directory; /* absolute */
    int lock;        /* file descriptor, or -1 */
    tlm_store store;
    tlm_store_secrets secrets;
    tlm_tcti_list candidates;
    const tlm_tcti *used;
    char *tcti; /* what the module is told; NULL until a TPM answered */
    tlm_tpm *tpm;
    tlm_token *token;
    bool simulated;
    bool resumed; /* an earlier run was interrupted */
    bool changed; /* a complete store was added to */
    unsigned rsa_bits;
    bool key_made; /* the recovery key of request->recovery_key */
} tlm_job;

/* Absolute path of the settings' store, whether it exists or not. New string, NULL without memory.
 */
char *tlm_job_directory(const tlm_settings *settings);

/* Sets the job up; touches nothing. */
TLM_CHECKED tlm_result tlm_job_begin(tlm_job *job, const tlm_provision_request *request,
                                     tlm_error *error);
/* Takes the store's lock; TLM_ERR_BUSY where another run has it. */
TLM_CHECKED tlm_result tlm_job_lock(tlm_job *job, tlm_error *error);
void tlm_job_end(tlm_job *job);

/* Opens the TPM where it is not open; ends the token's session. */
TLM_CHECKED tlm_result tlm_job_need_tpm(tlm_job *job, tlm_error *error);
/*
 * Exports the back end's environment, which for the TPM needs one that answers and is not in
 * lockout (TLM_ERR_LOCKED); closes the TPM.
 */
TLM_CHECKED tlm_result tlm_job_need_module(tlm_job *job, tlm_error *error);
/* Reads the secrets where they were not read; opens the TPM where they are sealed. */
TLM_CHECKED tlm_result tlm_job_need_secrets(tlm_job *job, tlm_error *error);
/*
 * Reads them with the connection that there is. On a simulated TPM it waits up to three seconds for
 * the object slots that a tlm-tokend beside us gives back a second after it used its keys.
 */
TLM_CHECKED tlm_result tlm_job_open_secrets(tlm_job *job, tlm_error *error);
/* need_secrets and need_module, and opens the token with the user's login in a fresh session. */
TLM_CHECKED tlm_result tlm_job_need_token(tlm_job *job, tlm_error *error);
void tlm_job_close_token(tlm_job *job);

/* Fills the report's strings and back end from the job's store. */
TLM_CHECKED tlm_result tlm_job_report(const tlm_job *job, tlm_provision_report *report,
                                      tlm_error *error);

/*
 * Makes the primary from the seed and puts it at 0x810003E8 where that is free. A foreign object
 * there is TLM_ERR_FOREIGN or, with request->replace, removed. `expected`, where it is not NULL, is
 * the name the primary must have. *changed tells whether the TPM was written to.
 */
TLM_CHECKED tlm_result tlm_job_place_primary(tlm_job *job, const tlm_tpm_name *expected,
                                             bool *changed, tlm_error *error);

/* Reads the expected name of the primary out of the database of tpm2-pkcs11. */
TLM_CHECKED tlm_result tlm_job_stored_name(const tlm_job *job, tlm_tpm_name *name,
                                           tlm_error *error);

#endif
