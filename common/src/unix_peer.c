/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/unix_socket.h>

#include <errno.h>

/* What the kernel gives for a socket that nobody connected to, and for every inet socket. */
#define NO_UID ((uid_t)-1)

tlm_result tlm_unix_socket_peer(int file, struct ucred *peer, tlm_error *error)
{
    *peer = (struct ucred){.uid = NO_UID};
    socklen_t size = sizeof *peer;
    if (getsockopt(file, SOL_SOCKET, SO_PEERCRED, peer, &size) != 0) {
        return tlm_error_set_errno(error, NULL, "asking who is connected");
    }
    if (peer->uid == NO_UID) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "the kernel knows no peer: this is no connected unix socket");
    }
    return TLM_OK;
}

tlm_result tlm_unix_socket_groups(int file, const struct ucred *peer, gid_t *groups, size_t *count,
                                  tlm_error *error)
{
    size_t room = *count;
    socklen_t size = (socklen_t)(room * sizeof groups[0]);
    *count = 0;
    if (getsockopt(file, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
        *count = size / sizeof groups[0];
        return TLM_OK;
    }
    if (errno == ERANGE) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, "take the user out of some groups",
                             "process %ld of uid %u has more than %zu supplementary groups",
                             (long)peer->pid, (unsigned)peer->uid, room);
    }
    return tlm_error_set_errno(error, "the kernel must be Linux 4.13 or later",
                               "asking for the groups of process %ld", (long)peer->pid);
}

bool tlm_unix_socket_has_group(const gid_t *groups, size_t count, gid_t wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == wanted) {
            return true;
        }
    }
    return false;
}
