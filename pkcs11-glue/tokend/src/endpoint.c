/* SPDX-License-Identifier: BSD-2-Clause */
#include "endpoint.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FIRST 3 /* SD_LISTEN_FDS_START of sd_listen_fds(3) */

/* Whether the service manager's variables are for this process; they are of no use afterwards. */
static bool take_variables(unsigned long *count)
{
    const char *pid = getenv("LISTEN_PID");
    const char *files = getenv("LISTEN_FDS");
    bool ours = pid != NULL && files != NULL && strtoul(pid, NULL, 10) == (unsigned long)getpid();
    *count = ours ? strtoul(files, NULL, 10) : 0;
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return ours && *count > 0;
}

static tlm_result take_inherited(unsigned long count, tlm_endpoint *endpoint, tlm_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    int listening = 0;
    socklen_t listening_size = sizeof listening;
    if (count != 1 || getsockname(LISTEN_FIRST, (struct sockaddr *)&address, &size) != 0 ||
        address.sun_family != AF_UNIX ||
        getsockopt(LISTEN_FIRST, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_size) != 0 ||
        listening == 0) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "Give the unit one ListenStream= with the path of a unix socket.",
                             "the service manager handed over %lu descriptors, which are not one "
                             "listening unix stream socket",
                             count);
    }
    if (fcntl(LISTEN_FIRST, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(LISTEN_FIRST, F_SETFL, O_NONBLOCK) != 0) {
        return tlm_error_set_errno(error, NULL, "preparing the service manager's socket");
    }
    endpoint->socket.file = LISTEN_FIRST;
    endpoint->inherited = true;
    size_t length = strnlen(address.sun_path, TLM_UNIX_SOCKET_PATH_MAX);
    memcpy(endpoint->socket.path, address.sun_path, length);
    endpoint->socket.path[length] = '\0';
    return TLM_OK;
}

tlm_result tlm_endpoint_open(const char *path, tlm_endpoint *endpoint, tlm_error *error)
{
    /* Everyone may connect: what a peer may do is told by its credentials. */
    static const tlm_unix_socket_config config = {.mode = 0666,
                                                  .backlog = 256,
                                                  .option = "--pkcs11-socket PATH",
                                                  .example = "/run/tlm/pkcs11.sock"};
    *endpoint = TLM_ENDPOINT_CLOSED;
    unsigned long count = 0;
    if (take_variables(&count)) {
        return take_inherited(count, endpoint, error);
    }
    return tlm_unix_socket_open(path, &config, &endpoint->socket, error);
}

void tlm_endpoint_close(tlm_endpoint *endpoint)
{
    tlm_unix_socket_close(&endpoint->socket);
    *endpoint = TLM_ENDPOINT_CLOSED;
}
