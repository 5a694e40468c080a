/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DAEMON_CONTAINER_H
#define TLM_DAEMON_CONTAINER_H

/*
 * What the daemon does about the container it runs in: says where it is, warns of what an operator
 * should know, asks the engine in the background.
 *
 *     tlm_daemon_container_look(self);
 *     tlm_daemon_container_tell(self, view);
 */

#include "daemon_setup.h"

/* Logs where this is, and warns of what is fixed as long as the container runs. */
void tlm_daemon_container_look(tlm_daemon *self);

/* Before the documents are made: what the engine says by now, and what depends on it. */
void tlm_daemon_container_tell(tlm_daemon *self, const tlm_identity_view *view);

#endif
