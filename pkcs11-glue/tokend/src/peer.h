/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PEER_H
#define TLM_PEER_H

/*
 * Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED, SO_PEERGROUPS of
 * unix(7)): what it was when it connected. The program's name is for the log alone: a peer can
 * choose it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <tlm/result.h>

#define TLM_PEER_GROUPS_MAX 64U
#define TLM_PEER_PROGRAM_MAX 63U

typedef struct tlm_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    gid_t groups[TLM_PEER_GROUPS_MAX]; /* supplementary ones */
    size_t group_count;
    char program[TLM_PEER_PROGRAM_MAX + 1]; /* from /proc, printable; "?" where unknown */
} tlm_peer;

/* Reads who connected to `fd`. More groups than fit are an error: a rule might name a missing one.
 */
TLM_CHECKED tlm_result tlm_peer_read(int fd, tlm_peer *peer, tlm_error *error);

/* Whether the peer's group, or one of its supplementary groups, is `group`. */
bool tlm_peer_in_group(const tlm_peer *peer, gid_t group);

#endif
