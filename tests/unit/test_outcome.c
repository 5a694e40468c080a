/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "outcome.h"

/* docs/rest.md. */
static void results_have_their_status(void **state)
{
    (void)state;
    static const struct {
        tlm_result result;
        unsigned status;
    } rows[] = {
        {TLM_OK, 200},
        {TLM_ERR_ARGUMENT, 400},
        {TLM_ERR_FORMAT, 400},
        {TLM_ERR_UNAUTHORIZED, 401},
        {TLM_ERR_PERMISSION, 403},
        {TLM_ERR_UNTRUSTED, 403},
        {TLM_ERR_SIGNATURE, 403},
        {TLM_ERR_EXPIRED, 403},
        {TLM_ERR_NOT_YET, 403},
        {TLM_ERR_REVOKED, 403},
        {TLM_ERR_NOT_LOCAL, 403},
        {TLM_ERR_NOT_FOUND, 404},
        {TLM_ERR_UNLICENSED, 404},
        {TLM_ERR_REPLAYED, 409},
        {TLM_ERR_CONFLICT, 409},
        {TLM_ERR_SEATS, 409},
        {TLM_ERR_EXHAUSTED, 409},
        {TLM_ERR_ROLLBACK, 409},
        {TLM_ERR_TOO_LARGE, 413},
        {TLM_ERR_RATE, 429},
        {TLM_ERR_BUSY, 503},
        {TLM_ERR_DAMAGED, 503},
        {TLM_ERR_FOREIGN, 503},
        {TLM_ERR_NO_SPACE, 503},
        {TLM_ERR_TOKEN_UNAVAILABLE, 503},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(tlm_outcome_status(rows[i].result, TLM_MEDIA_NONE), rows[i].status);
        assert_int_equal(tlm_outcome_status(rows[i].result, TLM_MEDIA_JSON), rows[i].status);
    }
    for (int i = 0; i < TLM_RESULT_COUNT; i++) {
        assert_int_not_equal(tlm_outcome_status((tlm_result)i, TLM_MEDIA_NONE), 500);
    }
    assert_int_equal(tlm_outcome_status(TLM_RESULT_COUNT, TLM_MEDIA_NONE), 500);
    assert_int_equal(tlm_outcome_status((tlm_result)-1, TLM_MEDIA_NONE), 500);
}

static void a_fault_of_what_was_sent_is_the_senders(void **state)
{
    (void)state;
    assert_int_equal(tlm_outcome_status(TLM_ERR_DAMAGED, TLM_MEDIA_JOSE), 400);
    assert_int_equal(tlm_outcome_status(TLM_ERR_CRYPTO, TLM_MEDIA_JOSE), 400);
    assert_int_equal(tlm_outcome_status(TLM_ERR_FOREIGN, TLM_MEDIA_JOSE), 403);
    assert_int_equal(tlm_outcome_status(TLM_ERR_TOKEN, TLM_MEDIA_JOSE), 503);
    assert_int_equal(tlm_outcome_status(TLM_ERR_EXPIRED, TLM_MEDIA_JOSE), 403);
}

static json_t *text_of(const tlm_call *call, tlm_reply_head *head)
{
    char *text = tlm_outcome_text(call, TLM_MEDIA_JSON, "/api/v1/leases", head);
    assert_non_null(text);
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(object));
    free(text);
    return object;
}

static void answers_are_the_services(void **state)
{
    (void)state;
    tlm_call call = {.answer = json_pack("{s:s}", "lease", "x")};
    tlm_reply_head head = {0};
    json_t *object = text_of(&call, &head);
    assert_int_equal(head.status, 200);
    assert_true(json_equal(object, call.answer));
    json_decref(object);
    call.created = true;
    object = text_of(&call, &head);
    assert_int_equal(head.status, 201);
    json_decref(object);
    json_decref(call.answer);
}

static void refusals_are_problems_with_members(void **state)
{
    (void)state;
    tlm_call call = {.answer = json_pack("{s:i}", "position", 2), .retry_after = 7};
    tlm_reply_head head = {0};
    (void)tlm_error_set(&call.error, TLM_ERR_SEATS, "wait", "every seat of pro is taken");
    json_t *object = text_of(&call, &head);
    assert_int_equal(head.status, 409);
    assert_int_equal(head.retry_after, 7);
    assert_int_equal(json_integer_value(json_object_get(object, "position")), 2);
    assert_string_equal(json_string_value(json_object_get(object, "code")), "seats-exhausted");
    assert_string_equal(json_string_value(json_object_get(object, "hint")), "wait");
    assert_string_equal(json_string_value(json_object_get(object, "instance")), "/api/v1/leases");
    json_decref(object);
    json_decref(call.answer);
    call = (tlm_call){.error = {.result = TLM_ERR_EXHAUSTED}};
    object = text_of(&call, &head);
    assert_string_equal(json_string_value(json_object_get(object, "detail")), "it is used up");
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_their_status),
        cmocka_unit_test(a_fault_of_what_was_sent_is_the_senders),
        cmocka_unit_test(answers_are_the_services),
        cmocka_unit_test(refusals_are_problems_with_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
