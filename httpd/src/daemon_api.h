/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DAEMON_API_H
#define TLM_DAEMON_API_H

/*
 * What the daemon has below /api/v1: who may, the administrators' socket, and the licensing
 * service, from the settings.
 *
 *     result = tlm_daemon_api_setup(self, &error);             // before the server
 *     tlm_daemon_api_serve(self);                              // after it: the unix socket
 *     result = tlm_daemon_api_start(self, changed, &error);    // after the identity
 *     tlm_daemon_api_tell(self, view);                         // with each new view
 *     tlm_daemon_api_stop(self);                               // before the servers
 */

#include "daemon_setup.h"

/*
 * Judges the settings and opens the administrators' socket; that it cannot be opened is a notice.
 */
TLM_CHECKED tlm_result tlm_daemon_api_setup(tlm_daemon *self, tlm_error *error);
void tlm_daemon_api_serve(tlm_daemon *self);
TLM_CHECKED tlm_result tlm_daemon_api_start(tlm_daemon *self, tlm_setup_wake changed,
                                            tlm_error *error);

/* Tells the service of the view, and the status of the service. Makes the tokens at their time. */
void tlm_daemon_api_tell(tlm_daemon *self, const tlm_identity_view *view);

/* SIGHUP: reads the tokens and the runtime trust again. */
void tlm_daemon_api_reload(tlm_daemon *self);

/* Takes no more calls, and ends the service: those that were taken are answered then. */
void tlm_daemon_api_stop(tlm_daemon *self);

/* Frees the rest, after the servers. */
void tlm_daemon_api_clear(tlm_daemon *self);

#endif
