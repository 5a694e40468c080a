/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CONTAINER_H
#define TLM_CONTAINER_H

/*
 * Whether this process runs in a container, of which kind, and what shows it.
 *
 * Read below a root directory, so that tests bring systems of their own: cgroup, mountinfo, the
 * marks that engines leave, a pod's service account. The environment counts too: for "/" that of
 * this process, elsewhere what ROOT/proc/self/environ has.
 *
 *     tlm_container container;
 *     if (tlm_container_look("/", &container)) {
 *         printf("%s %s\n", tlm_container_kind_name(container.kind), container.id);
 *     }
 */

#include <stdbool.h>
#include <stddef.h>

#define TLM_CONTAINER_EVIDENCE_MAX 6
#define TLM_CONTAINER_EVIDENCE_SIZE 224

typedef enum tlm_container_kind {
    TLM_CONTAINER_NONE,
    TLM_CONTAINER_DOCKER,
    TLM_CONTAINER_PODMAN,
    TLM_CONTAINER_CONTAINERD,
    TLM_CONTAINER_CRIO,
    TLM_CONTAINER_LXC,
    TLM_CONTAINER_NSPAWN,
    TLM_CONTAINER_KUBERNETES, /* a pod, and nothing tells what runs its containers */
    TLM_CONTAINER_OTHER       /* something calls itself a container */
} tlm_container_kind;

typedef struct tlm_container {
    tlm_container_kind kind;
    char id[65]; /* 64 hexadecimal digits, for LXC the name; empty where nothing shows it */
    bool kubernetes;
    char pod_uid[37];    /* these four empty where not known */
    char pod[254];       /* $POD_NAME, else the host name */
    char pod_space[64];  /* the namespace, of the service account */
    char pod_member[64]; /* the container's name in its pod */
    char evidence[TLM_CONTAINER_EVIDENCE_MAX][TLM_CONTAINER_EVIDENCE_SIZE];
    size_t evidence_count;
} tlm_container;

/* Fills `container`; true where there is one. Nothing that is missing or unreadable is an error. */
bool tlm_container_look(const char *root, tlm_container *container);

/* "docker", "podman", "containerd", "cri-o", "lxc", "systemd-nspawn", "kubernetes", "other";
 * "none". */
const char *tlm_container_kind_name(tlm_container_kind kind);

/*
 * Whether the kind throws its root file system away when the container is made anew: all but LXC
 * and systemd-nspawn, which keep a system like a machine's.
 */
bool tlm_container_is_thrown_away(tlm_container_kind kind);

#endif
