/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What engines mount into a container: in a control group namespace of its own (version 2) the
 * path of the control group is "/", and these alone tell container and engine.
 */
#include "container_internal.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/mounts.h>

/* The files that engines put in the place of the image's. */
static bool is_engine_file(const char *point)
{
    static const char *const points[] = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        if (strcmp(point, points[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The id behind WORD in a path, "…/containers/<id>/hostname"; NULL where there is none. */
static const char *id_behind(const char *path, const char *word)
{
    const char *at = strstr(path, word);
    while (at != NULL) {
        at += strlen(word);
        if (tlm_container_is_id(at)) {
            return at;
        }
        at = strstr(at, word);
    }
    return NULL;
}

/* nerdctl: "…/containers/<namespace>/<id>/hostname", "…/etchosts/<namespace>/<id>/hosts". */
static const char *id_of_nerdctl(const char *path)
{
    static const char *const words[] = {"/containers/", "/etchosts/"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(path, words[i]);
        const char *slash = at != NULL ? strchr(at + strlen(words[i]), '/') : NULL;
        if (slash != NULL && tlm_container_is_id(slash + 1)) {
            return slash + 1;
        }
    }
    return NULL;
}

/* Podman and CRI-O both stand on containers/storage; in a pod it is CRI-O. */
static tlm_container_kind storage_kind(const tlm_container *container)
{
    return container->kubernetes ? TLM_CONTAINER_CRIO : TLM_CONTAINER_PODMAN;
}

static void read_pod(const tlm_mount *mount, tlm_container *container)
{
    static const char pods[] = "/pods/";
    static const char members[] = "/containers/";
    const char *at = strstr(mount->root, pods);
    bool kubelets = strcmp(mount->point, "/etc/hosts") == 0 ||
                    strcmp(mount->point, "/dev/termination-log") == 0;
    if (!kubelets || at == NULL || tlm_container_uid_size(at + sizeof pods - 1) == 0) {
        return;
    }
    at += sizeof pods - 1;
    tlm_container_note_pod(container, "/proc/self/mountinfo: %s is %s", mount->point, mount->root);
    tlm_container_note_uid(container, at);
    at = strstr(at, members);
    size_t size = at != NULL ? strcspn(at + sizeof members - 1, "/") : 0;
    if (size > 0 && size < sizeof container->pod_member && container->pod_member[0] == '\0') {
        memcpy(container->pod_member, at + sizeof members - 1, size);
        container->pod_member[size] = '\0';
    }
}

/* A sandbox's id is not that of the container in it: only the kind is taken from it. */
static bool read_sandbox(const tlm_mount *mount, const char *file, tlm_container *container)
{
    if (is_engine_file(mount->point) && strstr(mount->root, "/sandboxes/") != NULL &&
        strstr(mount->root, "io.containerd.") != NULL) {
        tlm_container_note(container, TLM_CONTAINER_CONTAINERD, "%s: %s is %s", file, mount->point,
                           mount->root);
        return true;
    }
    return false;
}

static void read_engine(const tlm_mount *mount, const char *file, tlm_container *container)
{
    bool mark = strcmp(mount->point, "/run/.containerenv") == 0;
    if (read_sandbox(mount, file, container) || (!mark && !is_engine_file(mount->point))) {
        return;
    }
    tlm_container_kind kind = storage_kind(container);
    const char *id = id_behind(mount->root, "/overlay-containers/");
    if (id == NULL && !mark) {
        kind = TLM_CONTAINER_DOCKER;
        id = id_behind(mount->root, "/containers/");
    }
    if (id == NULL && !mark) {
        kind = TLM_CONTAINER_CONTAINERD;
        id = id_of_nerdctl(mount->root);
    }
    if (id == NULL) {
        return;
    }
    tlm_container_note(container, kind, "%s: %s is %s", file, mount->point, mount->root);
    if (kind == TLM_CONTAINER_CRIO && !mark) {
        return; /* of the sandbox */
    }
    tlm_container_note_id(container, id, TLM_CONTAINER_ID_SIZE);
}

/* Where nothing else shows the engine: the place of the root file system's layers. */
static void read_layers(const tlm_mount *mount, const char *file, tlm_container *container)
{
    static const struct {
        const char *place;
        tlm_container_kind kind;
    } layers[] = {
        {"/docker/overlay2/", TLM_CONTAINER_DOCKER},
        {"/docker/fuse-overlayfs/", TLM_CONTAINER_DOCKER},
        {"/containers/storage/overlay", TLM_CONTAINER_PODMAN},
        {"io.containerd.snapshotter.", TLM_CONTAINER_CONTAINERD},
    };
    for (size_t i = 0; strcmp(mount->point, "/") == 0 && i < sizeof layers / sizeof layers[0];
         i++) {
        if (tlm_mount_has_option(mount, layers[i].place)) {
            bool storage = layers[i].kind == TLM_CONTAINER_PODMAN;
            tlm_container_note(container, storage ? storage_kind(container) : layers[i].kind,
                               "%s: the layers of / are below %s", file, layers[i].place);
            return;
        }
    }
    if (strcmp(mount->type, "fuse.lxcfs") == 0 && strncmp(mount->point, "/proc/", 6) == 0) {
        tlm_container_note(container, TLM_CONTAINER_LXC, "%s: %s is of lxcfs", file, mount->point);
    }
}

void tlm_container_read_mounts(const char *text, const char *file, tlm_container *container)
{
    tlm_mount *mount = malloc(sizeof *mount);
    if (mount == NULL) {
        return;
    }
    for (const char *next = text; tlm_mounts_next(&next, mount);) {
        read_pod(mount, container);
    }
    /* The mark is the container's own; the other files may be the sandbox's of its pod. */
    for (const char *next = text; tlm_mounts_next(&next, mount);) {
        if (strcmp(mount->point, "/run/.containerenv") == 0) {
            read_engine(mount, file, container);
        }
    }
    for (const char *next = text; tlm_mounts_next(&next, mount);) {
        read_engine(mount, file, container);
    }
    for (const char *next = text;
         container->kind == TLM_CONTAINER_NONE && tlm_mounts_next(&next, mount);) {
        read_layers(mount, file, container);
    }
    free(mount);
}
