/* SPDX-License-Identifier: BSD-2-Clause */
#include "sealing.h"

#include <string.h>

#include <tlm/file.h>
#include <tlm/log.h>

#include "recovery_key.h"

static tlm_result key_wanted(tlm_vault_policy policy, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_SETTING,
                         "add: --recovery-key FILE, a new file on a medium that leaves the machine",
                         "the policy %s needs a recovery key: without one, an update of the "
                         "firmware would lock the token for ever",
                         tlm_vault_policy_name(policy));
}

static tlm_result other_policy(const tlm_job *job, tlm_error *error)
{
    tlm_sealed sealed;
    const tlm_provision_request *request = job->request;
    tlm_result result = tlm_secrets_read_sealed(&job->store, &sealed, error);
    if (result != TLM_OK || !request->policy_given || sealed.policy == request->policy) {
        return result;
    }
    (void)tlm_error_set(error, TLM_ERR_EXISTS, NULL,
                        "the secrets of the store %s are sealed under the policy %s, not %s",
                        job->directory, tlm_vault_policy_name(sealed.policy),
                        tlm_vault_policy_name(request->policy));
    tlm_error_set_hint(error, "to change it, run: tlm-token-init reseal --vault-policy %s%s",
                       tlm_vault_policy_name(request->policy),
                       request->policy != TLM_VAULT_NONE ? " --recovery-key FILE" : "");
    return TLM_ERR_EXISTS;
}

tlm_result tlm_job_check_policy(const tlm_job *job, tlm_error *error)
{
    const tlm_provision_request *request = job->request;
    if (job->store.backend != TLM_BACKEND_TPM) {
        return request->policy == TLM_VAULT_NONE
                   ? TLM_OK
                   : tlm_error_set(error, TLM_ERR_SETTING,
                                   "use --vault-policy none, or a token in a TPM",
                                   "a token of the softhsm back end has no policy %s: no TPM "
                                   "watches over it",
                                   tlm_vault_policy_name(request->policy));
    }
    tlm_secrets_place place = tlm_secrets_where(&job->store);
    if (place == TLM_SECRETS_SEALED) {
        return other_policy(job, error);
    }
    if (job->store.complete && request->policy != TLM_VAULT_NONE) {
        (void)tlm_error_set(error, TLM_ERR_EXISTS, NULL,
                            "the secrets of the store %s are in clear, not sealed under %s",
                            job->directory, tlm_vault_policy_name(request->policy));
        tlm_error_set_hint(error, "run: tlm-token-init seal --vault-policy %s --recovery-key FILE",
                           tlm_vault_policy_name(request->policy));
        return TLM_ERR_EXISTS;
    }
    if (request->policy != TLM_VAULT_NONE && request->recovery_key == NULL) {
        return key_wanted(request->policy, error);
    }
    return TLM_OK;
}

bool tlm_job_seals(const tlm_job *job)
{
    return job->store.backend == TLM_BACKEND_TPM;
}

tlm_result tlm_job_seal(tlm_job *job, bool may_exist, tlm_error *error)
{
    const tlm_provision_request *request = job->request;
    tlm_secret *key = NULL;
    tlm_result result = tlm_job_need_tpm(job, error);
    if (result == TLM_OK && request->policy != TLM_VAULT_NONE) {
        if (request->recovery_key == NULL) {
            result = key_wanted(request->policy, error);
        } else if (may_exist && tlm_file_exists(request->recovery_key)) {
            result = tlm_recovery_key_read(request->recovery_key, &key, error);
        } else {
            result = tlm_recovery_key_make(job->tpm, request->recovery_key, &key, error);
        }
        job->key_made = result == TLM_OK;
    }
    if (result == TLM_OK) {
        result =
            tlm_secrets_seal(&job->store, job->tpm, request->policy, key, &job->secrets, error);
    }
    tlm_secret_free(&key);
    return result;
}

tlm_result tlm_job_restore_parent(tlm_job *job, bool *changed, tlm_error *error)
{
    tlm_sealed sealed;
    *changed = false;
    if (tlm_secrets_where(&job->store) != TLM_SECRETS_SEALED) {
        return TLM_OK;
    }
    tlm_result result = tlm_secrets_read_sealed(&job->store, &sealed, error);
    if (result == TLM_OK) {
        result = tlm_job_need_tpm(job, error);
    }
    return result == TLM_OK ? tlm_seal_place_parent(job->tpm, &sealed.parent, job->request->replace,
                                                    changed, error)
                            : result;
}

/* Loads and locks a store of the TPM back end. */
static tlm_result begin(tlm_job *job, const char *what, tlm_error *error)
{
    tlm_result result = tlm_store_load(job->directory, &job->store, error);
    if (result != TLM_OK) {
        return result;
    }
    if (job->store.backend != TLM_BACKEND_TPM) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "keep the store's directory from others; its mode must be 0700",
                             "the token in %s is of the softhsm back end: there is no TPM to %s "
                             "its secrets into",
                             job->directory, what);
    }
    return tlm_job_lock(job, error);
}

static bool same(const tlm_secret *left, const tlm_secret *right)
{
    return (left == NULL && right == NULL) || tlm_secret_equal(left, right);
}

/* Whether what sealed.json holds, read anew and unsealed, is what stands in clear. */
static tlm_result compare_sealed(tlm_job *job, bool *equal, tlm_error *error)
{
    const tlm_store_secrets *clear = &job->secrets;
    tlm_store_secrets sealed = {0};
    tlm_result result = tlm_secrets_recover(&job->store, job->tpm, NULL, &sealed, error);
    *equal = result == TLM_OK && same(clear->user_pin, sealed.user_pin) &&
             same(clear->so_pin, sealed.so_pin) && same(clear->tpm_auth, sealed.tpm_auth) &&
             same(clear->tpm_seed, sealed.tpm_seed);
    tlm_store_secrets_clear(&sealed);
    return result;
}

/* An earlier run may have been interrupted when only the wiping was left. */
static bool sealed_before(tlm_job *job)
{
    tlm_sealed sealed;
    bool equal = false;
    return tlm_secrets_read_sealed(&job->store, &sealed, NULL) == TLM_OK &&
           (!job->request->policy_given || sealed.policy == job->request->policy) &&
           compare_sealed(job, &equal, NULL) == TLM_OK && equal;
}

static tlm_result seal_clear(tlm_job *job, tlm_error *error)
{
    bool changed = false;
    bool equal = false;
    tlm_result result = tlm_store_secrets_load(&job->store, &job->secrets, error);
    if (result == TLM_OK) {
        result = tlm_job_need_tpm(job, error);
    }
    if (result == TLM_OK) {
        result = tlm_seal_place_parent(job->tpm, NULL, job->request->replace, &changed, error);
    }
    if (result == TLM_OK && sealed_before(job)) {
        return TLM_OK;
    }
    if (result == TLM_OK) {
        result = tlm_job_seal(job, false, error);
    }
    if (result == TLM_OK) {
        result = compare_sealed(job, &equal, error);
    }
    if (result == TLM_OK && !equal) {
        result = tlm_error_set(error, TLM_ERR_DAMAGED, "secrets.json is untouched; try again",
                               "what was written to sealed.json does not give the secrets back");
    }
    return result;
}

static tlm_result seal(tlm_job *job, tlm_provision_report *report, tlm_error *error)
{
    tlm_result result = begin(job, "seal", error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_secrets_place place = tlm_secrets_where(&job->store);
    if (place == TLM_SECRETS_NONE) {
        return tlm_store_secrets_load(&job->store, &job->secrets, error);
    }
    report->unchanged = place == TLM_SECRETS_SEALED;
    result = report->unchanged ? other_policy(job, error) : seal_clear(job, error);
    if (result == TLM_OK) {
        result = tlm_secrets_wipe_clear(&job->store, error);
    }
    return result == TLM_OK ? tlm_job_report(job, report, error) : result;
}

tlm_result tlm_seal_store(const tlm_provision_request *request, tlm_provision_report *report,
                          tlm_error *error)
{
    memset(report, 0, sizeof *report);
    tlm_job job;
    tlm_result result = tlm_job_begin(&job, request, error);
    if (result == TLM_OK) {
        result = seal(&job, report, error);
    }
    tlm_job_end(&job);
    return result;
}

/* Unseals by the operator's key, or without one by the PCRs. */
static tlm_result unseal(tlm_job *job, const tlm_secret *key, tlm_error *error)
{
    const char *file = job->request->recovery_key;
    tlm_result result = tlm_job_need_tpm(job, error);
    if (result == TLM_OK) {
        result = tlm_secrets_recover(&job->store, job->tpm, key, &job->secrets, error);
    }
    if (result == TLM_ERR_PCR && file != NULL) {
        tlm_error_set_hint(error, "%s does not exist: name the file of the recovery key", file);
    } else if (result == TLM_ERR_PERMISSION && key != NULL) {
        tlm_error_set_hint(error,
                           "name the file that was made when they were sealed last; or, while the "
                           "PCRs are as they were, one that does not exist yet for a new key");
    }
    return result;
}

static tlm_result reseal(tlm_job *job, tlm_error *error)
{
    tlm_sealed sealed;
    tlm_secret *key = NULL;
    const tlm_provision_request *request = job->request;
    tlm_result result = tlm_secrets_read_sealed(&job->store, &sealed, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_vault_policy policy = request->policy_given ? request->policy : sealed.policy;
    if (policy != TLM_VAULT_NONE && request->recovery_key == NULL) {
        return key_wanted(policy, error);
    }
    bool have = request->recovery_key != NULL && tlm_file_exists(request->recovery_key);
    if (have) {
        result = tlm_recovery_key_read(request->recovery_key, &key, error);
    }
    if (result == TLM_OK) {
        result = unseal(job, key, error);
    }
    if (result == TLM_OK && policy != TLM_VAULT_NONE && !have) {
        result = tlm_recovery_key_make(job->tpm, request->recovery_key, &key, error);
        job->key_made = result == TLM_OK;
    }
    if (result == TLM_OK) {
        result = tlm_secrets_seal(&job->store, job->tpm, policy,
                                  policy != TLM_VAULT_NONE ? key : NULL, &job->secrets, error);
    }
    if (result == TLM_OK) {
        tlm_log(TLM_LOG_INFO, "secrets_resealed", "policy=%s before=%s",
                tlm_vault_policy_name(policy), tlm_vault_policy_name(sealed.policy));
    }
    tlm_secret_free(&key);
    return result;
}

tlm_result tlm_reseal_store(const tlm_provision_request *request, tlm_provision_report *report,
                            tlm_error *error)
{
    memset(report, 0, sizeof *report);
    tlm_job job;
    tlm_result result = tlm_job_begin(&job, request, error);
    if (result == TLM_OK) {
        result = begin(&job, "reseal", error);
    }
    if (result == TLM_OK && tlm_secrets_where(&job.store) == TLM_SECRETS_CLEAR) {
        result =
            tlm_error_set(error, TLM_ERR_INCOMPLETE, "run: tlm-token-init seal",
                          "the secrets of the store %s are in clear, not sealed", job.directory);
    }
    if (result == TLM_OK && tlm_secrets_where(&job.store) == TLM_SECRETS_NONE) {
        result = tlm_store_secrets_load(&job.store, &job.secrets, error);
    }
    if (result == TLM_OK) {
        result = reseal(&job, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_report(&job, report, error);
    }
    tlm_job_end(&job);
    return result;
}
