/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query.h"

static void takes_what_the_route_knows(void **state)
{
    (void)state;
    tlm_query_values values = {.limit = TLM_QUERY_LIMIT_MAX};
    assert_int_equal(tlm_query_take(TLM_QUERY_PAGE, "after", "9007199254740991", &values, NULL),
                     TLM_OK);
    assert_int_equal(tlm_query_take(TLM_QUERY_PAGE, "limit", "1", &values, NULL), TLM_OK);
    assert_int_equal(values.after, 9007199254740991);
    assert_int_equal(values.limit, 1);
    values = (tlm_query_values){.limit = 7};
    assert_int_equal(tlm_query_take(TLM_QUERY_PAGE, "after", "0", &values, NULL), TLM_OK);
    assert_int_equal(tlm_query_take(TLM_QUERY_PAGE, "limit", "1000", &values, NULL), TLM_OK);
    values = (tlm_query_values){.force = false};
    assert_int_equal(tlm_query_take(TLM_QUERY_FORCE, "force", "true", &values, NULL), TLM_OK);
    assert_true(values.force);
    values = (tlm_query_values){.force = false};
    assert_int_equal(tlm_query_take(TLM_QUERY_FORCE, "force", "false", &values, NULL), TLM_OK);
    assert_false(values.force);
}

static void refuses_the_rest_by_name(void **state)
{
    (void)state;
    static const struct {
        tlm_query query;
        const char *name;
        const char *value;
    } rows[] = {
        {TLM_QUERY_NONE, "after", "1"},
        {TLM_QUERY_NONE, "force", "true"},
        {TLM_QUERY_FORCE, "after", "1"},
        {TLM_QUERY_PAGE, "force", "true"},
        {TLM_QUERY_PAGE, "After", "1"},
        {TLM_QUERY_PAGE, "after", "-1"},
        {TLM_QUERY_PAGE, "after", ""},
        {TLM_QUERY_PAGE, "after", NULL},
        {TLM_QUERY_PAGE, "after", " 1"},
        {TLM_QUERY_PAGE, "after", "1x"},
        {TLM_QUERY_PAGE, "after", "9007199254740992"},
        {TLM_QUERY_PAGE, "after", "99999999999999999999"},
        {TLM_QUERY_PAGE, "limit", "0"},
        {TLM_QUERY_PAGE, "limit", "1001"},
        {TLM_QUERY_FORCE, "force", "1"},
        {TLM_QUERY_FORCE, "force", "TRUE"},
        {TLM_QUERY_FORCE, "force", NULL},
        {TLM_QUERY_FORCE, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_error error = {0};
        tlm_query_values values = {.limit = 5};
        assert_int_equal(
            tlm_query_take(rows[i].query, rows[i].name, rows[i].value, &values, &error),
            TLM_ERR_ARGUMENT);
        assert_non_null(strstr(error.message, rows[i].name));
        assert_false(values.force);
    }
}

static void nothing_comes_twice(void **state)
{
    (void)state;
    tlm_query_values values = {.force = false};
    assert_int_equal(tlm_query_take(TLM_QUERY_FORCE, "force", "false", &values, NULL), TLM_OK);
    assert_int_equal(tlm_query_take(TLM_QUERY_FORCE, "force", "true", &values, NULL),
                     TLM_ERR_ARGUMENT);
    assert_false(values.force);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_the_route_knows),
        cmocka_unit_test(refuses_the_rest_by_name),
        cmocka_unit_test(nothing_comes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
