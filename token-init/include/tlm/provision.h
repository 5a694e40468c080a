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
#include <tlm/settings.h>
#include <tlm/store.h>

typedef struct tlm_provision_request {
    const tlm_settings *settings;
    tlm_backend backend;         /* 0: what an earlier run began, else the TPM */
    unsigned rsa_bits;           /* 2048 or 3072; 0: 3072 where the TPM can, else 2048 */
    bool replace;                /* a foreign object at our handle may go */
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
    char fingerprint[65];
} tlm_provision_report;

/*
 * Makes the token of the settings. A complete one is left as it is (unchanged). TLM_ERR_FOREIGN
 * where a foreign object stands at 0x810003E8, TLM_ERR_EXISTS where the store holds another token,
 * TLM_ERR_INCOMPLETE where parts of an earlier one are missing, TLM_ERR_BUSY beside another run.
 */
TLM_CHECKED tlm_result tlm_provision(const tlm_provision_request *request,
                                     tlm_provision_report *report, tlm_error *error);

/*
 * Brings the root key back to 0x810003E8 from TPM_SEED. TLM_ERR_FOREIGN, with nothing changed,
 * where this TPM makes another key from it. Uses settings, replace and owner_auth_file.
 */
TLM_CHECKED tlm_result tlm_recover(const tlm_provision_request *request,
                                   tlm_provision_report *report, tlm_error *error);

/*
 * Removes the token for ever: undefines the counter and evicts 0x810003E8 where it is ours, then
 * overwrites and removes the store's files. Without a TPM that answers it is
 * TLM_ERR_TPM_UNAVAILABLE and nothing is removed.
 */
TLM_CHECKED tlm_result tlm_destroy(const tlm_provision_request *request,
                                   tlm_provision_report *report, tlm_error *error);

/* The label of the token's data object that names the storage of the license manager. */
#define TLM_STORAGE_MARK "tlm-storage"

/* Removes that mark. TLM_ERR_NOT_FOUND where the token has none. */
TLM_CHECKED tlm_result tlm_forget_storage(const tlm_provision_request *request, tlm_error *error);

void tlm_provision_report_clear(tlm_provision_report *report);

#endif
