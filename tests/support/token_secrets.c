/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the secrets of a token store as secrets.json has them, sealed or not:
 *
 *     token-secrets STORE [TCTI]
 */
#include <stdio.h>

#include "store_secrets.h"

static void print(const char *name, const tlm_secret *secret, bool digits)
{
    if (secret == NULL) {
        return;
    }
    (void)printf(",\"%s\":\"", name);
    for (size_t i = 0; i < tlm_secret_size(secret); i++) {
        (void)printf(digits ? "%c" : "%02x", tlm_secret_bytes(secret)[i]);
    }
    (void)printf("\"");
}

int main(int argc, char **argv)
{
    tlm_store store = {0};
    tlm_store_secrets secrets = {0};
    tlm_error error = {0};
    if (argc < 2) {
        (void)fputs("usage: token-secrets STORE [TCTI]\n", stderr);
        return 2;
    }
    tlm_result result = tlm_store_load(argv[1], &store, &error);
    if (result == TLM_OK) {
        result = tlm_test_secrets(&store, argc > 2 ? argv[2] : NULL, &secrets, &error);
    }
    if (result == TLM_OK) {
        (void)printf("{\"version\":1");
        print("userPin", secrets.user_pin, true);
        print("soPin", secrets.so_pin, true);
        print("tpmAuth", secrets.tpm_auth, true);
        print("tpmSeed", secrets.tpm_seed, false);
        (void)printf("}\n");
    } else {
        (void)fprintf(stderr, "token-secrets: %s [%s]\n  %s\n", error.message,
                      tlm_result_code(result), error.hint);
    }
    tlm_store_secrets_clear(&secrets);
    tlm_store_clear(&store);
    return result == TLM_OK ? 0 : 1;
}
