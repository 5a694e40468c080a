/* SPDX-License-Identifier: BSD-2-Clause */
/* Which licenses are taken, replaced, refused, taken away; whose they are, and for which host. */
#include "ledger_fixture.h"

#define FEATURES "[{'id':'pro','seats':1,'model':{'type':'perpetual'}}]"
#define COUNTER "[{'id':'n','seats':1,'model':{'type':'counter','direction':'up'}}]"

static json_t *issued_at(json_t *claims, int64_t seconds)
{
    json_object_set_new(claims, "iat", json_integer(seconds));
    return claims;
}

static json_t *bound(json_t *claims, const char *type, const char *fingerprint, int components)
{
    json_t *binding = json_object_get(claims, "binding");
    json_object_set_new(binding, "type", json_string(type));
    json_object_set_new(binding, "fingerprint", json_string(fingerprint));
    if (components > 0) {
        json_object_set_new(binding, "minComponents", json_integer(components));
    }
    return claims;
}

static tlm_result put_texts(fixture *f, const char *fingerprint, char *const *containers,
                            size_t count, tlm_ledger_request *r)
{
    tlm_package *package = tlm_issued_package(f->issued, fingerprint, containers, count);
    r->package = package;
    tlm_result result = run(f, TLM_LEDGER_ACTIVATE, r);
    r->package = NULL;
    tlm_package_free(&package);
    return result;
}

static const char *result_of(const tlm_ledger_request *r, size_t index)
{
    const json_t *one = json_array_get(json_object_get(r->answer, "licenses"), index);
    return json_string_value(json_object_get(one, "result"));
}

static void assert_count(fixture *f, size_t expected)
{
    tlm_ledger_request r = {0};
    assert_runs(f, TLM_LEDGER_LICENSES, &r);
    assert_int_equal(json_array_size(json_object_get(r.answer, "licenses")), expected);
    tlm_ledger_request_clear(&r);
}

static void takes_the_same_package_twice(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    char *texts[2] = {tlm_issued_license(f->issued, claims_of(f, 1, FEATURES)),
                      tlm_issued_license(f->issued, claims_of(f, 2, FEATURES))};
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, texts, 2, &r), TLM_OK);
    assert_string_equal(result_of(&r, 0), "activated");
    assert_string_equal(result_of(&r, 1), "activated");
    assert_string_equal(json_string_value(json_object_get(r.answer, "issuer")), "reseller");
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, texts, 2, &r), TLM_OK);
    assert_string_equal(result_of(&r, 0), "unchanged");
    reopen(f);
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, texts, 1, &r), TLM_OK);
    assert_string_equal(result_of(&r, 0), "unchanged");
    assert_count(f, 2);
    tlm_ledger_request_clear(&r);
    free(texts[0]);
    free(texts[1]);
}

static void takes_all_or_none(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    json_t *over = claims_of(f, 2, FEATURES);
    json_object_set_new(over, "exp", json_integer(TEST_BEGIN / 1000));
    char *texts[2] = {tlm_issued_license(f->issued, claims_of(f, 1, FEATURES)),
                      tlm_issued_license(f->issued, over)};
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, texts, 2, &r), TLM_ERR_EXPIRED);
    assert_null(r.answer);
    assert_count(f, 0);
    (void)acquire(f, "pro", "c", TLM_ERR_UNLICENSED);
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, texts, 1, &r), TLM_OK);
    assert_count(f, 1);
    tlm_ledger_request_clear(&r);
    free(texts[0]);
    free(texts[1]);
}

/* The ledger does not trust the second container's key any more: found when the first was taken. */
static void undoes_what_it_had_begun(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    tlm_error error = {0};
    tlm_issued *other = tlm_issued_new("SECOND");
    char *jwks = tlm_issued_jwks(other);
    put(f, claims_of(f, 3, COUNTER));
    (void)acquire(f, "n", "c", TLM_OK);
    tlm_trust *both = NULL;
    assert_int_equal(tlm_trust_new(&both, &error), TLM_OK);
    assert_int_equal(tlm_trust_add(both, jwks, strlen(jwks), "second", &error), TLM_OK);
    free(jwks);
    jwks = tlm_issued_jwks(f->issued);
    assert_int_equal(tlm_trust_add(both, jwks, strlen(jwks), "first", &error), TLM_OK);
    free(jwks);
    char *texts[2] = {
        tlm_issued_license(f->issued, claims_of(f, 1, FEATURES)),
        tlm_issued_license(other, tlm_issued_claims(other, 2, TEST_FINGERPRINT, FEATURES))};
    tlm_trust *own = f->issued->trust;
    f->issued->trust = both;
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, texts, 2, &r), TLM_ERR_UNTRUSTED);
    f->issued->trust = own;
    assert_count(f, 1);
    (void)acquire(f, "pro", "c", TLM_ERR_UNLICENSED);
    assert_int_equal(figure(f, 3, "inUse"), 1);
    assert_int_equal(count_events(f, "activated"), 1);
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, texts, 1, &r), TLM_OK);
    assert_string_equal(result_of(&r, 0), "activated");
    reopen(f);
    assert_count(f, 2);
    (void)acquire(f, "pro", "c", TLM_OK);
    tlm_ledger_request_clear(&r);
    tlm_trust_free(&both);
    tlm_issued_free(&other);
    free(texts[0]);
    free(texts[1]);
}

static void replaces_by_newer_revisions_only(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    put(f, issued_at(claims_of(f, 1, FEATURES), TLM_ISSUED_AT));
    assert_int_equal(try_put(f, issued_at(claims_of(f, 1, FEATURES), TLM_ISSUED_AT - 1), &r),
                     TLM_ERR_REPLAYED);
    /* ECDSA signs the same claims differently each time: another text. */
    assert_int_equal(try_put(f, issued_at(claims_of(f, 1, FEATURES), TLM_ISSUED_AT), &r),
                     TLM_ERR_CONFLICT);
    (void)acquire(f, "pro", "c1", TLM_OK);
    assert_int_equal(
        try_put(f,
                issued_at(claims_of(f, 1, "[{'id':'pro','seats':2,'model':{'type':'perpetual'}}]"),
                          TLM_ISSUED_AT + 1),
                &r),
        TLM_OK);
    assert_string_equal(result_of(&r, 0), "updated");
    (void)acquire(f, "pro", "c2", TLM_OK);
    (void)acquire(f, "pro", "c3", TLM_ERR_SEATS);
    reopen(f);
    assert_int_equal(try_put(f, issued_at(claims_of(f, 1, FEATURES), TLM_ISSUED_AT), &r),
                     TLM_ERR_REPLAYED);
    assert_count(f, 1);
    tlm_ledger_request_clear(&r);
}

static void a_revision_takes_features_away(void **state)
{
    fixture *f = *state;
    put(f, claims_of(f, 1, FEATURES));
    lease_id lease = acquire(f, "pro", "c1", TLM_OK);
    put(f, issued_at(claims_of(f, 1, COUNTER), TLM_ISSUED_AT + 1));
    (void)acquire(f, "pro", "c2", TLM_ERR_UNLICENSED);
    assert_int_equal(renew(f, lease.text), TLM_ERR_UNLICENSED);
    tlm_ledger_request r = {.ask = {.lease = lease.text}};
    assert_runs(f, TLM_LEDGER_LEASE, &r); /* and runs out */
    reopen(f);
    assert_int_equal(release(f, lease.text), TLM_OK);
    put(f, issued_at(claims_of(f, 1, FEATURES), TLM_ISSUED_AT + 2));
    (void)acquire(f, "pro", "c2", TLM_OK);
    tlm_ledger_request_clear(&r);
}

static void another_vendor_cannot_take_the_id(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    tlm_error error = {0};
    put(f, claims_of(f, 1, FEATURES));
    tlm_issued *other = tlm_issued_new("EVIL");
    assert_int_equal(tlm_ledger_set_trust(f->ledger, other->trust, &error), TLM_OK);
    json_t *claims =
        issued_at(tlm_issued_claims(other, 1, TEST_FINGERPRINT, FEATURES), TLM_ISSUED_AT + 10);
    char *text = tlm_issued_license(other, claims);
    tlm_package *package = tlm_issued_package(other, TEST_FINGERPRINT, &text, 1);
    r.package = package;
    assert_int_equal(run(f, TLM_LEDGER_ACTIVATE, &r), TLM_ERR_CONFLICT);
    r.package = NULL;
    tlm_package_free(&package);
    free(text);
    static const unsigned one[] = {1};
    tlm_revocation *list = tlm_issued_revocation(other, 1, one, 1);
    r.list = list;
    assert_runs(f, TLM_LEDGER_REVOKE, &r); /* it revokes its own alone */
    r.list = NULL;
    tlm_revocation_free(&list);
    assert_int_equal(tlm_ledger_set_trust(f->ledger, f->issued->trust, &error), TLM_OK);
    assert_license_state(f, 1, "active");
    tlm_ledger_request_clear(&r);
    tlm_issued_free(&other);
}

static void an_untrusted_key_takes_its_licenses_along(void **state)
{
    fixture *f = *state;
    tlm_error error = {0};
    tlm_trust *nobody = NULL;
    put(f, claims_of(f, 1, FEATURES));
    assert_int_equal(tlm_trust_new(&nobody, &error), TLM_OK);
    assert_int_equal(tlm_ledger_set_trust(f->ledger, nobody, &error), TLM_OK);
    assert_license_state(f, 1, "untrusted");
    (void)acquire(f, "pro", "c", TLM_ERR_UNLICENSED);
    f->config.trust = nobody;
    reopen(f);
    assert_license_state(f, 1, "untrusted");
    (void)acquire(f, "pro", "c", TLM_ERR_UNLICENSED);
    assert_int_equal(tlm_ledger_set_trust(f->ledger, f->issued->trust, &error), TLM_OK);
    assert_license_state(f, 1, "active");
    (void)acquire(f, "pro", "c", TLM_OK);
    tlm_ledger_close(&f->ledger);
    tlm_trust_free(&nobody);
    f->config.trust = f->issued->trust;
    open_ledger(f);
}

static void is_for_its_own_host(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    static const char other[] = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    char *text = tlm_issued_license(f->issued, claims_of(f, 1, FEATURES));
    assert_int_equal(put_texts(f, other, &text, 1, &r), TLM_ERR_FOREIGN);
    assert_non_null(strstr(r.error.message, other));
    assert_non_null(strstr(r.error.message, TEST_FINGERPRINT));
    free(text);
    text = tlm_issued_license(f->issued, bound(claims_of(f, 1, FEATURES), "tpm", other, 0));
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, &text, 1, &r), TLM_ERR_FOREIGN);
    free(text);
    text = tlm_issued_license(f->issued, bound(claims_of(f, 1, FEATURES), "fallback", other, 1));
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, &text, 1, &r), TLM_ERR_FOREIGN);
    free(text);
    /* A fallback fingerprint of ours is nothing for a license that wants a token. */
    text =
        tlm_issued_license(f->issued, bound(claims_of(f, 1, FEATURES), "token", TEST_FALLBACK, 0));
    assert_int_equal(put_texts(f, TEST_FALLBACK, &text, 1, &r), TLM_ERR_FOREIGN);
    free(text);
    text = tlm_issued_license(f->issued,
                              bound(claims_of(f, 1, FEATURES), "fallback", TEST_FALLBACK, 0));
    assert_int_equal(put_texts(f, TEST_FALLBACK, &text, 1, &r), TLM_OK);
    free(text);
    tlm_ledger_request_clear(&r);
}

static void the_binding_names_the_least(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"tpm", "token", "fallback"};
    static const tlm_fingerprint_type types[] = {TLM_FINGERPRINT_TPM, TLM_FINGERPRINT_TOKEN,
                                                 TLM_FINGERPRINT_FALLBACK};
    unsigned number = 1;
    for (size_t have = 0; have < 3; have++) {
        tlm_error error = {0};
        tlm_ledger_host host = f->config.host;
        host.type = types[have];
        assert_int_equal(tlm_ledger_set_host(f->ledger, &host, &error), TLM_OK);
        for (size_t want = 0; want < 3; want++) {
            tlm_ledger_request r = {0};
            json_t *claims =
                bound(claims_of(f, number++, FEATURES), names[want], TEST_FINGERPRINT, 0);
            assert_int_equal(try_put(f, claims, &r), want >= have ? TLM_OK : TLM_ERR_FOREIGN);
            tlm_ledger_request_clear(&r);
        }
    }
}

static void change_component(fixture *f, size_t index, char digit)
{
    memset(f->components[index].sha256, digit, 64);
}

static void assert_drift(fixture *f, const char *expected)
{
    tlm_ledger_request r = {0};
    assert_runs(f, TLM_LEDGER_STATE, &r);
    char *drift = json_dumps(json_object_get(r.answer, "drift"), JSON_COMPACT);
    assert_string_equal(drift, expected);
    free(drift);
    json_t *summary = tlm_ledger_summary(f->ledger);
    drift = json_dumps(json_object_get(summary, "drift"), JSON_COMPACT);
    assert_string_equal(drift, expected);
    free(drift);
    json_decref(summary);
    tlm_ledger_request_clear(&r);
}

static void a_fallback_host_may_change_so_far(void **state)
{
    fixture *f = *state;
    static const char second[] = "2222222222222222222222222222222222222222222222222222222222222222";
    static const char third[] = "3333333333333333333333333333333333333333333333333333333333333333";
    tlm_error error = {0};
    put(f, bound(claims_of(f, 1, FEATURES), "fallback", TEST_FALLBACK, 5));
    put(f, bound(claims_of(f, 2, COUNTER), "fallback", TEST_FALLBACK, 0));
    assert_drift(f, "[]");
    change_component(f, 4, 'd');
    f->config.host.fallback = second;
    assert_int_equal(tlm_ledger_set_host(f->ledger, &f->config.host, &error), TLM_OK);
    assert_license_state(f, 1, "active");  /* five of six */
    assert_license_state(f, 2, "unbound"); /* wants all */
    assert_drift(f, "[\"disk\"]");
    assert_int_equal(count_events(f, "drift"), 1);
    assert_int_equal(count_events(f, "unbound"), 1);
    (void)acquire(f, "pro", "c", TLM_OK);
    (void)acquire(f, "n", "c", TLM_ERR_UNLICENSED);
    reopen(f);
    assert_license_state(f, 1, "active");
    assert_drift(f, "[\"disk\"]");
    assert_int_equal(count_events(f, "drift"), 1); /* told once */
    change_component(f, 0, 'c');
    f->config.host.fallback = third;
    reopen(f);
    assert_license_state(f, 1, "unbound");
    assert_drift(f, "[\"cpu\",\"disk\"]");
    (void)acquire(f, "pro", "c", TLM_ERR_UNLICENSED);
    fill_components(f); /* the old parts are back */
    f->config.host.fallback = TEST_FALLBACK;
    assert_int_equal(tlm_ledger_set_host(f->ledger, &f->config.host, &error), TLM_OK);
    assert_license_state(f, 1, "active");
    assert_license_state(f, 2, "active");
    assert_drift(f, "[]");
    assert_int_equal(count_events(f, "bound"), 2);
}

static void waits_for_the_fallback_to_be_known(void **state)
{
    fixture *f = *state;
    put(f, bound(claims_of(f, 1, FEATURES), "fallback", TEST_FALLBACK, 0));
    f->config.host.fallback = NULL;
    reopen(f);
    assert_license_state(f, 1, "active");
    assert_int_equal(count_events(f, "unbound"), 0);
    f->config.host.fallback = TEST_FALLBACK;
}

static void looks_at_the_times(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    int64_t now = TEST_BEGIN / 1000;
    json_t *claims = claims_of(f, 1, FEATURES);
    json_object_set_new(claims, "exp", json_integer(now));
    assert_int_equal(try_put(f, claims, &r), TLM_ERR_EXPIRED);
    assert_int_equal(try_put(f, issued_at(claims_of(f, 1, FEATURES), now + 301), &r),
                     TLM_ERR_ROLLBACK);
    assert_int_equal(try_put(f, issued_at(claims_of(f, 1, FEATURES), now + 300), &r), TLM_OK);
    claims = claims_of(f, 2, FEATURES);
    json_object_set_new(claims, "nbf", json_integer(now + 100));
    assert_int_equal(try_put(f, claims, &r), TLM_OK);
    assert_license_state(f, 2, "pending");
    pass(f, 100);
    assert_license_state(f, 2, "active");
    tlm_ledger_request_clear(&r);
}

static void removes_and_takes_again(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    char *text = tlm_issued_license(f->issued, claims_of(f, 1, COUNTER));
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, &text, 1, &r), TLM_OK);
    r.ask = (tlm_ledger_ask){.feature = "n", .client = "c", .request = "1", .units = 7};
    assert_runs(f, TLM_LEDGER_USE, &r);
    r.ask = (tlm_ledger_ask){.license = tlm_issued_jti(1)};
    assert_runs(f, TLM_LEDGER_REMOVE, &r);
    assert_license_state(f, 1, "removed");
    assert_int_equal(run(f, TLM_LEDGER_REMOVE, &r), TLM_ERR_NOT_FOUND);
    r.ask.license = tlm_issued_jti(9);
    assert_int_equal(run(f, TLM_LEDGER_REMOVE, &r), TLM_ERR_NOT_FOUND);
    assert_int_equal(run(f, TLM_LEDGER_LICENSE, &r), TLM_ERR_NOT_FOUND);
    (void)acquire(f, "n", "c", TLM_ERR_UNLICENSED);
    reopen(f);
    assert_license_state(f, 1, "removed");
    assert_int_equal(put_texts(f, TEST_FINGERPRINT, &text, 1, &r), TLM_OK);
    assert_string_equal(result_of(&r, 0), "activated");
    assert_int_equal(figure(f, 1, "used"), 7);
    tlm_ledger_request_clear(&r);
    free(text);
}

static tlm_result revoke_list(fixture *f, tlm_ledger_request *r, int64_t serial,
                              const unsigned *numbers, size_t count)
{
    tlm_revocation *list = tlm_issued_revocation(f->issued, serial, numbers, count);
    r->list = list;
    tlm_result result = run(f, TLM_LEDGER_REVOKE, r);
    r->list = NULL;
    tlm_revocation_free(&list);
    return result;
}

static void a_vendor_takes_licenses_back(void **state)
{
    fixture *f = *state;
    tlm_ledger_request r = {0};
    static const unsigned one[] = {1, 77};
    static const unsigned two[] = {2};
    put(f, claims_of(f, 1, FEATURES));
    lease_id lease = acquire(f, "pro", "c1", TLM_OK);
    assert_int_equal(revoke_list(f, &r, 5, one, 2), TLM_OK);
    assert_string_equal(json_string_value(json_object_get(r.answer, "result")), "taken");
    assert_license_state(f, 1, "revoked");
    (void)acquire(f, "pro", "c2", TLM_ERR_REVOKED);
    assert_int_equal(renew(f, lease.text), TLM_ERR_REVOKED);
    assert_int_equal(try_put(f, issued_at(claims_of(f, 1, FEATURES), TLM_ISSUED_AT + 5), &r),
                     TLM_ERR_REVOKED);
    assert_int_equal(try_put(f, claims_of(f, 77, FEATURES), &r), TLM_ERR_REVOKED);
    assert_int_equal(revoke_list(f, &r, 5, one, 2), TLM_OK);
    assert_string_equal(json_string_value(json_object_get(r.answer, "result")), "unchanged");
    assert_int_equal(revoke_list(f, &r, 5, two, 1), TLM_ERR_CONFLICT);
    assert_int_equal(revoke_list(f, &r, 4, two, 1), TLM_ERR_REPLAYED);
    reopen(f);
    assert_license_state(f, 1, "revoked");
    assert_int_equal(revoke_list(f, &r, 4, two, 1), TLM_ERR_REPLAYED);
    assert_int_equal(revoke_list(f, &r, 6, two, 1), TLM_OK); /* the newest list is what counts */
    assert_string_equal(json_string_value(json_object_get(r.answer, "result")), "updated");
    assert_license_state(f, 1, "active");
    assert_runs(f, TLM_LEDGER_REVOCATIONS, &r);
    const json_t *lists = json_object_get(r.answer, "revocations");
    assert_int_equal(json_array_size(lists), 1);
    const json_t *list = json_array_get(lists, 0);
    assert_string_equal(json_string_value(json_object_get(list, "vendor")), "ACME");
    assert_int_equal(json_integer_value(json_object_get(list, "serial")), 6);
    assert_int_equal(json_integer_value(json_object_get(list, "revoked")), 1);
    tlm_ledger_request_clear(&r);
}

static void shows_what_there_is(void **state)
{
    fixture *f = *state;
    json_t *claims = claims_of(f, 1,
                               "[{'id':'a','name':'A','seats':3,'model':{'type':'perpetual'}},"
                               "{'id':'b','seats':0,'model':{'type':'trial','days':2}}]");
    json_object_set_new(claims, "exp", json_integer(1800000000));
    put(f, claims);
    tlm_ledger_request r = {.ask = {.license = tlm_issued_jti(1)}};
    assert_runs(f, TLM_LEDGER_LICENSE, &r);
    json_t *expected = json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:s, s:s, s:n, s:s, s:s, s:{s:s, s:s}, s:["
        "{s:s, s:s, s:i, s:i, s:{s:s}, s:n, s:n, s:n, s:s},"
        "{s:s, s:n, s:i, s:i, s:{s:s, s:i}, s:n, s:n, s:n, s:s}]}",
        "license", tlm_issued_jti(1), "vendor", "ACME", "customer", "customer", "product", "id",
        "suite", "name", "Suite", "version", "1", "state", "active", "issued",
        "2025-06-15T15:06:40Z", "notBefore", "expires", "2027-01-15T08:00:00Z", "activated",
        "2025-10-09T08:53:20.000Z", "binding", "type", "tpm", "fingerprint", TEST_FINGERPRINT,
        "features", "id", "a", "name", "A", "seats", 3, "inUse", 0, "model", "type", "perpetual",
        "used", "remaining", "begins", "ends", "2027-01-15T08:00:00.000Z", "id", "b", "name",
        "seats", 0, "inUse", 0, "model", "type", "trial", "days", 2, "used", "remaining", "begins",
        "ends", "2027-01-15T08:00:00.000Z");
    assert_non_null(expected);
    if (!json_equal(expected, r.answer)) {
        char *got = json_dumps(r.answer, JSON_INDENT(1));
        fail_msg("%s", got);
    }
    json_decref(expected);
    tlm_ledger_request_clear(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(takes_the_same_package_twice),
        CASE(takes_all_or_none),
        CASE(undoes_what_it_had_begun),
        CASE(replaces_by_newer_revisions_only),
        CASE(a_revision_takes_features_away),
        CASE(another_vendor_cannot_take_the_id),
        CASE(an_untrusted_key_takes_its_licenses_along),
        CASE(is_for_its_own_host),
        CASE(the_binding_names_the_least),
        CASE(a_fallback_host_may_change_so_far),
        CASE(waits_for_the_fallback_to_be_known),
        CASE(looks_at_the_times),
        CASE(removes_and_takes_again),
        CASE(a_vendor_takes_licenses_back),
        CASE(shows_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
