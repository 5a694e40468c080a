/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_UNIX_SOCKET_H
#define TLM_UNIX_SOCKET_H

/*
 * A unix socket that is served, the promise that one process alone does, and who connected to it.
 *
 * Beside the socket stands PATH.lock, held with flock(2) as long as the process lives: who cannot
 * have it is the second one. A socket that nobody listens to is left over from a process that was
 * killed, and is replaced.
 *
 *     static const tlm_unix_socket_config config = {.mode = 0666, .backlog = 64,
 *         .option = "--socket PATH", .example = "/run/tlm/some.sock"};
 *     tlm_unix_socket served;
 *     if (tlm_unix_socket_open("/run/tlm/some.sock", &config, &served, &error) == TLM_OK) {
 *         struct ucred peer;
 *         int file = accept4(served.file, NULL, NULL, SOCK_CLOEXEC);
 *         if (tlm_unix_socket_peer(file, &peer, &error) == TLM_OK && peer.uid == 0) { … }
 *     }
 *     tlm_unix_socket_close(&served);
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <tlm/result.h>

/* sun_path of unix(7) without its zero byte. */
#define TLM_UNIX_SOCKET_PATH_MAX 107U

typedef struct tlm_unix_socket {
    int file; /* listening and non-blocking, or -1; who takes it over sets -1 */
    int lock; /* or -1 */
    char path[TLM_UNIX_SOCKET_PATH_MAX + 1];
    dev_t device; /* of what was bound at `path` */
    ino_t inode;
} tlm_unix_socket;

#define TLM_UNIX_SOCKET_CLOSED ((tlm_unix_socket){.file = -1, .lock = -1})

typedef struct tlm_unix_socket_config {
    mode_t mode;         /* of the socket, whatever the umask: who may connect */
    int backlog;         /* of listen(2) */
    const char *option;  /* what names another path, for hints: "--pkcs11-socket PATH" */
    const char *example; /* a path as a user would give it, for hints */
} tlm_unix_socket_config;

/*
 * Makes the socket at `path` and, where it is missing, the directory above it, mode 0755.
 * TLM_ERR_BUSY where another process serves it, TLM_ERR_EXISTS where something else has the name,
 * TLM_ERR_SETTING for a path that is NULL, not absolute or too long. It changes the umask for a
 * moment: before the program has threads that make files. Close the socket also after an error.
 */
TLM_CHECKED tlm_result tlm_unix_socket_open(const char *path, const tlm_unix_socket_config *config,
                                            tlm_unix_socket *opened, tlm_error *error);

/*
 * Stops listening and removes the socket, where it is still ours. The lock file stays: removing it
 * would let two processes hold two files of one name. Closing it again does nothing.
 */
void tlm_unix_socket_close(tlm_unix_socket *closed);

/*
 * Who is connected, as the kernel says: what it was when it connected (SO_PEERCRED of unix(7)).
 * TLM_ERR_ARGUMENT where `file` is no connected unix socket, TLM_ERR_IO where it is no socket.
 */
TLM_CHECKED tlm_result tlm_unix_socket_peer(int file, struct ucred *peer, tlm_error *error);

/*
 * The supplementary groups of that `peer` (SO_PEERGROUPS). `groups` has room for `*count` of them;
 * `*count` becomes how many there are, 0 on failure. More than fit are TLM_ERR_TOO_LARGE: a rule
 * might be about a missing one.
 */
TLM_CHECKED tlm_result tlm_unix_socket_groups(int file, const struct ucred *peer, gid_t *groups,
                                              size_t *count, tlm_error *error);

/* Whether `wanted` is one of `count` groups. */
bool tlm_unix_socket_has_group(const gid_t *groups, size_t count, gid_t wanted);

#endif
