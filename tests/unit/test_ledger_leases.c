/* SPDX-License-Identifier: BSD-2-Clause */
/* Seats: granted, held, renewed, returned, run out; and who waits for them. */
#include "ledger_fixture.h"

#include <sqlite3.h>

#define SEATS(n) "[{'id':'pro','seats':" #n ",'model':{'type':'perpetual'}}]"

static void grants_as_many_as_there_are(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(2));
    lease_id first = acquire(f, "pro", "c1", TLM_OK);
    lease_id second = acquire(f, "pro", "c2", TLM_OK);
    assert_string_not_equal(first.text, second.text);
    (void)acquire(f, "pro", "c3", TLM_ERR_SEATS);
    assert_int_equal(figure(f, 1, "inUse"), 2);
    assert_int_equal(release(f, first.text), TLM_OK);
    assert_int_equal(figure(f, 1, "inUse"), 1);
    (void)acquire(f, "pro", "c3", TLM_OK);
}

static void gives_the_same_client_its_lease_back(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    tlm_ledger_request r = {.ask = {.feature = "pro", .client = "c1", .ttl = 100}};
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_false(r.grant.repeated);
    char lease[37];
    int64_t fence = r.grant.fence;
    (void)snprintf(lease, sizeof lease, "%s", r.grant.lease);
    pass(f, 60);
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_true(r.grant.repeated);
    assert_string_equal(r.grant.lease, lease);
    assert_int_equal(r.grant.fence, fence);
    assert_int_equal(r.grant.granted, TEST_BEGIN);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 160 * 1000LL);
    assert_int_equal(figure(f, 1, "inUse"), 1);
    r.ask.ttl = 10; /* what was promised is not shortened */
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.expires, TEST_BEGIN + 160 * 1000LL);
    tlm_ledger_request_clear(&r);
}

static void runs_out_without_a_heartbeat(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    lease_id lease = acquire(f, "pro", "c1", TLM_OK);
    pass_ms(f, 300 * 1000LL - 1);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
    assert_int_equal(renew(f, lease.text), TLM_OK);
    pass_ms(f, 1);
    tlm_ledger_request r = {.ask = {.lease = lease.text}};
    assert_runs(f, TLM_LEDGER_LEASE, &r);
    pass_ms(f, 300 * 1000LL - 1);
    assert_int_equal(run(f, TLM_LEDGER_LEASE, &r), TLM_ERR_NOT_FOUND);
    assert_int_equal(renew(f, lease.text), TLM_ERR_NOT_FOUND);
    assert_int_equal(release(f, lease.text), TLM_ERR_NOT_FOUND);
    (void)acquire(f, "pro", "c2", TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void frees_seats_while_the_daemon_is_away(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    (void)acquire(f, "pro", "c1", TLM_OK);
    tlm_ledger_close(&f->ledger);
    pass(f, 300);
    open_ledger(f);
    (void)acquire(f, "pro", "c2", TLM_OK);
    assert_int_equal(figure(f, 1, "inUse"), 1);
}

static void takes_units_and_changes_them(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(5));
    tlm_ledger_request r = {.ask = {.feature = "pro", .client = "c1", .units = 3}};
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.units, 3);
    r.ask.units = 0; /* says nothing of them */
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.units, 3);
    r.ask.units = 5;
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(figure(f, 1, "inUse"), 5);
    r.ask.units = 2;
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(figure(f, 1, "inUse"), 2);
    tlm_ledger_request other = {.ask = {.feature = "pro", .client = "c2", .units = 3}};
    assert_runs(f, TLM_LEDGER_ACQUIRE, &other);
    r.ask.units = 3;
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_SEATS);
    assert_int_equal(r.grant.position, 1);
    assert_int_equal(figure(f, 1, "inUse"), 5);
    other.ask.units = 6;
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &other), TLM_ERR_ARGUMENT);
    tlm_ledger_request_clear(&r);
    tlm_ledger_request_clear(&other);
}

static void fences_grow(void **state)
{
    fixture *f = *state;
    int64_t last = 0;
    put_feature(f, 1, SEATS(100));
    for (int i = 0; i < 50; i++) {
        char client[8];
        (void)snprintf(client, sizeof client, "c%d", i);
        tlm_ledger_request r = {.ask = {.feature = "pro", .client = client}};
        assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
        assert_true(r.grant.fence > last);
        assert_true(r.grant.fence < 1LL << 53);
        last = r.grant.fence;
        tlm_ledger_request_clear(&r);
        if (i % 10 == 9) {
            reopen(f);
        }
    }
    assert_true(last >= TEST_BEGIN * 1000LL); /* so one of an older copy is smaller, too */
    pass(f, -200);
    tlm_ledger_request r = {.ask = {.feature = "pro", .client = "late"}};
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_int_equal(r.grant.fence, last + 1);
    tlm_ledger_request_clear(&r);
}

static void queues_in_the_order_of_asking(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    lease_id held = acquire(f, "pro", "c1", TLM_OK);
    tlm_ledger_request second = {.ask = {.feature = "pro", .client = "c2"}};
    tlm_ledger_request third = {.ask = {.feature = "pro", .client = "c3"}};
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &second), TLM_ERR_SEATS);
    assert_int_equal(second.grant.position, 1);
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &third), TLM_ERR_SEATS);
    assert_int_equal(third.grant.position, 2);
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &second), TLM_ERR_SEATS);
    assert_int_equal(second.grant.position, 1);
    assert_int_equal(release(f, held.text), TLM_OK);
    /* The seat is free, and kept for the one who asked first. */
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &third), TLM_ERR_SEATS);
    assert_int_equal(third.grant.position, 2);
    (void)acquire(f, "pro", "c4", TLM_ERR_SEATS);
    assert_runs(f, TLM_LEDGER_ACQUIRE, &second);
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &third), TLM_ERR_SEATS);
    assert_int_equal(third.grant.position, 1);
    tlm_ledger_request_clear(&second);
    tlm_ledger_request_clear(&third);
}

static void forgets_who_does_not_ask_again(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    lease_id held = acquire(f, "pro", "c1", TLM_OK);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
    pass(f, 30);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS); /* in time */
    assert_int_equal(release(f, held.text), TLM_OK);
    pass(f, 30);
    (void)acquire(f, "pro", "c3", TLM_ERR_SEATS);
    pass_ms(f, 1);
    (void)acquire(f, "pro", "c3", TLM_OK);
    tlm_ledger_request r = {.ask = {.feature = "pro", .client = "c2"}};
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_SEATS);
    assert_int_equal(r.grant.position, 1);
    tlm_ledger_request_clear(&r);
}

static void does_not_pass_by_who_wants_many(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(3));
    lease_id a = acquire(f, "pro", "a", TLM_OK);
    lease_id b = acquire(f, "pro", "b", TLM_OK);
    tlm_ledger_request many = {.ask = {.feature = "pro", .client = "many", .units = 3}};
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &many), TLM_ERR_SEATS);
    (void)acquire(f, "pro", "late", TLM_ERR_SEATS); /* one is free, and kept */
    assert_int_equal(renew(f, a.text), TLM_OK);     /* who has a seat goes on */
    assert_int_equal(release(f, a.text), TLM_OK);
    assert_int_equal(release(f, b.text), TLM_OK);
    assert_runs(f, TLM_LEDGER_ACQUIRE, &many);
    tlm_ledger_request_clear(&many);
}

static void keeps_what_one_who_waits_can_take(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    put_feature(f, 2, SEATS(1));
    lease_id a = acquire(f, "pro", "a", TLM_OK);
    lease_id b = acquire(f, "pro", "b", TLM_OK);
    (void)acquire(f, "pro", "w", TLM_ERR_SEATS);
    assert_int_equal(release(f, a.text), TLM_OK);
    assert_int_equal(release(f, b.text), TLM_OK);
    /* Two are free and one is kept. */
    (void)acquire(f, "pro", "x", TLM_OK);
    (void)acquire(f, "pro", "y", TLM_ERR_SEATS);
    (void)acquire(f, "pro", "w", TLM_OK);
}

static void takes_the_license_that_ends_first(void **state)
{
    fixture *f = *state;
    static const struct {
        unsigned number;
        int64_t days;
    } licenses[] = {{1, 30}, {2, 10}, {3, 20}};
    for (size_t i = 0; i < 3; i++) {
        json_t *claims = claims_of(f, licenses[i].number, SEATS(1));
        json_object_set_new(claims, "exp",
                            json_integer(TEST_BEGIN / 1000 + licenses[i].days * TEST_DAY));
        put(f, claims);
    }
    static const unsigned order[] = {2, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        char client[8];
        (void)snprintf(client, sizeof client, "c%zu", i);
        tlm_ledger_request r = {.ask = {.feature = "pro", .client = client}};
        assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
        assert_string_equal(r.grant.license, tlm_issued_jti(order[i]));
        tlm_ledger_request_clear(&r);
    }
    (void)acquire(f, "pro", "c4", TLM_ERR_SEATS);
}

static void narrows_the_choice(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    put_feature(f, 2, SEATS(1));
    tlm_ledger_request r = {
        .ask = {.feature = "pro", .client = "c1", .license = tlm_issued_jti(2)}};
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_string_equal(r.grant.license, tlm_issued_jti(2));
    r.ask.client = "c2";
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_SEATS);
    r.ask = (tlm_ledger_ask){.feature = "pro", .client = "c3", .vendor = "other"};
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_UNLICENSED);
    r.ask.vendor = "ACME";
    r.ask.product = "nothing";
    assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_UNLICENSED);
    r.ask.product = "suite";
    assert_runs(f, TLM_LEDGER_ACQUIRE, &r);
    assert_string_equal(r.grant.license, tlm_issued_jti(1));
    tlm_ledger_request_clear(&r);
}

static void tells_the_most_useful_refusal(void **state)
{
    fixture *f = *state;
    json_t *over = claims_of(f, 1, SEATS(1));
    json_object_set_new(over, "exp", json_integer(TEST_BEGIN / 1000 + 10));
    put(f, over);
    pass(f, 10);
    (void)acquire(f, "pro", "c1", TLM_ERR_EXPIRED);
    json_t *later = claims_of(f, 2, SEATS(1));
    json_object_set_new(later, "nbf", json_integer(TEST_BEGIN / 1000 + 1000));
    put(f, later);
    (void)acquire(f, "pro", "c1", TLM_ERR_NOT_YET);
    put_feature(f, 3, SEATS(1));
    (void)acquire(f, "pro", "c1", TLM_OK);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
}

static void wants_its_arguments_as_they_should_be(void **state)
{
    fixture *f = *state;
    char most[TLM_CLIENT_MAX + 2];
    put_feature(f, 1, SEATS(1));
    memset(most, 'x', sizeof most);
    most[TLM_CLIENT_MAX] = '\0';
    (void)acquire(f, "pro", most, TLM_OK);
    most[TLM_CLIENT_MAX] = 'x';
    most[TLM_CLIENT_MAX + 1] = '\0';
    const tlm_ledger_ask bad[] = {
        {.client = "c"},
        {.feature = "", .client = "c"},
        {.feature = "pro"},
        {.feature = "pro", .client = ""},
        {.feature = "pro", .client = most},
        {.feature = "pro", .client = "a\nb"},
        {.feature = "pro", .client = "\xff"},
        {.feature = "pro", .client = "c", .units = -1},
        {.feature = "pro", .client = "c", .ttl = -1},
        {.feature = "pro", .client = "c", .ttl = TEST_DAY + 1},
        {.feature = "pro", .client = "c", .borrow = -1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tlm_ledger_request r = {.ask = bad[i]};
        assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_ERR_ARGUMENT);
        tlm_ledger_request_clear(&r);
    }
    assert_int_equal(release(f, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(release(f, "no such lease"), TLM_ERR_NOT_FOUND);
}

static void lists_every_lease(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(3));
    (void)acquire(f, "pro", "c1", TLM_OK);
    pass(f, 1);
    lease_id second = acquire(f, "pro", "c2", TLM_OK);
    tlm_ledger_request r = {0};
    assert_runs(f, TLM_LEDGER_LEASES, &r);
    const json_t *leases = json_object_get(r.answer, "leases");
    assert_int_equal(json_array_size(leases), 2);
    const json_t *last = json_array_get(leases, 1);
    assert_string_equal(json_string_value(json_object_get(last, "lease")), second.text);
    assert_string_equal(json_string_value(json_object_get(last, "client")), "c2");
    assert_string_equal(json_string_value(json_object_get(last, "granted")),
                        "2025-10-09T08:53:21.000Z");
    pass(f, 299);
    assert_runs(f, TLM_LEDGER_LEASES, &r);
    assert_int_equal(json_array_size(json_object_get(r.answer, "leases")), 1);
    tlm_ledger_request_clear(&r);
}

static void ends_a_lease_by_force_and_tells_of_it(void **state)
{
    fixture *f = *state;
    put_feature(f, 1, SEATS(1));
    lease_id lease = acquire(f, "pro", "c1", TLM_OK);
    tlm_ledger_request r = {
        .ask = {.lease = lease.text, .force = true, .peer = "uid 0", .reason = "hangs"}};
    assert_runs(f, TLM_LEDGER_RELEASE, &r);
    assert_string_equal(json_string_value(json_object_get(r.answer, "lease")), lease.text);
    (void)acquire(f, "pro", "c2", TLM_OK);
    assert_runs(f, TLM_LEDGER_AUDIT, &r);
    const json_t *entries = json_object_get(r.answer, "entries");
    const json_t *entry = json_array_get(entries, json_array_size(entries) - 1);
    assert_string_equal(json_string_value(json_object_get(entry, "event")), "lease-forced");
    assert_string_equal(json_string_value(json_object_get(entry, "reason")), "hangs");
    tlm_ledger_request_clear(&r);
}

static void audits_leases_where_that_is_wanted(void **state)
{
    fixture *f = *state;
    f->config.limits.audit_leases = true;
    reopen(f);
    put_feature(f, 1, SEATS(1));
    lease_id lease = acquire(f, "pro", "c1", TLM_OK);
    assert_int_equal(release(f, lease.text), TLM_OK);
    (void)acquire(f, "pro", "c2", TLM_OK);
    pass(f, 300);
    (void)acquire(f, "pro", "c3", TLM_OK);
    static const char *const expected[] = {"lease-granted", "lease-released", "lease-granted",
                                           "lease-expired", "lease-granted"};
    tlm_ledger_request r = {.after = -5};
    assert_runs(f, TLM_LEDGER_AUDIT, &r);
    const json_t *entries = json_object_get(r.answer, "entries");
    size_t count = json_array_size(entries);
    assert_true(count >= 5);
    for (size_t i = 0; i < 5; i++) {
        const json_t *entry = json_array_get(entries, count - 5 + i);
        assert_string_equal(json_string_value(json_object_get(entry, "event")), expected[i]);
    }
    tlm_ledger_request_clear(&r);
}

static void a_clock_set_back_prolongs_no_lease(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    f->config.limits.policy = TLM_ROLLBACK_WARN;
    reopen(f);
    put_feature(f, 1, SEATS(1));
    (void)acquire(f, "pro", "c1", TLM_OK);
    pass(f, -TEST_DAY);
    assert_runs(f, TLM_LEDGER_LICENSES, &r); /* who only reads does not hide it */
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
    pass(f, 300);
    (void)acquire(f, "pro", "c2", TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void accepting_a_clock_prolongs_no_lease(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put_feature(f, 1, SEATS(1));
    (void)acquire(f, "pro", "c1", TLM_OK);
    pass(f, -TEST_DAY);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
    pass(f, 300);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS); /* not accepted, so it may be the clock */
    assert_runs(f, TLM_LEDGER_ACCEPT, &r);
    pass(f, 299);
    (void)acquire(f, "pro", "c2", TLM_ERR_SEATS);
    pass(f, 1);
    (void)acquire(f, "pro", "c2", TLM_OK);
    tlm_ledger_request_clear(&r);
}

/* A row of a license that no program of today can read. */
static void frees_seats_of_a_license_it_cannot_read(void **state)
{
    fixture *f = *state;
    char path[TEST_PATH_MAX];
    sqlite3 *db = NULL;
    put_feature(f, 1, SEATS(2));
    lease_id lease = acquire(f, "pro", "c1", TLM_OK);
    tlm_ledger_close(&f->ledger);
    (void)snprintf(path, sizeof path, "%.450s/" TLM_LEDGER_FILE, f->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE licenses SET text = 'kept' || text", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_ledger(f);
    (void)acquire(f, "pro", "c2", TLM_ERR_UNLICENSED);
    assert_int_equal(release(f, lease.text), TLM_ERR_UNLICENSED);
    tlm_ledger_request r = {0};
    assert_int_equal(try_put(f, claims_of(f, 1, SEATS(1)), &r), TLM_ERR_CONFLICT);
    tlm_ledger_request_clear(&r);
    put_feature(f, 2, SEATS(1));
    pass(f, 300);
    reopen(f);
    tlm_ledger_close(&f->ledger);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE licenses SET text = substr(text, 5)", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_ledger(f);
    assert_int_equal(figure(f, 1, "inUse"), 0);
    (void)acquire(f, "pro", "c2", TLM_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(grants_as_many_as_there_are),
        CASE(gives_the_same_client_its_lease_back),
        CASE(runs_out_without_a_heartbeat),
        CASE(frees_seats_while_the_daemon_is_away),
        CASE(takes_units_and_changes_them),
        CASE(fences_grow),
        CASE(queues_in_the_order_of_asking),
        CASE(forgets_who_does_not_ask_again),
        CASE(does_not_pass_by_who_wants_many),
        CASE(keeps_what_one_who_waits_can_take),
        CASE(takes_the_license_that_ends_first),
        CASE(narrows_the_choice),
        CASE(tells_the_most_useful_refusal),
        CASE(wants_its_arguments_as_they_should_be),
        CASE(lists_every_lease),
        CASE(ends_a_lease_by_force_and_tells_of_it),
        CASE(audits_leases_where_that_is_wanted),
        CASE(a_clock_set_back_prolongs_no_lease),
        CASE(accepting_a_clock_prolongs_no_lease),
        CASE(frees_seats_of_a_license_it_cannot_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
