/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"

static void without_a_beginning_there_is_no_bound(void **state)
{
    (void)state;
    assert_true(tlm_guard_take(SIZE_MAX));
    tlm_guard_give(SIZE_MAX);
    assert_true(tlm_guard_take(SIZE_MAX));
}

static void the_budget_is_the_bound(void **state)
{
    (void)state;
    tlm_guard_begin(100);
    assert_true(tlm_guard_take(0));
    assert_true(tlm_guard_take(60));
    assert_true(tlm_guard_take(40));
    assert_true(tlm_guard_take(0));
    assert_false(tlm_guard_end());
    tlm_guard_begin(100);
    assert_true(tlm_guard_take(100));
    assert_false(tlm_guard_take(1));
    assert_false(tlm_guard_take(SIZE_MAX));
    assert_true(tlm_guard_end());
    assert_true(tlm_guard_take(101));
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    tlm_guard_begin(100);
    assert_true(tlm_guard_take(100));
    tlm_guard_give(30);
    assert_false(tlm_guard_take(31));
    assert_true(tlm_guard_take(30));
    /* More than was taken here makes the budget no larger. */
    tlm_guard_give(SIZE_MAX);
    assert_false(tlm_guard_take(101));
    assert_true(tlm_guard_take(100));
    (void)tlm_guard_end();
}

static void the_next_message_has_the_whole_budget(void **state)
{
    (void)state;
    tlm_guard_begin(100);
    assert_true(tlm_guard_take(90));
    tlm_guard_next();
    assert_true(tlm_guard_take(90));
    assert_false(tlm_guard_end());
}

static void the_module_has_no_bound(void **state)
{
    (void)state;
    tlm_guard_begin(100);
    tlm_guard_pause();
    tlm_guard_pause();
    assert_true(tlm_guard_take(1000));
    tlm_guard_resume();
    assert_true(tlm_guard_take(1000));
    tlm_guard_resume();
    assert_false(tlm_guard_take(101));
    assert_true(tlm_guard_take(100));
    tlm_guard_pause();
    tlm_guard_give(100);
    tlm_guard_resume();
    assert_false(tlm_guard_take(1));
    (void)tlm_guard_end();
}

static void *take_in_thread(void *context)
{
    bool *taken = context;
    *taken = tlm_guard_take(1000);
    return NULL;
}

static void it_is_of_one_thread(void **state)
{
    (void)state;
    pthread_t thread;
    bool taken = false;
    tlm_guard_begin(100);
    assert_int_equal(pthread_create(&thread, NULL, take_in_thread, &taken), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(taken);
    assert_false(tlm_guard_take(1000));
    assert_true(tlm_guard_end());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_beginning_there_is_no_bound),
        cmocka_unit_test(the_budget_is_the_bound),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(the_next_message_has_the_whole_budget),
        cmocka_unit_test(the_module_has_no_bound),
        cmocka_unit_test(it_is_of_one_thread),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
