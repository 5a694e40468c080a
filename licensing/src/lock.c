/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <tlm/file.h>

static tlm_result held(int file, const char *directory, tlm_error *error)
{
    char owner[24] = "";
    ssize_t got = pread(file, owner, sizeof owner - 1, 0);
    owner[got > 0 ? got : 0] = '\0';
    owner[strspn(owner, "0123456789")] = '\0';
    tlm_result result = TLM_ERR_BUSY;
    if (owner[0] == '\0') {
        (void)tlm_error_set(error, result, NULL, "another process uses %s", directory);
        tlm_error_set_hint(error, "Find it: fuser -v '%s/%s'", directory, TLM_LOCK_FILE);
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
        /* The PID is for messages alone; a full disk must not stop a warm start. */
        if (writable && ftruncate(opened, 0) == 0) {
            (void)dprintf(opened, "%ld\n", (long)getpid());
        }
        *file = opened;
    }
    free(path);
    return result;
}
