/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_API_H
#define TLM_API_H

/*
 * What all servers of the program share below /api/v1: who may, how often, and the way to the
 * licensing service, which comes after the servers and goes before them.
 *
 *     tlm_api *api = NULL;
 *     result = tlm_api_new(TLM_ACCESS_OPEN, 1000, &api, &error);
 *     tlm_api_open(api, licensing);
 *     if (tlm_api_submit(api, &call)) { … }          // call.done is called, perhaps it was already
 *     tlm_api_close(api);                            // before tlm_licensing_stop
 *     tlm_api_free(&api);                            // after the servers
 */

#include <stdbool.h>

#include <tlm/licensing.h>

#include "access.h"
#include "bearer.h"
#include "limits.h"

typedef struct tlm_api tlm_api;

TLM_CHECKED tlm_result tlm_api_new(tlm_access_mode mode, unsigned rate, tlm_api **api,
                                   tlm_error *error);
void tlm_api_free(tlm_api **api);

tlm_bearer *tlm_api_bearer(tlm_api *api);
tlm_limits *tlm_api_limits(tlm_api *api);
tlm_access_mode tlm_api_mode(const tlm_api *api);

/* From now on calls are taken. */
void tlm_api_open(tlm_api *api, tlm_licensing *licensing);

/* From the return of this function on none is. Those that were taken are answered still. */
void tlm_api_close(tlm_api *api);

/* Hands a call over; false where calls are not taken, and `done` is not called then. */
TLM_CHECKED bool tlm_api_submit(tlm_api *api, tlm_call *call);

#endif
