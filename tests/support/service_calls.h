/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_SERVICE_CALLS_H
#define TLM_TEST_SERVICE_CALLS_H

/*
 * Calls of the licensing service that wait for their answer.
 *
 *     tlm_call *call = service_new(TLM_CALL_ATTEST, NULL, service_json("{'nonce':'n'}"));
 *     service_ask(service, call);
 *     assert_int_equal(call->error.result, TLM_OK);
 *     puts(answer_text(call, "root"));
 *     service_done(&call);
 *
 * What goes wrong here fails the test at once.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include <jansson.h>

#include <tlm/licensing.h>

typedef struct service_waiter {
    tlm_call call; /* first, so that a call leads to its waiter */
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool here;
} service_waiter;

static inline void service_arrived(tlm_call *call)
{
    service_waiter *self = call->context;
    (void)pthread_mutex_lock(&self->lock);
    assert_false(self->here);
    self->here = true;
    (void)pthread_cond_signal(&self->arrived);
    (void)pthread_mutex_unlock(&self->lock);
}

/* `input` is JSON, where quotes may be single ones. */
static inline json_t *service_json(const char *input)
{
    char *text = strdup(input);
    assert_non_null(text);
    for (char *at = strchr(text, '\''); at != NULL; at = strchr(at, '\'')) {
        *at = '"';
    }
    json_t *value = json_loads(text, 0, NULL);
    if (value == NULL) {
        fail_msg("not JSON: %s", text);
    }
    free(text);
    return value;
}

static inline tlm_call *service_new(tlm_call_op op, const char *id, json_t *input)
{
    service_waiter *self = calloc(1, sizeof *self);
    assert_non_null(self);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->arrived, NULL);
    self->call = (tlm_call){.op = op,
                            .id = id,
                            .input = input,
                            .local = true,
                            .administrator = true,
                            .peer = "test",
                            .done = service_arrived,
                            .context = self};
    return &self->call;
}

static inline void service_wait(tlm_call *call)
{
    service_waiter *self = call->context;
    (void)pthread_mutex_lock(&self->lock);
    while (!self->here) {
        (void)pthread_cond_wait(&self->arrived, &self->lock);
    }
    (void)pthread_mutex_unlock(&self->lock);
    assert_true(call->error.result == TLM_OK || call->error.message[0] != '\0');
}

/* Submits and waits. */
static inline tlm_call *service_ask(tlm_licensing *service, tlm_call *call)
{
    tlm_licensing_submit(service, call);
    service_wait(call);
    return call;
}

static inline void service_done(tlm_call **call)
{
    service_waiter *self = (*call)->context;
    json_decref((*call)->input);
    json_decref((*call)->answer);
    (void)pthread_cond_destroy(&self->arrived);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
    *call = NULL;
}

/* The call is answered so; its answer is gone then. */
static inline void service_is(tlm_call *call, tlm_result expected)
{
    if (call->error.result != expected) {
        fail_msg("%s, not %s: %s", tlm_result_code(call->error.result), tlm_result_code(expected),
                 call->error.message);
    }
    service_done(&call);
}

static inline const char *answer_text(const tlm_call *call, const char *member)
{
    const char *text = json_string_value(json_object_get(call->answer, member));
    if (text == NULL) {
        fail_msg("no text %s in the answer", member);
    }
    return text;
}

static inline json_int_t answer_number(const tlm_call *call, const char *member)
{
    const json_t *value = json_object_get(call->answer, member);
    if (!json_is_integer(value)) {
        fail_msg("no number %s in the answer", member);
    }
    return json_integer_value(value);
}

#endif
