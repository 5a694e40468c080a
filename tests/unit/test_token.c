/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "token_fixture.h"

static tlm_token_fixture fixture;

static int make_fixture(void **state)
{
    (void)state;
    tlm_token_fixture_make(&fixture);
    return 0;
}

static int clear_fixture(void **state)
{
    (void)state;
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static int reset_fixture(void **state)
{
    (void)state;
    (void)snprintf(fixture.pin, sizeof fixture.pin, "%s", TLM_TEST_PIN);
    fixture.pin_asks = 0;
    tlm_token_fixture_faults(&fixture, "");
    tlm_token_fixture_clear_log(&fixture);
    return 0;
}

static tlm_result open_with(const char *module, const char *uri, tlm_error *error)
{
    tlm_token_config config = fixture.config;
    tlm_token *token = NULL;
    config.module = module != NULL ? module : config.module;
    config.uri = uri != NULL ? uri : config.uri;
    tlm_result result = tlm_token_open(&config, &token, error);
    assert_true((token != NULL) == (result == TLM_OK));
    tlm_token_close(&token);
    return result;
}

static void test_opens_with_one_login(void **state)
{
    (void)state;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    tlm_token_info info;
    tlm_error error = {0};
    assert_true(tlm_token_available(token));
    assert_int_equal(tlm_token_recoveries(token), 0);
    assert_int_equal(tlm_token_probe(token, &error), TLM_OK);
    tlm_token_get_info(token, &info);
    assert_string_equal(info.label, "tlm");
    assert_string_equal(info.manufacturer, "SoftHSM project");
    assert_string_equal(info.model, "SoftHSM v2");
    assert_int_equal(strlen(info.serial), 16);
    assert_true((info.flags & CKF_TOKEN_INITIALIZED) != 0);
    assert_false(info.hardware_slot);
    assert_int_equal(fixture.pin_asks, 1);
    tlm_token_close(&token);
    assert_null(token);
    tlm_token_close(&token);
    tlm_token_close(NULL);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 1);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Initialize"), 1);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Finalize"), 1);
}

static void test_module_that_is_not_there(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_int_equal(open_with("/nonexistent/module.so", NULL, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nonexistent/module.so"));
    assert_true(error.hint[0] != '\0');
}

static void test_uri_of_no_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_int_equal(open_with(NULL, "pkcs11:token=other", &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "pkcs11:token=other"));
    assert_non_null(strstr(error.hint, "'tlm'"));
    assert_int_equal(open_with(NULL, "pkcs11:library-manufacturer=nobody", &error),
                     TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 0);
}

static void test_uri_of_several_tokens(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_add(&fixture, "second");
    assert_int_equal(open_with(NULL, "pkcs11:", &error), TLM_ERR_ARGUMENT);
    assert_non_null(strstr(error.hint, "'tlm'"));
    assert_non_null(strstr(error.hint, "'second'"));
    assert_int_equal(open_with(NULL, "pkcs11:token=second", &error), TLM_OK);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 1);
}

static void test_bad_uris(void **state)
{
    (void)state;
    static const char *const uris[] = {"", "tlm", "http://tlm", "pkcs11:token=%zz",
                                       "pkcs11:tokne=tlm"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        tlm_error error = {0};
        assert_int_equal(open_with(NULL, uris[i], &error), TLM_ERR_ARGUMENT);
        assert_non_null(strstr(error.hint, "pkcs11:token=tlm"));
    }
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Initialize"), 0);
}

static void test_uri_with_a_pin_is_refused_and_not_shown(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_int_equal(open_with(NULL, "pkcs11:token=tlm?pin-value=hunter2", &error),
                     TLM_ERR_ARGUMENT);
    assert_null(strstr(error.message, "hunter2"));
    assert_null(strstr(error.hint, "hunter2"));
}

static void test_arguments(void **state)
{
    (void)state;
    tlm_token *token = NULL;
    tlm_token_config config = {.uri = "pkcs11:"};
    tlm_error error = {0};
    assert_int_equal(tlm_token_open(NULL, &token, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_open(&config, &token, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_open(&fixture.config, NULL, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_random(NULL, &config, 1, &error), TLM_ERR_ARGUMENT);
}

/* The same wrong PIN again, through new tokens: the token hears it once. */
static void test_wrong_pin_is_sent_once(void **state)
{
    (void)state;
    tlm_error error = {0};
    (void)snprintf(fixture.pin, sizeof fixture.pin, "wrong-pin");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(open_with(NULL, NULL, &error), TLM_ERR_PIN);
        assert_null(strstr(error.message, "wrong-pin"));
    }
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 1);
    (void)snprintf(fixture.pin, sizeof fixture.pin, "%s", TLM_TEST_PIN);
    assert_int_equal(open_with(NULL, NULL, &error), TLM_OK);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 2);
}

static void test_final_try_and_lock_stop_before_the_login(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_faults(&fixture, "CKF:1:0x20000:0\n"); /* CKF_USER_PIN_FINAL_TRY */
    assert_int_equal(open_with(NULL, NULL, &error), TLM_ERR_PIN);
    tlm_token_fixture_faults(&fixture, "CKF:1:0x40000:0\n"); /* CKF_USER_PIN_LOCKED */
    assert_int_equal(open_with(NULL, NULL, &error), TLM_ERR_LOCKED);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 0);
    assert_int_equal(fixture.pin_asks, 0);
}

static void test_opening_reports_the_failing_call(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        tlm_result result;
        const char *text;
    } cases[] = {
        {"C_Initialize:1:0x5\n", TLM_ERR_TOKEN, "C_Initialize"},
        {"C_GetInfo:1:0x5\n", TLM_ERR_TOKEN, "C_GetInfo"},
        {"C_GetSlotList:2:0x30\n", TLM_ERR_TOKEN, "C_GetSlotList"},
        {"C_GetSlotInfo:1:0x5:0\n", TLM_ERR_NOT_FOUND, "no token fits"},
        {"C_OpenSession:1:0x32\n", TLM_ERR_TOKEN_UNAVAILABLE, "CKR_DEVICE_REMOVED"},
        {"C_GenerateRandom:1:0x5\n", TLM_ERR_TOKEN, "C_GenerateRandom"},
        {"C_Login:1:0xa4\n", TLM_ERR_LOCKED, "CKR_PIN_LOCKED"},
        {"C_Login:1:0x102\n", TLM_ERR_NOT_PROVISIONED, "CKR_USER_PIN_NOT_INITIALIZED"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_error error = {0};
        tlm_token_fixture_faults(&fixture, cases[i].rule);
        assert_int_equal(open_with(NULL, NULL, &error), cases[i].result);
        assert_non_null(strstr(error.message, cases[i].text));
        assert_int_equal(open_with(NULL, NULL, NULL),
                         cases[i].result == TLM_ERR_NOT_FOUND ? TLM_ERR_NOT_FOUND : TLM_OK);
    }
}

static void test_random(void **state)
{
    (void)state;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    unsigned char bytes[3000] = {0};
    unsigned char zeros[64] = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_token_random(token, bytes, sizeof bytes, &error), TLM_OK);
    for (size_t i = 0; i + sizeof zeros < sizeof bytes; i += sizeof zeros) {
        assert_memory_not_equal(bytes + i, zeros, sizeof zeros);
    }
    assert_int_equal(tlm_token_random(token, NULL, 0, &error), TLM_OK);
    assert_int_equal(tlm_token_random(token, NULL, 1, &error), TLM_ERR_ARGUMENT);
    tlm_token_close(&token);
}

static void test_mechanisms(void **state)
{
    (void)state;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    assert_true(tlm_token_has_mechanism(token, CKM_RSA_PKCS, CKF_SIGN));
    assert_true(tlm_token_has_mechanism(token, CKM_RSA_X_509, CKF_DECRYPT));
    assert_true(tlm_token_has_mechanism(token, CKM_ECDSA, CKF_SIGN | CKF_VERIFY));
    assert_false(tlm_token_has_mechanism(token, CKM_ECDSA, CKF_DECRYPT));
    assert_false(tlm_token_has_mechanism(token, CKM_ECDSA_SHA256, CKF_SIGN));
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_GetMechanismList"), 1);
    tlm_token_close(&token);
}

static void assert_data(tlm_token *token, const char *label, const char *text)
{
    char *data = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_token_data_read(token, label, &data, &size, &error), TLM_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text);
    free(data);
}

static void test_data_objects(void **state)
{
    (void)state;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    char *data = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_token_data_read(token, "d", &data, &size, &error), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_token_data_remove(token, "d", &error), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_token_data_store(token, "d", "first", 5, &error), TLM_OK);
    assert_int_equal(tlm_token_data_store(token, "other", "x", 1, &error), TLM_OK);
    assert_data(token, "d", "first");
    for (int i = 0; i < 12; i++) {
        assert_int_equal(tlm_token_data_store(token, "d", "second", 6, &error), TLM_OK);
    }
    assert_data(token, "d", "second");
    assert_int_equal(tlm_token_data_remove(token, "d", &error), TLM_OK);
    assert_int_equal(tlm_token_data_read(token, "d", &data, &size, &error), TLM_ERR_NOT_FOUND);
    assert_data(token, "other", "x");
    assert_int_equal(tlm_token_data_remove(token, "other", &error), TLM_OK);
    tlm_token_close(&token);
}

static void test_data_limits(void **state)
{
    (void)state;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    char big[4098];
    char label[130];
    tlm_error error = {0};
    memset(big, 'x', sizeof big - 1);
    memset(label, 'l', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    assert_int_equal(tlm_token_data_store(token, "big", big, 4097, &error), TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_token_data_store(token, "big", big, 4096, &error), TLM_OK);
    big[4096] = '\0';
    assert_data(token, "big", big);
    assert_int_equal(tlm_token_data_remove(token, "big", &error), TLM_OK);
    assert_int_equal(tlm_token_data_store(token, "big", "", 0, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_data_store(token, "", "x", 1, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_data_store(token, label, "x", 1, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_data_store(NULL, "x", "x", 1, &error), TLM_ERR_ARGUMENT);
    tlm_token_close(&token);
}

/* The old object could not be removed: both are there, and the new one counts. */
static void test_data_survives_an_interrupted_replacement(void **state)
{
    (void)state;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    tlm_error error = {0};
    assert_int_equal(tlm_token_data_store(token, "d", "old", 3, &error), TLM_OK);
    tlm_token_fixture_faults(&fixture, "C_DestroyObject:1:0x54:0\n");
    assert_int_equal(tlm_token_data_store(token, "d", "new", 3, &error), TLM_ERR_UNSUPPORTED);
    assert_data(token, "d", "new");
    tlm_token_fixture_faults(&fixture, "");
    assert_int_equal(tlm_token_data_store(token, "d", "newest", 6, &error), TLM_OK);
    assert_data(token, "d", "newest");
    assert_int_equal(tlm_token_data_remove(token, "d", &error), TLM_OK);
    assert_int_equal(tlm_token_data_remove(token, "d", &error), TLM_ERR_NOT_FOUND);
    tlm_token_close(&token);
}

static void test_two_tokens_share_a_module(void **state)
{
    (void)state;
    tlm_token *first = tlm_token_fixture_open(&fixture);
    tlm_token *second = tlm_token_fixture_open(&fixture);
    tlm_error error = {0};
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Initialize"), 1);
    tlm_token_close(&first);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Finalize"), 0);
    assert_int_equal(tlm_token_data_store(second, "d", "x", 1, &error), TLM_OK);
    assert_int_equal(tlm_token_data_remove(second, "d", &error), TLM_OK);
    tlm_token_close(&second);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Finalize"), 1);
}

static void test_read_only(void **state)
{
    (void)state;
    fixture.config.read_only = true;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    fixture.config.read_only = false;
    tlm_error error = {0};
    assert_int_equal(tlm_token_data_store(token, "d", "x", 1, &error), TLM_ERR_PERMISSION);
    assert_int_equal(tlm_token_probe(token, &error), TLM_OK);
    tlm_token_close(&token);
}

static void test_without_a_pin(void **state)
{
    (void)state;
    tlm_token_config config = fixture.config;
    tlm_token *token = NULL;
    tlm_error error = {0};
    config.pin = NULL;
    assert_int_equal(tlm_token_open(&config, &token, &error), TLM_OK);
    assert_int_equal(tlm_token_probe(token, &error), TLM_OK);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 0);
    tlm_token_close(&token);
}

/* What the child found, as its exit status. */
static int use_in_child(tlm_token *token)
{
    unsigned char byte = 0;
    tlm_error error = {0};
    if (tlm_token_random(token, &byte, 1, &error) != TLM_ERR_ARGUMENT) {
        return 1;
    }
    if (strstr(error.message, "fork") == NULL) {
        return 2;
    }
    tlm_token_close(&token);
    return token == NULL ? 0 : 3;
}

static void test_forked_child_is_refused(void **state)
{
    (void)state;
    tlm_token *token = tlm_token_fixture_open(&fixture);
    tlm_error error = {0};
    int status = 0;
    tlm_token_fixture_clear_log(&fixture);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(use_in_child(token));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(tlm_token_fixture_calls(&fixture, "C_GenerateRandom"), 0);
    assert_int_equal(tlm_token_probe(token, &error), TLM_OK);
    tlm_token_close(&token);
}

#define FRESH(test) cmocka_unit_test_setup(test, reset_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(test_opens_with_one_login),
        FRESH(test_module_that_is_not_there),
        FRESH(test_uri_of_no_token),
        FRESH(test_uri_of_several_tokens),
        FRESH(test_bad_uris),
        FRESH(test_uri_with_a_pin_is_refused_and_not_shown),
        FRESH(test_arguments),
        FRESH(test_wrong_pin_is_sent_once),
        FRESH(test_final_try_and_lock_stop_before_the_login),
        FRESH(test_opening_reports_the_failing_call),
        FRESH(test_random),
        FRESH(test_mechanisms),
        FRESH(test_data_objects),
        FRESH(test_data_limits),
        FRESH(test_data_survives_an_interrupted_replacement),
        FRESH(test_two_tokens_share_a_module),
        FRESH(test_read_only),
        FRESH(test_without_a_pin),
        FRESH(test_forked_child_is_refused),
    };
    return cmocka_run_group_tests(tests, make_fixture, clear_fixture);
}
