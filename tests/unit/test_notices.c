/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "notices.h"

static tlm_error make_error(const char *message, const char *hint)
{
    tlm_error error;
    (void)tlm_error_set(&error, TLM_ERR_IO, hint, "%s", message);
    return error;
}

static void raised_once_kept_since(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_error error = make_error("disk full", "free some space");
    assert_true(tlm_notices_raise(&notices, "log-file", &error));
    notices.items[0].since = 1000;
    assert_false(tlm_notices_raise(&notices, "log-file", &error));
    error = make_error("read-only", "remount");
    assert_true(tlm_notices_raise(&notices, "log-file", &error));
    assert_string_equal(notices.items[0].error.message, "read-only");
    assert_int_equal(notices.items[0].since, 1000);
    assert_null(notices.items[1].code);
}

static void cleared_only_when_there(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_error error = make_error("a", "b");
    assert_false(tlm_notices_clear(&notices, "log-file"));
    (void)tlm_notices_raise(&notices, "log-file", &error);
    assert_false(tlm_notices_clear(&notices, "other"));
    assert_true(tlm_notices_clear(&notices, "log-file"));
    assert_null(notices.items[0].code);
    assert_false(tlm_notices_clear(&notices, "log-file"));
}

static void full_list_keeps_what_it_has(void **state)
{
    (void)state;
    static const char *const codes[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
                                        "j", "k", "l", "m", "n", "o", "p", "q"};
    _Static_assert(sizeof codes / sizeof codes[0] == TLM_NOTICES_MAX + 1, "one more than fits");
    tlm_notices notices = {0};
    tlm_error error = make_error("a", "b");
    for (size_t i = 0; i < TLM_NOTICES_MAX; i++) {
        assert_true(tlm_notices_raise(&notices, codes[i], &error));
    }
    assert_false(tlm_notices_raise(&notices, codes[TLM_NOTICES_MAX], &error));
    assert_true(tlm_notices_clear(&notices, "c"));
    assert_true(tlm_notices_raise(&notices, codes[TLM_NOTICES_MAX], &error));
    assert_string_equal(notices.items[2].code, codes[TLM_NOTICES_MAX]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raised_once_kept_since),
        cmocka_unit_test(cleared_only_when_there),
        cmocka_unit_test(full_list_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
