/* SPDX-License-Identifier: BSD-2-Clause */
/* JWKS: all keys of a text or none, and each that is taken is one that can verify. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/jwk.h>
#include <tlm/trust.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const tlm_trust_key *key)
{
    EVP_PKEY *public = NULL;
    if (key->kid[0] == '\0' || (key->use == TLM_TRUST_VENDOR) != (key->iss != NULL) ||
        tlm_jwk_to_public(key->jwk, &public, NULL) != TLM_OK) {
        abort();
    }
    EVP_PKEY_free(public);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_trust *trust = NULL;
    tlm_error error = {.result = TLM_OK};
    if (tlm_trust_new(&trust, NULL) != TLM_OK) {
        abort();
    }
    size_t before = tlm_trust_count(trust);
    tlm_result result = tlm_trust_add(trust, (const char *)data, size, "fuzz", &error);
    if (result != TLM_OK &&
        (tlm_trust_count(trust) != before || error.result != result || error.message[0] == '\0')) {
        abort();
    }
    for (size_t i = 0; i < tlm_trust_count(trust); i++) {
        check(tlm_trust_at(trust, i));
    }
    size_t after = tlm_trust_count(trust);
    /* The same again adds nothing. */
    if (result == TLM_OK &&
        (tlm_trust_add(trust, (const char *)data, size, "again", NULL) != TLM_OK ||
         tlm_trust_count(trust) != after)) {
        abort();
    }
    tlm_trust_free(&trust);
    return 0;
}
