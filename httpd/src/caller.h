/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CALLER_H
#define TLM_CALLER_H

/*
 * Who is at the other end of a connection, as the kernel says: an address, or the user behind a
 * unix socket (SO_PEERCRED, SO_PEERGROUPS of unix(7)) as it was when it connected.
 *
 *     tlm_caller caller;
 *     tlm_caller_read(file, &caller);
 *     if (caller.trusted) { … }                      // an administrator without a token
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct tlm_caller {
    bool unix_socket;
    bool trusted;    /* of the unix socket: root, the service's user, or one of its group */
    bool local;      /* on this host: a loopback address, or the unix socket */
    uint64_t key[2]; /* what limits are counted by: the address, of IPv6 its /64 */
    char name[48];   /* for log and audit: "192.0.2.7", "uid 0" */
} tlm_caller;

/* Never fails: who cannot be told is a stranger from nowhere. */
void tlm_caller_read(int file, tlm_caller *caller);

/* The same from an address of a socket. */
void tlm_caller_from_address(const struct sockaddr_storage *address, tlm_caller *caller);

#endif
