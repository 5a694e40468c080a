/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_LICENSING_FIXTURE_H
#define TLM_TEST_LICENSING_FIXTURE_H

/*
 * A key in memory that stands for the token's, and texts sealed to it.
 *
 *     static int setup(void **state) { return key_setup(state); }
 *     EVP_PKEY *key = test_key();
 *     unwrapper unwrap = {.key = key};
 *     result = tlm_persistence_open(text, size, key, unwrap_with, &unwrap, &opened, &error);
 *     assert_int_equal(unwrap.calls, 1);
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <tlm/jwe.h>
#include <tlm/key.h>
#include <tlm/persistence.h>

#include "../../licensing/src/local_key_private.h"
#include "rsa_keys.h"

typedef struct unwrapper {
    EVP_PKEY *key;
    tlm_result fails_with; /* instead of unwrapping */
    unsigned calls;
} unwrapper;

static inline tlm_result unwrap_with(void *context, const unsigned char *wrapped, size_t size,
                                     tlm_secret **key, tlm_error *error)
{
    unwrapper *self = context;
    self->calls++;
    if (self->fails_with != TLM_OK) {
        return tlm_error_set(error, self->fails_with, NULL, "the test's token fails");
    }
    return tlm_local_key_decrypt_oaep(self->key, wrapped, size, key, error);
}

static inline EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = tlm_test_rsa(2048U);
    assert_non_null(key);
    return key;
}

/* A content of `text` sealed as persistence.bin is, whatever the content. */
static inline char *seal_to(EVP_PKEY *key, EVP_PKEY *kid_key, const char *type, const char *payload)
{
    unsigned char cek_bytes[TLM_JWE_CEK_SIZE] = {7};
    unsigned char wrapped[TLM_SIGNATURE_MAX];
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    size_t size = sizeof wrapped;
    tlm_secret *cek = NULL;
    tlm_secret *plain = NULL;
    char *text = NULL;
    assert_int_equal(tlm_secret_from(cek_bytes, sizeof cek_bytes, &cek, NULL), TLM_OK);
    assert_int_equal(tlm_secret_from(payload, strlen(payload), &plain, NULL), TLM_OK);
    assert_int_equal(
        tlm_public_encrypt_oaep(key, cek_bytes, sizeof cek_bytes, wrapped, &size, NULL), TLM_OK);
    assert_int_equal(tlm_public_thumbprint(kid_key, thumbprint, NULL), TLM_OK);
    char *kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    const tlm_jwe_header header = {
        .alg = TLM_JWE_ALG_RSA_OAEP_256, .kid = kid, .typ = type, .cty = "json"};
    assert_int_equal(tlm_jwe_seal(&header, wrapped, size, cek, plain, &text, NULL), TLM_OK);
    free(kid);
    tlm_secret_free(&plain);
    tlm_secret_free(&cek);
    return text;
}

#endif
