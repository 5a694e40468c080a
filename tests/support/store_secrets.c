/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_secrets.h"

#include <stdio.h>
#include <string.h>

#include <tlm/settings.h>
#include <tlm/tcti.h>

tlm_result tlm_test_secrets(const tlm_store *store, const char *tcti, tlm_store_secrets *secrets,
                            tlm_error *error)
{
    if (tlm_secrets_where(store) != TLM_SECRETS_SEALED) {
        return tlm_secrets_open(store, NULL, secrets, error);
    }
    static char nothing[] = "";
    char name[256] = "";
    if (tcti == NULL || strlen(tcti) >= sizeof name) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "sealed secrets need the TPM's TCTI");
    }
    (void)snprintf(name, sizeof name, "%s", tcti);
    /* Settings that name one interface and nothing else. */
    tlm_settings settings = {
        .tcti = name, .tpm_device = nothing, .tpm_host = nothing, .tpm_priority = nothing};
    tlm_tcti_list list = {0};
    const tlm_tcti *used = NULL;
    tlm_tpm *tpm = NULL;
    settings.origin[TLM_SETTING_tcti] = TLM_ORIGIN_COMMAND_LINE;
    settings.origin_name[TLM_SETTING_tcti] = "--tcti";
    tlm_result result = tlm_tpm_open(&settings, &list, &used, &tpm, error);
    if (result == TLM_OK) {
        result = tlm_secrets_open(store, tpm, secrets, error);
    }
    tlm_tpm_close(&tpm);
    tlm_tcti_list_clear(&list);
    return result;
}

tlm_result tlm_test_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    const tlm_store_secrets *secrets = context;
    if (secrets->user_pin == NULL) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE, NULL, "the store has no user PIN");
    }
    return tlm_secret_from(tlm_secret_bytes(secrets->user_pin), tlm_secret_size(secrets->user_pin),
                           pin, error);
}
