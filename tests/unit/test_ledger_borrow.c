/* SPDX-License-Identifier: BSD-2-Clause */
/* Borrowed seats: as long as the license, the feature and the operator allow, and bound to a key.
 */
#include "ledger_fixture.h"

#define JKT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OTHER_JKT "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define SEATS "[{'id':'pro','seats':1,'model':{'type':'perpetual'}}]"

static tlm_result borrow(fixture *f, tlm_ledger_request *r, const char *client, int64_t seconds,
                         const char *jkt)
{
    r->ask =
        (tlm_ledger_ask){.feature = "pro", .client = client, .borrow = seconds, .borrow_jkt = jkt};
    return run(f, TLM_LEDGER_ACQUIRE, r);
}

static void outlives_contact_until_its_end(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, SEATS);
    assert_int_equal(borrow(f, &r, "c", 10 * TEST_DAY, JKT), TLM_OK);
    assert_true(r.grant.borrowed);
    assert_string_equal(r.grant.jkt, JKT);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 10LL * TEST_DAY * 1000LL);
    char lease[37];
    (void)snprintf(lease, sizeof lease, "%s", r.grant.lease);
    pass(f, 9 * TEST_DAY);
    reopen(f);
    r.ask = (tlm_ledger_ask){.lease = lease, .ttl = TEST_DAY};
    assert_runs(f, TLM_LEDGER_RENEW, &r); /* which changes nothing */
    assert_int_equal(r.grant.expires, TEST_BEGIN + 10LL * TEST_DAY * 1000LL);
    assert_true(r.grant.borrowed);
    (void)acquire(f, "pro", "d", TLM_ERR_SEATS);
    pass(f, TEST_DAY);
    assert_int_equal(renew(f, lease), TLM_ERR_NOT_FOUND);
    (void)acquire(f, "pro", "d", TLM_OK);
    assert_int_equal(count_events(f, "borrowed"), 1);
    tlm_ledger_request_clear(&r);
}

static void keeps_to_every_limit(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, "[{'id':'pro','seats':1,'model':{'type':'perpetual'},'borrowDays':7}]");
    assert_int_equal(borrow(f, &r, "c", 7 * TEST_DAY + 1, JKT), TLM_ERR_PERMISSION);
    assert_int_equal(borrow(f, &r, "c", 30 * TEST_DAY + 1, JKT), TLM_ERR_ARGUMENT);
    assert_int_equal(borrow(f, &r, "c", 60, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(borrow(f, &r, "c", 60, "short"), TLM_ERR_ARGUMENT);
    assert_int_equal(borrow(f, &r, "c", 7 * TEST_DAY, JKT), TLM_OK);
    f->config.limits.borrow_max = 0;
    reopen(f);
    assert_int_equal(borrow(f, &r, "d", 60, JKT), TLM_ERR_PERMISSION);
    tlm_ledger_request_clear(&r);
}

static void is_not_lent_where_the_license_forbids_it(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, "[{'id':'pro','seats':1,'model':{'type':'perpetual'},'borrowDays':0}]");
    assert_int_equal(borrow(f, &r, "c", 1, JKT), TLM_ERR_PERMISSION);
    (void)acquire(f, "pro", "c", TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void ends_with_the_license(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    json_t *claims = claims_of(f, 1, SEATS);
    json_object_set_new(claims, "exp", json_integer(TEST_BEGIN / 1000 + 2 * TEST_DAY));
    put(f, claims);
    assert_int_equal(borrow(f, &r, "c", 10 * TEST_DAY, JKT), TLM_OK);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 2LL * TEST_DAY * 1000LL);
    tlm_ledger_request_clear(&r);
}

static void is_returned_by_its_borrower(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, SEATS);
    assert_int_equal(borrow(f, &r, "c", TEST_DAY, JKT), TLM_OK);
    char lease[37];
    (void)snprintf(lease, sizeof lease, "%s", r.grant.lease);
    assert_int_equal(release(f, lease), TLM_ERR_PERMISSION);
    (void)acquire(f, "pro", "d", TLM_ERR_SEATS);
    r.ask = (tlm_ledger_ask){.lease = lease, .proven = true};
    assert_runs(f, TLM_LEDGER_RELEASE, &r);
    (void)acquire(f, "pro", "d", TLM_OK);
    assert_int_equal(count_events(f, "returned"), 1);
    tlm_ledger_request_clear(&r);
}

static void is_ended_by_an_administrator(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, SEATS);
    assert_int_equal(borrow(f, &r, "c", TEST_DAY, JKT), TLM_OK);
    char lease[37];
    (void)snprintf(lease, sizeof lease, "%s", r.grant.lease);
    r.ask = (tlm_ledger_ask){.lease = lease, .force = true};
    assert_runs(f, TLM_LEDGER_RELEASE, &r);
    assert_int_equal(count_events(f, "lease-forced"), 1);
    assert_int_equal(count_events(f, "returned"), 0);
    tlm_ledger_request_clear(&r);
}

static void belongs_to_one_key(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, SEATS);
    lease_id held = acquire(f, "pro", "c", TLM_OK);
    assert_int_equal(borrow(f, &r, "c", TEST_DAY, JKT), TLM_OK); /* what it has becomes borrowed */
    assert_string_equal(r.grant.lease, held.text);
    assert_true(r.grant.borrowed);
    assert_int_equal(release(f, held.text), TLM_ERR_PERMISSION);
    assert_int_equal(borrow(f, &r, "c", 2 * TEST_DAY, OTHER_JKT), TLM_ERR_CONFLICT);
    assert_int_equal(borrow(f, &r, "c", 2 * TEST_DAY, JKT), TLM_OK);
    assert_true(r.grant.repeated);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 1LL * TEST_DAY * 1000LL);
    r.ask = (tlm_ledger_ask){.feature = "pro", .client = "c", .ttl = 5};
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r); /* asked for as any lease */
    assert_true(r.grant.borrowed);
    tlm_ledger_request_clear(&r);
}

static void borrowed_usage_time_is_taken_whole(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, "[{'id':'pro','seats':2,'model':{'type':'usageTime','seconds':100000}}]");
    assert_int_equal(borrow(f, &r, "c", TEST_DAY, JKT), TLM_OK);
    assert_int_equal(figure(f, 1, "remaining"), 100000 - TEST_DAY);
    pass(f, 1000);
    char lease[37];
    (void)snprintf(lease, sizeof lease, "%s", r.grant.lease);
    r.ask = (tlm_ledger_ask){.lease = lease, .proven = true};
    assert_runs(f, TLM_LEDGER_RELEASE, &r);
    assert_int_equal(figure(f, 1, "used"), 1000);
    tlm_ledger_request_clear(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(outlives_contact_until_its_end),
        CASE(keeps_to_every_limit),
        CASE(is_not_lent_where_the_license_forbids_it),
        CASE(ends_with_the_license),
        CASE(is_returned_by_its_borrower),
        CASE(is_ended_by_an_administrator),
        CASE(belongs_to_one_key),
        CASE(borrowed_usage_time_is_taken_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
