/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PROVISION_H
#define TLM_PROVISION_H

/*
 * Makes the token, brings its root key back, takes it away.
 *
 * Provisioning is a table of steps; each looks first whether its work is done, so that a run after
 * a crash at any point goes on where the other one ended.
 *
 *     tlm_provision_request request = {.settings = &settings, .backend = TLM_BACKEND_TPM};
 *     tlm_provision_report report = {0};
 *     if (tlm_provision(&request, &report, &error) == TLM_OK) {
 *         printf("fingerprint=%s\n", report.fingerprint);
 *     }
 *     tlm_provision_report_clear(&report);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>
#include <tlm/seal.h>
#include <tlm/settings.h>
#include <tlm/store.h>

typedef struct tlm_provision_request {
    const tlm_settings *settings;
    tlm_backend backend;         /* 0: what an earlier run began, else the TPM */
    unsigned rsa_bits;           /* 2048 or 3072; 0: 3072 where the TPM can, else 2048 */
    bool replace;                /* a foreign object at our handles may go */
    tlm_vault_policy policy;     /* under which the secrets are sealed */
    bool policy_given;           /* somebody chose it; else reseal keeps the one there is */
    const char *recovery_key;    /* file of the recovery key, or NULL */
    const char *owner_auth_file; /* authorization of the owner hierarchy, or NULL for none */
    /* Called after each step, the last one included; may be NULL. */
    void (*step_done)(void *context, const char *step);
    void *context;
} tlm_provision_request;

typedef struct tlm_provision_report {
    bool unchanged; /* it was done before */
    bool tpm_seen;  /* a TPM was talked to */
    bool simulated; /* and it is a software one */
    tlm_backend backend;
    unsigned rsa_bits; /* 0 where nothing was made */
    char *label;
    char *directory;
    char *recovery_key; /* file of a recovery key that was made, or NULL */
    char fingerprint[65];
} tlm_provision_report;

/*
 * Makes the token of the settings. A complete one is left as it is (unchanged). TLM_ERR_FOREIGN
 * where a foreign object stands at 0x810003E8, TLM_ERR_EXISTS where one stands at 0x810003E9 and
 * where the store holds another token or secrets sealed otherwise, TLM_ERR_INCOMPLETE where parts
 * of an earlier one are missing, TLM_ERR_SETTING where a policy is asked for without a file for the
 * recovery key, TLM_ERR_BUSY beside another run.
 */
TLM_CHECKED tlm_result tlm_provision(const tlm_provision_request *request,
                                     tlm_provision_report *report, tlm_error *error);

/*
 * Brings the parent of the sealed secrets back to 0x810003E9, and the root key to 0x810003E8 from
 * TPM_SEED. TLM_ERR_FOREIGN, with nothing changed, where this TPM makes other keys; TLM_ERR_PCR
 * where the secrets must be sealed anew first. Uses settings, replace and owner_auth_file.
 */
TLM_CHECKED tlm_result tlm_recover(const tlm_provision_request *request,
                                   tlm_provision_report *report, tlm_error *error);

/*
 * Seals the secrets of a store that has them in clear, and wipes secrets.json once they were
 * unsealed from the new file. Sealed already: only what an interrupted run left is wiped
 * (unchanged). A recovery key is made in a new file.
 */
TLM_CHECKED tlm_result tlm_seal_store(const tlm_provision_request *request,
                                      tlm_provision_report *report, tlm_error *error);

/*
 * Seals the secrets anew under the present PCR values. The file of the recovery key opens them
 * where it exists (TLM_ERR_PERMISSION where it does not fit), and stays the key; where it does not
 * exist, the PCRs open them and a new key is made. The old file goes once the new one opened.
 */
TLM_CHECKED tlm_result tlm_reseal_store(const tlm_provision_request *request,
                                        tlm_provision_report *report, tlm_error *error);

/*
 * Removes the token for ever: undefines the counter, evicts 0x810003E8 where it is ours, and with
 * it 0x810003E9 where no other object took its place; then overwrites and removes the store's
 * files. Without a TPM that answers it is TLM_ERR_TPM_UNAVAILABLE and nothing is removed.
 */
TLM_CHECKED tlm_result tlm_destroy(const tlm_provision_request *request,
                                   tlm_provision_report *report, tlm_error *error);

/* The label of the token's data object that names the storage of the license manager. */
#define TLM_STORAGE_MARK "tlm-storage"

/* Removes that mark. TLM_ERR_NOT_FOUND where the token has none. */
TLM_CHECKED tlm_result tlm_forget_storage(const tlm_provision_request *request, tlm_error *error);

void tlm_provision_report_clear(tlm_provision_report *report);

#endif
