/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the kernel gives for a socket that nobody connected to, and for every inet socket. */
#define NO_UID ((uid_t)-1)

/*
 * The name the kernel keeps for the process, which anybody may read; /proc/PID/exe would need
 * the right to trace it. The process may be gone, and its number another's: good for a log only.
 */
static void read_program(pid_t pid, char program[TLM_PEER_PROGRAM_MAX + 1])
{
    char path[64];
    char name[TLM_PEER_PROGRAM_MAX + 1];
    (void)snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file >= 0 ? read(file, name, sizeof name - 1) : -1;
    if (file >= 0) {
        (void)close(file);
    }
    size_t used = 0;
    for (ssize_t i = 0; i < size && name[i] != '\0' && name[i] != '\n'; i++) {
        program[used++] = (char)(name[i] >= 0x20 && name[i] < 0x7f ? name[i] : '?');
    }
    if (used == 0) {
        program[used++] = '?';
    }
    program[used] = '\0';
}

static tlm_result read_groups(int fd, tlm_peer *peer, tlm_error *error)
{
    socklen_t size = sizeof peer->groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &size) == 0) {
        peer->group_count = size / sizeof peer->groups[0];
        return TLM_OK;
    }
    if (errno == ERANGE) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, "take the user out of some groups",
                             "process %ld of uid %u has more than %u supplementary groups",
                             (long)peer->pid, (unsigned)peer->uid, TLM_PEER_GROUPS_MAX);
    }
    return tlm_error_set_errno(error, "the kernel must be Linux 4.13 or later",
                               "asking for the groups of process %ld", (long)peer->pid);
}

tlm_result tlm_peer_read(int fd, tlm_peer *peer, tlm_error *error)
{
    if (peer == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "reading a peer into nothing");
    }
    *peer = (tlm_peer){0};
    struct ucred credentials = {.uid = NO_UID};
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return tlm_error_set_errno(error, NULL, "asking who is connected");
    }
    if (credentials.uid == NO_UID) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "the kernel knows no peer: this is no connected unix socket");
    }
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    peer->pid = credentials.pid;
    read_program(peer->pid, peer->program);
    return read_groups(fd, peer, error);
}

bool tlm_peer_in_group(const tlm_peer *peer, gid_t group)
{
    if (peer->gid == group) {
        return true;
    }
    for (size_t i = 0; i < peer->group_count; i++) {
        if (peer->groups[i] == group) {
            return true;
        }
    }
    return false;
}
