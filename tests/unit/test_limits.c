/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "limits.h"

#define START 5000000 /* the tests' own clock */

static const uint64_t one[2] = {0, 1};
static const uint64_t two[2] = {1, 0};

static unsigned take_all(tlm_limits *limits, const uint64_t key[2], int64_t now)
{
    unsigned taken = 0;
    while (taken < 100000 && tlm_limits_take(limits, key, now)) {
        taken++;
    }
    return taken;
}

static void twice_the_rate_at_once_and_then_the_rate(void **state)
{
    (void)state;
    static const unsigned rates[] = {1, 3, 10, 1000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        unsigned rate = rates[i];
        tlm_limits *limits = NULL;
        assert_int_equal(tlm_limits_new(rate, &limits, NULL), TLM_OK);
        assert_int_equal(take_all(limits, one, START), 2 * rate);
        assert_false(tlm_limits_take(limits, one, START));
        assert_int_equal(take_all(limits, two, START), 2 * rate);
        assert_int_equal(take_all(limits, one, START + 1000), rate);
        assert_int_equal(take_all(limits, one, START + 1000), 0);
        assert_int_equal(take_all(limits, one, START + 60000), 2 * rate);
        tlm_limits_free(&limits);
    }
}

static void no_rate_is_no_limit(void **state)
{
    (void)state;
    tlm_limits *limits = NULL;
    assert_int_equal(tlm_limits_new(0, &limits, NULL), TLM_OK);
    assert_int_equal(take_all(limits, one, START), 100000);
    tlm_limits_free(&limits);
    assert_null(limits);
    tlm_limits_free(&limits);
    tlm_limits_free(NULL);
}

static void ten_wrong_tokens_bar_for_the_rest_of_the_minute(void **state)
{
    (void)state;
    tlm_limits *limits = NULL;
    assert_int_equal(tlm_limits_new(1, &limits, NULL), TLM_OK);
    for (unsigned i = 0; i < TLM_LIMITS_WRONG; i++) {
        assert_int_equal(tlm_limits_barred(limits, one, START + 1000), 0);
        tlm_limits_wrong(limits, one, START + (int64_t)i * 100);
    }
    assert_int_equal(tlm_limits_barred(limits, one, START + 1000), 59);
    assert_int_equal(tlm_limits_barred(limits, two, START + 1000), 0);
    assert_int_equal(tlm_limits_barred(limits, one, START + 59999), 1);
    assert_int_equal(tlm_limits_barred(limits, one, START + 60000), 0);
    tlm_limits_wrong(limits, one, START + 60000);
    assert_int_equal(tlm_limits_barred(limits, one, START + 60000), 0);
    tlm_limits_free(&limits);
}

static void wrong_ones_of_two_minutes_do_not_add_up(void **state)
{
    (void)state;
    tlm_limits *limits = NULL;
    assert_int_equal(tlm_limits_new(1, &limits, NULL), TLM_OK);
    for (unsigned i = 0; i < 3 * TLM_LIMITS_WRONG; i++) {
        int64_t now = START + (int64_t)i * 7000;
        assert_int_equal(tlm_limits_barred(limits, one, now), 0);
        tlm_limits_wrong(limits, one, now);
    }
    tlm_limits_free(&limits);
}

/* More addresses than there is room for: the busy one is remembered, and nothing grows. */
static void many_addresses_push_out_the_quiet_ones(void **state)
{
    (void)state;
    tlm_limits *limits = NULL;
    assert_int_equal(tlm_limits_new(1, &limits, NULL), TLM_OK);
    assert_int_equal(take_all(limits, one, START), 2);
    for (uint64_t i = 0; i < 100000; i++) {
        const uint64_t key[2] = {i + 2, i};
        assert_true(tlm_limits_take(limits, key, START + (int64_t)i / 1000));
        assert_false(tlm_limits_take(limits, one, START + (int64_t)i / 1000));
    }
    tlm_limits_free(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twice_the_rate_at_once_and_then_the_rate),
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(ten_wrong_tokens_bar_for_the_rest_of_the_minute),
        cmocka_unit_test(wrong_ones_of_two_minutes_do_not_add_up),
        cmocka_unit_test(many_addresses_push_out_the_quiet_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
