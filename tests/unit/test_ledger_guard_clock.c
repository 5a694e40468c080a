/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_guard_fixture.h"

/* ---- clock ---- */

static void time_that_passes_is_in_order(void **state)
{
    (void)state;
    bench *on = make(false);
    for (int i = 0; i < 1000; i++) {
        pass(on, 90 * SECOND);
    }
    restart(on, 0);
    restart(on, 30 * DAY);
    assert_state(on, "ok");
    assert_int_equal(permit(on, true), TLM_OK);
    assert_int_equal(audited(on, "\"event\""), 0);
    end(on);
}

static void a_step_back_within_the_tolerance_is_in_order(void **state)
{
    (void)state;
    bench *on = make(false);
    pass(on, HOUR);
    set_clock(on, -TOLERANCE * SECOND);
    assert_state(on, "ok");
    set_clock(on, -SECOND);
    assert_state(on, "clock-back");
    end(on);
}

static void a_clock_that_is_right_again_ends_it(void **state)
{
    (void)state;
    bench *on = make(false);
    pass(on, HOUR);
    set_clock(on, -HOUR);
    assert_state(on, "clock-back");
    assert_int_equal(permit(on, true), TLM_ERR_ROLLBACK);
    assert_int_equal(permit(on, false), TLM_OK);
    pass(on, MINUTE);
    assert_state(on, "clock-back");
    set_clock(on, HOUR);
    assert_state(on, "ok");
    assert_int_equal(permit(on, true), TLM_OK);
    assert_int_equal(audited(on, "\"state\":\"clock-back\",\"was\":\"ok\""), 1);
    assert_int_equal(audited(on, "\"state\":\"ok\",\"was\":\"clock-back\""), 1);
    end(on);
}

/* A first boot whose clock has no battery, and then the network's time. */
static void a_step_forward_is_in_order(void **state)
{
    (void)state;
    bench *on = make(false);
    on->wall = 5 * SECOND; /* 1970 */
    run_sql(on->db, "DELETE FROM guard");
    on->guard = (tlm_guard){0};
    load(on, false);
    observe(on);
    pass(on, MINUTE);
    set_clock(on, START);
    assert_state(on, "ok");
    restart(on, MINUTE);
    assert_state(on, "ok");
    end(on);
}

/* The same at a later boot: back until the network's time comes, and right from then on. */
static void a_boot_in_1970_is_back_until_the_network_tells(void **state)
{
    (void)state;
    bench *on = make(false);
    pass(on, HOUR);
    const int64_t right = on->wall;
    on->wall = 0;
    restart(on, 10 * SECOND);
    assert_state(on, "clock-back");
    on->wall = right + MINUTE;
    observe(on);
    assert_state(on, "ok");
    pass(on, HOUR);
    assert_state(on, "ok");
    end(on);
}

static void suspension_and_small_steps_of_the_network_are_in_order(void **state)
{
    (void)state;
    bench *on = make(false);
    for (int day = 0; day < 400; day++) {
        pass(on, DAY); /* suspended: both clocks went on */
        set_clock(on, -4 * SECOND);
    }
    for (int i = 0; i < 1000; i++) {
        set_clock(on, i % 2 == 0 ? SECOND : -SECOND);
        pass(on, MINUTE);
    }
    assert_state(on, "ok");
    end(on);
}

/* Each step is within the tolerance, and together they hold time still. */
static void steps_back_add_up(void **state)
{
    (void)state;
    bench *on = make(false);
    set_clock(on, -250 * SECOND);
    pass(on, 250 * SECOND);
    assert_state(on, "ok");
    set_clock(on, -250 * SECOND);
    assert_state(on, "clock-back");
    end(on);
}

static void steps_back_add_up_over_restarts(void **state)
{
    (void)state;
    bench *on = make(false);
    restart(on, -250 * SECOND);
    assert_state(on, "ok");
    pass(on, 250 * SECOND);
    restart(on, -250 * SECOND);
    assert_state(on, "clock-back");
    end(on);
}

/* The clock was a day ahead and was mended. That day has to come, or somebody accepts. */
static void waits_until_every_instant_that_was_seen_has_come(void **state)
{
    (void)state;
    bench *on = make(false);
    set_clock(on, DAY);
    set_clock(on, -DAY);
    assert_state(on, "clock-back");
    restart(on, HOUR);
    assert_state(on, "clock-back");
    pass(on, 22 * HOUR);
    assert_state(on, "clock-back");
    pass(on, HOUR);
    assert_state(on, "ok");
    /* And it does not begin again with a whole tolerance. */
    set_clock(on, -10 * SECOND);
    assert_state(on, "clock-back");
    pass(on, 10 * SECOND);
    assert_state(on, "ok");
    end(on);
}

static void accepting_begins_anew(void **state)
{
    (void)state;
    bench *on = make(false);
    set_clock(on, DAY);
    set_clock(on, -DAY);
    assert_state(on, "clock-back");
    accept(on);
    assert_state(on, "ok");
    assert_int_equal(permit(on, true), TLM_OK);
    assert_int_equal(audited(on, "\"event\":\"accepted\""), 1);
    assert_int_equal(audited(on, "\"peer\":\"uid 0\""), 1);
    assert_int_equal(audited(on, "\"reason\":\"restored\""), 1);
    restart(on, MINUTE);
    assert_state(on, "ok");
    set_clock(on, -DAY);
    assert_state(on, "clock-back");
    end(on);
}

static void looking_writes_seldom_and_keeping_to_the_second(void **state)
{
    (void)state;
    tlm_error error = {0};
    bench *on = make(false);
    observe(on);
    const int before = sqlite3_total_changes(on->db);
    for (int i = 0; i < 59; i++) {
        pass(on, SECOND);
    }
    assert_int_equal(sqlite3_total_changes(on->db), before);
    assert_int_equal(tlm_guard_keep(&on->guard, on->db, &error), TLM_OK);
    assert_int_equal(sqlite3_total_changes(on->db), before + 1);
    pass(on, SECOND - 1);
    assert_int_equal(tlm_guard_keep(&on->guard, on->db, &error), TLM_OK);
    assert_int_equal(sqlite3_total_changes(on->db), before + 1);
    pass(on, MINUTE);
    assert_int_equal(sqlite3_total_changes(on->db), before + 2);
    end(on);
}

/* ---- the token's clock ---- */

/* The program was stopped for ten days, and then the clock was set to where it was. */
static void the_tokens_clock_tells_of_time_while_stopped(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    on->clock.clock_ms += 10 * DAY;
    restart(on, SECOND);
    assert_state(on, "ok");
    checkpoint(on);
    assert_state(on, "clock-back");
    set_clock(on, 10 * DAY);
    assert_state(on, "ok");
    checkpoint(on);
    assert_state(on, "ok");
    end(on);
}

static void short_stops_add_up_by_the_tokens_clock(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    for (int i = 0; i < 2; i++) {
        on->clock.clock_ms += 250 * SECOND;
        restart(on, SECOND);
        checkpoint(on);
        assert_string_equal(tlm_guard_state_name(on->guard.state), i == 0 ? "ok" : "clock-back");
    }
    end(on);
}

static void a_tokens_clock_that_runs_fast_is_in_order(void **state)
{
    (void)state;
    bench *on = make(false);
    for (int i = 0; i < 50; i++) {
        checkpoint(on);
        on->clock.clock_ms += 2 * HOUR; /* of 20 */
        restart(on, 18 * HOUR);
    }
    checkpoint(on);
    assert_state(on, "ok");
    end(on);
}

/* The TPM was reset, its clock is not sure, or it went back: nothing can be said. */
static void a_tokens_clock_of_another_power_cycle_says_nothing(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    on->clock.reset_count++;
    on->clock.clock_ms += 10 * DAY;
    restart(on, SECOND);
    checkpoint(on);
    on->clock.safe = false;
    on->clock.clock_ms += 10 * DAY;
    checkpoint(on);
    on->clock.safe = true;
    on->clock.clock_ms += 10 * DAY;
    checkpoint(on);
    on->clock.clock_ms = 0;
    checkpoint(on);
    assert_state(on, "ok");
    on->clock.clock_ms = UINT64_MAX;
    checkpoint(on);
    assert_state(on, "ok");
    end(on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_that_passes_is_in_order),
        cmocka_unit_test(a_step_back_within_the_tolerance_is_in_order),
        cmocka_unit_test(a_clock_that_is_right_again_ends_it),
        cmocka_unit_test(a_step_forward_is_in_order),
        cmocka_unit_test(a_boot_in_1970_is_back_until_the_network_tells),
        cmocka_unit_test(suspension_and_small_steps_of_the_network_are_in_order),
        cmocka_unit_test(steps_back_add_up),
        cmocka_unit_test(steps_back_add_up_over_restarts),
        cmocka_unit_test(waits_until_every_instant_that_was_seen_has_come),
        cmocka_unit_test(accepting_begins_anew),
        cmocka_unit_test(looking_writes_seldom_and_keeping_to_the_second),
        cmocka_unit_test(the_tokens_clock_tells_of_time_while_stopped),
        cmocka_unit_test(short_stops_add_up_by_the_tokens_clock),
        cmocka_unit_test(a_tokens_clock_that_runs_fast_is_in_order),
        cmocka_unit_test(a_tokens_clock_of_another_power_cycle_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
