/* SPDX-License-Identifier: BSD-2-Clause */
#include "pin_source.h"

#include <tlm/tcti.h>

tlm_result tlm_pin_source_check(const tlm_tpm_facts *facts, tlm_error *error)
{
    if (!facts->in_lockout) {
        return TLM_OK;
    }
    tlm_result result =
        tlm_error_set(error, TLM_ERR_LOCKED, NULL,
                      "the TPM is in lockout: %u of %u tries are used, and it refuses even the "
                      "right PIN; one is forgotten within %u seconds",
                      facts->lockout_counter, facts->max_tries, facts->recovery_seconds);
    tlm_error_set_hint(error,
                       "it is asked again by itself, and no try is spent; to end it at once: "
                       "tpm2_dictionarylockout --clear-lockout");
    return result;
}

static tlm_result check_lockout(const tlm_settings *settings, tlm_error *error)
{
    tlm_tcti_list list = {0};
    const tlm_tcti *used = NULL;
    tlm_tpm *tpm = NULL;
    tlm_tpm_facts facts;
    tlm_result result = tlm_tpm_open(settings, &list, &used, &tpm, error);
    if (result == TLM_OK) {
        result = tlm_tpm_read_facts(tpm, &facts, error);
    }
    if (result == TLM_OK) {
        result = tlm_pin_source_check(&facts, error);
    }
    tlm_tpm_close(&tpm);
    tlm_tcti_list_clear(&list);
    return result;
}

tlm_result tlm_pin_source_give(void *context, tlm_secret **pin, tlm_error *error)
{
    const tlm_pin_source *source = context;
    *pin = NULL;
    if (source->tpm) {
        tlm_result result = check_lockout(source->settings, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    if (source->pin == NULL) {
        return TLM_OK;
    }
    return tlm_secret_from(tlm_secret_bytes(source->pin), tlm_secret_size(source->pin), pin, error);
}
