/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DAEMON_H
#define TLM_DAEMON_H

/*
 * The running program: port, log, server, identity, facts, signals, in the order in which a client
 * gets an answer soonest.
 *
 *     tlm_daemon_block_signals();
 *     return tlm_daemon_run(&settings, argc, argv);
 */

#include <tlm/settings.h>

/* Exit statuses of the program. */
enum { TLM_EXIT_OK = 0, TLM_EXIT_FAILURE = 1, TLM_EXIT_SETTING = 2 };

/* For the main thread, before any other is made: they inherit the mask. */
void tlm_daemon_block_signals(void);

/*
 * Runs until SIGTERM or SIGINT and returns the exit status. argv is kept for SIGHUP, which reads
 * the log level again.
 */
int tlm_daemon_run(const tlm_settings *settings, int argc, char **argv);

#endif
