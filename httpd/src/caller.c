/* SPDX-License-Identifier: BSD-2-Clause */
#include "caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Supplementary groups that are looked at; who has more is judged by user and group alone. */
#define GROUPS_MAX 256U

static bool in_group(int file, gid_t own, gid_t wanted)
{
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof groups;
    if (own == wanted) {
        return true;
    }
    if (getsockopt(file, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
        return false;
    }
    for (size_t i = 0; i < size / sizeof groups[0]; i++) {
        if (groups[i] == wanted) {
            return true;
        }
    }
    return false;
}

static void read_user(int file, tlm_caller *caller)
{
    struct ucred credentials = {.uid = (uid_t)-1};
    socklen_t size = sizeof credentials;
    caller->unix_socket = true;
    caller->local = true;
    if (getsockopt(file, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
        credentials.uid == (uid_t)-1) {
        return;
    }
    caller->trusted = credentials.uid == 0 || credentials.uid == geteuid() ||
                      in_group(file, credentials.gid, getegid());
    (void)snprintf(caller->name, sizeof caller->name, "uid %u", (unsigned)credentials.uid);
}

static void read_four(struct in_addr address, tlm_caller *caller)
{
    uint32_t number = ntohl(address.s_addr);
    caller->local = number >> 24 == 127;
    caller->key[0] = 0;
    caller->key[1] = UINT64_C(0xffff00000000) | number; /* as IPv6 maps it */
    (void)inet_ntop(AF_INET, &address, caller->name, sizeof caller->name);
}

static void read_six(const struct in6_addr *address, tlm_caller *caller)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        struct in_addr four;
        memcpy(&four, address->s6_addr + 12, sizeof four);
        read_four(four, caller);
        return;
    }
    caller->local = IN6_IS_ADDR_LOOPBACK(address);
    memcpy(&caller->key[0], address->s6_addr, sizeof caller->key[0]);
    /* Whoever has one address of such a network has them all. */
    caller->key[1] = 0;
    (void)inet_ntop(AF_INET6, address, caller->name, sizeof caller->name);
}

void tlm_caller_from_address(const struct sockaddr_storage *address, tlm_caller *caller)
{
    *caller = (tlm_caller){.name = "unknown"};
    if (address->ss_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        read_four(four.sin_addr, caller);
    } else if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        read_six(&six.sin6_addr, caller);
    }
}

void tlm_caller_read(int file, tlm_caller *caller)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    (void)getpeername(file, (struct sockaddr *)&address, &size);
    tlm_caller_from_address(&address, caller);
    if (address.ss_family == AF_UNIX) {
        read_user(file, caller);
    }
}
