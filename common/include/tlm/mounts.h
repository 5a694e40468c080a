/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_MOUNTS_H
#define TLM_MOUNTS_H

/*
 * What is mounted where, out of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
 *
 *     const char *next = text;
 *     tlm_mount mount;
 *     while (tlm_mounts_next(&next, &mount)) {
 *         printf("%s is %s\n", mount.point, mount.type);
 *     }
 *     if (tlm_mounts_find(text, "/etc/asperion/trustedLicensing/persistence", &mount)) …
 */

#include <stdbool.h>
#include <stddef.h>

#define TLM_MOUNT_PATH_MAX 4096U

/* Of a file of mountinfo this much is read; hosts with thousands of mounts stay below it. */
#define TLM_MOUNTS_MAX 4194304U

typedef struct tlm_mount {
    char root[TLM_MOUNT_PATH_MAX];  /* what of its file system is mounted: "/" or a path in it */
    char point[TLM_MOUNT_PATH_MAX]; /* where */
    char type[64];                  /* "overlay", "ext4", "fuse.lxcfs" … */
    bool read_only;                 /* the mount; the file system may be read-only beside that */
    const char *options;            /* of the file system, in the text, as it stands there */
    size_t options_size;
} tlm_mount;

/*
 * Takes the next line that is whole and moves *next behind it; false at the end of the text. Lines
 * of another form, and with paths that are too long, are passed over. Escapes are undone in `root`
 * and `point`.
 */
bool tlm_mounts_next(const char **next, tlm_mount *mount);

/* The mount that an absolute path is on: the last one of the longest `point` that it lies below. */
bool tlm_mounts_find(const char *text, const char *path, tlm_mount *mount);

/* The same of this process, out of ROOT/proc/self/mountinfo and without `options`; false where that
 * cannot be had. */
bool tlm_mounts_look(const char *root, const char *path, tlm_mount *mount);

/* Whether the options of the file system have this text anywhere. */
bool tlm_mount_has_option(const tlm_mount *mount, const char *text);

#endif
