/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_ISSUE_FIXTURE_H
#define TLM_TEST_ISSUE_FIXTURE_H

/* Files of hosts, made from keys that live as long as the test program. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <tlm/key.h>

#include "rsa_keys.h"

static inline EVP_PKEY *host_key(void)
{
    static EVP_PKEY *key;
    if (key == NULL) {
        key = tlm_test_rsa(2048);
    }
    assert_non_null(key);
    return key;
}

static inline void free_host_key(void)
{
    EVP_PKEY_free(host_key());
}

/* A fingerprint answer for the key; "fallback" has two components, of which one is present. */
static inline json_t *fingerprint_answer(const char *type)
{
    static const unsigned char component[TLM_DIGEST_SIZE] = {1, 2, 3};
    unsigned char input[TLM_THUMBPRINT_SIZE + 4 + TLM_DIGEST_SIZE];
    unsigned char digest[TLM_DIGEST_SIZE];
    char *pem = NULL;
    assert_int_equal(tlm_public_thumbprint(host_key(), input, NULL), TLM_OK);
    assert_int_equal(tlm_public_to_pem(host_key(), &pem, NULL), TLM_OK);
    char *kid = tlm_base64url_encode(input, TLM_THUMBPRINT_SIZE);
    memcpy(digest, input, sizeof digest);
    memcpy(input + TLM_THUMBPRINT_SIZE, "cpu", 4);
    memcpy(input + TLM_THUMBPRINT_SIZE + 4, component, sizeof component);
    if (strcmp(type, "fallback") == 0) {
        assert_int_equal(EVP_Digest(input, sizeof input, digest, NULL, EVP_sha256(), NULL), 1);
    }
    char *hex = tlm_hex_encode(digest, sizeof digest);
    char *sha256 = tlm_hex_encode(component, sizeof component);
    json_t *answer =
        json_pack("{s:s, s:s, s:s, s:b, s:s, s:[{s:s, s:i, s:b, s:s}, {s:s, s:i, s:b, s:n}]}",
                  "fingerprint", hex, "kid", kid, "type", type, "hardwareBound", 0, "publicKey",
                  pem, "components", "id", "cpu", "weight", 1, "present", 1, "sha256", sha256, "id",
                  "board", "weight", 2, "present", 0, "sha256");
    assert_non_null(answer);
    free(sha256);
    free(hex);
    free(kid);
    free(pem);
    return answer;
}

static inline json_t *host_request(const char *type, int with_fallback)
{
    json_t *fallback = with_fallback ? fingerprint_answer("fallback") : json_null();
    json_t *request = json_pack("{s:s, s:i, s:s, s:o, s:o, s:{s:[]}}", "type", "tlm-request",
                                "version", 1, "created", "2026-01-31T12:00:00Z", "host",
                                fingerprint_answer(type), "fallback", fallback, "keys", "keys");
    assert_non_null(request);
    return request;
}

#endif
