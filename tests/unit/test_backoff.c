/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../pkcs11-glue/src/internal.h"

static void test_doubles_up_to_the_limit(void **state)
{
    (void)state;
    static const int64_t waits[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    tlm_backoff backoff = {0};
    int64_t now = 1000;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        assert_int_equal(tlm_backoff_left(&backoff, now), 0);
        assert_int_equal(tlm_backoff_fail(&backoff, now), waits[i]);
        assert_int_equal(tlm_backoff_left(&backoff, now), waits[i]);
        assert_int_equal(tlm_backoff_left(&backoff, now + waits[i] - 1), 1);
        now += waits[i];
    }
}

static void test_never_overflows(void **state)
{
    (void)state;
    tlm_backoff backoff = {.failures = UINT32_MAX};
    assert_int_equal(tlm_backoff_fail(&backoff, 5), TLM_BACKOFF_LAST_MS);
    assert_int_equal(backoff.failures, UINT32_MAX);
}

static void test_reset_starts_again(void **state)
{
    (void)state;
    tlm_backoff backoff = {0};
    (void)tlm_backoff_fail(&backoff, 0);
    (void)tlm_backoff_fail(&backoff, 0);
    tlm_backoff_reset(&backoff);
    assert_int_equal(tlm_backoff_left(&backoff, 0), 0);
    assert_int_equal(tlm_backoff_fail(&backoff, 0), TLM_BACKOFF_FIRST_MS);
}

static void test_hold_overrides(void **state)
{
    (void)state;
    tlm_backoff backoff = {0};
    (void)tlm_backoff_fail(&backoff, 100);
    tlm_backoff_hold(&backoff, 100, TLM_BACKOFF_LOCKED_MS);
    assert_int_equal(tlm_backoff_left(&backoff, 100), TLM_BACKOFF_LOCKED_MS);
}

static void test_clock_goes_on(void **state)
{
    (void)state;
    int64_t first = tlm_clock_now();
    assert_true(first > 0);
    assert_true(tlm_clock_now() >= first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_limit), cmocka_unit_test(test_never_overflows),
        cmocka_unit_test(test_reset_starts_again),      cmocka_unit_test(test_hold_overrides),
        cmocka_unit_test(test_clock_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
