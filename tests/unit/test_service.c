/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of the service: before an identity, with one, without a ledger, and at the end. */
#include "service_fixture.h"

#define PRO "[{'id':'pro','seats':1,'model':{'type':'perpetual'}}]"
#define ACQUIRE "{'feature':'pro','client':'c1'}"
#define PROVEN "{'feature':'pro','client':'c1','nonce':'n'}"

static const char *code_of(const tlm_call *call)
{
    return answer_text(call, "code");
}

static json_t *status_of(service_scene *self)
{
    json_t *status = tlm_licensing_status(self->service);
    assert_non_null(status);
    return status;
}

static const char *status_text(const json_t *status, const char *member)
{
    const char *text = json_string_value(json_object_get(status, member));
    assert_non_null(text);
    return text;
}

static void nothing_is_granted_before_the_identity(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    service_start(&self);
    static const tlm_call_op ops[] = {TLM_CALL_ACQUIRE, TLM_CALL_KEYS, TLM_CALL_STATE,
                                      TLM_CALL_LICENSES};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        tlm_call *call = service_call(&self, ops[i], NULL, NULL);
        assert_int_equal(call->error.result, TLM_ERR_TOKEN_UNAVAILABLE);
        assert_string_equal(code_of(call), "pending");
        assert_true(call->retry_after > 0);
        service_done(&call);
    }
    json_t *status = status_of(&self);
    assert_string_equal(status_text(status, "state"), "pending");
    assert_string_equal(status_text(status, "policy"), "strict");
    json_decref(status);
    /* A degraded state is told with its code and its words. */
    tlm_identity_view degraded = {.state = TLM_START_TOKEN_MISSING};
    (void)tlm_error_set(&degraded.error, TLM_ERR_NOT_FOUND, "bring it back", "the token is gone");
    tlm_licensing_identity(self.service, &degraded);
    tlm_call *call = service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE);
    assert_int_equal(call->error.result, TLM_ERR_TOKEN_UNAVAILABLE);
    assert_string_equal(code_of(call), "token-missing");
    assert_string_equal(call->error.message, "the token is gone");
    assert_string_equal(call->error.hint, "bring it back");
    service_done(&call);
    service_identify(&self);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_ERR_UNLICENSED);
    service_clear(&self);
}

static void the_status_tells_all(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    service_start(&self);
    service_identify(&self);
    service_activate(&self, 1, PRO);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_OK);
    json_t *status = status_of(&self);
    assert_string_equal(status_text(status, "state"), "ok");
    assert_null(json_object_get(status, "message"));
    const json_t *licenses = json_object_get(status, "licenses");
    assert_int_equal(json_integer_value(json_object_get(licenses, "active")), 1);
    assert_int_equal(json_integer_value(json_object_get(status, "leases")), 1);
    assert_true(json_is_array(json_object_get(status, "drift")));
    const json_t *trust = json_object_get(status, "trust");
    assert_int_equal(json_integer_value(json_object_get(trust, "keys")), 2);
    assert_int_equal(json_integer_value(json_object_get(trust, "compiledIn")), 0);
    assert_true(json_is_true(json_object_get(trust, "runtime")));
    assert_null(json_object_get(trust, "error"));
    const json_t *ledger = json_object_get(status, "ledger");
    assert_string_equal(status_text(ledger, "id"), token.ledger);
    assert_non_null(strstr(status_text(ledger, "path"), "/licensing"));
    json_decref(status);
    service_clear(&self);
}

/* A checkpoint is made at the start, after news, and at the end. */
static void the_counter_is_read(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    service_start(&self);
    service_identify(&self);
    bool known = false;
    while (!known) { /* until the first checkpoint was told */
        json_t *status = status_of(&self);
        const json_t *kind = json_object_get(json_object_get(status, "counter"), "kind");
        known = kind != NULL && strcmp(json_string_value(kind), "tpm") == 0;
        json_decref(status);
    }
    service_activate(&self, 1, PRO);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_OK);
    uint64_t before = token_counter();
    assert_true(before > 100);
    service_stop(&self);
    assert_true(token_counter() > before);
    service_clear(&self);
}

static void keys_that_cannot_be_opened_are_looked_at_again(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    token_set(&token.open_fails, TLM_ERR_LOCKED);
    service_start(&self);
    tlm_licensing_identity(self.service, &self.view);
    service_await(&self, "locked");
    tlm_call *call = service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE);
    assert_int_equal(call->error.result, TLM_ERR_TOKEN_UNAVAILABLE);
    assert_string_equal(code_of(call), "locked");
    assert_string_equal(call->error.hint, "the test's hint");
    service_done(&call);
    token_set(&token.open_fails, TLM_OK);
    service_identify(&self);
    service_is(service_call(&self, TLM_CALL_KEYS, NULL, NULL), TLM_OK);
    service_clear(&self);
}

static void a_ledger_that_cannot_be_opened_is_named(void **state)
{
    char path[TEST_PATH_MAX];
    char aside[TEST_PATH_MAX];
    service_scene self;
    service_prepare(state, &self);
    in_directory(state, "persistence/licensing", path);
    in_directory(state, "persistence/aside", aside);
    put_file(path, "not a directory");
    service_start(&self);
    tlm_licensing_identity(self.service, &self.view);
    tlm_call *call = service_call(&self, TLM_CALL_STATE, NULL, NULL); /* waits until it was tried */
    assert_non_null(strstr(call->error.message, "licensing"));
    service_done(&call);
    assert_int_equal(rename(path, aside), 0);
    service_identify(&self);
    service_clear(&self);
}

static void the_ledger_is_noted_once_and_missed(void **state)
{
    char path[TEST_PATH_MAX];
    char aside[TEST_PATH_MAX];
    service_scene self;
    service_prepare(state, &self);
    in_directory(state, "persistence/licensing", path);
    in_directory(state, "aside", aside);
    service_start(&self);
    service_identify(&self);
    service_activate(&self, 1, PRO);
    service_stop(&self);
    assert_int_equal(token.noted, 1);
    service_start(&self);
    service_identify(&self);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_OK);
    service_stop(&self);
    assert_int_equal(token.noted, 1);
    assert_int_equal(rename(path, aside), 0);
    service_start(&self);
    tlm_licensing_identity(self.service, &self.view);
    service_await(&self, "ledger-missing");
    json_t *status = status_of(&self);
    while (json_object_get(status, "message") == NULL) { /* the words come a moment later */
        json_decref(status);
        status = status_of(&self);
    }
    assert_non_null(strstr(status_text(status, "hint"), "tlm state accept"));
    json_decref(status);
    tlm_call *call = service_call(&self, TLM_CALL_ACCEPT, NULL, "{'reason':'the disk was lost'}");
    assert_int_equal(call->error.result, TLM_OK);
    assert_string_equal(answer_text(call, "state"), "ok");
    service_done(&call);
    service_await(&self, "ok");
    service_clear(&self);
}

static void trust_is_read_again(void **state)
{
    service_scene self;
    tlm_error error = {0};
    service_prepare(state, &self);
    assert_int_equal(unlink(self.trust_file), 0);
    service_start(&self);
    service_identify(&self);
    char *package = service_package(&self, 1, PRO);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, package), TLM_ERR_UNTRUSTED);
    service_trust(&self);
    assert_int_equal(tlm_licensing_reload(self.service, &error), TLM_OK);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, package), TLM_OK);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_OK);
    /* Keys that are gone take their licenses along. */
    assert_int_equal(unlink(self.trust_file), 0);
    assert_int_equal(tlm_licensing_reload(self.service, &error), TLM_OK);
    tlm_call *call =
        service_call(&self, TLM_CALL_ACQUIRE, NULL, "{'feature':'pro','client':'another'}");
    assert_int_not_equal(call->error.result, TLM_OK);
    service_done(&call);
    /* A file that is none is told, here and in the status; the good ones count. */
    service_trust(&self);
    char broken[TEST_PATH_MAX];
    in_directory(state, "trust/broken.jwks", broken);
    put_file(broken, "{");
    assert_int_equal(chmod(broken, 0600), 0);
    assert_int_not_equal(tlm_licensing_reload(self.service, &error), TLM_OK);
    assert_non_null(strstr(error.message, "broken.jwks"));
    json_t *status = status_of(&self);
    const json_t *trust = json_object_get(status, "trust");
    assert_non_null(strstr(status_text(json_object_get(trust, "error"), "message"), "broken.jwks"));
    assert_int_equal(json_integer_value(json_object_get(trust, "keys")), 2);
    json_decref(status);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_OK);
    free(package);
    service_clear(&self);
}

/* Who saw the line "ready" asks at once, and the ledger may take a while. */
static void calls_wait_while_the_ledger_is_opened(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    service_start(&self);
    tlm_licensing_identity(self.service, &self.view);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_ERR_UNLICENSED);
    service_is(service_call(&self, TLM_CALL_STATE, NULL, NULL), TLM_OK);
    service_clear(&self);
}

static void keys_that_came_are_read_when_one_is_missed(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    assert_int_equal(unlink(self.trust_file), 0);
    service_start(&self);
    service_identify(&self);
    char *package = service_package(&self, 1, PRO);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, package), TLM_ERR_UNTRUSTED);
    service_trust(&self);
    service_is(service_send(&self, TLM_CALL_ACTIVATE, package), TLM_OK);
    json_t *status = status_of(&self);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(status, "trust"), "keys")),
                     2);
    json_decref(status);
    free(package);
    service_clear(&self);
}

/* Leases need no token; what is to be proven says that it is away. */
static void a_token_that_fails_keeps_only_statements(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    service_start(&self);
    service_identify(&self);
    service_activate(&self, 1, PRO);
    token_set(&token.sign_fails, TLM_ERR_TOKEN_UNAVAILABLE);
    tlm_call *call = service_call(&self, TLM_CALL_ACQUIRE, NULL, PROVEN);
    assert_int_equal(call->error.result, TLM_ERR_TOKEN_UNAVAILABLE);
    assert_null(call->answer);
    assert_false(call->created);
    assert_true(call->retry_after > 0);
    service_done(&call);
    call = service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE);
    assert_int_equal(call->error.result, TLM_OK);
    assert_false(call->created); /* the seat was given before the statement failed */
    service_done(&call);
    token_set(&token.sign_fails, TLM_OK);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, PROVEN), TLM_OK);
    tlm_identity_view away = self.view;
    away.ready = false;
    away.state = TLM_START_TOKEN_UNAVAILABLE;
    tlm_licensing_identity(self.service, &away);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_OK);
    service_clear(&self);
}

/* Nothing is granted that could not be proven in the end. */
static void without_a_signing_key_nothing_is_proven(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    token.attest_kid[0] = '\0';
    service_start(&self);
    service_identify(&self);
    service_activate(&self, 1, PRO);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, PROVEN), TLM_ERR_UNSUPPORTED);
    service_is(service_call(&self, TLM_CALL_ATTEST, NULL, "{'nonce':'n'}"), TLM_ERR_UNSUPPORTED);
    tlm_call *call = service_call(&self, TLM_CALL_LEASES, NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(call->answer, "leases")), 0);
    service_done(&call);
    service_is(service_call(&self, TLM_CALL_ACQUIRE, NULL, ACQUIRE), TLM_OK);
    service_clear(&self);
}

static void *stop_thread(void *context)
{
    service_scene *self = context;
    tlm_licensing_stop(&self->service);
    return NULL;
}

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

static void a_token_that_hangs_does_not_keep_the_end(void **state)
{
    service_scene self;
    struct timespec begin;
    pthread_t stopper;
    service_prepare(state, &self);
    service_start(&self);
    service_identify(&self);
    service_activate(&self, 1, PRO);
    token_hang(true);
    tlm_call *waiting = service_new(TLM_CALL_ACQUIRE, NULL, service_json(PROVEN));
    tlm_licensing_submit(self.service, waiting);
    token_await_hanging();
    tlm_licensing *service = self.service;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(pthread_create(&stopper, NULL, stop_thread, &self), 0);
    tlm_result result = TLM_OK;
    while (result != TLM_ERR_BUSY) { /* until the end has begun */
        tlm_call *late = service_new(TLM_CALL_STATE, NULL, NULL);
        tlm_licensing_submit(service, late);
        service_wait(late);
        result = late->error.result;
        service_done(&late);
    }
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_true(seconds_since(&begin) < 3.0);
    service_wait(waiting);
    assert_int_equal(waiting->error.result, TLM_ERR_TOKEN_UNAVAILABLE);
    service_done(&waiting);
    token_hang(false); /* what was left behind ends by itself */
    service_clear(&self);
}

static void it_starts_and_stops_without_anything(void **state)
{
    service_scene self;
    service_prepare(state, &self);
    service_start(&self);
    service_stop(&self);
    tlm_licensing_stop(&self.service);
    tlm_licensing_stop(NULL);
    service_start(&self);
    tlm_licensing_identity(self.service, &self.view);
    service_stop(&self);
    tlm_licensing *none = NULL;
    tlm_licensing_config empty = {0};
    assert_int_equal(tlm_licensing_start(&empty, &none, NULL), TLM_ERR_ARGUMENT);
    assert_null(none);
    service_clear(&self);
}

/* Whatever was taken before the end has its answer after it. */
static void calls_that_were_taken_are_answered(void **state)
{
    enum { CALLS = 200 };
    service_scene self;
    tlm_call *calls[CALLS];
    service_prepare(state, &self);
    service_start(&self);
    service_identify(&self);
    service_activate(&self, 1, "[{'id':'pro','seats':500,'model':{'type':'perpetual'}}]");
    for (size_t i = 0; i < CALLS; i++) {
        char input[96];
        (void)snprintf(input, sizeof input, "{'feature':'pro','client':'c%zu','nonce':'n'}", i);
        calls[i] = service_new(TLM_CALL_ACQUIRE, NULL, service_json(input));
        tlm_licensing_submit(self.service, calls[i]);
    }
    service_stop(&self);
    for (size_t i = 0; i < CALLS; i++) {
        service_waiter *waiter = calls[i]->context;
        assert_true(waiter->here);
        assert_int_equal(calls[i]->error.result, TLM_OK);
        assert_int_equal(tlm_statement_verify(calls[i]->answer, self.jwks, "n", NULL, NULL),
                         TLM_OK);
        service_done(&calls[i]);
    }
    service_clear(&self);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(nothing_is_granted_before_the_identity),
        WITH_DIRECTORY(the_status_tells_all),
        WITH_DIRECTORY(the_counter_is_read),
        WITH_DIRECTORY(keys_that_cannot_be_opened_are_looked_at_again),
        WITH_DIRECTORY(a_ledger_that_cannot_be_opened_is_named),
        WITH_DIRECTORY(the_ledger_is_noted_once_and_missed),
        WITH_DIRECTORY(trust_is_read_again),
        WITH_DIRECTORY(calls_wait_while_the_ledger_is_opened),
        WITH_DIRECTORY(keys_that_came_are_read_when_one_is_missed),
        WITH_DIRECTORY(a_token_that_fails_keeps_only_statements),
        WITH_DIRECTORY(without_a_signing_key_nothing_is_proven),
        WITH_DIRECTORY(a_token_that_hangs_does_not_keep_the_end),
        WITH_DIRECTORY(it_starts_and_stops_without_anything),
        WITH_DIRECTORY(calls_that_were_taken_are_answered),
    };
    return cmocka_run_group_tests(tests, token_make, token_free);
}
