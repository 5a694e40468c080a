/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_TARGET_PRIVATE_H
#define TLM_CLIENT_TARGET_PRIVATE_H

/* Where the daemon is: http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH. */

#include <stdbool.h>

#include <tlm-client.h>

#define TLM_TARGET_DEFAULT "http://127.0.0.1:52014"
#define TLM_TARGET_PORT "52014"

typedef struct tlm_target {
    char base[300];   /* without a slash at the end: http://localhost for a socket */
    char socket[108]; /* "" for TCP */
    bool local;       /* a socket, or a loopback address */
} tlm_target;

/* TLM_CLIENT_ARGUMENT names what is wrong with the text. Without a port the daemon's counts. */
TLM_CLIENT_CHECKED tlm_client_result tlm_target_parse(const char *url, tlm_target *target,
                                                      tlm_client_error *error);

#endif
