/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HOST_H
#define TLM_HOST_H

/*
 * The host's components: what makes this machine this machine when there is no TPM.
 *
 * Read from /sys and /proc below a root directory, so that tests bring a host of their own. In a
 * container the host's values count: sources that show the container's own are left out.
 *
 *     tlm_host_component components[TLM_HOST_COMPONENTS];
 *     size_t count = tlm_host_components("/", salt, sizeof salt, components);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>

#define TLM_HOST_COMPONENTS 6

typedef struct tlm_host_component {
    char id[16];     /* "cpu", "system", "board", "machine-id", "disk", "network" */
    unsigned weight; /* how much it says about the host */
    bool present;    /* false: none, or not readable for this user */
    char sha256[65]; /* of salt, id, a zero byte and value, hexadecimal; empty if not present */
} tlm_host_component;

/* Runtime context of the process. */
typedef enum tlm_runtime {
    TLM_RUNTIME_INTERACTIVE,
    TLM_RUNTIME_DAEMON,
    TLM_RUNTIME_CONTAINER
} tlm_runtime;
tlm_runtime tlm_host_runtime(const char *root);
const char *tlm_runtime_name(tlm_runtime runtime);

/* Fills all TLM_HOST_COMPONENTS, always in the same order; returns how many are present. */
size_t tlm_host_components(const char *root, const void *salt, size_t salt_size,
                           tlm_host_component components[TLM_HOST_COMPONENTS]);

#endif
