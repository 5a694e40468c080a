/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin_socket.h"

tlm_result tlm_admin_socket_open(const char *path, tlm_admin_socket *admin, tlm_error *error)
{
    static const tlm_unix_socket_config config = {
        .mode = 0660,
        .backlog = 64,
        .option = "--admin-socket PATH",
        .example = "--admin-socket /run/tlm/admin.sock",
    };
    *admin = (tlm_admin_socket){.listener = {.file = -1, .bound = "the administrators' socket"}};
    tlm_result result = tlm_unix_socket_open(path, &config, &admin->socket, error);
    admin->listener.file = admin->socket.file;
    admin->socket.file = -1;
    return result;
}

void tlm_admin_socket_close(tlm_admin_socket *admin)
{
    admin->socket.file = admin->listener.file;
    tlm_unix_socket_close(&admin->socket);
    *admin = TLM_ADMIN_SOCKET_CLOSED;
}
