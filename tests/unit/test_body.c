/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "body.h"

static void keeps_up_to_its_maximum(void **state)
{
    (void)state;
    static const size_t maxima[] = {1, 2, 1023, 1024, 1025, 5000};
    for (size_t i = 0; i < sizeof maxima / sizeof maxima[0]; i++) {
        tlm_body body;
        tlm_body_begin(&body, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++) {
            tlm_body_add(&body, "x", 1);
        }
        assert_int_equal(body.size, maxima[i]);
        assert_int_equal(body.over, 0);
        assert_true(body.room <= maxima[i] + 1);
        assert_int_equal(strlen(body.data), maxima[i]);
        tlm_body_add(&body, "yy", 2);
        assert_int_equal(body.over, 2);
        tlm_body_add(&body, "z", 1);
        assert_int_equal(body.over, 3);
        assert_int_equal(body.size, maxima[i]);
        tlm_body_clear(&body);
        assert_null(body.data);
        tlm_body_clear(&body);
    }
}

static void nothing_that_was_cut_is_believed(void **state)
{
    (void)state;
    tlm_body body;
    tlm_body_begin(&body, 4);
    tlm_body_add(&body, "{}   ", 5);
    tlm_body_add(&body, "{}", 2);
    assert_int_equal(body.size, 0);
    assert_int_equal(body.over, 7);
    tlm_body_clear(&body);
}

static tlm_result read_text(const char *text, size_t size, json_t **object, tlm_error *error)
{
    tlm_body body;
    tlm_body_begin(&body, 16384);
    tlm_body_add(&body, text, size);
    tlm_result result = tlm_body_object(&body, object, error);
    tlm_body_clear(&body);
    return result;
}

static void reads_one_object(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        " {\"a\":1}\r\n",
        "{\"a\":[[[[[[[1]]]]]]]}",
        "{\"a\":\"[[[[[[[[[[[[[{{{{{\\\"[[[[\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *object = NULL;
        assert_int_equal(read_text(texts[i], strlen(texts[i]), &object, NULL), TLM_OK);
        assert_true(json_is_object(object));
        json_decref(object);
    }
    static const char *const blank[] = {"", " ", "\r\n\t "};
    for (size_t i = 0; i < sizeof blank / sizeof blank[0]; i++) {
        json_t *object = NULL;
        assert_int_equal(read_text(blank[i], strlen(blank[i]), &object, NULL), TLM_OK);
        assert_null(object);
    }
}

static void refuses_everything_else(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[]",
        "1",
        "null",
        "\"x\"",
        "{",
        "}",
        "{\"a\":1}x",
        "{}{}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "{a:1}",
        "{\"a\":01}",
        "{\"a\":1,}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"\\u0000\":1}",
        "{\"a\":[[[[[[[[1]]]]]]]]}",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}",
        "{\"a\":1e999}",
        "{\"a\":123456789012345678901234567890}",
        "\xef\xbb\xbf{}",
        "\"\\",
        "{\"a\":NaN}",
        "// {}\n{}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *object = NULL;
        tlm_error error = {0};
        assert_int_equal(read_text(texts[i], strlen(texts[i]), &object, &error), TLM_ERR_FORMAT);
        assert_null(object);
        assert_true(error.message[0] != '\0');
    }
    json_t *object = NULL;
    assert_int_equal(read_text("{}\0", 3, &object, NULL), TLM_ERR_FORMAT);
    assert_int_equal(read_text("\0", 1, &object, NULL), TLM_ERR_FORMAT);
    assert_int_equal(read_text(" \0", 2, &object, NULL), TLM_ERR_FORMAT);
}

static void truncated_at_every_byte_it_is_no_object(void **state)
{
    (void)state;
    static const char text[] =
        "{\"feature\":\"pro\",\"borrow\":{\"key\":{\"x\":\"\\\\\"}},\"n\":-1}";
    for (size_t size = 1; size < sizeof text - 1; size++) {
        json_t *object = NULL;
        assert_int_equal(read_text(text, size, &object, NULL), TLM_ERR_FORMAT);
    }
}

static void a_text_is_without_the_blanks_around_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *read; /* NULL: there is none */
    } rows[] = {
        {"a.b.c", "a.b.c"}, {" a.b.c\r\n", "a.b.c"}, {"\n\na b\n", "a b"},
        {"", NULL},         {" \n", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_body body;
        const char *text = NULL;
        size_t size = 0;
        tlm_body_begin(&body, 64);
        tlm_body_add(&body, rows[i].text, strlen(rows[i].text));
        tlm_result result = tlm_body_text(&body, &text, &size, NULL);
        if (rows[i].read == NULL) {
            assert_int_equal(result, TLM_ERR_FORMAT);
        } else {
            assert_int_equal(result, TLM_OK);
            assert_string_equal(text, rows[i].read);
            assert_int_equal(size, strlen(rows[i].read));
        }
        tlm_body_clear(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_up_to_its_maximum),
        cmocka_unit_test(nothing_that_was_cut_is_believed),
        cmocka_unit_test(reads_one_object),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(truncated_at_every_byte_it_is_no_object),
        cmocka_unit_test(a_text_is_without_the_blanks_around_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
