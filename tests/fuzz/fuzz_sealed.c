/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/seal.h>
#include <tlm/secrets.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* sealed.json, and the plain text that is sealed in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_sealed sealed;
    tlm_error error = {0};
    if (tlm_sealed_parse((const char *)data, size, "sealed.json", &sealed, &error) == TLM_OK) {
        unsigned registers = tlm_vault_policy_registers(sealed.policy);
        for (size_t i = 0; i < sealed.pcr_count; i++) {
            registers &= ~(1U << sealed.pcrs[i].index);
        }
        if (registers != 0 || sealed.pcr_count > TLM_SEAL_PCR_MAX || sealed.parent.size == 0 ||
            sealed.parent.size > TLM_TPM_NAME_MAX || sealed.public_size == 0 ||
            sealed.public_size > TLM_SEAL_BLOB_MAX || sealed.private_size == 0 ||
            sealed.private_size > TLM_SEAL_BLOB_MAX) {
            abort();
        }
    }
    tlm_secret *plain = NULL;
    tlm_store_secrets secrets = {0};
    if (size > 0 && size <= 256 && tlm_secret_from(data, size, &plain, &error) == TLM_OK &&
        tlm_secrets_unpack(plain, &secrets, &error) == TLM_OK &&
        ((secrets.user_pin != NULL && tlm_secret_size(secrets.user_pin) != 32) ||
         (secrets.tpm_seed != NULL && tlm_secret_size(secrets.tpm_seed) != 16))) {
        abort();
    }
    tlm_store_secrets_clear(&secrets);
    tlm_secret_free(&plain);
    return 0;
}
