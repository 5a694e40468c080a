/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOKEND_H
#define TLM_TOKEND_H

/*
 * The program tlm-tokend: the socket, the clients' threads, the keeper of the token, signals.
 *
 *     tlm_tokend_block_signals();                  before any thread
 *     return tlm_tokend_run(&settings, argc, argv);
 */

#include <tlm/settings.h>

#define TLM_TOKEND "tlm-tokend"

#define TLM_EXIT_OK 0
#define TLM_EXIT_FAILURE 1
#define TLM_EXIT_SETTING 2
/* EX_SOFTWARE of sysexits.h: only a new process can go on, and whoever supervises this one starts
 * it. */
#define TLM_EXIT_RESTART 70

/* Blocks the signals that tlm_tokend_run waits for and ignores SIGPIPE. */
void tlm_tokend_block_signals(void);

/*
 * Serves until SIGTERM or SIGINT. `argv` is read again on SIGHUP. Returns the exit status; does not
 * return where a call of the token's module hangs.
 */
int tlm_tokend_run(const tlm_settings *settings, int argc, char **argv);

#endif
