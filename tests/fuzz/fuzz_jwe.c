/* SPDX-License-Identifier: BSD-2-Clause */
/* The compact parser over any bytes: what it takes, it keeps byte for byte. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/key.h>

#include "../../licensing/formats/src/jwe_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const tlm_jwe *jwe, const uint8_t *data, size_t size)
{
    char *text = NULL;
    char *key = tlm_base64url_encode(jwe->encrypted_key, jwe->encrypted_size);
    if (key == NULL || asprintf(&text, "%s.%s.%s.%s.%s", jwe->protected_header, key, jwe->iv,
                                jwe->ciphertext, jwe->tag) < 0) {
        abort();
    }
    if (strlen(text) != size || memcmp(text, data, size) != 0 || jwe->header.alg == NULL) {
        abort();
    }
    free(text);
    free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t bytes[TLM_JWE_CEK_SIZE] = {1};
    tlm_jwe *jwe = NULL;
    tlm_secret *cek = NULL;
    tlm_secret *plain = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_jwe_parse((const char *)data, size, &jwe, &error);
    if (result != TLM_OK) {
        if (jwe != NULL || error.result != result || error.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    check(jwe, data, size);
    if (tlm_secret_from(bytes, sizeof bytes, &cek, NULL) == TLM_OK) {
        (void)!tlm_jwe_open(jwe, cek, &plain, NULL);
    }
    tlm_secret_free(&plain);
    tlm_secret_free(&cek);
    tlm_jwe_free(&jwe);
    return 0;
}
