/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "document.h"

static tlm_document *parse(const char *text)
{
    tlm_document *document = NULL;
    tlm_error error = {0};
    if (tlm_document_parse(text, strlen(text), "file", &document, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return document;
}

static void refused(const char *text, const char *message)
{
    tlm_document *document = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_document_parse(text, strlen(text), "file", &document, &error),
                     TLM_ERR_FORMAT);
    assert_string_equal(error.message, message);
    assert_null(document);
}

/* The value as compact JSON. */
static void means(const char *text, const char *json)
{
    tlm_document *document = parse(text);
    char *dumped = json_dumps(document->value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(dumped, json);
    free(dumped);
    tlm_document_free(&document);
    assert_null(document);
}

static void reads_yaml_and_json_alike(void **state)
{
    (void)state;
    const char *json = "{\"a\":1,\"b\":[true,null,\"x\"],\"c\":{\"d\":1.5}}";
    means(json, json);
    means("a: 1\nb:\n  - true\n  - null\n  - x\nc: {d: 1.5}\n", json);
    means("# a comment\n---\na: 1\nb: [true, ~, \"x\"]\nc:\n  d: 1.5\n...\n", json);
    means("{\n\t\"a\": 1,\n\t\"b\": [\"\\u00e4\\/\"]\n}\n", "{\"a\":1,\"b\":[\"\xc3\xa4/\"]}");
    means("\"text\"", "\"text\"");
}

static void takes_a_number_only_where_json_has_one(void **state)
{
    (void)state;
    means("[0, -1, 1.10, 1e3, 9223372036854775807]", "[0,-1,1.1000000000000001,1000.0,"
                                                     "9223372036854775807]");
    means("[007, 0x10, +1, .5, 1., 1_000, .inf, 12:30, 2026-01-31]",
          "[\"007\",\"0x10\",\"+1\",\".5\",\"1.\",\"1_000\",\".inf\",\"12:30\",\"2026-01-31\"]");
    means("[yes, no, on, True, NULL, !!str 5, \"5\", '5']",
          "[\"yes\",\"no\",\"on\",\"True\",\"NULL\",\"5\",\"5\",\"5\"]");
    means("a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}");
    refused("a: 99999999999999999999\n",
            "file, line 1, column 4: a text that is not valid, or a number out of range");
}

static void knows_the_place_of_everything(void **state)
{
    (void)state;
    tlm_document *document = parse("first: 1\n"
                                   "list:\n"
                                   "  - x: a\n"
                                   "    yy:  [b, c]\n");
    const tlm_node *list = tlm_node_member(&document->root, "list");
    assert_int_equal(document->root.line, 1);
    assert_int_equal(document->root.key_line, 0);
    assert_int_equal(list->key_line, 2);
    assert_int_equal(list->key_column, 1);
    assert_int_equal(list->line, 3);
    const tlm_node *element = tlm_node_element(list, 0);
    const tlm_node *yy = tlm_node_member(element, "yy");
    assert_int_equal(yy->key_line, 4);
    assert_int_equal(yy->key_column, 5);
    assert_int_equal(tlm_node_element(yy, 1)->line, 4);
    assert_int_equal(tlm_node_element(yy, 1)->column, 14);
    assert_null(tlm_node_element(yy, 2));
    assert_null(tlm_node_member(element, "z"));
    tlm_document_free(&document);
    tlm_document_free(&document);
    tlm_document_free(NULL);
}

static void refuses_what_json_does_not_have(void **state)
{
    (void)state;
    refused("a: &x 1\n", "file, line 1, column 4: an anchor is not accepted");
    refused("a: &x [1]\n", "file, line 1, column 4: an anchor is not accepted");
    refused("a: *x\n", "file, line 1, column 4: an alias is not accepted");
    refused("a: !!int 1\n", "file, line 1, column 4: a tag is not accepted");
    refused("a: !mine {b: 1}\n", "file, line 1, column 4: a tag is not accepted");
    refused("? [a]\n: 1\n", "file, line 1, column 3: the name of a member is not a text");
    refused("a: 1\n---\na: 1\n", "file, line 2, column 1: a second document");
    refused("a: 1\nb: 2\na: 3\n", "file, line 3, column 1: the member \"a\" stands there twice");
    refused("{\"a\": 1,\n \"a\": 2}",
            "file, line 2, column 2: the member \"a\" stands there twice");
    refused("a: \"x\\0y\"\n",
            "file, line 1, column 4: a text that is not valid, or a number out of range");
    refused("\"a\\0b\": 1\n", "file, line 1, column 1: a zero byte in the name of a member");
    refused("", "file is empty");
    refused("# nothing\n", "file is empty");
}

static void says_where_the_text_breaks(void **state)
{
    (void)state;
    refused("a: [1, 2\nb: 3\n", "file, line 2, column 2: did not find expected ',' or ']'");
    refused("{\"a\": 1,\n  \"b\" 2}\n", "file, line 2, column 7: did not find expected ',' or '}'");
    refused("a: \xff\n", "file, byte 3: invalid leading UTF-8 octet");
    refused("a: \x01\n", "file, byte 3: control characters are not allowed");
}

static char *nested(size_t depth)
{
    char *text = malloc(2 * depth + 1);
    assert_non_null(text);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return text;
}

static void has_maxima(void **state)
{
    (void)state;
    char *text = nested(TLM_DOCUMENT_DEPTH_MAX);
    tlm_document *document = parse(text);
    tlm_document_free(&document);
    free(text);
    text = nested(TLM_DOCUMENT_DEPTH_MAX + 1);
    refused(text, "file, line 1, column 33: nested deeper than is accepted");
    free(text);
    text = malloc(TLM_DOCUMENT_MAX + 2);
    assert_non_null(text);
    memset(text, '\n', TLM_DOCUMENT_MAX + 1);
    text[0] = '1';
    text[TLM_DOCUMENT_MAX + 1] = '\0';
    assert_int_equal(tlm_document_parse(text, TLM_DOCUMENT_MAX + 1, "file", &document, NULL),
                     TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_document_parse(text, TLM_DOCUMENT_MAX, "file", &document, NULL), TLM_OK);
    tlm_document_free(&document);
    free(text);
}

static void survives_truncation_at_every_byte(void **state)
{
    (void)state;
    const char *text = "{\"a\": [1, {\"b\": \"c\"}],\n \"d\": {\"e\": [true, null]}}";
    for (size_t size = 1; size < strlen(text); size++) {
        tlm_document *document = NULL;
        assert_int_equal(tlm_document_parse(text, size, "file", &document, NULL), TLM_ERR_FORMAT);
        assert_null(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_yaml_and_json_alike),
        cmocka_unit_test(takes_a_number_only_where_json_has_one),
        cmocka_unit_test(knows_the_place_of_everything),
        cmocka_unit_test(refuses_what_json_does_not_have),
        cmocka_unit_test(says_where_the_text_breaks),
        cmocka_unit_test(has_maxima),
        cmocka_unit_test(survives_truncation_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
