/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls of docs/rest.md: what is asked for, checked; what is answered and proven. */
#include "rsa_keys.h"
#include "service_fixture.h"

#define NOBODY "ffffffff-0000-4000-8000-000000000000"
#define FEATURES                                                                                   \
    "[{'id':'pro','seats':2,'model':{'type':'perpetual'},'memory':{'k':[1,2]}},"                   \
    "{'id':'solo','seats':0,'model':{'type':'perpetual'}},"                                        \
    "{'id':'page','seats':0,'model':{'type':'counter','direction':'down','limit':10}},"            \
    "{'id':'coin','seats':0,'model':{'type':'tokens','amount':5}},"                                \
    "{'id':'desk','seats':3,'model':{'type':'perpetual'},'borrowDays':7}]"

static service_scene self;

static int setup(void **state)
{
    if (directory_setup(state) != 0) {
        return -1;
    }
    service_prepare(state, &self);
    service_start(&self);
    service_identify(&self);
    service_activate(&self, 1, FEATURES);
    return 0;
}

static int teardown(void **state)
{
    service_clear(&self);
    return directory_teardown(state);
}

static tlm_call *ask(tlm_call_op op, const char *id, const char *input)
{
    return service_call(&self, op, id, input);
}

static void assert_has(const tlm_call *call, const char *member, const char *expected)
{
    json_t *value = json_object_get(call->answer, member);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL || strcmp(text, expected) != 0) {
        fail_msg("%s is %s, not %s", member, text != NULL ? text : "missing", expected);
    }
    free(text);
}

/* The statement of the answer, proven, of this type. */
static const json_t *said(const tlm_call *call, const char *nonce, const char *type)
{
    tlm_statement_report report;
    tlm_error error = {0};
    if (tlm_statement_verify(call->answer, self.jwks, nonce, &report, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    assert_string_equal(report.type, type);
    assert_string_equal(report.fingerprint, self.view.fingerprint.text);
    return json_object_get(call->answer, "statement");
}

static void statement_is(const json_t *statement, const char *expected)
{
    json_t *want = service_json(expected);
    const char *name = NULL;
    json_t *value = NULL;
    assert_int_equal(json_object_size(statement), json_object_size(want));
    json_object_foreach(want, name, value)
    {
        json_t *got = json_object_get(statement, name);
        bool any = json_is_null(value) && got != NULL; /* null: whatever it is */
        if (!any && !json_equal(got, value)) {
            fail_msg("the statement's %s is another one", name);
        }
    }
    json_decref(want);
}

/* ---- leases ---- */

static void a_lease_has_every_member(void **state)
{
    (void)state;
    tlm_call *call = ask(TLM_CALL_ACQUIRE, NULL, "{'feature':'pro','client':'c1'}");
    assert_int_equal(call->error.result, TLM_OK);
    assert_true(call->created);
    assert_int_equal(strlen(answer_text(call, "lease")), 36);
    assert_has(call, "feature", "\"pro\"");
    assert_has(call, "client", "\"c1\"");
    assert_has(call, "units", "1");
    assert_has(call, "vendor", "\"ACME\"");
    assert_has(call, "product", "\"suite\"");
    assert_string_equal(answer_text(call, "license"), tlm_issued_jti(1));
    assert_has(call, "model", "\"perpetual\"");
    assert_has(call, "granted", "\"2026-01-01T00:00:00.000Z\"");
    assert_has(call, "expires", "\"2026-01-01T00:05:00.000Z\"");
    assert_has(call, "ttl", "300");
    assert_has(call, "renewAfter", "100");
    assert_has(call, "memory", "{\"k\":[1,2]}");
    assert_has(call, "used", "null");
    assert_has(call, "remaining", "null");
    assert_true(answer_number(call, "fence") > 0);
    assert_null(json_object_get(call->answer, "borrowed"));
    assert_null(json_object_get(call->answer, "statement"));
    assert_int_equal(json_object_size(call->answer), 16);
    /* The same client has the same lease. */
    tlm_call *again = ask(TLM_CALL_ACQUIRE, NULL, "{'feature':'pro','client':'c1'}");
    assert_false(again->created);
    assert_string_equal(answer_text(again, "lease"), answer_text(call, "lease"));
    service_done(&again);
    service_done(&call);
}

static void a_lease_is_proven(void **state)
{
    (void)state;
    tlm_call *call = ask(TLM_CALL_ACQUIRE, NULL,
                         "{'feature':'pro','client':'c1','units':2,'ttl':60,'nonce':'n-1'}");
    const json_t *statement = said(call, "n-1", "lease");
    statement_is(statement, "{'type':'lease','nonce':'n-1','lease':null,'feature':'pro',"
                            "'client':'c1','units':2,'vendor':'ACME','product':'suite',"
                            "'license':null,'model':'perpetual','granted':1767225600,"
                            "'exp':1767225660,'fence':null,'memory':'{\\'k\\':[1,2]}',"
                            "'fingerprint':null,'iat':1767225600}");
    assert_string_equal(json_string_value(json_object_get(statement, "lease")),
                        answer_text(call, "lease"));
    /* Renewed, and shown: with the same number. */
    char id[37];
    json_int_t fence = answer_number(call, "fence");
    (void)snprintf(id, sizeof id, "%s", answer_text(call, "lease"));
    service_done(&call);
    atomic_fetch_add(&self.now, 30000);
    call = ask(TLM_CALL_RENEW, id, "{'ttl':120,'nonce':'n-2'}");
    assert_int_equal(call->error.result, TLM_OK);
    assert_false(call->created);
    assert_int_equal(answer_number(call, "fence"), fence);
    assert_has(call, "ttl", "120");
    statement = said(call, "n-2", "lease");
    assert_int_equal(json_integer_value(json_object_get(statement, "exp")), 1767225750);
    service_done(&call);
    call = ask(TLM_CALL_LEASE, id, NULL);
    assert_has(call, "ttl", "120");
    assert_null(json_object_get(call->answer, "statement"));
    service_done(&call);
}

static void a_lease_comes_and_goes(void **state)
{
    (void)state;
    char id[37];
    tlm_call *call = ask(TLM_CALL_ACQUIRE, NULL, "{'feature':'pro','client':'c1','units':2}");
    (void)snprintf(id, sizeof id, "%s", answer_text(call, "lease"));
    service_done(&call);
    call = ask(TLM_CALL_ACQUIRE, NULL, "{'feature':'pro','client':'c2'}");
    assert_int_equal(call->error.result, TLM_ERR_SEATS);
    assert_int_equal(answer_number(call, "position"), 1);
    assert_true(call->retry_after > 0 && call->retry_after < 30);
    service_done(&call);
    call = ask(TLM_CALL_LEASES, NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(call->answer, "leases")), 1);
    service_done(&call);
    call = ask(TLM_CALL_RELEASE, id, NULL);
    assert_string_equal(answer_text(call, "lease"), id);
    assert_non_null(json_object_get(call->answer, "returned"));
    service_done(&call);
    service_is(ask(TLM_CALL_LEASE, id, NULL), TLM_ERR_NOT_FOUND);
    service_is(ask(TLM_CALL_RENEW, id, NULL), TLM_ERR_NOT_FOUND);
    service_is(ask(TLM_CALL_ACQUIRE, NULL, "{'feature':'pro','client':'c2'}"), TLM_OK);
    /* Without a heartbeat it runs out. */
    atomic_fetch_add(&self.now, 301000);
    service_is(ask(TLM_CALL_ACQUIRE, NULL, "{'feature':'pro','client':'c3','units':2}"), TLM_OK);
}

/* ---- borrowing ---- */

static json_t *borrow_input(EVP_PKEY *key, json_int_t seconds)
{
    char *text = NULL;
    assert_int_equal(tlm_public_to_jwk(key, &text, NULL), TLM_OK);
    json_t *input = json_pack("{s:s, s:s, s:{s:I, s:o}}", "feature", "desk", "client", "laptop",
                              "borrow", "seconds", seconds, "key", json_loads(text, 0, NULL));
    free(text);
    assert_non_null(input);
    return input;
}

static char *return_word(EVP_PKEY *key, const char *lease)
{
    char kid[44];
    char *text = NULL;
    kid_text(key, kid);
    const tlm_jws_header header = {.alg = "ES256", .kid = kid, .typ = "tlm-return+jwt"};
    json_t *claims =
        json_pack("{s:s, s:I}", "lease", lease, "iat", (json_int_t)(atomic_load(&self.now) / 1000));
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, key, &text, NULL), TLM_OK);
    json_decref(claims);
    return text;
}

static tlm_result return_with(const char *id, EVP_PKEY *key, const char *lease)
{
    char *word = return_word(key, lease);
    tlm_call *call =
        service_run(&self, service_new(TLM_CALL_RELEASE, id, json_pack("{s:s}", "proof", word)));
    tlm_result result = call->error.result;
    service_done(&call);
    free(word);
    return result;
}

static void a_borrowed_lease_is_the_keys(void **state)
{
    (void)state;
    char id[37];
    char jkt[44];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *other = EVP_EC_gen("P-256");
    tlm_call *call =
        service_run(&self, service_new(TLM_CALL_ACQUIRE, NULL, borrow_input(key, 86400)));
    assert_int_equal(call->error.result, TLM_OK);
    assert_has(call, "borrowed", "true");
    assert_has(call, "ttl", "86400");
    /* Proven without a nonce: it is all that the borrower takes along. */
    const json_t *statement = said(call, NULL, "lease");
    kid_text(key, jkt);
    assert_string_equal(json_string_value(json_object_get(statement, "jkt")), jkt);
    assert_null(json_object_get(statement, "nonce"));
    (void)snprintf(id, sizeof id, "%s", answer_text(call, "lease"));
    service_done(&call);

    call = ask(TLM_CALL_RELEASE, id, NULL);
    assert_int_not_equal(call->error.result, TLM_OK);
    service_done(&call);
    assert_int_equal(return_with(id, other, id), TLM_ERR_SIGNATURE);
    assert_int_equal(return_with(id, key, NOBODY), TLM_ERR_SIGNATURE);
    assert_int_equal(return_with(NOBODY, key, NOBODY), TLM_ERR_NOT_FOUND);
    atomic_fetch_add(&self.now, 3600000);
    assert_int_equal(return_with(id, key, id), TLM_OK);
    service_is(ask(TLM_CALL_LEASE, id, NULL), TLM_ERR_NOT_FOUND);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void an_administrator_ends_anybodys(void **state)
{
    (void)state;
    char id[37];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    tlm_call *call = service_run(&self, service_new(TLM_CALL_ACQUIRE, NULL, borrow_input(key, 60)));
    (void)snprintf(id, sizeof id, "%s", answer_text(call, "lease"));
    service_done(&call);
    call = service_new(TLM_CALL_RELEASE, id, service_json("{'force':true}"));
    call->administrator = false;
    service_is(service_run(&self, call), TLM_ERR_PERMISSION);
    service_is(ask(TLM_CALL_RELEASE, id, "{'force':true}"), TLM_OK);
    service_is(ask(TLM_CALL_LEASE, id, NULL), TLM_ERR_NOT_FOUND);
    EVP_PKEY_free(key);
}

static void borrowing_needs_a_key(void **state)
{
    (void)state;
    EVP_PKEY *rsa = tlm_test_rsa(2048U);
    service_is(service_run(&self, service_new(TLM_CALL_ACQUIRE, NULL, borrow_input(rsa, 60))),
               TLM_ERR_ARGUMENT);
    EVP_PKEY_free(rsa);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    service_is(service_run(&self, service_new(TLM_CALL_ACQUIRE, NULL, borrow_input(key, 0))),
               TLM_ERR_ARGUMENT);
    json_t *input = borrow_input(key, 60);
    assert_int_equal(json_object_set_new(json_object_get(input, "borrow"), "days", json_integer(1)),
                     0);
    tlm_call *call = service_run(&self, service_new(TLM_CALL_ACQUIRE, NULL, input));
    assert_int_equal(call->error.result, TLM_ERR_ARGUMENT);
    assert_non_null(strstr(call->error.message, "days"));
    service_done(&call);
    EVP_PKEY_free(key);
}

/* ---- checks and uses ---- */

static void a_check_is_answered_and_proven(void **state)
{
    (void)state;
    tlm_call *call = ask(TLM_CALL_CHECK, NULL, "{'feature':'solo','nonce':'n'}");
    assert_int_equal(call->error.result, TLM_OK);
    assert_has(call, "feature", "\"solo\"");
    assert_has(call, "expires", "null");
    assert_has(call, "memory", "null");
    assert_has(call, "used", "null");
    statement_is(said(call, "n", "check"),
                 "{'type':'check','nonce':'n','feature':'solo','vendor':'ACME','product':'suite',"
                 "'license':null,'model':'perpetual','fingerprint':null,'iat':1767225600}");
    service_done(&call);
    call = service_new(TLM_CALL_CHECK, NULL, service_json("{'feature':'solo'}"));
    call->local = false;
    service_is(service_run(&self, call), TLM_ERR_NOT_LOCAL);
    service_is(ask(TLM_CALL_CHECK, NULL, "{'feature':'none'}"), TLM_ERR_UNLICENSED);
}

static void a_use_is_counted_once(void **state)
{
    (void)state;
    static const char use[] =
        "{'feature':'page','client':'c','units':3,'request':'r1','nonce':'n'}";
    tlm_call *call = ask(TLM_CALL_USE, NULL, use);
    assert_int_equal(call->error.result, TLM_OK);
    assert_has(call, "units", "3");
    assert_has(call, "request", "\"r1\"");
    assert_has(call, "used", "3");
    assert_has(call, "remaining", "7");
    assert_has(call, "repeated", "false");
    assert_has(call, "model", "\"counter\"");
    statement_is(said(call, "n", "usage"),
                 "{'type':'usage','nonce':'n','feature':'page','client':'c','vendor':'ACME',"
                 "'product':'suite','license':null,'request':'r1','units':3,'used':3,"
                 "'remaining':7,'fingerprint':null,'iat':1767225600}");
    service_done(&call);
    call = ask(TLM_CALL_USE, NULL, use);
    assert_has(call, "used", "3");
    assert_has(call, "repeated", "true");
    service_done(&call);
    service_is(ask(TLM_CALL_USE, NULL, "{'feature':'page','client':'c','units':4,'request':'r1'}"),
               TLM_ERR_CONFLICT);
    service_is(ask(TLM_CALL_USE, NULL, "{'feature':'page','client':'c','units':8,'request':'r2'}"),
               TLM_ERR_EXHAUSTED);
}

static void tokens_are_taken_and_returned(void **state)
{
    (void)state;
    service_is(ask(TLM_CALL_USE, NULL, "{'feature':'coin','client':'c','units':5,'request':'a'}"),
               TLM_OK);
    service_is(ask(TLM_CALL_USE, NULL, "{'feature':'coin','client':'d','request':'b'}"),
               TLM_ERR_EXHAUSTED);
    tlm_call *call =
        ask(TLM_CALL_USE, NULL,
            "{'feature':'coin','client':'c','units':2,'request':'c','action':'return'}");
    assert_has(call, "used", "3");
    service_done(&call);
    service_is(
        ask(TLM_CALL_USE, NULL, "{'feature':'coin','client':'d','request':'d','action':'take'}"),
        TLM_OK);
}

/* ---- identity ---- */

static void a_nonce_is_attested(void **state)
{
    (void)state;
    tlm_call *call = ask(TLM_CALL_ATTEST, NULL, "{'nonce':'n'}");
    statement_is(said(call, "n", "attestation"),
                 "{'type':'attestation','nonce':'n','state':'ok','fingerprint':null,"
                 "'iat':1767225600}");
    assert_int_equal(json_object_size(call->answer), 4);
    service_done(&call);
    call = ask(TLM_CALL_KEYS, NULL, NULL);
    assert_true(json_equal(call->answer, self.jwks));
    service_done(&call);
}

/* ---- licenses ---- */

static void packages_are_opened(void **state)
{
    (void)state;
    char *text = service_package(&self, 2, "[{'id':'x','seats':1,'model':{'type':'perpetual'}}]");
    tlm_call *call = service_send(&self, TLM_CALL_ACTIVATE, text);
    assert_int_equal(call->error.result, TLM_OK);
    assert_true(call->created);
    const json_t *first = json_array_get(json_object_get(call->answer, "licenses"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "license")), tlm_issued_jti(2));
    assert_string_equal(json_string_value(json_object_get(first, "result")), "activated");
    service_done(&call);
    call = service_send(&self, TLM_CALL_ACTIVATE, text);
    assert_int_equal(call->error.result, TLM_OK);
    assert_false(call->created);
    service_done(&call);
    text[strlen(text) / 2] ^= 1;
    call = service_send(&self, TLM_CALL_ACTIVATE, text);
    assert_int_not_equal(call->error.result, TLM_OK);
    service_done(&call);
    free(text);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, "x"), TLM_ERR_FORMAT);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, ""), TLM_ERR_FORMAT);
    EVP_PKEY *other = tlm_test_rsa(2048U);
    char *container = tlm_issued_license(
        self.issued, tlm_issued_claims(self.issued, 3, self.view.fingerprint.text, FEATURES));
    text = tlm_issued_sealed(self.issued, self.view.fingerprint.text, &container, 1, other);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, text), TLM_ERR_FOREIGN);
    free(text);
    free(container);
    EVP_PKEY_free(other);
}

static void licenses_are_shown_removed_and_revoked(void **state)
{
    (void)state;
    char jti[37];
    const unsigned numbers[] = {2};
    char *package =
        service_package(&self, 2, "[{'id':'more','seats':0,'model':{'type':'perpetual'}}]");
    (void)snprintf(jti, sizeof jti, "%s", tlm_issued_jti(2));
    service_is(service_send(&self, TLM_CALL_ACTIVATE, package), TLM_OK);
    tlm_call *call = ask(TLM_CALL_LICENSES, NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(call->answer, "licenses")), 2);
    service_done(&call);
    call = ask(TLM_CALL_LICENSE, jti, NULL);
    assert_string_equal(answer_text(call, "state"), "active");
    service_done(&call);
    service_is(ask(TLM_CALL_LICENSE, NOBODY, NULL), TLM_ERR_NOT_FOUND);
    service_is(ask(TLM_CALL_REMOVE, jti, NULL), TLM_OK);
    service_is(ask(TLM_CALL_CHECK, NULL, "{'feature':'more'}"), TLM_ERR_UNLICENSED);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, package), TLM_OK);
    free(package);
    service_is(ask(TLM_CALL_CHECK, NULL, "{'feature':'more'}"), TLM_OK);
    char *list = tlm_issued_list(self.issued, 7, numbers, 1);
    service_is(service_send(&self, TLM_CALL_REVOKE, list), TLM_OK);
    service_is(ask(TLM_CALL_CHECK, NULL, "{'feature':'more'}"), TLM_ERR_REVOKED);
    free(list);
    list = tlm_issued_list(self.issued, 6, numbers, 0);
    service_is(service_send(&self, TLM_CALL_REVOKE, list), TLM_ERR_REPLAYED);
    free(list);
    service_is(ask(TLM_CALL_REVOCATIONS, NULL, NULL), TLM_OK);
}

static void state_and_audit_are_told(void **state)
{
    (void)state;
    tlm_call *call = ask(TLM_CALL_STATE, NULL, NULL);
    assert_string_equal(answer_text(call, "state"), "ok");
    assert_string_equal(answer_text(call, "policy"), "strict");
    service_done(&call);
    call = ask(TLM_CALL_AUDIT, NULL, "{'after':0,'limit':1}");
    assert_int_equal(call->error.result, TLM_OK);
    assert_true(json_array_size(json_object_get(call->answer, "entries")) >= 1);
    service_done(&call);
    call = ask(TLM_CALL_AUDIT, NULL, NULL);
    assert_true(json_array_size(json_object_get(call->answer, "entries")) >= 2);
    service_done(&call);
}

/* ---- wrong input ---- */

typedef struct wrong {
    tlm_call_op op;
    const char *input;
    const char *named; /* in the message or the hint */
} wrong;

static void wrong_members_are_named(void **state)
{
    (void)state;
    static const wrong all[] = {
        {TLM_CALL_ACQUIRE, "{'client':'c'}", "\"feature\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro'}", "\"client\""},
        {TLM_CALL_ACQUIRE, "{'feature':7,'client':'c'}", "\"feature\""},
        {TLM_CALL_ACQUIRE, "{'feature':'','client':'c'}", "\"feature\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':''}", "\"client\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'a\\nb'}", "client"},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','units':0}", "\"units\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','units':1.0}", "\"units\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','units':'1'}", "\"units\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','units':9007199254740992}", "\"units\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','ttl':0}", "\"ttl\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','nonce':''}", "\"nonce\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','nonce':null}", "\"nonce\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','vendor':''}", "\"vendor\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','borrow':60}", "\"borrow\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','borrow':{'seconds':60}}", "\"key\""},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','borrow':{'key':{}}}", "borrow"},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','unit':1}", "units"},
        {TLM_CALL_ACQUIRE, "{'Feature':'pro','client':'c'}", "feature"},
        {TLM_CALL_ACQUIRE, "{'feature':'pro','client':'c','request':'r'}", "request"},
        {TLM_CALL_RENEW, "{'feature':'pro'}", "feature"},
        {TLM_CALL_RELEASE, "{'force':1}", "\"force\""},
        {TLM_CALL_RELEASE, "{'proof':''}", "\"proof\""},
        {TLM_CALL_LEASE, "{'ttl':1}", "ttl"},
        {TLM_CALL_CHECK, "{'client':'c'}", "\"feature\""},
        {TLM_CALL_CHECK, "{'feature':'solo','units':1}", "units"},
        {TLM_CALL_USE, "{'feature':'page','client':'c'}", "\"request\""},
        {TLM_CALL_USE, "{'feature':'page','request':'r'}", "\"client\""},
        {TLM_CALL_USE, "{'feature':'page','client':'c','request':''}", "\"request\""},
        {TLM_CALL_USE, "{'feature':'page','client':'c','request':'r','action':'give'}",
         "\"action\""},
        {TLM_CALL_USE, "{'feature':'page','client':'c','request':'r','action':7}", "\"action\""},
        {TLM_CALL_USE, "{'feature':'page','client':'c','request':'r','ttl':7}", "ttl"},
        {TLM_CALL_ATTEST, NULL, "\"nonce\""},
        {TLM_CALL_ATTEST, "{}", "\"nonce\""},
        {TLM_CALL_ATTEST, "{'nonce':'n','state':'ok'}", "state"},
        {TLM_CALL_ACCEPT, "{'reason':''}", "\"reason\""},
        {TLM_CALL_ACCEPT, "{'because':'x'}", "because"},
        {TLM_CALL_AUDIT, "{'limit':1001}", "\"limit\""},
        {TLM_CALL_AUDIT, "{'limit':0}", "\"limit\""},
        {TLM_CALL_AUDIT, "{'after':-1}", "\"after\""},
        {TLM_CALL_LICENSES, "{'feature':'pro'}", "feature"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        tlm_call *call = ask(all[i].op, NOBODY, all[i].input);
        bool named = strstr(call->error.message, all[i].named) != NULL ||
                     strstr(call->error.hint, all[i].named) != NULL;
        if (call->error.result != TLM_ERR_ARGUMENT || !named) {
            fail_msg("%s: %s: %s (%s)", all[i].input, tlm_result_code(call->error.result),
                     call->error.message, call->error.hint);
        }
        assert_null(call->answer);
        service_done(&call);
    }
}

/* As long as it may be, and one more. */
static void lengths(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        size_t most;
        tlm_result fits;
    } all[] = {{"feature", 256, TLM_ERR_UNLICENSED},
               {"client", 128, TLM_OK},
               {"vendor", 256, TLM_ERR_UNLICENSED},
               {"nonce", 256, TLM_OK}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (size_t more = 0; more < 2; more++) {
            char text[300];
            memset(text, 'x', sizeof text);
            text[all[i].most + more] = '\0';
            json_t *input = json_pack("{s:s, s:s}", "feature", "pro", "client", "c");
            assert_int_equal(json_object_set_new(input, all[i].member, json_string(text)), 0);
            service_is(service_run(&self, service_new(TLM_CALL_ACQUIRE, NULL, input)),
                       more == 0 ? all[i].fits : TLM_ERR_ARGUMENT);
        }
    }
    /* Characters are counted, not bytes. */
    char nonce[2UL * 257 + 1];
    for (size_t i = 0; i < 257; i++) {
        memcpy(nonce + 2 * i, "\xc3\xbc", 2);
    }
    nonce[2UL * 257] = '\0';
    service_is(
        service_run(&self, service_new(TLM_CALL_ATTEST, NULL, json_pack("{s:s}", "nonce", nonce))),
        TLM_ERR_ARGUMENT);
    service_is(service_run(&self, service_new(TLM_CALL_ATTEST, NULL,
                                              json_pack("{s:s}", "nonce", nonce + 2))),
               TLM_OK);
}

static void what_is_not_allowed(void **state)
{
    (void)state;
    static const tlm_call_op ops[] = {TLM_CALL_LEASES, TLM_CALL_ACTIVATE, TLM_CALL_REMOVE,
                                      TLM_CALL_REVOKE, TLM_CALL_ACCEPT,   TLM_CALL_AUDIT};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        tlm_call *call = service_new(ops[i], NOBODY, NULL);
        call->administrator = false;
        call->text = "x";
        call->size = 1;
        service_is(service_run(&self, call), TLM_ERR_PERMISSION);
    }
    service_is(ask(TLM_CALL_LEASE, NULL, NULL), TLM_ERR_ARGUMENT);
    service_is(ask(TLM_CALL_COUNT, NULL, NULL), TLM_ERR_ARGUMENT);
    service_is(service_run(&self, service_new(TLM_CALL_CHECK, NULL, json_array())), TLM_ERR_FORMAT);
}

#define IN_A_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_SCENE(a_lease_has_every_member),
        IN_A_SCENE(a_lease_is_proven),
        IN_A_SCENE(a_lease_comes_and_goes),
        IN_A_SCENE(a_borrowed_lease_is_the_keys),
        IN_A_SCENE(an_administrator_ends_anybodys),
        IN_A_SCENE(borrowing_needs_a_key),
        IN_A_SCENE(a_check_is_answered_and_proven),
        IN_A_SCENE(a_use_is_counted_once),
        IN_A_SCENE(tokens_are_taken_and_returned),
        IN_A_SCENE(a_nonce_is_attested),
        IN_A_SCENE(packages_are_opened),
        IN_A_SCENE(licenses_are_shown_removed_and_revoked),
        IN_A_SCENE(state_and_audit_are_told),
        IN_A_SCENE(wrong_members_are_named),
        IN_A_SCENE(lengths),
        IN_A_SCENE(what_is_not_allowed),
    };
    return cmocka_run_group_tests(tests, token_make, token_free);
}
