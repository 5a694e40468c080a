/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool copy(char **to, const char *from)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

tlm_result tlm_grant_fill(const tlm_ledger *ledger, const tlm_pool *pool, const tlm_lease *lease,
                          tlm_ledger_request *request)
{
    tlm_grant *grant = &request->grant;
    const tlm_license *license = pool->record->license;
    const char *client = lease != NULL ? lease->client : request->ask.client;
    const char *memory = pool->feature != NULL ? pool->feature->memory : NULL;
    tlm_grant_clear(grant);
    (void)snprintf(grant->license, sizeof grant->license, "%s", license->jti);
    grant->model = pool->model;
    grant->units = lease != NULL ? lease->units : 0;
    grant->expires = lease != NULL ? lease->expires : tlm_pool_ends(pool, ledger->now);
    grant->granted = lease != NULL ? lease->granted : ledger->now;
    tlm_pool_figures(pool, &grant->used, &grant->remaining);
    if (lease != NULL) {
        (void)snprintf(grant->lease, sizeof grant->lease, "%s", lease->id);
        (void)snprintf(grant->jkt, sizeof grant->jkt, "%s", lease->jkt);
        grant->fence = lease->fence;
        grant->borrowed = lease->jkt[0] != '\0';
    }
    if (!copy(&grant->feature, pool->name) || !copy(&grant->client, client) ||
        !copy(&grant->vendor, license->vendor) || !copy(&grant->product, license->product_id) ||
        !copy(&grant->memory, memory)) {
        tlm_grant_clear(grant);
        return tlm_error_set(&request->error, TLM_ERR_MEMORY, NULL, "no memory for an answer");
    }
    return TLM_OK;
}

void tlm_grant_clear(tlm_grant *grant)
{
    free(grant->feature);
    free(grant->client);
    free(grant->vendor);
    free(grant->product);
    free(grant->memory);
    *grant = (tlm_grant){.used = -1, .remaining = -1};
}
