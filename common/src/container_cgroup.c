/* SPDX-License-Identifier: BSD-2-Clause */
/* The names that engines and kubelets give to control groups, version 1 and 2. */
#include "container_internal.h"

#include <limits.h>
#include <string.h>

/* "<prefix><64 digits>", as systemd's scopes are named. */
static const struct {
    const char *prefix;
    tlm_container_kind kind;
} scopes[] = {
    {"docker-", TLM_CONTAINER_DOCKER},
    {"libpod-", TLM_CONTAINER_PODMAN},
    {"cri-containerd-", TLM_CONTAINER_CONTAINERD},
    {"cri-containerd:", TLM_CONTAINER_CONTAINERD},
    {"nerdctl-", TLM_CONTAINER_CONTAINERD},
    {"crio-", TLM_CONTAINER_CRIO},
};

/* Directories of cgroupfs, whose next component is the container. */
static const struct {
    const char *name;
    tlm_container_kind kind;
} parents[] = {
    {"docker", TLM_CONTAINER_DOCKER},
    {"libpod_parent", TLM_CONTAINER_PODMAN},
    {"lxc", TLM_CONTAINER_LXC},
    {"lxc.payload", TLM_CONTAINER_LXC},
    {"buildkit", TLM_CONTAINER_CONTAINERD},
    {"nerdctl", TLM_CONTAINER_CONTAINERD},
};

typedef struct part {
    const char *at;
    size_t size;
} part;

/* What a path names: the innermost container counts. */
typedef struct found {
    tlm_container_kind kind;
    part id;
} found;

static bool starts(const part *name, const char *prefix)
{
    size_t size = strlen(prefix);
    return name->size >= size && memcmp(name->at, prefix, size) == 0;
}

static void read_uid(const part *name, tlm_container *container)
{
    for (size_t i = 0; i + 3 < name->size; i++) {
        if (memcmp(name->at + i, "pod", 3) == 0 && tlm_container_uid_size(name->at + i + 3) > 0) {
            tlm_container_note_uid(container, name->at + i + 3);
            return;
        }
    }
}

static bool read_scope(const part *name, found *inner)
{
    static const char payload[] = "lxc.payload.";
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        size_t size = strlen(scopes[i].prefix);
        const char *at = memmem(name->at, name->size, scopes[i].prefix, size);
        if (at != NULL && (at == name->at || at[-1] == ':') && tlm_container_is_id(at + size)) {
            *inner = (found){scopes[i].kind, {at + size, TLM_CONTAINER_ID_SIZE}};
            return true;
        }
    }
    if (starts(name, payload) && name->size > sizeof payload - 1) {
        *inner = (found){TLM_CONTAINER_LXC,
                         {name->at + sizeof payload - 1, name->size - (sizeof payload - 1)}};
        return true;
    }
    return false;
}

static void read_part(const part *name, const part *next, found *inner)
{
    if (read_scope(name, inner)) {
        return;
    }
    for (size_t i = 0; next->size > 0 && i < sizeof parents / sizeof parents[0]; i++) {
        if (name->size == strlen(parents[i].name) && starts(name, parents[i].name)) {
            *inner = (found){parents[i].kind, *next};
        }
    }
}

static void note_inner(const found *inner, tlm_container *container)
{
    if (inner->kind != TLM_CONTAINER_LXC) {
        tlm_container_note_id(container, inner->id.at, inner->id.size);
    } else if (container->id[0] == '\0') {
        size_t size = inner->id.size < sizeof container->id ? inner->id.size : 0;
        memcpy(container->id, inner->id.at, size);
        container->id[size] = '\0';
    }
}

static void read_path(const char *path, const char *file, tlm_container *container)
{
    found inner = {TLM_CONTAINER_NONE, {path, 0}};
    bool pod = false;
    int shown = (int)strcspn(path, "\n");
    for (const char *at = path; *at == '/';) {
        part name = {at + 1, strcspn(at + 1, "/\n")};
        part next = {name.at + name.size, 0};
        if (*next.at == '/') {
            next.at++;
            next.size = strcspn(next.at, "/\n");
        }
        at = name.at + name.size;
        if (starts(&name, "kubepods")) {
            pod = true;
            inner.kind = TLM_CONTAINER_KUBERNETES;
        }
        if (pod) {
            read_uid(&name, container);
        }
        read_part(&name, &next, &inner);
        if (inner.kind == TLM_CONTAINER_KUBERNETES) {
            inner.id = name;
        }
    }
    container->kubernetes = container->kubernetes || pod;
    if (inner.kind != TLM_CONTAINER_NONE) {
        note_inner(&inner, container);
        tlm_container_note(container, inner.kind, "%s: %.*s", file, shown, path);
    }
}

/* Lines "ID:CONTROLLERS:PATH". The kernel keeps paths below PATH_MAX, so that int holds a size. */
void tlm_container_read_cgroup(const char *text, const char *file, tlm_container *container)
{
    for (const char *line = text; *line != '\0' && container->kind == TLM_CONTAINER_NONE;) {
        size_t size = strcspn(line, "\n");
        const char *first = memchr(line, ':', size);
        const char *path =
            first != NULL ? memchr(first + 1, ':', size - (size_t)(first + 1 - line)) : NULL;
        if (path != NULL && size < PATH_MAX) {
            read_path(path + 1, file, container);
        }
        line += size + (line[size] == '\n' ? 1 : 0);
    }
}
