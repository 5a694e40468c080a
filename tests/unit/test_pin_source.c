/* SPDX-License-Identifier: BSD-2-Clause */
/* What tlm-tokend gives to its logins, and when it waits. */
#include "test_directory.h"

#include <sys/stat.h>

#include "keeper.h"
#include "pin_source.h"

static void lockout_is_said_with_the_seconds(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_tpm_facts facts = {.lockout_counter = 2, .max_tries = 3, .recovery_seconds = 1000};
    assert_int_equal(tlm_pin_source_check(&facts, &error), TLM_OK);
    facts.in_lockout = true;
    facts.lockout_counter = 3;
    assert_int_equal(tlm_pin_source_check(&facts, &error), TLM_ERR_LOCKED);
    assert_non_null(strstr(error.message, "3 of 3 tries"));
    assert_non_null(strstr(error.message, "within 1000 seconds"));
    assert_non_null(strstr(error.hint, "tpm2_dictionarylockout --clear-lockout"));
}

static void a_copy_is_given(void **state)
{
    (void)state;
    tlm_pin_source source = {.tpm = false};
    tlm_secret *pin = NULL;
    assert_int_equal(tlm_secret_from("1234", 4, &source.pin, NULL), TLM_OK);
    assert_int_equal(tlm_pin_source_give(&source, &pin, NULL), TLM_OK);
    assert_ptr_not_equal(pin, source.pin);
    assert_true(tlm_secret_equal(pin, source.pin));
    tlm_secret_free(&pin);
    tlm_secret_free(&source.pin);
    assert_int_equal(tlm_pin_source_give(&source, &pin, NULL), TLM_OK);
    assert_null(pin); /* the token asks by itself */
}

static void a_pin_file_ends_before_its_line_end(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_secret *pin = NULL;
    tlm_error error = {0};
    put_file(in_directory(state, "pin", path), "1234\r\n");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(tlm_pin_from_file(path, &pin, &error), TLM_OK);
    assert_int_equal(tlm_secret_size(pin), 4);
    assert_memory_equal(tlm_secret_bytes(pin), "1234", 4);
    tlm_secret_free(&pin);
    put_file(path, "\n");
    assert_int_equal(tlm_pin_from_file(path, &pin, &error), TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, "has no PIN"));
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(tlm_pin_from_file(path, &pin, &error), TLM_ERR_PERMISSION);
    assert_null(pin);
}

static void waiting_grows_and_ends(void **state)
{
    (void)state;
    int64_t before = 0;
    for (unsigned failures = 1; failures < 100; failures++) {
        int64_t delay = tlm_keeper_delay(failures, TLM_ERR_TPM_UNAVAILABLE);
        assert_true(delay >= before && delay > 0);
        assert_true(delay <= 10000);
        before = delay;
    }
    assert_int_equal(before, 10000);
    assert_true(tlm_keeper_delay(1, TLM_ERR_LOCKED) >= 10000);
    assert_true(tlm_keeper_delay(1, TLM_ERR_PIN) >= 10000);
    assert_true(tlm_keeper_delay(1, TLM_ERR_TPM) < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lockout_is_said_with_the_seconds),
        cmocka_unit_test(a_copy_is_given),
        cmocka_unit_test_setup_teardown(a_pin_file_ends_before_its_line_end, directory_setup,
                                        directory_teardown),
        cmocka_unit_test(waiting_grows_and_ends),
    };
    return cmocka_run_group_tests_name("pin_source", tests, NULL, NULL);
}
