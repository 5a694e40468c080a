/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LISTEN_H
#define TLM_LISTEN_H

/*
 * The listening socket, opened before anything slow happens.
 *
 *     tlm_listener listener;
 *     if (tlm_listen("127.0.0.1", 0, &listener, &error) == TLM_OK) {
 *         puts(listener.url); // http://127.0.0.1:40123
 *     }
 *     tlm_listener_close(&listener);
 */

#include <stdbool.h>

#include <tlm/result.h>

typedef struct tlm_listener {
    int file;       /* -1 when closed */
    char bound[80]; /* "0.0.0.0:52014", "[::]:52014" */
    char url[80];   /* where a client on this host finds it: "http://127.0.0.1:52014" */
} tlm_listener;

/*
 * Binds and listens. `address` is an IPv4 or IPv6 literal (with or without brackets) or
 * "localhost"; anything else is TLM_ERR_SETTING. "::" takes IPv4 clients too. Port 0 takes a free
 * one. A port in use is TLM_ERR_BUSY with the command that shows by whom.
 */
TLM_CHECKED tlm_result tlm_listen(const char *address, unsigned port, tlm_listener *listener,
                                  tlm_error *error);

void tlm_listener_close(tlm_listener *listener);

#endif
