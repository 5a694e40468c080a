/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ENDPOINT_H
#define TLM_ENDPOINT_H

/*
 * The unix socket that tlm-tokend serves: one of its own (tlm/unix_socket.h), mode 0666, or the one
 * that the service manager hands over.
 *
 *     tlm_endpoint endpoint;
 *     if (tlm_endpoint_open("/run/tlm/pkcs11.sock", &endpoint, &error) != TLM_OK) { … }
 *     …                                            accept4(endpoint.socket.file, …)
 *     tlm_endpoint_close(&endpoint);
 */

#include <stdbool.h>

#include <tlm/result.h>
#include <tlm/unix_socket.h>

typedef struct tlm_endpoint {
    tlm_unix_socket socket; /* of an inherited one the path may be empty */
    bool inherited;         /* from the service manager, which takes it away again */
} tlm_endpoint;

#define TLM_ENDPOINT_CLOSED ((tlm_endpoint){.socket = TLM_UNIX_SOCKET_CLOSED})

/*
 * Takes the socket that the service manager handed over (LISTEN_PID, LISTEN_FDS: one socket), else
 * makes one at `path` as tlm_unix_socket_open does, with its errors. Other descriptors than one
 * listening unix socket are TLM_ERR_SETTING. Before the program has threads: it changes the umask
 * for a moment, and the environment. Close the endpoint also after an error.
 */
TLM_CHECKED tlm_result tlm_endpoint_open(const char *path, tlm_endpoint *endpoint,
                                         tlm_error *error);

/* Stops listening and removes the socket, where it is still ours; never the service manager's. */
void tlm_endpoint_close(tlm_endpoint *endpoint);

#endif
