/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DAEMON_CONTAINER_H
#define TLM_DAEMON_CONTAINER_H

/*
 * What the daemon does about the container it runs in: says where it is, warns of what an operator
 * should know, asks the engine in the background.
 *
 *     tlm_daemon_container_look(self);
 *     result = tlm_daemon_container_start(self, wake, &error);
 *     tlm_daemon_container_tell(self, view);
 *     tlm_daemon_container_stop(self);
 */

#include "daemon_setup.h"

/* Logs where this is, and warns of what is fixed as long as the container runs. */
void tlm_daemon_container_look(tlm_daemon *self);

/* Before the documents are made: what the engine says by now, and what depends on it. */
void tlm_daemon_container_tell(tlm_daemon *self, const tlm_identity_view *view);

/* Begins to ask the engine; `changed` is called from its thread. Outside of containers nothing. */
TLM_CHECKED tlm_result tlm_daemon_container_start(tlm_daemon *self, tlm_setup_wake changed,
                                                  tlm_error *error);

/* Ends that at once, and frees what is known. May be called twice. */
void tlm_daemon_container_stop(tlm_daemon *self);

#endif
