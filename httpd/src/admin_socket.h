/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ADMIN_SOCKET_H
#define TLM_ADMIN_SOCKET_H

/*
 * The unix socket of administrators, mode 0660: root, the service's user and its group may connect.
 *
 * Beside it stands PATH.lock, held with flock(2) as long as the process lives: who cannot have it
 * is the second one. A socket that nobody listens to is left over from a process that was killed,
 * and is replaced.
 *
 *     tlm_admin_socket admin;
 *     if (tlm_admin_socket_open("/run/tlm/admin.sock", &admin, &error) == TLM_OK) {
 *         config.listener = &admin.listener;
 *     }
 *     tlm_admin_socket_close(&admin);
 */

#include <sys/types.h>

#include <tlm/result.h>

#include "listen.h"

/* sun_path of unix(7) without its zero byte. */
#define TLM_ADMIN_SOCKET_PATH_MAX 107U

typedef struct tlm_admin_socket {
    tlm_listener listener; /* a server takes its file over */
    int lock;              /* or -1 */
    char path[TLM_ADMIN_SOCKET_PATH_MAX + 1];
    dev_t device; /* of what was bound at `path` */
    ino_t inode;
} tlm_admin_socket;

/*
 * Makes the socket at `path` and, where it is missing, the directory above it, mode 0755.
 * TLM_ERR_BUSY where another process serves it, TLM_ERR_EXISTS where something else has the name,
 * TLM_ERR_SETTING for a path that is not absolute or too long. It changes the umask for a moment:
 * before the program has threads that make files. Close it also after an error.
 */
TLM_CHECKED tlm_result tlm_admin_socket_open(const char *path, tlm_admin_socket *admin,
                                             tlm_error *error);

/* Removes the socket where it is still ours. The lock file stays, or two could hold two of them. */
void tlm_admin_socket_close(tlm_admin_socket *admin);

#endif
