/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <stdlib.h>

#define TLM_LIST_FUNCTION(name) .name = tlm_##name,

static CK_FUNCTION_LIST list = {.version = {2, 40}, TLM_FUNCTIONS(TLM_LIST_FUNCTION)};

CK_FUNCTION_LIST *tlm_provider_functions(void)
{
    return &list;
}

CK_RV tlm_C_GetFunctionList(CK_FUNCTION_LIST **functions)
{
    if (functions == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    *functions = &list;
    return CKR_OK;
}

tlm_result tlm_provider_new(const tlm_provider_config *config, tlm_provider **provider,
                            tlm_error *error)
{
    if (config == NULL || config->access == NULL || config->sessions == 0 || provider == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a provider takes an access table and a number of sessions");
    }
    tlm_provider *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a provider");
    }
    made->config = *config;
    made->config.access = NULL; /* each client has the one of its first moment */
    atomic_store(&made->access, config->access);
    made->wait_ms = 1000 * (int64_t)(config->wait_seconds != 0 ? config->wait_seconds
                                                               : TLM_PROVIDER_WAIT_SECONDS);
    atomic_store(&made->next_handle, 1UL);
    tlm_gate_init(&made->gate);
    *provider = made;
    return TLM_OK;
}

void tlm_provider_free(tlm_provider **provider)
{
    if (provider == NULL || *provider == NULL) {
        return;
    }
    tlm_entries_free(&(*provider)->entries);
    free(atomic_load(&(*provider)->served));
    tlm_gate_destroy(&(*provider)->gate);
    free(*provider);
    *provider = NULL;
}

/* Clients look at it once they have seen the token, which is stored after it. */
void tlm_provider_set_hardware(tlm_provider *provider, const tlm_hardware *hardware)
{
    provider->config.hardware = hardware;
}

void tlm_provider_set_token(tlm_provider *provider, tlm_token *token)
{
    provider->recoveries = tlm_token_recoveries(token);
    atomic_store(&provider->token, token);
}

void tlm_provider_set_access(tlm_provider *provider, const tlm_access *access)
{
    atomic_store(&provider->access, access);
}
