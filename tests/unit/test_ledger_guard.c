/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_guard_fixture.h"

/* ---- counter ---- */

static void checkpoints_one_after_another_are_in_order(void **state)
{
    (void)state;
    bench *on = make(false);
    for (int i = 0; i < 20; i++) {
        checkpoint(on);
        pass(on, 5 * MINUTE);
    }
    assert_state(on, "ok");
    restart(on, HOUR);
    checkpoint(on);
    assert_state(on, "ok");
    assert_int_equal(audited(on, "\"event\""), 0);
    end(on);
}

static void a_crash_between_intent_and_checkpoint_is_in_order(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    for (unsigned i = 0; i < TLM_GUARD_INTENTS_MAX - 1; i++) {
        intend(on);
        if (i % 2 == 0) {
            (void)reading_of(on); /* was counted, and nobody could write it down */
        }
        restart(on, SECOND);
    }
    checkpoint(on);
    assert_state(on, "ok");
    end(on);
}

static void a_copy_that_is_put_back_is_found(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    sqlite3 *copy = copy_of(on);
    pass(on, 5 * MINUTE);
    checkpoint(on);
    put_back(on, copy);
    /* Before the counter was read nothing consumable is granted. */
    assert_state(on, "ok");
    assert_int_equal(permit(on, true), TLM_ERR_TOKEN_UNAVAILABLE);
    assert_int_equal(permit(on, false), TLM_OK);
    checkpoint(on);
    assert_state(on, "rolled-back");
    assert_int_equal(permit(on, true), TLM_ERR_ROLLBACK);
    assert_int_equal(permit(on, false), TLM_OK);
    assert_int_equal(audited(on, "\"state\":\"rolled-back\""), 1);
    /* It stays: over time, checkpoints and restarts. */
    pass(on, HOUR);
    checkpoint(on);
    restart(on, HOUR);
    checkpoint(on);
    assert_state(on, "rolled-back");
    accept(on);
    assert_int_equal(permit(on, true), TLM_OK);
    checkpoint(on);
    restart(on, HOUR);
    checkpoint(on);
    assert_state(on, "ok");
    assert_int_equal(permit(on, true), TLM_OK);
    end(on);
}

/* The window that the documents name: of one checkpoint, and no more. */
static void a_copy_of_since_the_last_checkpoint_is_not_found(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    sqlite3 *copy = copy_of(on);
    pass(on, MINUTE);
    put_back(on, copy);
    checkpoint(on);
    assert_state(on, "ok");
    end(on);
}

/* Open intents would let a copy be put back as often, so there are never many. */
static void intents_are_not_collected(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    for (int i = 0; i < 100; i++) {
        intend(on);
    }
    on->counter += TLM_GUARD_INTENTS_MAX;
    const tlm_checkpoint reading = reading_of(on);
    commit_reading(on, &reading);
    assert_state(on, "rolled-back");
    end(on);
}

static void a_reading_without_intent_is_found(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    on->counter++; /* another program */
    checkpoint(on);
    assert_state(on, "rolled-back");
    assert_non_null(strstr(on->guard.detail, "1 were made without it"));
    end(on);
}

static void a_counter_that_went_back_is_found(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    on->counter--; /* the next one is the same number again */
    checkpoint(on);
    assert_state(on, "counter-lost");
    assert_int_equal(permit(on, true), TLM_ERR_ROLLBACK);
    end(on);
}

static void a_counter_that_is_gone_is_found(void **state)
{
    (void)state;
    bench *on = make(false);
    const tlm_checkpoint none = {0};
    commit_reading(on, &none); /* a token that never had one */
    assert_state(on, "ok");
    assert_int_equal(permit(on, true), TLM_OK);
    checkpoint(on);
    assert_state(on, "ok");
    commit_reading(on, &none);
    assert_state(on, "counter-lost");
    restart(on, SECOND);
    checkpoint(on);
    assert_state(on, "counter-lost");
    accept(on);
    checkpoint(on);
    assert_state(on, "ok");
    end(on);
}

static void a_file_in_place_of_the_tpms_counter_is_found(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    intend(on);
    tlm_checkpoint reading = reading_of(on);
    reading.tamper_proof = false;
    commit_reading(on, &reading);
    assert_state(on, "counter-lost");
    end(on);
}

static void the_largest_numbers_are_kept(void **state)
{
    (void)state;
    bench *on = make(false);
    on->counter = UINT64_MAX - 2;
    on->clock.clock_ms = UINT64_MAX;
    on->clock.reset_count = UINT32_MAX;
    checkpoint(on);
    restart(on, SECOND);
    assert_true(on->guard.counter == UINT64_MAX - 1);
    assert_true(on->guard.clock.reset_count == UINT32_MAX);
    checkpoint(on);
    assert_state(on, "ok");
    /* There is no number above it. */
    checkpoint(on);
    assert_state(on, "counter-lost");
    end(on);
}

/* ---- states ---- */

static void a_graver_state_takes_the_place_of_clock_back(void **state)
{
    (void)state;
    bench *on = make(false);
    checkpoint(on);
    set_clock(on, -HOUR);
    assert_state(on, "clock-back");
    on->counter += 9;
    checkpoint(on);
    assert_state(on, "rolled-back");
    set_clock(on, HOUR); /* which does not end it */
    assert_state(on, "rolled-back");
    set_clock(on, -DAY); /* and is not forgotten over it */
    accept(on);
    assert_state(on, "ok");
    end(on);
}

static void a_missing_ledger_is_a_state_of_the_new_one(void **state)
{
    (void)state;
    bench *on = make(true);
    assert_state(on, "ledger-missing");
    assert_int_equal(permit(on, true), TLM_ERR_ROLLBACK);
    assert_int_equal(audited(on, "ledger-missing"), 1);
    restart(on, SECOND);
    checkpoint(on);
    assert_state(on, "ledger-missing");
    accept(on);
    assert_state(on, "ok");
    end(on);
}

static void a_replaced_file_is_told_once(void **state)
{
    (void)state;
    tlm_error error = {0};
    bench *on = make(false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tlm_guard_replaced(&on->guard, on->db, on->wall, &error), TLM_OK);
    }
    assert_state(on, "replaced");
    assert_int_equal(audited(on, "replaced"), 1);
    end(on);
}

static void policies_forbid_what_they_say(void **state)
{
    (void)state;
    static const struct {
        tlm_rollback_policy policy;
        tlm_result consumable;
        tlm_result perpetual;
    } rows[] = {{TLM_ROLLBACK_STRICT, TLM_ERR_ROLLBACK, TLM_OK},
                {TLM_ROLLBACK_WARN, TLM_OK, TLM_OK},
                {TLM_ROLLBACK_STOP, TLM_ERR_ROLLBACK, TLM_ERR_ROLLBACK}};
    bench *on = make(false);
    set_clock(on, -DAY);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        on->guard.policy = rows[i].policy;
        assert_int_equal(permit(on, true), rows[i].consumable);
        assert_int_equal(permit(on, false), rows[i].perpetual);
    }
    set_clock(on, DAY);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        on->guard.policy = rows[i].policy;
        assert_int_equal(permit(on, true), TLM_OK);
        assert_int_equal(permit(on, false), TLM_OK);
    }
    end(on);
}

/* ---- transactions that fail ---- */

static void what_the_process_saw_survives_a_rollback(void **state)
{
    (void)state;
    tlm_error error = {0};
    bench *on = make(false);
    pass(on, HOUR);
    on->wall -= HOUR;
    run_sql(on->db, "BEGIN IMMEDIATE");
    assert_int_equal(tlm_guard_observe(&on->guard, on->db, on->wall, on->steady, &error), TLM_OK);
    assert_state(on, "clock-back");
    run_sql(on->db, "ROLLBACK");
    load(on, false);
    assert_state(on, "ok"); /* as it stands in the ledger */
    observe(on);
    assert_state(on, "clock-back");
    assert_int_equal(audited(on, "clock-back"), 1);
    end(on);
}

static void a_checkpoint_that_was_not_committed_does_not_count(void **state)
{
    (void)state;
    tlm_error error = {0};
    bench *on = make(false);
    checkpoint(on);
    restart(on, SECOND);
    intend(on);
    const tlm_checkpoint reading = reading_of(on);
    run_sql(on->db, "BEGIN IMMEDIATE");
    assert_int_equal(tlm_guard_checkpoint(&on->guard, on->db, &reading, on->wall, &error), TLM_OK);
    run_sql(on->db, "ROLLBACK");
    load(on, false);
    observe(on);
    assert_int_equal(permit(on, true), TLM_ERR_TOKEN_UNAVAILABLE);
    checkpoint(on);
    assert_state(on, "ok");
    assert_int_equal(permit(on, true), TLM_OK);
    end(on);
}

/* Of a transaction one request was undone, and the checkpoint before it was not. */
static void a_checkpoint_before_what_was_undone_counts(void **state)
{
    (void)state;
    tlm_error error = {0};
    bench *on = make(false);
    checkpoint(on);
    restart(on, SECOND);
    intend(on);
    const tlm_checkpoint reading = reading_of(on);
    run_sql(on->db, "BEGIN IMMEDIATE");
    assert_int_equal(tlm_guard_checkpoint(&on->guard, on->db, &reading, on->wall, &error), TLM_OK);
    assert_int_equal(tlm_guard_load(&on->guard, on->db, &on->limits, false, on->wall, &error),
                     TLM_OK);
    assert_int_equal(permit(on, true), TLM_ERR_TOKEN_UNAVAILABLE); /* not before it is durable */
    run_sql(on->db, "COMMIT");
    observe(on);
    assert_int_equal(permit(on, true), TLM_OK);
    end(on);
}

static void accepting_that_was_not_committed_does_not_count(void **state)
{
    (void)state;
    tlm_error error = {0};
    bench *on = make(false);
    set_clock(on, DAY);
    set_clock(on, -DAY);
    run_sql(on->db, "BEGIN IMMEDIATE");
    assert_int_equal(tlm_guard_accept(&on->guard, on->db, on->wall, on->steady, NULL, NULL, &error),
                     TLM_OK);
    run_sql(on->db, "ROLLBACK");
    load(on, false);
    observe(on);
    assert_state(on, "clock-back");
    end(on);
}

static void a_state_that_is_not_known_is_newer(void **state)
{
    (void)state;
    tlm_error error = {0};
    bench *on = make(false);
    run_sql(on->db, "UPDATE guard SET state = 'upside-down'");
    on->guard = (tlm_guard){0};
    assert_int_equal(tlm_guard_load(&on->guard, on->db, &on->limits, false, on->wall, &error),
                     TLM_ERR_NEWER);
    assert_non_null(strstr(error.message, "upside-down"));
    run_sql(on->db, "DROP TABLE guard");
    assert_int_equal(tlm_guard_load(&on->guard, on->db, &on->limits, false, on->wall, &error),
                     TLM_ERR_IO);
    end(on);
}

/* ---- what is shown ---- */

static void assert_text(const json_t *object, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    assert_string_equal(text, expected);
}

static void shows_state_counter_and_clock(void **state)
{
    (void)state;
    bench *on = make(false);
    json_t *shown = tlm_guard_json(&on->guard);
    assert_text(shown, "state", "ok");
    assert_text(shown, "policy", "strict");
    assert_text(shown, "since", "2027-01-15T08:00:00Z");
    assert_true(json_is_null(json_object_get(shown, "hint")));
    assert_text(json_object_get(shown, "counter"), "kind", "none");
    json_decref(shown);

    checkpoint(on);
    pass(on, HOUR);
    set_clock(on, -HOUR);
    shown = tlm_guard_json(&on->guard);
    assert_text(shown, "state", "clock-back");
    assert_non_null(strstr(json_string_value(json_object_get(shown, "hint")), "tlm state accept"));
    assert_text(shown, "detail", "the clock is 3600 seconds behind, and 300 are tolerated");
    assert_text(json_object_get(shown, "counter"), "kind", "tpm");
    assert_true(json_is_true(json_object_get(json_object_get(shown, "counter"), "tamperProof")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(shown, "counter"), "value")), 41);
    assert_text(json_object_get(shown, "clock"), "highest", "2027-01-15T09:00:00Z");
    assert_text(json_object_get(shown, "clock"), "seen", "2027-01-15T08:00:00Z");
    json_decref(shown);
    end(on);
}

static void names_the_weaker_counter_of_a_file(void **state)
{
    (void)state;
    bench *on = make(false);
    const tlm_checkpoint reading = {.has_counter = true, .counter = 1};
    commit_reading(on, &reading);
    json_t *shown = tlm_guard_json(&on->guard);
    const json_t *counter = json_object_get(shown, "counter");
    assert_text(counter, "kind", "file");
    assert_true(json_is_false(json_object_get(counter, "tamperProof")));
    assert_non_null(strstr(json_string_value(json_object_get(counter, "message")), "file"));
    json_decref(shown);
    end(on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_one_after_another_are_in_order),
        cmocka_unit_test(a_crash_between_intent_and_checkpoint_is_in_order),
        cmocka_unit_test(a_copy_that_is_put_back_is_found),
        cmocka_unit_test(a_copy_of_since_the_last_checkpoint_is_not_found),
        cmocka_unit_test(intents_are_not_collected),
        cmocka_unit_test(a_reading_without_intent_is_found),
        cmocka_unit_test(a_counter_that_went_back_is_found),
        cmocka_unit_test(a_counter_that_is_gone_is_found),
        cmocka_unit_test(a_file_in_place_of_the_tpms_counter_is_found),
        cmocka_unit_test(the_largest_numbers_are_kept),
        cmocka_unit_test(a_graver_state_takes_the_place_of_clock_back),
        cmocka_unit_test(a_missing_ledger_is_a_state_of_the_new_one),
        cmocka_unit_test(a_replaced_file_is_told_once),
        cmocka_unit_test(policies_forbid_what_they_say),
        cmocka_unit_test(what_the_process_saw_survives_a_rollback),
        cmocka_unit_test(a_checkpoint_that_was_not_committed_does_not_count),
        cmocka_unit_test(a_checkpoint_before_what_was_undone_counts),
        cmocka_unit_test(accepting_that_was_not_committed_does_not_count),
        cmocka_unit_test(a_state_that_is_not_known_is_newer),
        cmocka_unit_test(shows_state_counter_and_clock),
        cmocka_unit_test(names_the_weaker_counter_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
