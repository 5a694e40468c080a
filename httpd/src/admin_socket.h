/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ADMIN_SOCKET_H
#define TLM_ADMIN_SOCKET_H

/*
 * The unix socket of administrators (tlm/unix_socket.h), mode 0660: root, the service's user and
 * its group may connect.
 *
 *     tlm_admin_socket admin;
 *     if (tlm_admin_socket_open("/run/tlm/admin.sock", &admin, &error) == TLM_OK) {
 *         config.listener = &admin.listener;
 *     }
 *     tlm_admin_socket_close(&admin);
 */

#include <tlm/result.h>
#include <tlm/unix_socket.h>

#include "listen.h"

typedef struct tlm_admin_socket {
    tlm_listener listener;  /* a server takes its file over */
    tlm_unix_socket socket; /* its file is the listener's */
} tlm_admin_socket;

#define TLM_ADMIN_SOCKET_CLOSED                                                                    \
    ((tlm_admin_socket){.listener = {.file = -1}, .socket = TLM_UNIX_SOCKET_CLOSED})

/* Makes the socket at `path` as tlm_unix_socket_open does. Close it also after an error. */
TLM_CHECKED tlm_result tlm_admin_socket_open(const char *path, tlm_admin_socket *admin,
                                             tlm_error *error);

/* Removes the socket where it is still ours. The lock file stays. */
void tlm_admin_socket_close(tlm_admin_socket *admin);

#endif
