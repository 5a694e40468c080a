/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/startup.h>

static tlm_start_state decide(tlm_found persistence, tlm_found vault, tlm_found_token token)
{
    const tlm_start_findings found = {.persistence = persistence, .vault = vault, .token = token};
    return tlm_startup_decide(&found);
}

typedef void (*check)(tlm_found persistence, tlm_found vault, tlm_found_token token,
                      tlm_start_state state);

static void for_all(check visit)
{
    for (int persistence = 0; persistence < TLM_FOUND_COUNT; persistence++) {
        for (int vault = 0; vault < TLM_FOUND_COUNT; vault++) {
            for (int token = 0; token < TLM_FOUND_TOKEN_COUNT; token++) {
                visit((tlm_found)persistence, (tlm_found)vault, (tlm_found_token)token,
                      decide((tlm_found)persistence, (tlm_found)vault, (tlm_found_token)token));
            }
        }
    }
}

static void check_total(tlm_found persistence, tlm_found vault, tlm_found_token token,
                        tlm_start_state state)
{
    (void)persistence;
    (void)vault;
    (void)token;
    assert_in_range(state, TLM_START_COLD, TLM_START_STATE_COUNT - 1);
    /* These come of doing, never of looking. */
    assert_int_not_equal(state, TLM_START_UNWRITABLE);
    assert_int_not_equal(state, TLM_START_IN_USE);
}

static void every_combination_has_a_state(void **state)
{
    (void)state;
    for_all(check_total);
}

static int is_in_place(tlm_found found)
{
    return found != TLM_FOUND_ABSENT && found != TLM_FOUND_STAGED;
}

/* The rule that everything hangs on: data that could be wanted is never made anew. */
static void check_writing(tlm_found persistence, tlm_found vault, tlm_found_token token,
                          tlm_start_state state)
{
    if (state == TLM_START_COLD) {
        assert_false(is_in_place(persistence));
        assert_false(is_in_place(vault));
        assert_int_equal(token, TLM_TOKEN_UNMARKED);
        assert_false(persistence == TLM_FOUND_STAGED && vault == TLM_FOUND_STAGED);
    }
    if (state == TLM_START_INTERRUPTED) {
        assert_true(persistence == TLM_FOUND_STAGED || vault == TLM_FOUND_STAGED);
        assert_true(persistence == TLM_FOUND_STAGED || persistence == TLM_FOUND_GOOD);
        assert_true(vault == TLM_FOUND_STAGED || vault == TLM_FOUND_GOOD);
        assert_true(token == TLM_TOKEN_UNMARKED || token == TLM_TOKEN_MARKED_SAME);
    }
    if (tlm_startup_describe(state)->may_write) {
        assert_true(state == TLM_START_COLD || state == TLM_START_INTERRUPTED);
    }
}

static void nothing_is_written_over_data(void **state)
{
    (void)state;
    for_all(check_writing);
}

static void check_warm(tlm_found persistence, tlm_found vault, tlm_found_token token,
                       tlm_start_state state)
{
    int whole = persistence == TLM_FOUND_GOOD && vault == TLM_FOUND_GOOD &&
                (token == TLM_TOKEN_UNMARKED || token == TLM_TOKEN_MARKED_SAME);
    assert_int_equal(state == TLM_START_WARM, whole);
}

static void warm_is_exactly_both_files_with_their_token(void **state)
{
    (void)state;
    for_all(check_warm);
}

static void each_state_comes_of_its_findings(void **state)
{
    (void)state;
    static const struct {
        tlm_found persistence;
        tlm_found vault;
        tlm_found_token token;
        tlm_start_state state;
    } rows[] = {
        {TLM_FOUND_ABSENT, TLM_FOUND_ABSENT, TLM_TOKEN_UNMARKED, TLM_START_COLD},
        {TLM_FOUND_ABSENT, TLM_FOUND_STAGED, TLM_TOKEN_UNMARKED, TLM_START_COLD},
        {TLM_FOUND_STAGED, TLM_FOUND_ABSENT, TLM_TOKEN_UNMARKED, TLM_START_COLD},
        {TLM_FOUND_GOOD, TLM_FOUND_GOOD, TLM_TOKEN_UNMARKED, TLM_START_WARM},
        {TLM_FOUND_GOOD, TLM_FOUND_GOOD, TLM_TOKEN_MARKED_SAME, TLM_START_WARM},
        {TLM_FOUND_STAGED, TLM_FOUND_STAGED, TLM_TOKEN_UNMARKED, TLM_START_INTERRUPTED},
        {TLM_FOUND_STAGED, TLM_FOUND_GOOD, TLM_TOKEN_UNMARKED, TLM_START_INTERRUPTED},
        {TLM_FOUND_GOOD, TLM_FOUND_STAGED, TLM_TOKEN_MARKED_SAME, TLM_START_INTERRUPTED},
        {TLM_FOUND_ABSENT, TLM_FOUND_ABSENT, TLM_TOKEN_ABSENT, TLM_START_NOT_PROVISIONED},
        {TLM_FOUND_UNOPENED, TLM_FOUND_UNOPENED, TLM_TOKEN_ABSENT, TLM_START_TOKEN_MISSING},
        {TLM_FOUND_ABSENT, TLM_FOUND_UNOPENED, TLM_TOKEN_ABSENT, TLM_START_TOKEN_MISSING},
        {TLM_FOUND_UNOPENED, TLM_FOUND_UNOPENED, TLM_TOKEN_UNAVAILABLE,
         TLM_START_TOKEN_UNAVAILABLE},
        {TLM_FOUND_ABSENT, TLM_FOUND_ABSENT, TLM_TOKEN_LOCKED, TLM_START_TOKEN_LOCKED},
        {TLM_FOUND_ABSENT, TLM_FOUND_ABSENT, TLM_TOKEN_PIN_REFUSED, TLM_START_PIN_REFUSED},
        {TLM_FOUND_ABSENT, TLM_FOUND_ABSENT, TLM_TOKEN_FOREIGN, TLM_START_FOREIGN},
        {TLM_FOUND_ABSENT, TLM_FOUND_ABSENT, TLM_TOKEN_MARKED_OTHER, TLM_START_FILES_MISSING},
        {TLM_FOUND_ABSENT, TLM_FOUND_UNOPENED, TLM_TOKEN_MARKED_OTHER,
         TLM_START_PERSISTENCE_MISSING},
        {TLM_FOUND_ABSENT, TLM_FOUND_UNOPENED, TLM_TOKEN_UNMARKED, TLM_START_PERSISTENCE_MISSING},
        {TLM_FOUND_GOOD, TLM_FOUND_ABSENT, TLM_TOKEN_MARKED_SAME, TLM_START_VAULT_MISSING},
        {TLM_FOUND_GOOD, TLM_FOUND_ABSENT, TLM_TOKEN_UNMARKED, TLM_START_VAULT_MISSING},
        {TLM_FOUND_STAGED, TLM_FOUND_ABSENT, TLM_TOKEN_MARKED_SAME, TLM_START_VAULT_MISSING},
        {TLM_FOUND_DAMAGED, TLM_FOUND_UNOPENED, TLM_TOKEN_MARKED_OTHER,
         TLM_START_PERSISTENCE_DAMAGED},
        {TLM_FOUND_DAMAGED, TLM_FOUND_ABSENT, TLM_TOKEN_UNMARKED, TLM_START_PERSISTENCE_DAMAGED},
        {TLM_FOUND_GOOD, TLM_FOUND_DAMAGED, TLM_TOKEN_MARKED_SAME, TLM_START_VAULT_DAMAGED},
        {TLM_FOUND_FOREIGN, TLM_FOUND_UNOPENED, TLM_TOKEN_UNMARKED, TLM_START_FOREIGN},
        {TLM_FOUND_FOREIGN, TLM_FOUND_UNREADABLE, TLM_TOKEN_UNMARKED, TLM_START_UNREADABLE},
        {TLM_FOUND_GOOD, TLM_FOUND_FOREIGN, TLM_TOKEN_MARKED_SAME, TLM_START_OTHER_STORAGE},
        {TLM_FOUND_GOOD, TLM_FOUND_GOOD, TLM_TOKEN_MARKED_OTHER, TLM_START_OTHER_STORAGE},
        {TLM_FOUND_STAGED, TLM_FOUND_STAGED, TLM_TOKEN_MARKED_OTHER, TLM_START_OTHER_STORAGE},
        {TLM_FOUND_NEWER, TLM_FOUND_UNOPENED, TLM_TOKEN_MARKED_OTHER, TLM_START_NEWER},
        {TLM_FOUND_GOOD, TLM_FOUND_NEWER, TLM_TOKEN_MARKED_SAME, TLM_START_NEWER},
        {TLM_FOUND_UNREADABLE, TLM_FOUND_UNOPENED, TLM_TOKEN_UNMARKED, TLM_START_UNREADABLE},
        {TLM_FOUND_UNOPENED, TLM_FOUND_UNOPENED, TLM_TOKEN_UNMARKED, TLM_START_TOKEN_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(decide(rows[i].persistence, rows[i].vault, rows[i].token), rows[i].state);
    }
}

static void every_state_says_what_to_do(void **state)
{
    (void)state;
    for (int i = 0; i < TLM_START_STATE_COUNT; i++) {
        const tlm_start_description *what = tlm_startup_describe((tlm_start_state)i);
        assert_non_null(what->name);
        assert_true(strlen(what->message) > 10);
        assert_int_equal(what->message[strlen(what->message) - 1], '.');
        assert_int_equal(strspn(what->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(what->name));
        assert_int_equal(what->healthy, i == TLM_START_COLD || i == TLM_START_WARM);
        assert_true(what->healthy || strlen(what->hint) > 5);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(what->name, tlm_startup_describe((tlm_start_state)j)->name);
        }
    }
}

static void values_outside_are_harmless(void **state)
{
    (void)state;
    assert_int_equal(decide((tlm_found)99, (tlm_found)-1, (tlm_found_token)42),
                     TLM_START_TOKEN_UNAVAILABLE);
    assert_string_equal(tlm_startup_describe((tlm_start_state)99)->name, "pending");
    assert_string_equal(tlm_startup_describe((tlm_start_state)-1)->name, "pending");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_has_a_state),
        cmocka_unit_test(nothing_is_written_over_data),
        cmocka_unit_test(warm_is_exactly_both_files_with_their_token),
        cmocka_unit_test(each_state_comes_of_its_findings),
        cmocka_unit_test(every_state_says_what_to_do),
        cmocka_unit_test(values_outside_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
