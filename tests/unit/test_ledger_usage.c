/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters and tokens: each use once, whatever happens in between. */
#include "ledger_fixture.h"

#define MODEL(model) "[{'id':'f','seats':1,'model':" model "}]"

static tlm_result use(fixture *f, tlm_ledger_request *r, const char *client, const char *id,
                      int64_t units)
{
    r->ask.feature = "f";
    r->ask.client = client;
    r->ask.request = id;
    r->ask.units = units;
    return run(f, TLM_LEDGER_USE, r);
}

static void counts_down_to_nothing(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL("{'type':'counter','direction':'down','limit':10}"));
    assert_int_equal(use(f, &r, "c", "1", 0), TLM_OK); /* one, where nothing is said */
    assert_int_equal(r.grant.units, 1);
    assert_int_equal(r.grant.used, 1);
    assert_int_equal(r.grant.remaining, 9);
    assert_string_equal(r.grant.license, tlm_issued_jti(1));
    assert_int_equal(use(f, &r, "c", "2", 10), TLM_ERR_EXHAUSTED);
    assert_int_equal(use(f, &r, "c", "3", 9), TLM_OK);
    assert_int_equal(r.grant.remaining, 0);
    reopen(f);
    assert_int_equal(use(f, &r, "c", "4", 1), TLM_ERR_EXHAUSTED);
    (void)acquire(f, "f", "c", TLM_ERR_EXHAUSTED);
    tlm_ledger_request_clear(&r);
}

static void counts_up_with_and_without_a_limit(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL("{'type':'counter','direction':'up'}"));
    assert_int_equal(use(f, &r, "c", "1", 1000), TLM_OK);
    assert_int_equal(r.grant.used, 1000);
    assert_int_equal(r.grant.remaining, -1);
    assert_int_equal(use(f, &r, "c", "2", TLM_LICENSE_NUMBER_MAX), TLM_ERR_EXHAUSTED);
    assert_int_equal(use(f, &r, "c", "3", TLM_LICENSE_NUMBER_MAX - 1000), TLM_OK);
    tlm_ledger_request other = {.ask = {.license = tlm_issued_jti(1)}};
    assert_runs(f, TLM_LEDGER_REMOVE, &other);
    put_feature(f, 2, MODEL("{'type':'counter','direction':'up','limit':5}"));
    assert_int_equal(use(f, &r, "c", "4", 5), TLM_OK);
    assert_int_equal(r.grant.remaining, 0);
    assert_int_equal(use(f, &r, "c", "5", 1), TLM_ERR_EXHAUSTED);
    tlm_ledger_request_clear(&other);
    tlm_ledger_request_clear(&r);
}

static void counts_the_same_id_once(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL("{'type':'counter','direction':'down','limit':10}"));
    assert_int_equal(use(f, &r, "c", "id", 3), TLM_OK);
    assert_false(r.grant.repeated);
    assert_int_equal(use(f, &r, "c", "other", 4), TLM_OK);
    reopen(f);
    assert_int_equal(use(f, &r, "c", "id", 3), TLM_OK);
    assert_true(r.grant.repeated);
    assert_int_equal(r.grant.used, 3); /* the answer of then */
    assert_int_equal(r.grant.remaining, 7);
    assert_int_equal(r.grant.units, 3);
    assert_int_equal(figure(f, 1, "used"), 7);
    tlm_ledger_request_clear(&r);
}

static void refuses_an_id_for_something_else(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1,
                "[{'id':'f','seats':1,'model':{'type':'tokens','amount':10}},"
                "{'id':'g','seats':1,'model':{'type':'tokens','amount':10}}]");
    assert_int_equal(use(f, &r, "c", "id", 3), TLM_OK);
    assert_int_equal(use(f, &r, "c", "id", 4), TLM_ERR_CONFLICT);
    assert_int_equal(use(f, &r, "d", "id", 3), TLM_ERR_CONFLICT);
    r.ask.give_back = true;
    assert_int_equal(use(f, &r, "c", "id", 3), TLM_ERR_CONFLICT);
    r.ask.give_back = false;
    r.ask.feature = "g";
    assert_int_equal(run(f, TLM_LEDGER_USE, &r), TLM_ERR_CONFLICT);
    r.ask.vendor = "other";
    assert_int_equal(use(f, &r, "c", "id", 3), TLM_ERR_CONFLICT);
    r.ask.vendor = "ACME";
    assert_int_equal(use(f, &r, "c", "id", 3), TLM_OK);
    assert_int_equal(figure(f, 1, "used"), 3);
    tlm_ledger_request_clear(&r);
}

static void forgets_ids_after_thirty_days(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    tlm_ledger_request tick = {0};
    put_feature(f, 1, MODEL("{'type':'counter','direction':'down','limit':10}"));
    assert_int_equal(use(f, &r, "c", "id", 1), TLM_OK);
    pass(f, 30 * TEST_DAY);
    assert_runs(f, TLM_LEDGER_TICK, &tick);
    assert_int_equal(use(f, &r, "c", "id", 1), TLM_OK);
    assert_true(r.grant.repeated);
    pass_ms(f, 1);
    assert_runs(f, TLM_LEDGER_TICK, &tick);
    assert_int_equal(use(f, &r, "c", "id", 1), TLM_OK);
    assert_false(r.grant.repeated);
    assert_int_equal(figure(f, 1, "used"), 2);
    tlm_ledger_request_clear(&tick);
    tlm_ledger_request_clear(&r);
}

static void tokens_come_back_from_who_took_them(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL("{'type':'tokens','amount':10}"));
    assert_int_equal(use(f, &r, "a", "1", 6), TLM_OK);
    assert_int_equal(use(f, &r, "b", "2", 4), TLM_OK);
    assert_int_equal(use(f, &r, "b", "3", 1), TLM_ERR_EXHAUSTED);
    r.ask.give_back = true;
    assert_int_equal(use(f, &r, "b", "4", 5), TLM_ERR_CONFLICT); /* took 4 */
    assert_int_equal(use(f, &r, "nobody", "5", 1), TLM_ERR_CONFLICT);
    assert_int_equal(use(f, &r, "a", "6", 2), TLM_OK);
    assert_int_equal(r.grant.used, 8);
    reopen(f);
    assert_int_equal(use(f, &r, "a", "6", 2), TLM_OK);
    assert_true(r.grant.repeated);
    assert_int_equal(use(f, &r, "a", "7", 4), TLM_OK);
    assert_int_equal(use(f, &r, "a", "8", 1), TLM_ERR_CONFLICT);
    assert_int_equal(figure(f, 1, "used"), 4);
    r.ask.give_back = false;
    assert_int_equal(use(f, &r, "b", "9", 6), TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void counters_take_nothing_back(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {.ask = {.give_back = true}};
    put_feature(f, 1, MODEL("{'type':'counter','direction':'down','limit':10}"));
    assert_int_equal(use(f, &r, "c", "1", 1), TLM_ERR_ARGUMENT);
    tlm_ledger_request_clear(&r);
}

static void only_what_counts_is_used(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL("{'type':'perpetual'}"));
    assert_int_equal(use(f, &r, "c", "1", 1), TLM_ERR_ARGUMENT);
    put_feature(f, 2, MODEL("{'type':'tokens','amount':1}"));
    assert_int_equal(use(f, &r, "c", "1", 1), TLM_OK);
    assert_int_equal(use(f, &r, "c", "2", 1), TLM_ERR_EXHAUSTED);
    tlm_ledger_request_clear(&r);
}

static void wants_id_client_and_units(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    char id[TLM_REQUEST_ID_MAX + 2];
    put_feature(f, 1, MODEL("{'type':'counter','direction':'up'}"));
    memset(id, 'i', sizeof id);
    id[TLM_REQUEST_ID_MAX + 1] = '\0';
    assert_int_equal(use(f, &r, "c", NULL, 1), TLM_ERR_ARGUMENT);
    assert_int_equal(use(f, &r, "c", "", 1), TLM_ERR_ARGUMENT);
    assert_int_equal(use(f, &r, "c", id, 1), TLM_ERR_ARGUMENT);
    assert_int_equal(use(f, &r, NULL, "1", 1), TLM_ERR_ARGUMENT);
    assert_int_equal(use(f, &r, "c", "1", -1), TLM_ERR_ARGUMENT);
    assert_int_equal(use(f, &r, "c", "1", TLM_LICENSE_NUMBER_MAX + 1), TLM_ERR_ARGUMENT);
    id[TLM_REQUEST_ID_MAX] = '\0';
    assert_int_equal(use(f, &r, "c", id, 1), TLM_OK);
    assert_int_equal(figure(f, 1, "used"), 1);
    tlm_ledger_request_clear(&r);
}

static void a_revision_keeps_what_was_used(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL("{'type':'counter','direction':'down','limit':10}"));
    assert_int_equal(use(f, &r, "c", "1", 8), TLM_OK);
    json_t *claims = claims_of(f, 1, MODEL("{'type':'counter','direction':'down','limit':15}"));
    json_object_set_new(claims, "iat", json_integer(TLM_ISSUED_AT + 1));
    put(f, claims);
    assert_int_equal(figure(f, 1, "remaining"), 7);
    claims = claims_of(f, 1, MODEL("{'type':'counter','direction':'down','limit':5}"));
    json_object_set_new(claims, "iat", json_integer(TLM_ISSUED_AT + 2));
    put(f, claims);
    assert_int_equal(figure(f, 1, "remaining"), 0);
    assert_int_equal(use(f, &r, "c", "2", 1), TLM_ERR_EXHAUSTED);
    /* Units of another model are no units of this one. */
    claims = claims_of(f, 1, MODEL("{'type':'tokens','amount':5}"));
    json_object_set_new(claims, "iat", json_integer(TLM_ISSUED_AT + 3));
    put(f, claims);
    assert_int_equal(figure(f, 1, "used"), 0);
    tlm_ledger_request_clear(&r);
}

static void uses_are_in_the_audit_log(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {.ask = {.peer = "192.0.2.7"}};
    put_feature(f, 1, MODEL("{'type':'counter','direction':'up'}"));
    assert_int_equal(use(f, &r, "c", "one", 3), TLM_OK);
    assert_int_equal(use(f, &r, "c", "one", 3), TLM_OK);
    assert_runs(f, TLM_LEDGER_AUDIT, &r);
    const json_t *entries = json_object_get(r.answer, "entries");
    const json_t *entry = json_array_get(entries, json_array_size(entries) - 1);
    assert_int_equal(json_array_size(entries), 3); /* created, activated, and one use */
    assert_string_equal(json_string_value(json_object_get(entry, "event")), "used");
    assert_string_equal(json_string_value(json_object_get(entry, "request")), "one");
    assert_int_equal(json_integer_value(json_object_get(entry, "units")), 3);
    tlm_ledger_request_clear(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(counts_down_to_nothing),        CASE(counts_up_with_and_without_a_limit),
        CASE(counts_the_same_id_once),       CASE(refuses_an_id_for_something_else),
        CASE(forgets_ids_after_thirty_days), CASE(tokens_come_back_from_who_took_them),
        CASE(counters_take_nothing_back),    CASE(only_what_counts_is_used),
        CASE(wants_id_client_and_units),     CASE(a_revision_keeps_what_was_used),
        CASE(uses_are_in_the_audit_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
