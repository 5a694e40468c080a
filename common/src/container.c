/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/container.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/mounts.h>

#include "container_internal.h"
#include "root_file.h"

#define CGROUP_MAX 65536U
#define UID_SIZE 36U
#define ACCOUNT "secrets/kubernetes.io/serviceaccount"

static const struct {
    tlm_container_kind kind;
    const char *name;
    const char *mark; /* what it writes into /run/systemd/container and $container */
} kinds[] = {
    {TLM_CONTAINER_NONE, "none", NULL},
    {TLM_CONTAINER_DOCKER, "docker", "docker"},
    {TLM_CONTAINER_PODMAN, "podman", "podman"},
    {TLM_CONTAINER_CONTAINERD, "containerd", "containerd"},
    {TLM_CONTAINER_CRIO, "cri-o", "crio"},
    {TLM_CONTAINER_LXC, "lxc", "lxc"},
    {TLM_CONTAINER_NSPAWN, "systemd-nspawn", "systemd-nspawn"},
    {TLM_CONTAINER_KUBERNETES, "kubernetes", NULL},
    {TLM_CONTAINER_OTHER, "other", NULL},
};

const char *tlm_container_kind_name(tlm_container_kind kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].name;
        }
    }
    return "other";
}

bool tlm_container_is_thrown_away(tlm_container_kind kind)
{
    return kind != TLM_CONTAINER_NONE && kind != TLM_CONTAINER_LXC && kind != TLM_CONTAINER_NSPAWN;
}

static tlm_container_kind kind_of_mark(const char *mark)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].mark != NULL && strncmp(mark, kinds[i].mark, strlen(kinds[i].mark)) == 0) {
            return kinds[i].kind;
        }
    }
    return TLM_CONTAINER_OTHER;
}

static bool is_hexadecimal(char digit)
{
    return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
}

bool tlm_container_is_id(const char *text)
{
    for (size_t i = 0; i < TLM_CONTAINER_ID_SIZE; i++) {
        if (!is_hexadecimal(text[i])) {
            return false;
        }
    }
    return !is_hexadecimal(text[TLM_CONTAINER_ID_SIZE]);
}

void tlm_container_note_id(tlm_container *container, const char *text, size_t size)
{
    if (container->id[0] == '\0' && size == TLM_CONTAINER_ID_SIZE && tlm_container_is_id(text)) {
        memcpy(container->id, text, TLM_CONTAINER_ID_SIZE);
        container->id[TLM_CONTAINER_ID_SIZE] = '\0';
    }
}

size_t tlm_container_uid_size(const char *text)
{
    for (size_t i = 0; i < UID_SIZE; i++) {
        bool line = i == 8 || i == 13 || i == 18 || i == 23;
        if (line ? text[i] != '-' && text[i] != '_' : !is_hexadecimal(text[i])) {
            return 0;
        }
    }
    return UID_SIZE;
}

void tlm_container_note_uid(tlm_container *container, const char *text)
{
    if (container->pod_uid[0] != '\0') {
        return;
    }
    for (size_t i = 0; i < UID_SIZE; i++) {
        container->pod_uid[i] = text[i];
        if (text[i] == '_') {
            container->pod_uid[i] = '-';
        }
    }
    container->pod_uid[UID_SIZE] = '\0';
}

static void add_evidence(tlm_container *container, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void add_evidence(tlm_container *container, const char *format, va_list arguments)
{
    if (container->evidence_count < TLM_CONTAINER_EVIDENCE_MAX) {
        (void)vsnprintf(container->evidence[container->evidence_count++],
                        TLM_CONTAINER_EVIDENCE_SIZE, format, arguments);
    }
}

void tlm_container_note(tlm_container *container, tlm_container_kind kind, const char *format, ...)
{
    bool news = container->kind == TLM_CONTAINER_NONE ||
                (container->kind == TLM_CONTAINER_KUBERNETES && kind != TLM_CONTAINER_OTHER);
    if (!news) {
        return;
    }
    container->kind = kind;
    va_list arguments;
    va_start(arguments, format);
    add_evidence(container, format, arguments);
    va_end(arguments);
}

void tlm_container_note_pod(tlm_container *container, const char *format, ...)
{
    if (container->kubernetes) {
        return;
    }
    container->kubernetes = true;
    va_list arguments;
    va_start(arguments, format);
    add_evidence(container, format, arguments);
    va_end(arguments);
}

static void read_cgroups(const char *root, tlm_container *container)
{
    /* The first one of a host's PID namespace is not in our container: our own comes first. */
    static const char *const names[] = {"/proc/self/cgroup", "/proc/1/cgroup"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *text = tlm_root_text(root, names[i], CGROUP_MAX);
        if (text != NULL) {
            tlm_container_read_cgroup(text, names[i], container);
        }
        free(text);
    }
}

static void read_mounts(const char *root, tlm_container *container)
{
    static const char name[] = "/proc/self/mountinfo";
    char *text = tlm_root_text(root, name, TLM_MOUNTS_MAX);
    if (text != NULL) {
        tlm_container_read_mounts(text, name, container);
    }
    free(text);
}

/* Of lines KEY="value" the one with an id; only privileged containers get any. */
static void read_containerenv(const char *root, tlm_container *container)
{
    static const char name[] = "/run/.containerenv";
    static const char key[] = "id=\"";
    if (!tlm_root_exists(root, name)) {
        return;
    }
    tlm_container_note(container, container->kubernetes ? TLM_CONTAINER_CRIO : TLM_CONTAINER_PODMAN,
                       "%s", name);
    char *text = tlm_root_text(root, name, CGROUP_MAX);
    const char *line = text;
    while (line != NULL) {
        if (strncmp(line, key, sizeof key - 1) == 0) {
            line += sizeof key - 1;
            tlm_container_note_id(container, line, strcspn(line, "\"\n"));
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    free(text);
}

static void read_marks(const char *root, tlm_container *container)
{
    static const char *const files[] = {"/run/systemd/container", "/run/host/container-manager"};
    char mark[64];
    if (tlm_root_exists(root, "/.dockerenv")) {
        tlm_container_note(container, TLM_CONTAINER_DOCKER, "/.dockerenv");
    }
    read_containerenv(root, container);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (tlm_root_line(root, files[i], mark, sizeof mark)) {
            tlm_container_note(container, kind_of_mark(mark), "%s: %s", files[i], mark);
        } else if (tlm_root_exists(root, files[i])) {
            tlm_container_note(container, TLM_CONTAINER_OTHER, "%s", files[i]);
        }
    }
    if (tlm_root_variable(root, "container", mark, sizeof mark)) {
        tlm_container_note(container, kind_of_mark(mark), "$container: %s", mark);
    }
}

static void read_service_account(const char *root, tlm_container *container)
{
    static const char *const places[] = {"/run/" ACCOUNT, "/var/run/" ACCOUNT};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !container->kubernetes; i++) {
        char path[128];
        if (tlm_root_exists(root, places[i])) {
            tlm_container_note_pod(container, "%s", places[i]);
            (void)snprintf(path, sizeof path, "%s/namespace", places[i]);
            (void)tlm_root_line(root, path, container->pod_space, sizeof container->pod_space);
        }
    }
}

static void read_pod(const char *root, tlm_container *container)
{
    char value[64];
    /* Set by hand on a host too, for a tool: so it counts beside another sign alone. */
    if (container->kind != TLM_CONTAINER_NONE &&
        tlm_root_variable(root, "KUBERNETES_SERVICE_HOST", value, sizeof value)) {
        tlm_container_note_pod(container, "$KUBERNETES_SERVICE_HOST");
    }
    if (!container->kubernetes) {
        return;
    }
    if (container->kind == TLM_CONTAINER_NONE) {
        container->kind = TLM_CONTAINER_KUBERNETES;
    }
    if (!tlm_root_variable(root, "POD_NAME", container->pod, sizeof container->pod)) {
        (void)tlm_root_line(root, "/etc/hostname", container->pod, sizeof container->pod);
    }
}

bool tlm_container_look(const char *root, tlm_container *container)
{
    memset(container, 0, sizeof *container);
    read_service_account(root, container);
    read_cgroups(root, container);
    read_mounts(root, container);
    read_marks(root, container);
    read_pod(root, container);
    return container->kind != TLM_CONTAINER_NONE;
}
