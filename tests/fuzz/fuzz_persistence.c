/* SPDX-License-Identifier: BSD-2-Clause */
/* The payloads of persistence.bin and vault.bin over any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/persistence.h>
#include <tlm/vault.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_refusal(tlm_result result)
{
    return result == TLM_ERR_DAMAGED || result == TLM_ERR_NEWER || result == TLM_ERR_MEMORY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_persistence persistence = {0};
    tlm_vault vault = {0};
    tlm_result result = tlm_persistence_parse(data, size, &persistence, NULL);
    if (result == TLM_OK ? persistence.vault_key == NULL || strlen(persistence.storage_id) != 36 ||
                               strcmp(persistence.vault, TLM_VAULT_FILE) != 0
                         : !is_refusal(result)) {
        abort();
    }
    tlm_persistence_clear(&persistence);
    result = tlm_vault_parse(data, size, &vault, NULL);
    if (result == TLM_OK ? vault.local == NULL || vault.srk_public_key == NULL
                         : !is_refusal(result)) {
        abort();
    }
    tlm_vault_clear(&vault);
    return 0;
}
