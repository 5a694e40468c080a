/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_SUPERVISOR_PRIVATE_H
#define TLM_LICENSING_SUPERVISOR_PRIVATE_H

/*
 * Sees to it that somebody serves the token's socket: a tlm-tokend that runs on its own, else one
 * that is started here, restarted when it ends, and ended with this program.
 *
 *     tlm_supervisor_config config = {.socket = socket, .arguments = words, .changed = wake};
 *     result = tlm_supervisor_start(&config, &supervisor, &error);
 *     …
 *     result = tlm_supervisor_await(supervisor, &stop, 10000, &error);
 *     …
 *     tlm_supervisor_stop(&supervisor);
 *
 * A thread of its own starts and reaps the child: the kernel ends a child whose parent's thread
 * ended (PR_SET_PDEATHSIG), and this one lives as long as the supervisor. Nothing is started before
 * the first tlm_supervisor_await: without a token none is needed.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <tlm/result.h>

#include "child_private.h"

typedef struct tlm_supervisor tlm_supervisor;

#define TLM_SUPERVISOR_ARGUMENTS_MAX 32U

typedef struct tlm_supervisor_config {
    const char *socket;             /* absolute path */
    const char *program;            /* NULL: tlm-tokend, wherever it is */
    const char *const *arguments;   /* words behind the program's name; NULL: none is started */
    void (*changed)(void *context); /* what is served, or tokend.json, changed; must not block */
    void *context;
} tlm_supervisor_config;

/* `config` is copied. */
TLM_CHECKED tlm_result tlm_supervisor_start(const tlm_supervisor_config *config,
                                            tlm_supervisor **supervisor, tlm_error *error);

/*
 * Waits at most `timeout_ms` until somebody serves the socket; has a tlm-tokend started where
 * nobody does and one may be. On failure `error` says why nobody does; with a time of 0 that is
 * all, and the start goes on behind the caller.
 */
TLM_CHECKED tlm_result tlm_supervisor_await(tlm_supervisor *self, const tlm_stop_check *stop,
                                            unsigned timeout_ms, tlm_error *error);

/*
 * How often something changed, and waiting at most `timeout_ms` for a change after the one that was
 * seen: what happened between looking and waiting is not missed.
 */
unsigned long tlm_supervisor_changes(tlm_supervisor *self);
void tlm_supervisor_wait_change(tlm_supervisor *self, unsigned long seen, unsigned timeout_ms);

/* Process id of the child; 0 while there is none. */
pid_t tlm_supervisor_child(tlm_supervisor *self);

/* Path of tokend.json, the supervisor's own. */
const char *tlm_supervisor_report(const tlm_supervisor *self);

/*
 * Ends the child, with SIGKILL where it does not go by itself, and the thread; nothing is started
 * after that. For the owner's thread, also while another one waits for the token. Accepts NULL.
 */
void tlm_supervisor_end(tlm_supervisor *self);

/* The same, and frees it. */
void tlm_supervisor_stop(tlm_supervisor **supervisor);

#endif
