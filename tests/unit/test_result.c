/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <tlm/result.h>

static void every_result_has_a_text_and_a_code_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < TLM_RESULT_COUNT; i++) {
        assert_string_not_equal(tlm_result_text((tlm_result)i), "unknown result");
        const char *code = tlm_result_code((tlm_result)i);
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz-"), strlen(code));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(code, tlm_result_code((tlm_result)j));
        }
    }
}

static void values_outside_the_enum_are_named_unknown(void **state)
{
    (void)state;
    /* Read from memory: a compiler may assume that a constant lies in the enum. */
    volatile int outside[] = {TLM_RESULT_COUNT, 99};
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(tlm_result_text((tlm_result)outside[i]), "unknown result");
        assert_string_equal(tlm_result_code((tlm_result)outside[i]), "unknown");
    }
}

static void set_fills_the_record_and_returns_the_result(void **state)
{
    (void)state;
    tlm_error error = {.domain = TLM_DOMAIN_TPM, .native = 7};
    assert_int_equal(tlm_error_set(&error, TLM_ERR_FORMAT, "mend %d", "line %d of %s", 3, "f"),
                     TLM_ERR_FORMAT);
    assert_int_equal(error.result, TLM_ERR_FORMAT);
    assert_int_equal(error.domain, TLM_DOMAIN_NONE);
    assert_int_equal(error.native, 0);
    assert_string_equal(error.message, "line 3 of f");
    assert_string_equal(error.hint, "mend %d"); /* a hint is no format */
    assert_int_equal(tlm_error_set(&error, TLM_ERR_IO, NULL, "x"), TLM_ERR_IO);
    assert_string_equal(error.hint, "");
}

static void a_null_record_is_accepted_everywhere(void **state)
{
    (void)state;
    assert_int_equal(tlm_error_set(NULL, TLM_ERR_BUSY, "h", "m"), TLM_ERR_BUSY);
    errno = ENOSPC;
    assert_int_equal(tlm_error_set_errno(NULL, "h", "m"), TLM_ERR_NO_SPACE);
    tlm_error_prefix(NULL, "p");
    tlm_error_set_hint(NULL, "h");
}

static void errno_is_mapped_and_appended(void **state)
{
    (void)state;
    static const struct {
        int number;
        tlm_result result;
    } rows[] = {
        {ENOENT, TLM_ERR_NOT_FOUND}, {EACCES, TLM_ERR_PERMISSION}, {EPERM, TLM_ERR_PERMISSION},
        {EROFS, TLM_ERR_PERMISSION}, {ENOSPC, TLM_ERR_NO_SPACE},   {EDQUOT, TLM_ERR_NO_SPACE},
        {ENOMEM, TLM_ERR_MEMORY},    {EEXIST, TLM_ERR_EXISTS},     {EIO, TLM_ERR_IO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_error error = {0};
        errno = rows[i].number;
        assert_int_equal(tlm_error_set_errno(&error, "h", "reading %s", "f"), rows[i].result);
        assert_int_equal(error.domain, TLM_DOMAIN_ERRNO);
        assert_int_equal(error.native, rows[i].number);
        assert_ptr_equal(strstr(error.message, "reading f: "), error.message);
        assert_non_null(strstr(error.message, strerror(rows[i].number)));
        assert_string_equal(error.hint, "h");
    }
}

static void the_record_may_be_its_own_argument(void **state)
{
    (void)state;
    tlm_error error = {0};
    (void)tlm_error_set(&error, TLM_ERR_IO, "hint", "inner");
    (void)tlm_error_set(&error, TLM_ERR_DAMAGED, error.hint, "outer (%s)", error.message);
    assert_string_equal(error.message, "outer (inner)");
    assert_string_equal(error.hint, "hint");
    tlm_error_prefix(&error, "%s", "reading");
    assert_string_equal(error.message, "reading: outer (inner)");
    tlm_error_set_hint(&error, "%s!", error.hint);
    assert_string_equal(error.hint, "hint!");
}

static void long_texts_are_cut_and_terminated(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tlm_error error = {0};
    (void)tlm_error_set(&error, TLM_ERR_IO, text, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_int_equal(strlen(error.hint), sizeof error.hint - 1);
    errno = EIO;
    (void)tlm_error_set_errno(&error, NULL, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    tlm_error_prefix(&error, "front");
    assert_ptr_equal(strstr(error.message, "front: xxx"), error.message);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void a_prefix_of_any_length_fits(void **state)
{
    (void)state;
    char text[600];
    for (size_t length = 500; length < sizeof text; length++) {
        memset(text, 'p', length);
        text[length] = '\0';
        tlm_error error = {0};
        (void)tlm_error_set(&error, TLM_ERR_IO, NULL, "inner");
        tlm_error_prefix(&error, "%s", text);
        size_t whole = length < sizeof error.message ? length : sizeof error.message - 1;
        assert_memory_equal(error.message, text, whole);
        assert_in_range(strlen(error.message), whole, sizeof error.message - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_has_a_text_and_a_code_of_its_own),
        cmocka_unit_test(values_outside_the_enum_are_named_unknown),
        cmocka_unit_test(set_fills_the_record_and_returns_the_result),
        cmocka_unit_test(a_null_record_is_accepted_everywhere),
        cmocka_unit_test(errno_is_mapped_and_appended),
        cmocka_unit_test(the_record_may_be_its_own_argument),
        cmocka_unit_test(long_texts_are_cut_and_terminated),
        cmocka_unit_test(a_prefix_of_any_length_fits),
    };
    return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}
