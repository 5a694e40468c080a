/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <tlm/container.h>
#include <tlm/file.h>

#define PLACE_MAX (HOST_NAME_MAX + 80)

/* Where a process number counts: "pid:[4026531836]" and the container, or the host's name. */
static void describe_place(char *place, size_t size)
{
    char space[64] = "";
    char host[HOST_NAME_MAX + 1] = "";
    tlm_container container;
    ssize_t length = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[length > 0 ? length : 0] = '\0';
    /* What `docker stop` takes: with the host's network a container has the host's name. */
    if (tlm_container_look("/", &container) && container.id[0] != '\0') {
        (void)snprintf(host, sizeof host, "%.12s", container.id);
    } else if (gethostname(host, sizeof host - 1) != 0) {
        host[0] = '\0';
    }
    (void)snprintf(place, size, "%s %s", space[0] != '\0' ? space : "-", host);
}

/* Of the owner's place: its host name, where it is another place than ours; otherwise NULL. */
static const char *other_host(char *place)
{
    char ours[PLACE_MAX];
    describe_place(ours, sizeof ours);
    place[strcspn(place, "\n")] = '\0';
    char *host = strchr(place, ' ');
    if (host == NULL || strcmp(place, ours) == 0) {
        return NULL;
    }
    for (char *next = ++host; *next != '\0'; next++) {
        if (isalnum((unsigned char)*next) == 0 && strchr(".-_", *next) == NULL) {
            *next = '?';
        }
    }
    return host;
}

static tlm_result held(int file, const char *directory, tlm_error *error)
{
    char owner[PLACE_MAX + 24] = "";
    ssize_t got = pread(file, owner, sizeof owner - 1, 0);
    owner[got > 0 ? got : 0] = '\0';
    size_t digits = strspn(owner, "0123456789");
    const char *host = owner[digits] == '\n' ? other_host(owner + digits + 1) : NULL;
    owner[digits] = '\0';
    tlm_result result = TLM_ERR_BUSY;
    if (owner[0] == '\0') {
        (void)tlm_error_set(error, result, NULL, "another process uses %s", directory);
        tlm_error_set_hint(error, "Find it: fuser -v '%s/%s'", directory, TLM_LOCK_FILE);
        return result;
    }
    if (host != NULL) {
        (void)tlm_error_set(error, result, NULL, "process %s of container or host %s uses %s",
                            owner, host, directory);
        tlm_error_set_hint(error,
                           "Stop that one (docker stop %s), or give this one a volume of its own: "
                           "no two share a persistence directory",
                           host);
        return result;
    }
    (void)tlm_error_set(error, result, NULL, "process %s uses %s", owner, directory);
    tlm_error_set_hint(error,
                       "Stop it (see what it is: ps -fp %s), or name another directory: "
                       "--persistence-dir DIR",
                       owner);
    return result;
}

tlm_result tlm_lock_take(const char *directory, int *file, tlm_error *error)
{
    char *path = tlm_path_join(directory, TLM_LOCK_FILE);
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    }
    int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool writable = opened >= 0;
    if (!writable && errno != ENOENT) {
        int number = errno;
        /* A lock needs no write access: one that an earlier run left serves. */
        opened = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        errno = number;
    }
    tlm_result result = TLM_OK;
    if (opened < 0) {
        result = tlm_error_set_errno(error, NULL, "opening %s", path);
    } else if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
        result = errno == EWOULDBLOCK ? held(opened, directory, error)
                                      : tlm_error_set_errno(error, NULL, "locking %s", path);
        (void)close(opened);
    } else {
        /* Who and where is for messages alone; a full disk must not stop a warm start. */
        char place[PLACE_MAX];
        describe_place(place, sizeof place);
        if (writable && ftruncate(opened, 0) == 0) {
            (void)dprintf(opened, "%ld\n%s\n", (long)getpid(), place);
        }
        *file = opened;
    }
    free(path);
    return result;
}
