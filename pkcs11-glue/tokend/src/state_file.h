/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_STATE_FILE_H
#define TLM_STATE_FILE_H

/*
 * tokend.json beside the socket: what tlm-tokend says of itself to everyone, without a connection
 * and without access to the TPM. docs/formats.md has its members.
 *
 *     {"version": 1, "pid": 812, "state": "unavailable", "since": "2026-11-23T22:00:00Z",
 *      "backend": "tpm", "label": "tlm", "store": "/…/token", "tcti": "device:/dev/tpmrm0",
 *      "simulated": false, "hardwareBound": true, "vaultPolicy": "none",
 *      "error": {"code": "locked", "message": "…", "hint": "…"}, "tpm": {"connected": true, …}}
 *
 * Mode 0644, and replaced in one step: a reader sees the old or the new one.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include <jansson.h>

#include <tlm/result.h>

#define TLM_STATE_FILE_NAME "tokend.json"
#define TLM_STATE_FILE_VERSION 1

typedef enum tlm_tokend_state {
    TLM_TOKEND_STARTING = 0, /* the token was not opened yet, and nothing is known to be wrong */
    TLM_TOKEND_READY,
    TLM_TOKEND_UNAVAILABLE /* `error` says why */
} tlm_tokend_state;

/* Texts that are NULL or empty are left out; so is `tpm` where it is NULL. */
typedef struct tlm_state_report {
    tlm_tokend_state state;
    time_t since;
    const char *backend; /* "tpm", "softhsm" or "module" */
    const char *label;
    const char *store;
    const char *tcti;
    const char *vault_policy;
    bool simulated;
    bool hardware_bound;
    const tlm_error *error; /* counts where `state` is TLM_TOKEND_UNAVAILABLE */
    json_t *tpm;            /* borrowed */
} tlm_state_report;

/* "starting", "ready", "unavailable". */
const char *tlm_tokend_state_name(tlm_tokend_state state);

/* The path beside `socket`; new string, NULL without memory. */
char *tlm_state_file_path(const char *socket);

/*
 * Writes the report of this process. Not synced to the disk: after a power cut the process it
 * speaks of is gone, too.
 */
TLM_CHECKED tlm_result tlm_state_file_write(const char *path, const tlm_state_report *report,
                                            tlm_error *error);

/* Removes it; one that is not there is success. */
void tlm_state_file_remove(const char *path);

#endif
