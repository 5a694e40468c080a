/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/jws.h>
#include <tlm/statement.h>

#include "vector.h"

static char *canonical(const json_t *value)
{
    char *text = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_statement_canonical(value, &text, &error), TLM_OK);
    return text;
}

static void check(const char *input, const char *expected)
{
    json_t *value = json_loads(input, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    char *text = canonical(value);
    assert_string_equal(text, expected);
    free(text);
    json_decref(value);
}

static tlm_result refused(json_t *value)
{
    char *text = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_statement_canonical(value, &text, &error);
    assert_null(text);
    assert_int_equal(error.result, result);
    assert_true(error.message[0] != '\0');
    json_decref(value);
    return result;
}

static void test_values(void **state)
{
    (void)state;
    check("{}", "{}");
    check("[ ]", "[]");
    check("\"\"", "\"\"");
    check("{ \"b\" : 1,\n \"a\" : [ true , false, null, {\"y\":0,\"x\":-0} ] }",
          "{\"a\":[true,false,null,{\"x\":0,\"y\":0}],\"b\":1}");
    check("{\"aa\":1,\"a\":2,\"A\":3,\"\":4}", "{\"\":4,\"A\":3,\"a\":2,\"aa\":1}");
    check("9007199254740991", "9007199254740991");
    check("-9007199254740991", "-9007199254740991");
}

static void test_escapes(void **state)
{
    (void)state;
    check("\"\\b\\t\\n\\f\\r\\\"\\\\\\/\"", "\"\\b\\t\\n\\f\\r\\\"\\\\/\"");
    check("\"\\u0001\\u001F\\u007f\\u0080\"", "\"\\u0001\\u001f\x7f\xc2\x80\"");
    check("\"a\\u0000b\"", "\"a\\u0000b\"");
    check("{\"\\n\\\"\":1}", "{\"\\n\\\"\":1}");
}

static void test_vectors_of_the_rfc(void **state)
{
    (void)state;
    json_t *vector = tlm_vector_load("rfc8785.json");
    char *text = canonical(json_object_get(vector, "literals"));
    assert_string_equal(text, tlm_vector_text(vector, "canonical"));
    free(text);
    text = canonical(json_object_get(vector, "sorting"));
    const char *at = text;
    const json_t *order = json_object_get(vector, "order");
    for (size_t i = 0; i < json_array_size(order); i++) {
        at = strstr(at, json_string_value(json_array_get(order, i)));
        assert_non_null(at);
    }
    free(text);
    json_decref(vector);
}

/* Surrogates, as which UTF-16 has what lies beyond U+FFFF, come before U+E000 to U+FFFF. */
static void test_order_of_code_units(void **state)
{
    (void)state;
    check("{\"\\uffff\":1,\"\\ud83d\\ude00\":2,\"\\ud7ff\":3,\"\\ue000\":4}",
          "{\"\xed\x9f\xbf\":3,\"\xf0\x9f\x98\x80\":2,\"\xee\x80\x80\":4,\"\xef\xbf\xbf\":1}");
}

static void test_numbers_that_are_refused(void **state)
{
    (void)state;
    assert_int_equal(refused(json_pack("{s:f}", "a", 1.5)), TLM_ERR_FORMAT);
    assert_int_equal(refused(json_pack("[f]", 1.0)), TLM_ERR_FORMAT);
    assert_int_equal(refused(json_integer(9007199254740992LL)), TLM_ERR_FORMAT);
    assert_int_equal(refused(json_integer(-9007199254740992LL)), TLM_ERR_FORMAT);
    assert_int_equal(refused(json_integer(INT64_MIN)), TLM_ERR_FORMAT);
}

static json_t *nested(unsigned depth)
{
    json_t *value = json_array();
    for (unsigned i = 1; i < depth; i++) {
        value = i % 2 == 0 ? json_pack("[o]", value) : json_pack("{s:o}", "a", value);
    }
    return value;
}

static void test_depth(void **state)
{
    (void)state;
    json_t *deepest = nested(TLM_JSON_DEPTH_MAX);
    char *text = canonical(deepest);
    json_decref(deepest);
    free(text);
    assert_int_equal(refused(nested(TLM_JSON_DEPTH_MAX + 1)), TLM_ERR_FORMAT);
}

/* Longer than the first allocation, at every length around the steps. */
static void test_every_length(void **state)
{
    (void)state;
    char letters[2101];
    memset(letters, 'x', sizeof letters - 1);
    letters[sizeof letters - 1] = '\0';
    for (size_t length = 0; length < sizeof letters; length++) {
        json_t *value = json_stringn(letters, length);
        char *text = canonical(value);
        assert_int_equal(strlen(text), length + 2);
        free(text);
        json_decref(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_vectors_of_the_rfc),
        cmocka_unit_test(test_order_of_code_units),
        cmocka_unit_test(test_numbers_that_are_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
