/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_NOTIFY_H
#define TLM_NOTIFY_H

/*
 * sd_notify(3) without libsystemd: one datagram to the socket in $NOTIFY_SOCKET.
 *
 *     tlm_notify("READY=1\nSTATUS=serving http://127.0.0.1:52014");
 */

#include <tlm/result.h>

/*
 * Sends assignments, separated by newlines, to the service manager. Does nothing where
 * NOTIFY_SOCKET is not set; never blocks. Safe under threads.
 */
void tlm_notify(const char *format, ...) TLM_PRINTF(1, 2);

/* RELOADING=1 with MONOTONIC_USEC, as Type=notify-reload asks for. */
void tlm_notify_reloading(void);

#endif
