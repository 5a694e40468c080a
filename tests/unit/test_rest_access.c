/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access.h"

static const tlm_caller peer = {.name = "192.0.2.7"};
static const tlm_caller root = {
    .unix_socket = true, .trusted = true, .local = true, .name = "uid 0"};
static const tlm_caller stranger = {.unix_socket = true, .local = true, .name = "uid 65534"};

/* Every combination of what a request shows and what a route asks for. */
static void every_combination(void **state)
{
    (void)state;
    enum { NO = TLM_ERR_UNAUTHORIZED, BAD = TLM_ERR_PERMISSION, YES = TLM_OK };
    static const struct {
        tlm_access_mode mode;
        tlm_bearer_holder holder;
        bool certificate;
        int anybody;
        int application;
        int administrator;
    } rows[] = {
        {TLM_ACCESS_OPEN, TLM_BEARER_NONE, false, YES, YES, NO},
        {TLM_ACCESS_OPEN, TLM_BEARER_NONE, true, YES, YES, NO},
        {TLM_ACCESS_OPEN, TLM_BEARER_WRONG, false, BAD, BAD, BAD},
        {TLM_ACCESS_OPEN, TLM_BEARER_CLIENT, false, YES, YES, BAD},
        {TLM_ACCESS_OPEN, TLM_BEARER_ADMINISTRATOR, false, YES, YES, YES},
        {TLM_ACCESS_TOKEN, TLM_BEARER_NONE, false, YES, NO, NO},
        {TLM_ACCESS_TOKEN, TLM_BEARER_NONE, true, YES, NO, NO},
        {TLM_ACCESS_TOKEN, TLM_BEARER_WRONG, true, BAD, BAD, BAD},
        {TLM_ACCESS_TOKEN, TLM_BEARER_CLIENT, false, YES, YES, BAD},
        {TLM_ACCESS_TOKEN, TLM_BEARER_ADMINISTRATOR, false, YES, YES, YES},
        {TLM_ACCESS_CERTIFICATE, TLM_BEARER_NONE, false, YES, NO, NO},
        {TLM_ACCESS_CERTIFICATE, TLM_BEARER_NONE, true, YES, YES, NO},
        {TLM_ACCESS_CERTIFICATE, TLM_BEARER_WRONG, true, BAD, BAD, BAD},
        {TLM_ACCESS_CERTIFICATE, TLM_BEARER_CLIENT, false, YES, BAD, BAD},
        {TLM_ACCESS_CERTIFICATE, TLM_BEARER_CLIENT, true, YES, YES, BAD},
        {TLM_ACCESS_CERTIFICATE, TLM_BEARER_ADMINISTRATOR, false, YES, YES, YES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int wanted[] = {[TLM_WHO_ANYBODY] = rows[i].anybody,
                              [TLM_WHO_APPLICATIONS] = rows[i].application,
                              [TLM_WHO_ADMINISTRATORS] = rows[i].administrator};
        for (int who = 0; who <= TLM_WHO_ADMINISTRATORS; who++) {
            tlm_access_facts facts = {.who = (tlm_who)who,
                                      .mode = rows[i].mode,
                                      .caller = &peer,
                                      .holder = rows[i].holder,
                                      .certificate = rows[i].certificate};
            bool administrator = true;
            tlm_error error = {0};
            assert_int_equal(tlm_access_judge(&facts, &administrator, &error), wanted[who]);
            assert_int_equal(administrator, rows[i].holder == TLM_BEARER_ADMINISTRATOR);
            assert_int_equal(error.message[0] != '\0', wanted[who] != YES);
        }
    }
}

static void force_is_for_administrators(void **state)
{
    (void)state;
    bool administrator = true;
    tlm_access_facts facts = {
        .who = TLM_WHO_APPLICATIONS, .mode = TLM_ACCESS_OPEN, .caller = &peer, .force = true};
    assert_int_equal(tlm_access_judge(&facts, &administrator, NULL), TLM_ERR_UNAUTHORIZED);
    facts.holder = TLM_BEARER_CLIENT;
    assert_int_equal(tlm_access_judge(&facts, &administrator, NULL), TLM_ERR_PERMISSION);
    facts.holder = TLM_BEARER_ADMINISTRATOR;
    assert_int_equal(tlm_access_judge(&facts, &administrator, NULL), TLM_OK);
    assert_true(administrator);
}

static void the_unix_socket_asks_for_no_token(void **state)
{
    (void)state;
    for (int mode = 0; mode <= TLM_ACCESS_CERTIFICATE; mode++) {
        for (int who = 0; who <= TLM_WHO_ADMINISTRATORS; who++) {
            bool administrator = false;
            tlm_error error = {0};
            tlm_access_facts facts = {
                .who = (tlm_who)who, .mode = (tlm_access_mode)mode, .caller = &root, .force = true};
            assert_int_equal(tlm_access_judge(&facts, &administrator, NULL), TLM_OK);
            assert_true(administrator);
            facts.holder = TLM_BEARER_WRONG;
            assert_int_equal(tlm_access_judge(&facts, &administrator, NULL), TLM_ERR_PERMISSION);
            facts.caller = &stranger;
            facts.holder = TLM_BEARER_ADMINISTRATOR;
            assert_int_equal(tlm_access_judge(&facts, &administrator, &error), TLM_ERR_PERMISSION);
            assert_false(administrator);
            assert_non_null(strstr(error.message, "uid 65534"));
        }
    }
}

static void modes_have_words(void **state)
{
    (void)state;
    assert_int_equal(tlm_access_mode_from_word("open"), TLM_ACCESS_OPEN);
    assert_int_equal(tlm_access_mode_from_word("token"), TLM_ACCESS_TOKEN);
    assert_int_equal(tlm_access_mode_from_word("certificate"), TLM_ACCESS_CERTIFICATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination),
        cmocka_unit_test(force_is_for_administrators),
        cmocka_unit_test(the_unix_socket_asks_for_no_token),
        cmocka_unit_test(modes_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
