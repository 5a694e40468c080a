/* SPDX-License-Identifier: BSD-2-Clause */
/* Every model through time: begun, used up, ended, and the ledger opened again in between. */
#include "ledger_fixture.h"

#define MODEL(seats, model) "[{'id':'f','seats':" #seats ",'model':" model "}]"

static tlm_result check(fixture *f, tlm_ledger_request *r, const char *client)
{
    r->ask = (tlm_ledger_ask){.feature = "f", .client = client, .local = true};
    return run(f, TLM_LEDGER_CHECK, r);
}

static void perpetual_does_not_end(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(0, "{'type':'perpetual'}"));
    assert_runs(f, TLM_LEDGER_TICK, &r);
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    assert_int_equal(r.grant.expires, INT64_MAX);
    assert_int_equal(r.grant.used, -1);
    assert_int_equal(r.grant.remaining, -1);
    assert_string_equal(r.grant.lease, "");
    pass(f, 100LL * 365 * TEST_DAY);
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void period_lasts_from_one_instant_to_the_other(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(1, "{'type':'period','notBefore':1760000100,'notAfter':1760000500}"));
    (void)acquire(f, "f", "c", TLM_ERR_NOT_YET);
    pass_ms(f, 100 * 1000LL - 1);
    (void)acquire(f, "f", "c", TLM_ERR_NOT_YET);
    pass_ms(f, 1);
    r.ask = (tlm_ledger_ask){.feature = "f", .client = "c", .ttl = 1000};
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.expires, 1760000500LL * 1000LL); /* no lease is longer than that */
    pass_ms(f, 400 * 1000LL - 1);
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    pass_ms(f, 1);
    (void)acquire(f, "f", "c", TLM_ERR_EXPIRED);
    tlm_ledger_request_clear(&r);
}

static void a_license_ends_whatever_the_model(void **state)
{
    fixture *f = *state;
    json_t *claims = claims_of(f, 1, MODEL(1, "{'type':'perpetual'}"));
    json_object_set_new(claims, "exp", json_integer(1760000200));
    put(f, claims);
    lease_id lease = acquire(f, "f", "c", TLM_OK);
    pass_ms(f, 200 * 1000LL - 1);
    assert_int_equal(renew(f, lease.text), TLM_OK);
    pass_ms(f, 1);
    assert_license_state(f, 1, "expired");
    assert_int_equal(renew(f, lease.text), TLM_ERR_NOT_FOUND);
    (void)acquire(f, "f", "c", TLM_ERR_EXPIRED);
}

static void trial_begins_with_its_first_use(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(0, "{'type':'trial','days':3}"));
    pass(f, 10 * TEST_DAY);
    reopen(f);
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    int64_t end = TEST_BEGIN + 13LL * TEST_DAY * 1000LL;
    assert_int_equal(r.grant.expires, end);
    reopen(f);
    pass(f, TEST_DAY);
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    assert_int_equal(r.grant.expires, end);
    pass_ms(f, 2LL * TEST_DAY * 1000LL - 1);
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    pass_ms(f, 1);
    assert_int_equal(check(f, &r, NULL), TLM_ERR_EXPIRED);
    reopen(f);
    assert_int_equal(check(f, &r, NULL), TLM_ERR_EXPIRED);
    tlm_ledger_request_clear(&r);
}

static void a_refused_ask_does_not_begin_a_trial(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(0, "{'type':'trial','days':3}"));
    r.ask = (tlm_ledger_ask){.feature = "f", .client = "c"};
    assert_int_equal(run(f, TLM_LEDGER_CHECK, &r), TLM_ERR_NOT_LOCAL);
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_NOT_LOCAL);
    pass(f, 5 * TEST_DAY);
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void activation_begins_when_it_is_activated(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    json_t *claims = claims_of(f, 1, MODEL(0, "{'type':'activation','days':2}"));
    put(f, json_deep_copy(claims));
    pass(f, TEST_DAY);
    /* Taking it away and back, or a revision, begins nothing anew. */
    r.ask.license = tlm_issued_jti(1);
    assert_runs(f, TLM_LEDGER_REMOVE, &r);
    json_object_set_new(claims, "iat", json_integer(TLM_ISSUED_AT + 1));
    put(f, claims);
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 2LL * TEST_DAY * 1000LL);
    pass(f, TEST_DAY);
    assert_int_equal(check(f, &r, NULL), TLM_ERR_EXPIRED);
    tlm_ledger_request_clear(&r);
}

static void usage_time_runs_down_while_leased(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {.ask = {.feature = "f", .client = "c", .ttl = 100}};
    put_feature(f, 1, MODEL(2, "{'type':'usageTime','seconds':1000}"));
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.used, 100); /* all of the lease is taken at once */
    assert_int_equal(r.grant.remaining, 900);
    lease_id lease = {""};
    (void)snprintf(lease.text, sizeof lease.text, "%s", r.grant.lease);
    pass(f, 40);
    assert_int_equal(release(f, lease.text), TLM_OK);
    assert_int_equal(figure(f, 1, "used"), 40);
    pass(f, 1000); /* nothing runs while nobody has it */
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(figure(f, 1, "used"), 140);
    (void)snprintf(lease.text, sizeof lease.text, "%s", r.grant.lease);
    pass(f, 50);
    r.ask.lease = lease.text;
    assert_runs(f, TLM_LEDGER_RENEW, &r);
    assert_int_equal(r.grant.used, 190); /* 90 gone, 100 held */
    pass(f, 100);
    reopen(f); /* the client is gone, and what it held, too */
    assert_int_equal(figure(f, 1, "used"), 190);
    assert_int_equal(figure(f, 1, "inUse"), 0);
    tlm_ledger_request_clear(&r);
}

static void usage_time_is_never_granted_twice(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {.ask = {.feature = "f", .client = "a", .ttl = 60}};
    put_feature(f, 1, MODEL(5, "{'type':'usageTime','seconds':100}"));
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    r.ask.client = "b";
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 40 * 1000LL); /* what is left */
    assert_int_equal(r.grant.remaining, 0);
    r.ask.client = "c";
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_EXHAUSTED);
    reopen(f);
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_EXHAUSTED);
    pass(f, 10);
    r.ask.client = "a"; /* has 50 and gets no more */
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 60 * 1000LL);
    assert_int_equal(figure(f, 1, "used"), 100);
    pass(f, 50);
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_EXHAUSTED);
    tlm_ledger_request_clear(&r);
}

static void usage_time_runs_for_each_seat(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {.ask = {.feature = "f", .client = "a", .ttl = 100, .units = 3}};
    put_feature(f, 1, MODEL(5, "{'type':'usageTime','seconds':1000}"));
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.used, 300);
    pass(f, 50);
    r.ask.units = 1; /* 150 gone, one seat for 100 */
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.used, 250);
    pass(f, 10);
    assert_int_equal(release(f, r.grant.lease), TLM_OK);
    assert_int_equal(figure(f, 1, "used"), 160);
    r.ask.units = 5;
    r.ask.ttl = TEST_DAY;
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.expires - r.grant.granted, 840 / 5 * 1000LL);
    tlm_ledger_request_clear(&r);
}

static void usage_time_needs_a_lease(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(0, "{'type':'usageTime','seconds':1000}"));
    assert_int_equal(check(f, &r, "c"), TLM_ERR_ARGUMENT);
    (void)acquire(f, "f", "c", TLM_OK);
    assert_int_equal(figure(f, 1, "used"), 300);
    tlm_ledger_request_clear(&r);
}

static void a_clock_that_goes_back_a_little_gives_no_time_back(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, MODEL(1, "{'type':'usageTime','seconds':1000}"));
    lease_id lease = acquire(f, "f", "c", TLM_OK);
    pass(f, 290);
    assert_int_equal(renew(f, lease.text), TLM_OK);
    f->wall -= 280 * 1000LL; /* less than is tolerated */
    assert_int_equal(release(f, lease.text), TLM_OK);
    assert_int_equal(figure(f, 1, "used"), 290);
}

static void list_has_so_many_names(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(0, "{'type':'list','max':2}"));
    assert_int_equal(check(f, &r, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(check(f, &r, "a"), TLM_OK);
    assert_int_equal(r.grant.used, 1);
    assert_int_equal(check(f, &r, "a"), TLM_OK);
    assert_int_equal(r.grant.used, 1);
    assert_int_equal(check(f, &r, "b"), TLM_OK);
    assert_int_equal(r.grant.remaining, 0);
    assert_int_equal(check(f, &r, "c"), TLM_ERR_EXHAUSTED);
    reopen(f);
    assert_int_equal(check(f, &r, "b"), TLM_OK);
    assert_int_equal(check(f, &r, "c"), TLM_ERR_EXHAUSTED);
    (void)acquire(f, "f", "a", TLM_OK);
    (void)acquire(f, "f", "c", TLM_ERR_EXHAUSTED);
    tlm_ledger_request_clear(&r);
}

static void stand_alone_is_for_this_host(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {.ask = {.feature = "f", .client = "c"}};
    put_feature(f, 1, MODEL(0, "{'type':'perpetual'}"));
    assert_int_equal(run(f, TLM_LEDGER_CHECK, &r), TLM_ERR_NOT_LOCAL);
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_NOT_LOCAL);
    r.ask.local = true;
    assert_runs(f, TLM_LEDGER_CHECK, &r);
    for (int i = 0; i < 20; i++) { /* there is nothing to run short of */
        char client[8];
        (void)snprintf(client, sizeof client, "c%d", i);
        (void)acquire(f, "f", client, TLM_OK);
    }
    tlm_ledger_request_clear(&r);
}

static void seats_want_a_lease(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(1, "{'type':'perpetual'}"));
    assert_int_equal(check(f, &r, "c"), TLM_ERR_ARGUMENT);
    assert_non_null(strstr(r.error.hint, "lease"));
    tlm_ledger_request_clear(&r);
}

static void counts_as_far_as_numbers_go(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, MODEL(0, "{'type':'trial','days':3650000}"));
    assert_int_equal(check(f, &r, NULL), TLM_OK);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 3650000LL * TEST_DAY * 1000LL);
    put_feature(f, 2,
                "[{'id':'g','seats':1,'model':{'type':'usageTime',"
                "'seconds':9007199254740991}}]");
    (void)acquire(f, "g", "c", TLM_OK);
    assert_int_equal(figure(f, 2, "remaining"), 9007199254740991 - 300);
    tlm_ledger_request_clear(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(perpetual_does_not_end),
        CASE(period_lasts_from_one_instant_to_the_other),
        CASE(a_license_ends_whatever_the_model),
        CASE(trial_begins_with_its_first_use),
        CASE(a_refused_ask_does_not_begin_a_trial),
        CASE(activation_begins_when_it_is_activated),
        CASE(usage_time_runs_down_while_leased),
        CASE(usage_time_is_never_granted_twice),
        CASE(usage_time_runs_for_each_seat),
        CASE(usage_time_needs_a_lease),
        CASE(a_clock_that_goes_back_a_little_gives_no_time_back),
        CASE(list_has_so_many_names),
        CASE(stand_alone_is_for_this_host),
        CASE(seats_want_a_lease),
        CASE(counts_as_far_as_numbers_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
