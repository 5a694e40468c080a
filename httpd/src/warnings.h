/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_WARNINGS_H
#define TLM_WARNINGS_H

/*
 * What works and yet an operator should know of the container: /status shows it under `warnings`.
 * Outside of containers nothing is warned of. A notice that does not hold any more is taken away.
 *
 *     tlm_notices warnings = {0};
 *     tlm_warnings_of_start(&warnings, &container, "/", settings->persistence_dir);
 *     tlm_warnings_of_device(&warnings, &container, NULL);
 *     tlm_warnings_of_engine(&warnings, &container, &facts);
 */

#include <tlm/container.h>

#include "engine.h"
#include "notices.h"

/*
 * `persistence-not-on-volume` and `privileged`: what is fixed as long as the container runs, out of
 * mountinfo and status of /proc/self below `root`.
 */
void tlm_warnings_of_start(tlm_notices *warnings, const tlm_container *container, const char *root,
                           const char *persistence_dir);

/* `tpm-device`: why the TPM that is wanted cannot be opened; NULL: it can, or none is wanted. */
void tlm_warnings_of_device(tlm_notices *warnings, const tlm_container *container,
                            const tlm_error *refused);

/* `docker-socket-writable`. */
void tlm_warnings_of_engine(tlm_notices *warnings, const tlm_container *container,
                            const tlm_engine_facts *facts);

#endif
