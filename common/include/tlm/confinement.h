/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CONFINEMENT_H
#define TLM_CONFINEMENT_H

/*
 * How tightly the kernel holds this process, out of /proc/self/status: what a container's
 * `privileged` gives away.
 *
 *     tlm_confinement confinement;
 *     if (tlm_confinement_look("/", &confinement) && tlm_confinement_is_none(&confinement)) …
 */

#include <stdbool.h>
#include <stdint.h>

#define TLM_SECCOMP_UNKNOWN (-1)

typedef struct tlm_confinement {
    uint64_t effective; /* capabilities(7), one bit each */
    uint64_t bounding;  /* what this process, or a program it starts, can ever have */
    uint64_t known;     /* all that this kernel has */
    int seccomp;        /* 0 off, 1 strict, 2 filter, TLM_SECCOMP_UNKNOWN */
    bool no_new_privileges;
    bool host_users; /* user ids are the host's: no user namespace */
} tlm_confinement;

/* Reads below `root`; false where /proc/self/status has no capabilities. */
bool tlm_confinement_look(const char *root, tlm_confinement *confinement);

/* Takes the text of /proc/self/status; false where it has no line CapBnd. */
bool tlm_confinement_parse(const char *text, tlm_confinement *confinement);

/*
 * Whether nothing that counts is held back: the bounding set has all that make one process root of
 * the host (modules, raw memory and devices, other processes, mounts, any file by its handle), over
 * the host's user ids. That is `--privileged`, or `--cap-add ALL`; a host may hold back others from
 * everybody. (An ordinary user in a privileged container has no effective capability; what it could
 * get the bounding set shows.)
 */
bool tlm_confinement_is_none(const tlm_confinement *confinement);

#endif
