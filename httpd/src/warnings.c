/* SPDX-License-Identifier: BSD-2-Clause */
#include "warnings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/confinement.h>
#include <tlm/log.h>
#include <tlm/mounts.h>

/* Where the files of the persistence directory really are. */
typedef enum place {
    PLACE_VOLUME,
    PLACE_CONTAINER, /* with the root file system, which goes with the container */
    PLACE_MEMORY,
    PLACE_NAMELESS /* a volume that the engine made unasked: the next container gets another */
} place;

/* `changed` is what the list said when the notice was raised: it is logged once. */
static void tell(bool changed, const char *code, const tlm_error *error)
{
    if (changed) {
        tlm_log_write_error(TLM_LOG_WARNING, __func__, error, "container_warning", "warning=%s",
                            code);
    }
}

/* What `docker exec` and `docker cp` take: the id's beginning, as `docker ps` shows it. */
static const char *container_name(const tlm_container *container, char name[16])
{
    (void)snprintf(name, 16, "%.12s", container->id[0] != '\0' ? container->id : "CONTAINER");
    return name;
}

/* The program on the host that speaks of this container. */
static const char *command_of(const tlm_container *container)
{
    switch (container->kind) {
    case TLM_CONTAINER_PODMAN:
        return "podman";
    case TLM_CONTAINER_CONTAINERD:
        return "nerdctl";
    default:
        return "docker";
    }
}

/* "…/volumes/<64 digits>/_data" */
static bool is_nameless(const char *root)
{
    static const char volumes[] = "/volumes/";
    const char *at = strstr(root, volumes);
    return at != NULL && strspn(at + sizeof volumes - 1, "0123456789abcdef") == 64 &&
           strcmp(at + sizeof volumes - 1 + 64, "/_data") == 0;
}

/* The layers of an image: overlay and its like, or a part of the file system of the host. */
static bool is_layered(const tlm_mount *mount)
{
    static const char *const types[] = {"overlay", "aufs", "fuse.fuse-overlayfs", "zfs"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(mount->type, types[i]) == 0) {
            return true;
        }
    }
    return strcmp(mount->root, "/") != 0;
}

static place judge(const tlm_mount *mount)
{
    if (strcmp(mount->type, "tmpfs") == 0 || strcmp(mount->type, "ramfs") == 0) {
        return PLACE_MEMORY;
    }
    if (strcmp(mount->point, "/") == 0) {
        return is_layered(mount) ? PLACE_CONTAINER : PLACE_VOLUME;
    }
    return is_nameless(mount->root) ? PLACE_NAMELESS : PLACE_VOLUME;
}

/* The directory as the kernel knows it, or as far up as there is one; to be freed. */
static char *resolve(const char *root, const char *directory)
{
    char *path = strdup(directory);
    char *found = NULL;
    while (path != NULL && strcmp(root, "/") == 0 && (found = realpath(path, NULL)) == NULL) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            found = realpath(".", NULL);
            break;
        }
        if (slash == path) {
            break;
        }
        *slash = '\0';
    }
    if (found != NULL) {
        free(path);
        return found;
    }
    return path;
}

static void hint_at_volume(const tlm_container *container, const char *directory, place where,
                           tlm_error *error)
{
    char name[16];
    if (container->kubernetes) {
        tlm_error_set_hint(error,
                           "Give the pod a volume with mountPath: %s (a hostPath of the node "
                           "whose TPM it uses)",
                           directory);
        return;
    }
    if (where == PLACE_MEMORY) {
        tlm_error_set_hint(error,
                           "Take the tmpfs off and mount a directory of the host there: "
                           "%s run -v ./_persistence:%s …",
                           command_of(container), directory);
        return;
    }
    tlm_error_set_hint(error,
                       "Save what is there, %s cp %s:%s/. ./_persistence, and start it anew "
                       "with -v ./_persistence:%s",
                       command_of(container), container_name(container, name), directory,
                       directory);
}

static void judge_persistence(tlm_notices *warnings, const tlm_container *container,
                              const char *root, const char *directory)
{
    static const char *const words[] = {
        [PLACE_CONTAINER] = "is in the container's own file system: with the container go the "
                            "keys and licenses in it",
        [PLACE_MEMORY] = "is in memory: at the container's next stop the keys and licenses in it "
                         "are gone",
        [PLACE_NAMELESS] = "is on a volume without a name: a new container gets another one, "
                           "without the keys and licenses in it",
    };
    place where = PLACE_VOLUME;
    tlm_mount *mount = malloc(sizeof *mount);
    char *path = resolve(root, directory);
    if (mount != NULL && path != NULL && tlm_mounts_look(root, path, mount)) {
        where = judge(mount);
    }
    if (where == PLACE_VOLUME) {
        (void)tlm_notices_clear(warnings, "persistence-not-on-volume");
    } else {
        tlm_error error = {0};
        (void)tlm_error_set(&error, TLM_ERR_SETTING, NULL, "%s %s (%s)", directory, words[where],
                            mount->type);
        hint_at_volume(container, directory, where, &error);
        tell(tlm_notices_raise(warnings, "persistence-not-on-volume", &error),
             "persistence-not-on-volume", &error);
    }
    free(path);
    free(mount);
}

static void judge_confinement(tlm_notices *warnings, const tlm_container *container,
                              const char *root)
{
    static const char *const filters[] = {"off", "strict", "on"};
    tlm_confinement confinement;
    if (!tlm_confinement_look(root, &confinement) || !tlm_confinement_is_none(&confinement)) {
        (void)tlm_notices_clear(warnings, "privileged");
        return;
    }
    tlm_error error = {0};
    (void)tlm_error_set(
        &error, TLM_ERR_SETTING, NULL,
        "the container runs privileged: %d of the kernel's %d capabilities are in its reach "
        "(CapBnd %016llx), seccomp is %s; who takes it over has the host",
        __builtin_popcountll(confinement.bounding & confinement.known),
        __builtin_popcountll(confinement.known), (unsigned long long)confinement.bounding,
        confinement.seccomp >= 0 ? filters[confinement.seccomp] : "unknown");
    tlm_error_set_hint(&error,
                       "Leave out privileged: true (--privileged, --cap-add ALL); the TPM needs no "
                       "more than %s run --cap-drop ALL --device /dev/tpmrm0 --group-add $(getent "
                       "group tss | cut -d: -f3)",
                       command_of(container));
    tell(tlm_notices_raise(warnings, "privileged", &error), "privileged", &error);
}

void tlm_warnings_of_start(tlm_notices *warnings, const tlm_container *container, const char *root,
                           const char *persistence_dir)
{
    if (!tlm_container_is_thrown_away(container->kind)) {
        return;
    }
    judge_persistence(warnings, container, root, persistence_dir);
    judge_confinement(warnings, container, root);
}

void tlm_warnings_of_device(tlm_notices *warnings, const tlm_container *container,
                            const tlm_error *refused)
{
    if (container->kind == TLM_CONTAINER_NONE || refused == NULL || refused->result == TLM_OK) {
        (void)tlm_notices_clear(warnings, "tpm-device");
        return;
    }
    tell(tlm_notices_raise(warnings, "tpm-device", refused), "tpm-device", refused);
}

void tlm_warnings_of_engine(tlm_notices *warnings, const tlm_container *container,
                            const tlm_engine_facts *facts)
{
    if (container->kind == TLM_CONTAINER_NONE || facts == NULL ||
        facts->state != TLM_ENGINE_ANSWERING || facts->access != TLM_ENGINE_ACCESS_WRITE) {
        (void)tlm_notices_clear(warnings, "docker-socket-writable");
        return;
    }
    tlm_error error = {0};
    (void)tlm_error_set(
        &error, TLM_ERR_SETTING,
        "Leave the socket out of the container, or let the read-only proxy stand before it: "
        "docker-compose -f docker-compose.yml -f docker-compose.docker-api.yml up -d",
        "through %s this container can start and change containers: who takes it over has the "
        "host (a mount with :ro does not change that, a socket can be written to all the same)",
        facts->host);
    tell(tlm_notices_raise(warnings, "docker-socket-writable", &error), "docker-socket-writable",
         &error);
}
