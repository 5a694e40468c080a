/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "instant.h"

static void is(const char *text, bool end, int64_t expected)
{
    int64_t seconds = -1;
    assert_true(tlm_instant_parse(text, end, &seconds));
    assert_int_equal(seconds, expected);
}

static void reads_instants_and_dates(void **state)
{
    (void)state;
    is("1970-01-01T00:00:00Z", false, 0);
    is("1970-01-01", false, 0);
    is("1970-01-01", true, 86400);
    is("2026-01-31T12:00:00Z", true, 1769860800);
    is("2026-01-31T13:00:00+01:00", false, 1769860800);
    is("2026-01-31T06:30:00-05:30", false, 1769860800);
    is("2024-02-29", false, 1709164800);
    is("2024-12-31", true, 1735689600);
    is("9999-12-31T23:59:59Z", false, 253402300799LL);
}

static void refuses_what_no_calendar_has(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026",
        "2026-1-31",
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "1969-12-31",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:60Z",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60",
        "2026-01-31T12:00:00.5Z",
        "1970-01-01T00:00:00+01:00",
        "2026-01-31T12:00:00Z ",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t seconds = 0;
        if (tlm_instant_parse(wrong[i], false, &seconds)) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
}

static void writes_instants(void **state)
{
    (void)state;
    char text[TLM_INSTANT_TEXT];
    assert_string_equal(tlm_instant_text(1769860800, text), "2026-01-31T12:00:00Z");
    assert_string_equal(tlm_instant_text(INT64_MAX, text), "?");
    assert_string_equal(tlm_instant_text(INT64_MIN, text), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_instants_and_dates),
        cmocka_unit_test(refuses_what_no_calendar_has),
        cmocka_unit_test(writes_instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
