/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_STATUS_H
#define TLM_STATUS_H

/*
 * What can be told about TPM and token without a login: no PIN is used, so nothing can count
 * towards a lockout. The JSON object is described in tlm-token-init(8).
 *
 *     json_t *status = NULL;
 *     if (tlm_status_read(&settings, &status, &error) == TLM_OK) {
 *         json_dumpf(status, stdout, JSON_INDENT(2));
 *     }
 *     json_decref(status);
 */

#include <jansson.h>

#include <tlm/result.h>
#include <tlm/settings.h>

/* A new object; what could not be read is told in its "errors". The caller decrefs it. */
TLM_CHECKED tlm_result tlm_status_read(const tlm_settings *settings, json_t **status,
                                       tlm_error *error);

#endif
