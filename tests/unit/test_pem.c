/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "pem_private.h"
#include "rsa_keys.h"

#define BEGIN "-----BEGIN PRIVATE KEY-----\n"

static EVP_PKEY *key;

static int make_key(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    return key == NULL;
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

static tlm_secret *written(EVP_PKEY *made)
{
    tlm_secret *pem = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_pem_write_private(made, &pem, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, TLM_OK);
    return pem;
}

static void comes_back(EVP_PKEY *made)
{
    tlm_secret *pem = written(made);
    assert_memory_equal(tlm_secret_bytes(pem), BEGIN, strlen(BEGIN));
    EVP_PKEY *same = tlm_pem_read_private(tlm_secret_bytes(pem), tlm_secret_size(pem));
    assert_non_null(same);
    assert_int_equal(EVP_PKEY_eq(same, made), 1);
    EVP_PKEY_free(same);
    tlm_secret_free(&pem);
}

static void a_written_key_is_read(void **state)
{
    (void)state;
    EVP_PKEY *rsa = tlm_test_rsa(2048);
    assert_non_null(rsa);
    comes_back(key);
    comes_back(rsa);
    EVP_PKEY_free(rsa);
}

static void what_has_no_private_half_is_not_written(void **state)
{
    (void)state;
    tlm_secret *pem = NULL;
    tlm_error error = {0};
    EVP_PKEY *public = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(memory, key), 1);
    public = PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL);
    assert_non_null(public);
    assert_int_equal(tlm_pem_write_private(public, &pem, &error), TLM_ERR_CRYPTO);
    assert_non_null(strstr(error.message, "OpenSSL says"));
    assert_null(pem);
    assert_int_equal(tlm_pem_write_private(NULL, &pem, &error), TLM_ERR_CRYPTO);
    assert_null(pem);
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(public);
    BIO_free(memory);
}

static void what_is_no_key_is_not_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {"x", BEGIN, BEGIN "AAAA\n-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(tlm_pem_read_private(wrong[i], strlen(wrong[i])));
    }
    assert_null(tlm_pem_read_private(NULL, 0));
    tlm_secret *pem = written(key);
    const char *text = (const char *)tlm_secret_bytes(pem);
    /* The line end after the last dash may be missing, nothing else. */
    for (size_t size = 0; size + 1 < tlm_secret_size(pem); size++) {
        char *cut = malloc(size + 1);
        assert_non_null(cut);
        memcpy(cut, text, size);
        assert_null(tlm_pem_read_private(cut, size));
        free(cut);
    }
    assert_int_equal(ERR_peek_error(), 0);
    tlm_secret_free(&pem);
}

static void the_largest_is_read_and_no_larger(void **state)
{
    (void)state;
    char padded[TLM_PEM_PRIVATE_MAX + 1];
    tlm_secret *pem = written(key);
    memset(padded, '\n', sizeof padded);
    memcpy(padded, tlm_secret_bytes(pem), tlm_secret_size(pem));
    EVP_PKEY *read = tlm_pem_read_private(padded, TLM_PEM_PRIVATE_MAX);
    assert_non_null(read);
    EVP_PKEY_free(read);
    assert_null(tlm_pem_read_private(padded, TLM_PEM_PRIVATE_MAX + 1));
    tlm_secret_free(&pem);
}

/* A passphrase that is wanted is not asked for: this would wait at a terminal. */
static void an_encrypted_key_is_none(void **state)
{
    (void)state;
    char *text = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(memory, key, EVP_aes_256_cbc(), "pass", 4, NULL, NULL), 1);
    long size = BIO_get_mem_data(memory, &text);
    assert_true(size > 0);
    assert_null(tlm_pem_read_private(text, (size_t)size));
    BIO_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_key_is_read),
        cmocka_unit_test(what_has_no_private_half_is_not_written),
        cmocka_unit_test(what_is_no_key_is_not_read),
        cmocka_unit_test(the_largest_is_read_and_no_larger),
        cmocka_unit_test(an_encrypted_key_is_none),
    };
    return cmocka_run_group_tests_name("pem", tests, make_key, free_key);
}
