/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <tlm/file.h>

#include "../../pkcs11-glue/src/internal.h"
#include "token_fixture.h"

#define PIN "00112233445566778899aabbccddeeff"
#define OTHER "ffeeddccbbaa99887766554433221100"

static const char good[] = "{\"version\":1,\"userPin\":\"" PIN "\",\"soPin\":\"" OTHER
                           "\",\"tpmAuth\":\"" PIN "\",\"tpmSeed\":\"" OTHER "\"}\n";

static int make_directory(void **state)
{
    char *directory = strdup("/tmp/tlm-unit.XXXXXX");
    assert_non_null(mkdtemp(directory));
    *state = directory;
    return 0;
}

static int remove_directory(void **state)
{
    tlm_test_remove_tree(*state);
    free(*state);
    return 0;
}

static void assert_secret(const tlm_secret *secret, const void *data, size_t size)
{
    assert_non_null(secret);
    assert_int_equal(tlm_secret_size(secret), size);
    assert_memory_equal(tlm_secret_bytes(secret), data, size);
}

static void test_comes_back_as_created(void **state)
{
    static const unsigned char seed[16] = {0xff, 0x00, 0x7f, 1, 2, 3};
    tlm_store store = {.directory = *state};
    tlm_store_secrets secrets = {0};
    tlm_store_secrets back = {0};
    tlm_error error = {0};
    struct stat status;
    assert_int_equal(tlm_secret_from(PIN, 32, &secrets.user_pin, &error), TLM_OK);
    assert_int_equal(tlm_secret_from(OTHER, 32, &secrets.so_pin, &error), TLM_OK);
    assert_int_equal(tlm_secret_from(seed, sizeof seed, &secrets.tpm_seed, &error), TLM_OK);
    assert_int_equal(tlm_store_secrets_create(&store, &secrets, &error), TLM_OK);
    char *path = tlm_path_join(*state, "secrets.json");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(tlm_store_secrets_load(&store, &back, &error), TLM_OK);
    assert_secret(back.user_pin, PIN, 32);
    assert_secret(back.so_pin, OTHER, 32);
    assert_secret(back.tpm_seed, seed, sizeof seed);
    assert_null(back.tpm_auth);
    tlm_store_secrets_clear(&back);

    assert_int_equal(tlm_store_secrets_create(&store, &secrets, &error), TLM_ERR_EXISTS);

    tlm_secret *pin = NULL;
    assert_int_equal(tlm_store_user_pin(&store, &pin, &error), TLM_OK);
    assert_secret(pin, PIN, 32);
    tlm_secret_free(&pin);

    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(tlm_store_secrets_load(&store, &back, &error), TLM_ERR_PERMISSION);
    assert_int_equal(tlm_store_user_pin(&store, &pin, &error), TLM_ERR_PERMISSION);
    assert_null(pin);
    free(path);
    tlm_store_secrets_clear(&secrets);
    tlm_store_secrets_clear(&secrets);
    tlm_store_secrets_clear(NULL);
}

static void test_missing(void **state)
{
    tlm_store store = {.directory = *state};
    tlm_store_secrets secrets = {0};
    tlm_secret *pin = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_store_secrets_load(&store, &secrets, &error), TLM_ERR_INCOMPLETE);
    assert_int_equal(tlm_secret_from(PIN, 32, &secrets.so_pin, &error), TLM_OK);
    assert_int_equal(tlm_store_secrets_create(&store, &secrets, &error), TLM_OK);
    assert_int_equal(tlm_store_user_pin(&store, &pin, &error), TLM_ERR_INCOMPLETE);
    assert_non_null(strstr(error.message, "user PIN"));
    assert_null(pin);
    tlm_store_secrets_clear(&secrets);
}

static void test_create_refuses_other_forms(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } wrong[] = {{PIN, 31},
                 {PIN "0", 33},
                 {"0011223344556677889gaabbccddeeff", 32},
                 {"00112233445566778899AABBCCDDEEFF", 32}};
    tlm_store store = {.directory = *state};
    char *path = tlm_path_join(*state, "secrets.json");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tlm_store_secrets secrets = {0};
        tlm_error error = {0};
        assert_int_equal(tlm_secret_from(wrong[i].text, wrong[i].size, &secrets.user_pin, &error),
                         TLM_OK);
        assert_int_equal(tlm_store_secrets_create(&store, &secrets, &error), TLM_ERR_ARGUMENT);
        assert_null(strstr(error.message, "0011"));
        tlm_store_secrets_clear(&secrets);
        assert_int_equal(tlm_secret_from(PIN, 15, &secrets.tpm_seed, &error), TLM_OK);
        assert_int_equal(tlm_store_secrets_create(&store, &secrets, &error), TLM_ERR_ARGUMENT);
        tlm_store_secrets_clear(&secrets);
        assert_false(tlm_file_exists(path));
    }
    free(path);
}

static tlm_result parse(const char *text, size_t size, tlm_store_secrets *secrets)
{
    tlm_error error = {0};
    tlm_result result = tlm_store_secrets_parse(text, size, "secrets.json", secrets, &error);
    /* No secret in a message, whatever the file holds. */
    assert_null(strstr(error.message, "0011"));
    assert_null(strstr(error.hint, "0011"));
    return result;
}

static void test_parses(void **state)
{
    (void)state;
    static const unsigned char seed[16] = {0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88,
                                           0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00};
    static const char spaced[] = " {\n\t\"soPin\" : \"" PIN "\" ,\r\n \"version\" : 1 } \n";
    tlm_store_secrets secrets = {0};
    assert_int_equal(parse(good, sizeof good - 1, &secrets), TLM_OK);
    assert_secret(secrets.user_pin, PIN, 32);
    assert_secret(secrets.so_pin, OTHER, 32);
    assert_secret(secrets.tpm_auth, PIN, 32);
    assert_secret(secrets.tpm_seed, seed, 16);
    tlm_store_secrets_clear(&secrets);
    assert_int_equal(parse(spaced, sizeof spaced - 1, &secrets), TLM_OK);
    assert_secret(secrets.so_pin, PIN, 32);
    tlm_store_secrets_clear(&secrets);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tlm_result result;
    } cases[] = {
        {"", TLM_ERR_FORMAT},
        {"{}", TLM_ERR_FORMAT},
        {"{\"version\":2}", TLM_ERR_NEWER},
        {"{\"version\":10}", TLM_ERR_NEWER},
        {"{\"version\":01}", TLM_ERR_FORMAT},
        {"{\"version\":1,\"version\":1}", TLM_ERR_FORMAT},
        {"{\"version\":1}x", TLM_ERR_FORMAT},
        {"{\"version\":1,}", TLM_ERR_FORMAT},
        {"{\"userPin\":\"" PIN "\"}", TLM_ERR_FORMAT},
        {"{\"version\":1,\"userPin\":\"" PIN "\",\"userPin\":\"" PIN "\"}", TLM_ERR_FORMAT},
        {"{\"version\":1,\"pin\":\"" PIN "\"}", TLM_ERR_FORMAT},
        {"{\"version\":1,\"userPin\":\"" PIN "0\"}", TLM_ERR_FORMAT},
        {"{\"version\":1,\"userPin\":\"\"}", TLM_ERR_FORMAT},
        {"{\"version\":1,\"userPin\":null}", TLM_ERR_FORMAT},
        {"{\"version\":1,\"userPin\":\"\\u0030" PIN "\"}", TLM_ERR_FORMAT},
        {"[\"version\",1]", TLM_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_store_secrets secrets = {0};
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &secrets), cases[i].result);
        assert_null(secrets.user_pin);
    }
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof good - 2; size++) {
        tlm_store_secrets secrets = {0};
        assert_int_equal(parse(good, size, &secrets), TLM_ERR_FORMAT);
    }
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(test_comes_back_as_created),
        WITH_DIRECTORY(test_missing),
        WITH_DIRECTORY(test_create_refuses_other_forms),
        cmocka_unit_test(test_parses),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_truncated_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
