/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "../../token-init/src/credential.h"
#include "rsa_keys.h"
#include "vector.h"

/* KDFa as Part 1 section 11.4.10.2 writes it, over HMAC alone. */
static void kdfa(const unsigned char *key, size_t key_size, const char *label,
                 const unsigned char *context, size_t context_size, unsigned char *out, size_t size)
{
    for (uint32_t i = 1; size > 0; i++) {
        unsigned char text[256];
        unsigned char block[SHA256_DIGEST_LENGTH];
        size_t used = 0;
        static uint32_t bits;
        bits = i == 1 ? (uint32_t)(8 * size) : bits;
        for (int shift = 24; shift >= 0; shift -= 8) {
            text[used++] = (unsigned char)(i >> shift);
        }
        memcpy(text + used, label, strlen(label) + 1);
        used += strlen(label) + 1;
        if (context_size > 0) {
            memcpy(text + used, context, context_size);
            used += context_size;
        }
        for (int shift = 24; shift >= 0; shift -= 8) {
            text[used++] = (unsigned char)(bits >> shift);
        }
        unsigned length = 0;
        (void)HMAC(EVP_sha256(), key, (int)key_size, text, used, block, &length);
        size_t part = size < sizeof block ? size : sizeof block;
        memcpy(out, block, part);
        out += part;
        size -= part;
    }
}

static void test_kdfa(void **state)
{
    (void)state;
    unsigned char key[32];
    unsigned char context[34];
    memset(key, 0x5a, sizeof key);
    memset(context, 0xc3, sizeof context);
    static const size_t sizes[] = {16, 32, 33, 64, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char expected[100];
        unsigned char got[100];
        tlm_error error = {0};
        kdfa(key, sizeof key, "STORAGE", context, sizeof context, expected, sizes[i]);
        assert_int_equal(tlm_credential_kdfa(key, sizeof key, "STORAGE", context, sizeof context,
                                             got, sizes[i], &error),
                         TLM_OK);
        assert_memory_equal(got, expected, sizes[i]);
        kdfa(key, sizeof key, "INTEGRITY", NULL, 0, expected, sizes[i]);
        assert_int_equal(
            tlm_credential_kdfa(key, sizeof key, "INTEGRITY", NULL, 0, got, sizes[i], &error),
            TLM_OK);
        assert_memory_equal(got, expected, sizes[i]);
    }
}

static void read_name(const char *hex, tlm_tpm_name *name)
{
    name->size = strlen(hex) / 2;
    assert_true(name->size <= sizeof name->bytes);
    for (size_t i = 0; i < name->size; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        name->bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
}

/* What tpm2_makecredential made of the same seed, name and secret. */
static void test_vector(void **state)
{
    (void)state;
    json_t *vector = tlm_vector_load("attestation/makecredential.json");
    size_t seed_size = 0;
    size_t secret_size = 0;
    size_t id_size = 0;
    unsigned char *seed = tlm_vector_bytes(vector, "seed", &seed_size);
    unsigned char *secret = tlm_vector_bytes(vector, "secret", &secret_size);
    unsigned char *id_object = tlm_vector_bytes(vector, "idObject", &id_size);
    tlm_tpm_name name = {.size = 0};
    tlm_credential credential;
    tlm_error error = {0};
    read_name(tlm_vector_text(vector, "name"), &name);
    assert_int_equal(seed_size, TLM_CREDENTIAL_SEED_SIZE);
    assert_int_equal(secret_size, TLM_CREDENTIAL_SECRET_SIZE);
    assert_int_equal(tlm_credential_protect(seed, &name, secret, &credential, &error), TLM_OK);
    assert_int_equal(credential.id_size, id_size);
    assert_memory_equal(credential.id_object, id_object, id_size);
    /* Another name gives another credential. */
    name.bytes[2] ^= 1U;
    assert_int_equal(tlm_credential_protect(seed, &name, secret, &credential, &error), TLM_OK);
    assert_memory_not_equal(credential.id_object, id_object, id_size);
    free(seed);
    free(secret);
    free(id_object);
    json_decref(vector);
}

static void rsa_area(EVP_PKEY *key, tlm_wire_public *area, unsigned char modulus[256])
{
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, modulus, 256), 256);
    BN_free(n);
    *area = (tlm_wire_public){.type = TLM_WIRE_ALG_RSA,
                              .symmetric = TLM_WIRE_ALG_AES,
                              .symmetric_bits = 128,
                              .bits = 2048,
                              .exponent = 65537,
                              .x = {modulus, 256}};
}

/* The holder of the private key gets the seed, and with it the same credential. */
static void test_rsa(void **state)
{
    (void)state;
    static unsigned char label[] = "IDENTITY";
    EVP_PKEY *key = tlm_test_rsa(2048);
    tlm_wire_public area;
    unsigned char modulus[256];
    unsigned char seed[256];
    size_t seed_size = sizeof seed;
    const unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE] = {1, 2, 3};
    const tlm_tpm_name name = {.bytes = {0, 11, 7}, .size = 34};
    tlm_credential made;
    tlm_credential again;
    tlm_error error = {0};
    rsa_area(key, &area, modulus);
    assert_int_equal(tlm_credential_make(&area, &name, secret, &made, &error), TLM_OK);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(context, OPENSSL_memdup(label, sizeof label),
                                                      (int)sizeof label),
                     1);
    assert_int_equal(
        EVP_PKEY_decrypt(context, seed, &seed_size, made.encrypted, made.encrypted_size), 1);
    assert_int_equal(seed_size, TLM_CREDENTIAL_SEED_SIZE);
    assert_int_equal(tlm_credential_protect(seed, &name, secret, &again, &error), TLM_OK);
    assert_memory_equal(again.id_object, made.id_object, made.id_size);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
}

static void test_refusals(void **state)
{
    (void)state;
    EVP_PKEY *key = tlm_test_rsa(2048);
    tlm_wire_public area;
    unsigned char modulus[256];
    const unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE] = {0};
    const tlm_tpm_name name = {.size = 34};
    const unsigned char nowhere[32] = {1};
    tlm_credential made;
    tlm_error error = {0};
    rsa_area(key, &area, modulus);
    area.symmetric = TLM_WIRE_ALG_NULL;
    assert_int_equal(tlm_credential_make(&area, &name, secret, &made, &error), TLM_ERR_UNSUPPORTED);
    rsa_area(key, &area, modulus);
    area.symmetric_bits = 256;
    assert_int_equal(tlm_credential_make(&area, &name, secret, &made, &error), TLM_ERR_UNSUPPORTED);
    area = (tlm_wire_public){.type = TLM_WIRE_ALG_ECC,
                             .symmetric = TLM_WIRE_ALG_AES,
                             .symmetric_bits = 128,
                             .x = {nowhere, 32},
                             .y = {nowhere, 32}};
    assert_int_equal(tlm_credential_make(&area, &name, secret, &made, &error), TLM_ERR_FORMAT);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kdfa),
        cmocka_unit_test(test_vector),
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
