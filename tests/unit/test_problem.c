/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "json_text.h"
#include "problem.h"

static json_t *parse(const tlm_problem *problem)
{
    char *text = tlm_problem_text(problem);
    assert_non_null(text);
    assert_null(strchr(text, '\n'));
    json_t *object = json_loads(text, 0, NULL);
    assert_true(json_is_object(object));
    free(text);
    return object;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void has_all_members(void **state)
{
    (void)state;
    tlm_problem problem = {503,       "foreign", "The files belong to another TPM",
                           "do this", "/ready",  NULL};
    json_t *object = parse(&problem);
    assert_string_equal(text_of(object, "type"), "about:blank");
    assert_string_equal(text_of(object, "title"), "Service Unavailable");
    assert_int_equal(json_integer_value(json_object_get(object, "status")), 503);
    assert_string_equal(text_of(object, "code"), "foreign");
    assert_string_equal(text_of(object, "detail"), "The files belong to another TPM");
    assert_string_equal(text_of(object, "hint"), "do this");
    assert_string_equal(text_of(object, "instance"), "/ready");
    assert_int_equal(json_object_size(object), 7);
    json_decref(object);
}

static void leaves_out_what_is_not_there(void **state)
{
    (void)state;
    tlm_problem problem = {.status = 404, .code = "not-found", .detail = "nothing", .hint = ""};
    json_t *object = parse(&problem);
    assert_null(json_object_get(object, "hint"));
    assert_null(json_object_get(object, "instance"));
    assert_int_equal(json_object_size(object), 5);
    json_decref(object);
}

static void survives_any_path(void **state)
{
    (void)state;
    static const char *const paths[] = {"/\"\\", "/\xff\xfe", "/\xc3", "/\x01\x7f", "/ä€"};
    static const char *const shown[] = {"/\"\\", "/??", "/?", "/\x01\x7f", "/ä€"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        tlm_problem problem = {404, "not-found", "nothing", NULL, paths[i], NULL};
        json_t *object = parse(&problem);
        assert_string_equal(text_of(object, "instance"), shown[i]);
        json_decref(object);
    }
}

static void further_members_stand_behind(void **state)
{
    (void)state;
    json_t *members =
        json_pack("{s:i, s:s, s:s}", "position", 3, "code", "ledger-missing", "status", "200");
    tlm_problem problem = {.status = 503, .code = "busy", .detail = "x", .members = members};
    json_t *object = parse(&problem);
    assert_int_equal(json_integer_value(json_object_get(object, "position")), 3);
    assert_string_equal(text_of(object, "code"), "ledger-missing");
    assert_int_equal(json_integer_value(json_object_get(object, "status")), 503);
    json_decref(object);
    json_decref(members);
}

static void texts_of_unknown_origin(void **state)
{
    (void)state;
    json_t *value = tlm_json_text(NULL);
    assert_true(json_is_null(value));
    json_decref(value);
    value = tlm_json_text("");
    assert_true(json_is_null(value));
    json_decref(value);
    value = tlm_json_text("caf\xe9");
    assert_string_equal(json_string_value(value), "caf?");
    json_decref(value);
}

static void instants(void **state)
{
    (void)state;
    json_t *value = tlm_json_time(0);
    assert_true(json_is_null(value));
    json_decref(value);
    value = tlm_json_time(1700000000);
    assert_string_equal(json_string_value(value), "2023-11-14T22:13:20Z");
    json_decref(value);
}

static void failure_gives_no_text(void **state)
{
    (void)state;
    json_t *object = json_object();
    int failed = json_object_set_new(object, "key", NULL);
    assert_null(tlm_json_finish(object, failed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_all_members),
        cmocka_unit_test(leaves_out_what_is_not_there),
        cmocka_unit_test(survives_any_path),
        cmocka_unit_test(texts_of_unknown_origin),
        cmocka_unit_test(further_members_stand_behind),
        cmocka_unit_test(instants),
        cmocka_unit_test(failure_gives_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
