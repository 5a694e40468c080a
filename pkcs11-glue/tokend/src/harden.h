/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HARDEN_H
#define TLM_HARDEN_H

/*
 * Takes from the process what it will never need, so that a fault in a PKCS#11 module or in what
 * parses a peer's bytes gains an attacker little.
 *
 *     tlm_harden_config config = {.user = "tlm", .owned = {"/run/tlm"},
 *                                 .writable = {"/run/tlm", store, log}, .readable = {module}};
 *     result = tlm_harden_early(&config, &error);    before any secret, log file or thread
 *     …                                              socket and log are opened
 *     result = tlm_harden_late(&config, &error);     before the token, still without threads
 *
 * Each step is a line of the log: `hardened step=…` or `not_hardened step=… reason=…`. Where the
 * kernel lacks a thing, that is a warning and no failure. Nothing of it can be taken back.
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>

#define TLM_HARDEN_PATHS 8U

/* Paths end with NULL or the array; a name that is not there is passed over. */
typedef struct tlm_harden_config {
    const char *user; /* whom root becomes; NULL or "" stays */
    /* Directories that root makes for that user where they are missing. */
    const char *owned[TLM_HARDEN_PATHS];
    /* Directories to write in. Of one that is missing, the nearest one above it that is there. */
    const char *writable[TLM_HARDEN_PATHS];
    const char *readable[TLM_HARDEN_PATHS]; /* files and directories beside the system's own */
    const char *devices[TLM_HARDEN_PATHS];  /* TPM device nodes */
    bool network;                           /* the TPM is reached over TCP */
    bool foreign_module; /* an operator's module: nobody knows its files and system calls */
} tlm_harden_config;

/*
 * Locks memory, becomes `user`, drops every capability, sets no_new_privs, forbids core dumps and
 * being traced. Root that stays root gets the group of a TPM device that only this group may use,
 * since without capabilities it is root in name alone; where it cannot reach a path of the
 * configuration it keeps CAP_DAC_OVERRIDE, with a warning. TLM_ERR_SETTING for an unknown user,
 * TLM_ERR_PERMISSION where this process may not become it.
 */
TLM_CHECKED tlm_result tlm_harden_early(const tlm_harden_config *config, tlm_error *error);

/*
 * Shuts the rest of the file system (landlock) and of the system calls (seccomp). With
 * `foreign_module` no landlock, and only the system calls that no module may make are refused.
 */
TLM_CHECKED tlm_result tlm_harden_late(const tlm_harden_config *config, tlm_error *error);

/*
 * Whether a writable directory or a device that was let in has since been replaced by another one
 * of its name, which this process may not open: it has to be started afresh. Safe under threads.
 */
bool tlm_harden_outdated(void);

#endif
