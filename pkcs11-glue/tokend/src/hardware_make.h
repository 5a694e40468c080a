/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HARDWARE_MAKE_H
#define TLM_HARDWARE_MAKE_H

/*
 * Counter and clock for the back end of a token store: those of the TPM, or files and the system.
 *
 *     tlm_hardware *hardware = NULL;
 *     if (tlm_hardware_open(&store, "device:/dev/tpmrm0", &hardware, &error) == TLM_OK) {
 *         config.hardware = hardware;
 *     }
 *     …
 *     tlm_hardware_close(&hardware);
 */

#include <tlm/store.h>

#include "hardware.h"

/*
 * Nothing is opened yet: a TPM that is away now is used once it answers, and opened again when it
 * was lost. `tcti` is the TPM's interface, and NULL for a store without one.
 */
TLM_CHECKED tlm_result tlm_hardware_open(const tlm_store *store, const char *tcti,
                                         tlm_hardware **hardware, tlm_error *error);

/* After its last use. Accepts NULL. */
void tlm_hardware_close(tlm_hardware **hardware);

/* What the constructors share with tlm_hardware_close: `hardware` is the first member. */
typedef struct tlm_hardware_owner {
    tlm_hardware hardware;
    void (*release)(struct tlm_hardware_owner *self);
} tlm_hardware_owner;

/* hardware_tpm.c and hardware_file.c; the strings are copied. NULL where memory is out. */
tlm_hardware_owner *tlm_hardware_of_tpm(const char *tcti);
tlm_hardware_owner *tlm_hardware_of_files(const char *directory);

#endif
