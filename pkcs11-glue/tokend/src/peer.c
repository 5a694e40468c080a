/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <tlm/unix_socket.h>

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

tlm_result tlm_peer_read(int fd, tlm_peer *peer, tlm_error *error)
{
    if (peer == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "reading a peer into nothing");
    }
    *peer = (tlm_peer){0};
    struct ucred credentials;
    tlm_result result = tlm_unix_socket_peer(fd, &credentials, error);
    if (result != TLM_OK) {
        return result;
    }
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    peer->pid = credentials.pid;
    read_program(peer->pid, peer->program);
    peer->group_count = TLM_PEER_GROUPS_MAX;
    return tlm_unix_socket_groups(fd, &credentials, peer->groups, &peer->group_count, error);
}

bool tlm_peer_in_group(const tlm_peer *peer, gid_t group)
{
    return peer->gid == group || tlm_unix_socket_has_group(peer->groups, peer->group_count, group);
}
