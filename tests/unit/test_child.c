/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../licensing/src/child_private.h"

static bool after_some_looks(void *context)
{
    unsigned *looks = context;
    return ++*looks > 3;
}

static void hands_on_what_the_child_said(void **state)
{
    (void)state;
    const char *const argv[] = {"/bin/sh", "-c", "echo out; echo err >&2; exit 7", NULL};
    const tlm_stop_check never = {0};
    const tlm_stop_check *const checks[] = {NULL, &never};
    for (size_t i = 0; i < 2; i++) {
        tlm_process_output output = {0};
        assert_int_equal(tlm_child_run(argv, 30000, 100, checks[i], &output, NULL), TLM_OK);
        assert_string_equal(output.text, "out\n");
        assert_string_equal(output.errors, "err\n");
        assert_int_equal(output.status, 7);
        tlm_process_output_clear(&output);
    }
}

static void hands_on_what_went_wrong(void **state)
{
    (void)state;
    const char *const missing[] = {"/nowhere/program", NULL};
    const char *const slow[] = {"/bin/sleep", "30", NULL};
    const char *const loud[] = {"/bin/sh", "-c", "echo 0123456789", NULL};
    tlm_process_output output = {0};
    tlm_error error = {0};
    assert_int_not_equal(tlm_child_run(missing, 1000, 100, NULL, &output, &error), TLM_OK);
    assert_non_null(strstr(error.message, "/nowhere/program"));
    assert_int_equal(tlm_child_run(slow, 200, 100, NULL, &output, &error), TLM_ERR_TIMEOUT);
    tlm_process_output_clear(&output);
    assert_int_equal(tlm_child_run(loud, 30000, 4, NULL, &output, &error), TLM_ERR_TOO_LARGE);
    tlm_process_output_clear(&output);
}

static void waits_no_longer_than_it_is_wanted(void **state)
{
    (void)state;
    const char *const argv[] = {"/bin/sleep", "2", NULL};
    unsigned looks = 0;
    const tlm_stop_check check = {.asked = after_some_looks, .context = &looks};
    struct timespec begin;
    struct timespec end;
    tlm_process_output output = {0};
    tlm_error error = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(tlm_child_run(argv, 30000, 100, &check, &output, &error), TLM_ERR_TIMEOUT);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_in_range(end.tv_sec - begin.tv_sec, 0, 1);
    assert_null(output.text);
    assert_int_equal(looks, 4);
}

static void takes_so_many_arguments_and_no_more(void **state)
{
    (void)state;
    const char *argv[TLM_CHILD_ARGUMENTS_MAX + 2] = {"/bin/true"};
    tlm_process_output output = {0};
    for (size_t i = 1; i < TLM_CHILD_ARGUMENTS_MAX; i++) {
        argv[i] = "x";
    }
    assert_int_equal(tlm_child_run(argv, 30000, 100, NULL, &output, NULL), TLM_OK);
    tlm_process_output_clear(&output);
    argv[TLM_CHILD_ARGUMENTS_MAX] = "x";
    assert_int_equal(tlm_child_run(argv, 30000, 100, NULL, &output, NULL), TLM_ERR_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_on_what_the_child_said),
        cmocka_unit_test(hands_on_what_went_wrong),
        cmocka_unit_test(waits_no_longer_than_it_is_wanted),
        cmocka_unit_test(takes_so_many_arguments_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
