/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOKEND_BACKEND_H
#define TLM_TOKEND_BACKEND_H

/*
 * The token behind tlm-tokend: the provisioned store, or a module that the operator named.
 *
 *     tlm_backend_source *source = NULL;
 *     result = tlm_backend_prepare(settings, &source, &error);     before any thread
 *     …
 *     result = tlm_backend_open(source, &token, &error);           again after a failure
 *     tlm_token_close(&token);
 *     tlm_backend_free(&source);
 */

#include <stdbool.h>

#include <jansson.h>

#include <tlm/result.h>
#include <tlm/settings.h>
#include <tlm/token.h>

#include "hardware.h"
#include "state_file.h"

typedef struct tlm_backend_source tlm_backend_source;

/*
 * Chooses the TPM interface and sets what modules read from the environment, also for a store that
 * is not there yet: later there are threads. `settings` are used until the source is freed.
 * TLM_ERR_SETTING where the settings contradict themselves.
 */
TLM_CHECKED tlm_result tlm_backend_prepare(const tlm_settings *settings,
                                           tlm_backend_source **source, tlm_error *error);
void tlm_backend_free(tlm_backend_source **source);

/*
 * Reads the store and its secrets, asks for lockout, opens the token with one login. One attempt;
 * a PIN that was refused is not sent again. The token must be closed before the source is freed.
 */
TLM_CHECKED tlm_result tlm_backend_open(tlm_backend_source *source, tlm_token **token,
                                        tlm_error *error);

/*
 * Counter and clock of the store's token, once it was opened; used until the source is freed. NULL
 * behind a module that the operator named.
 */
const tlm_hardware *tlm_backend_hardware(tlm_backend_source *source);

/*
 * Whether files of the store changed since the last tlm_backend_open: what it said then may be
 * wrong now.
 */
bool tlm_backend_changed(const tlm_backend_source *source);

/* Fills what a state report says about the back end; the texts live as long as the source. */
void tlm_backend_describe(const tlm_backend_source *source, tlm_state_report *report);

/*
 * Asks the TPM for its facts, a new object as in the state file: {"connected": false} where it
 * cannot be reached, NULL where the token is in no TPM.
 */
json_t *tlm_backend_read_tpm(const tlm_backend_source *source);

#endif
