/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PIN_SOURCE_H
#define TLM_PIN_SOURCE_H

/*
 * The user PIN that tlm-tokend keeps for its logins, and the question that comes before each: is
 * the TPM in lockout? Then even the right PIN fails and makes it worse, so none is given.
 *
 *     tlm_pin_source source = {.settings = settings, .tpm = true};
 *     tlm_token_config config = {…, .pin = tlm_pin_source_give, .context = &source};
 */

#include <stdbool.h>

#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/settings.h>
#include <tlm/tpm.h>

typedef struct tlm_pin_source {
    const tlm_settings *settings;
    bool tpm;        /* the PIN is checked by a TPM, which counts wrong ones */
    tlm_secret *pin; /* NULL: the token's own protected path asks */
} tlm_pin_source;

/*
 * A tlm_token_pin_source: a copy of the PIN. TLM_ERR_LOCKED, with the seconds that are left at
 * most, where the TPM is in lockout; what tlm_tpm_open says where the TPM cannot be asked.
 */
tlm_result tlm_pin_source_give(void *context, tlm_secret **pin, tlm_error *error);

/* TLM_ERR_LOCKED where the facts say so. */
TLM_CHECKED tlm_result tlm_pin_source_check(const tlm_tpm_facts *facts, tlm_error *error);

#endif
