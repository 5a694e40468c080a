/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ENDPOINT_H
#define TLM_ENDPOINT_H

/*
 * The unix socket that tlm-tokend serves, and the promise that one process alone does.
 *
 * Beside the socket stands PATH.lock, held with flock(2) as long as the process lives: who cannot
 * have it is the second one. A socket that nobody listens to is left over from a process that was
 * killed, and is replaced. Everyone may connect (mode 0666): what a peer may do is told by its
 * credentials.
 *
 *     tlm_endpoint endpoint;
 *     if (tlm_endpoint_open("/run/tlm/pkcs11.sock", &endpoint, &error) != TLM_OK) { … }
 *     …                                            accept4(endpoint.file, …)
 *     tlm_endpoint_close(&endpoint);
 */

#include <stdbool.h>
#include <sys/types.h>

#include <tlm/result.h>

/* sun_path of unix(7) without its zero byte. */
#define TLM_ENDPOINT_PATH_MAX 107U

typedef struct tlm_endpoint {
    int file;       /* listening and non-blocking, or -1 */
    int lock;       /* or -1 */
    bool inherited; /* from the service manager, which takes it away again */
    char path[TLM_ENDPOINT_PATH_MAX + 1];
    dev_t device; /* of what was bound at `path` */
    ino_t inode;
} tlm_endpoint;

/*
 * Takes the socket that the service manager handed over (LISTEN_PID, LISTEN_FDS: one socket), else
 * makes one at `path` and, where it is missing, the directory above it, mode 0755. TLM_ERR_BUSY
 * where another process serves it, TLM_ERR_EXISTS where something else has the name,
 * TLM_ERR_SETTING for a path that is not absolute or too long. Before the program has threads: it
 * changes the umask for a moment. Close the endpoint also after an error.
 */
TLM_CHECKED tlm_result tlm_endpoint_open(const char *path, tlm_endpoint *endpoint,
                                         tlm_error *error);

/*
 * Stops listening and removes the socket, where it is still ours. The lock file stays: removing it
 * would let two processes hold two files of one name.
 */
void tlm_endpoint_close(tlm_endpoint *endpoint);

#endif
