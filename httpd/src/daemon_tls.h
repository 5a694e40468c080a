/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DAEMON_TLS_H
#define TLM_DAEMON_TLS_H

/*
 * HTTPS within the running program: from the settings to a tlm_tls, and from there to the status.
 *
 *     result = tlm_daemon_tls_setup(self, wake, &error);    // before the server
 *     result = tlm_daemon_tls_start(self, &error);          // behind the identity
 *     tlm_daemon_tls_tell(self);                            // whenever the answers are made
 */

#include "daemon_setup.h"

/* Leaves self->tls NULL where REST.Tls is not set. Turns self->url into https. */
TLM_CHECKED tlm_result tlm_daemon_tls_setup(tlm_daemon *self, tlm_setup_wake changed,
                                            tlm_error *error);
TLM_CHECKED tlm_result tlm_daemon_tls_start(tlm_daemon *self, tlm_error *error);

/* Fills the source of the status and raises or clears its notices. */
void tlm_daemon_tls_tell(tlm_daemon *self);

/* Whether a client could be served: always so with plain HTTP. */
bool tlm_daemon_tls_ready(const tlm_daemon *self);

#endif
