/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's texts about a container over any bytes: mountinfo, cgroup and status, in which
 * whoever makes a container chooses names. The first byte says which one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/confinement.h>
#include <tlm/mounts.h>

#include "../../common/src/container_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const tlm_container *container)
{
    if (container->evidence_count > TLM_CONTAINER_EVIDENCE_MAX ||
        memchr(container->id, '\0', sizeof container->id) == NULL ||
        memchr(container->pod_uid, '\0', sizeof container->pod_uid) == NULL ||
        memchr(container->pod_member, '\0', sizeof container->pod_member) == NULL ||
        (container->kind == TLM_CONTAINER_NONE && container->id[0] != '\0')) {
        abort();
    }
}

static void read_mounts(const char *text)
{
    static tlm_mount mount;
    tlm_container container = {.kind = TLM_CONTAINER_NONE};
    tlm_container_read_mounts(text, "mounts", &container);
    check(&container);
    for (const char *next = text; tlm_mounts_next(&next, &mount);) {
        char *point = strdup(mount.point);
        /* Where something is mounted, something is found: this mount, or one above it. */
        if (mount.point[0] != '/' || point == NULL || !tlm_mounts_find(text, point, &mount) ||
            strcmp(mount.point, point) != 0) {
            abort();
        }
        (void)tlm_mount_has_option(&mount, "upperdir=");
        free(point);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Searching is quadratic in the lines; the kernel's own limits are far below this. */
    if (size == 0 || size > 65536) {
        return 0;
    }
    char *text = strndup((const char *)data + 1, size - 1);
    if (text == NULL) {
        return 0;
    }
    if (data[0] == 'm') {
        read_mounts(text);
    } else if (data[0] == 'c') {
        tlm_container container = {.kind = TLM_CONTAINER_NONE};
        tlm_container_read_cgroup(text, "cgroup", &container);
        check(&container);
    } else {
        tlm_confinement confinement;
        if (tlm_confinement_parse(text, &confinement) &&
            (confinement.seccomp < TLM_SECCOMP_UNKNOWN || confinement.seccomp > 2)) {
            abort();
        }
    }
    free(text);
    return 0;
}
