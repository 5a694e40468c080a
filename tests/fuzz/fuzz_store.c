/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../pkcs11-glue/src/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* token.json and secrets.json, the two files of a token store. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_store store = {0};
    tlm_store_secrets secrets = {0};
    tlm_error error = {0};
    if (tlm_store_parse((const char *)data, size, "token.json", &store, &error) == TLM_OK &&
        (store.label == NULL || strlen(store.label) > 32 || store.uri == NULL ||
         store.module == NULL || store.module[0] != '/')) {
        abort();
    }
    tlm_store_clear(&store);
    if (tlm_store_secrets_parse((const char *)data, size, "secrets.json", &secrets, &error) ==
            TLM_OK &&
        ((secrets.user_pin != NULL && tlm_secret_size(secrets.user_pin) != 32) ||
         (secrets.tpm_seed != NULL && tlm_secret_size(secrets.tpm_seed) != 16))) {
        abort();
    }
    tlm_store_secrets_clear(&secrets);
    return 0;
}
