/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FUZZ_FORMATS_H
#define TLM_FUZZ_FORMATS_H

/*
 * What the targets of signed texts share: a trust with the keys of the corpora (formats_trust.jwks,
 * compiled in) and with one key of this process, which signs whatever comes, so that an input can
 * get behind the signature: one that begins with a brace is a payload, every other one a text.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/jwk.h>
#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/trust.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_formats {
    EVP_PKEY *key;
    tlm_trust *trust;
} fuzz_formats;

static inline void fuzz_need(int good)
{
    if (!good) {
        abort();
    }
}

/* The vendor ACME and an issuer with the key "fuzz". */
static inline const fuzz_formats *fuzz_formats_get(void)
{
    static fuzz_formats made;
    json_t *jwk = NULL;
    if (made.trust != NULL) {
        return &made;
    }
    made.key = EVP_EC_gen("P-256");
    fuzz_need(tlm_jwk_from_public(made.key, &jwk, NULL) == TLM_OK);
    fuzz_need(json_object_set_new(jwk, "kid", json_string("fuzz")) == 0);
    fuzz_need(json_object_set_new(jwk, "alg", json_string("ES256")) == 0);
    fuzz_need(json_object_set_new(jwk, "tlm:iss", json_string("ACME")) == 0);
    fuzz_need(tlm_trust_new(&made.trust, NULL) == TLM_OK);
    static const char *const uses[] = {"vendor", "issuer"};
    for (size_t i = 0; i < 2; i++) {
        fuzz_need(json_object_set_new(jwk, "tlm:use", json_string(uses[i])) == 0);
        json_t *keys = json_pack("{s:[O]}", "keys", jwk);
        char *text = json_dumps(keys, 0);
        fuzz_need(tlm_trust_add(made.trust, text, strlen(text), "fuzz", NULL) == TLM_OK);
        free(text);
        json_decref(keys);
    }
    json_decref(jwk);
    return &made;
}

/* The input as a text: as it is, or signed. The caller frees it. */
static inline char *fuzz_text(const uint8_t *data, size_t size, const char *typ, size_t *length)
{
    char *text = NULL;
    if (size == 0 || data[0] != '{') {
        text = malloc(size + 1);
        fuzz_need(text != NULL);
        memcpy(text, data, size);
        text[size] = '\0';
        *length = size;
        return text;
    }
    char header[128];
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"fuzz\",\"typ\":\"%s\"}",
                   typ);
    char *first = tlm_base64url_encode(header, strlen(header));
    char *second = tlm_base64url_encode(data, size);
    char *input = NULL;
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t signature_size = 0;
    fuzz_need(asprintf(&input, "%s.%s", first, second) > 0);
    fuzz_need(tlm_jws_sign_pkey(fuzz_formats_get()->key, "ES256", input, strlen(input), signature,
                                &signature_size, NULL) == TLM_OK);
    char *third = tlm_base64url_encode(signature, signature_size);
    fuzz_need(asprintf(&text, "%s.%s", input, third) > 0);
    free(first);
    free(second);
    free(third);
    free(input);
    *length = strlen(text);
    return text;
}

/* A refusal has its code and its words, and gives nothing. */
static inline void fuzz_check(tlm_result result, const tlm_error *error, const void *made)
{
    fuzz_need((result == TLM_OK) == (made != NULL));
    fuzz_need(result == TLM_OK || (error->result == result && error->message[0] != '\0'));
    fuzz_need(result != TLM_ERR_ARGUMENT && result != TLM_ERR_MEMORY);
}

#endif
