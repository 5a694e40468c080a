/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TCTI_H
#define TLM_TCTI_H

/*
 * Which TPM interface to use: the order of trial, without tpm2-tss.
 *
 * What the operator named is the only candidate: on the command line (--tcti, --tpm-device,
 * --tpm-host, --tpm-port), else in the environment (TLM_TCTI, TSS2_TCTI, TPM_DEVICE, TPM_HOST,
 * TPM_PORT), else in the file (TPM.Tcti …); among several at one of these places in this order.
 * Otherwise TPM.DevicePriority gives the order, /dev/tpmrm0 then tabrmd. A path stands for
 * device:PATH, and HOST:PORT for a user-mode resource manager, mssim:host=HOST,port=PORT.
 * /dev/tpm0 never passes the check: one process may open it once, and tpm2-pkcs11 opens it twice.
 *
 *     tlm_tcti_list list;
 *     if (tlm_tcti_candidates(&settings, &list, &error) == TLM_OK) {
 *         const tlm_tcti *chosen = tlm_tcti_choose(&list);
 *     }
 *     tlm_tcti_list_clear(&list);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>
#include <tlm/settings.h>

#define TLM_TCTI_MAX 8

typedef struct tlm_tcti {
    char *conf;         /* as Tss2_TctiLdr takes it: "device:/dev/tpmrm0", "swtpm:path=/…" */
    const char *origin; /* "--tcti", "TSS2_TCTI", "TPM.Tcti", … or "default order" */
    bool named;         /* by the operator: then it is the only candidate */
    bool simulated;     /* a socket of swtpm or mssim: not hardware-bound */
    tlm_error passed;   /* why it was passed over; result TLM_OK while it was not */
} tlm_tcti;

typedef struct tlm_tcti_list {
    tlm_tcti items[TLM_TCTI_MAX];
    size_t count;
} tlm_tcti_list;

/*
 * Fills `list` (clear it also after an error) from settings that tlm_settings_load made. `origin`
 * of the items points to texts that are never freed. More than TLM_TCTI_MAX is TLM_ERR_SETTING.
 */
TLM_CHECKED tlm_result tlm_tcti_candidates(const tlm_settings *settings, tlm_tcti_list *list,
                                           tlm_error *error);

/*
 * What can be found out without talking to a TPM: a device must exist, be a character device and
 * be openable; a unix socket must exist; tabrmd needs the system bus's socket. TLM_ERR_PERMISSION
 * has the node's owner, group and mode and our uid and gids by number; TLM_ERR_UNSUPPORTED is
 * /dev/tpm0; TLM_ERR_BUSY and TLM_ERR_TPM_UNAVAILABLE are the rest. Each has the command that mends
 * it. A TCP socket and TCTIs that are not known here pass.
 */
TLM_CHECKED tlm_result tlm_tcti_check(const tlm_tcti *tcti, tlm_error *error);

/*
 * The first candidate that passes tlm_tcti_check, each one passed over logged with its reason and
 * kept in `passed`. Where none passes, the first one: it may come later. NULL for an empty list.
 */
const tlm_tcti *tlm_tcti_choose(tlm_tcti_list *list);

void tlm_tcti_list_clear(tlm_tcti_list *list);

/* Whether the interface is one of a software TPM: a socket of swtpm or mssim, or libtpms itself. */
bool tlm_tcti_is_simulated(const char *conf);

#endif
