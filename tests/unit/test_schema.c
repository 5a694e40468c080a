/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema.h"

/* Checks a text against a schema; the message is "" where it fits. */
static void says(const char *schema_text, const char *text, const char *message, const char *hint)
{
    tlm_schema *schema = NULL;
    tlm_document *document = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_schema_load(schema_text, strlen(schema_text), &schema, &error), TLM_OK);
    assert_int_equal(tlm_document_parse(text, strlen(text), "f", &document, &error), TLM_OK);
    tlm_result result = tlm_schema_check(schema, document, &error);
    assert_int_equal(result, message[0] == '\0' ? TLM_OK : TLM_ERR_FORMAT);
    assert_string_equal(error.message, message);
    assert_string_equal(error.hint, hint);
    assert_int_equal(tlm_schema_check(schema, document, NULL), result);
    tlm_document_free(&document);
    tlm_schema_free(&schema);
    assert_null(schema);
}

static void fits(const char *schema, const char *text)
{
    says(schema, text, "", "");
}

static void checks_types(void **state)
{
    (void)state;
    fits("{\"type\":\"string\"}", "abc");
    fits("{\"type\":[\"integer\",\"string\"]}", "abc");
    fits("{\"type\":\"integer\"}", "1.0");
    fits("{\"type\":\"null\"}", "~");
    fits("{\"type\":\"boolean\"}", "false");
    fits("{\"type\":\"number\"}", "1.5");
    fits("{}", "anything");
    says("{\"type\":\"string\"}", "1.10",
         "f, line 1, column 1: is a number with a fraction or exponent, not a string",
         "put it in quotes");
    says("{\"type\":\"integer\"}", "1.5",
         "f, line 1, column 1: is a number with a fraction or exponent, not an integer", "");
    says("{\"type\":\"object\"}", "[]", "f, line 1, column 1: is an array, not an object", "");
    says("{\"type\":[\"string\",\"object\"]}", "~", "f, line 1, column 1: is null, not a string",
         "");
}

static void checks_enum_and_const(void **state)
{
    (void)state;
    fits("{\"enum\":[\"up\",\"down\"]}", "up");
    says("{\"enum\":[\"tpm\",\"token\",\"fallback\"]}", "tokne",
         "f, line 1, column 1: is \"tokne\", not tpm, token or fallback", "did you mean token?");
    says("{\"enum\":[\"up\",\"down\"]}", "7", "f, line 1, column 1: is an integer, not up or down",
         "");
    fits("{\"const\":\"a\"}", "a");
    says("{\"const\":\"a\"}", "b", "f, line 1, column 1: is not a", "");
}

static void checks_members(void **state)
{
    (void)state;
    const char *schema = "{\"required\":[\"days\"],\"additionalProperties\":false,"
                         "\"properties\":{\"days\":{\"type\":\"integer\"},\"seats\":{}}}";
    fits(schema, "days: 1\nseats: 2\n");
    fits(schema, "[]"); /* nothing about objects is said of what is none */
    says(schema, "seats: 1\n", "f, line 1, column 1: lacks the member days", "");
    says(schema, "days: 1\nx: 2\nseat: 2\n",
         "f, line 2, column 1: x is not a member that stands here", "");
    says(schema, "days: 1\nseast: 2\n",
         "f, line 2, column 1: seast is not a member that stands here", "did you mean seats?");
    says(schema, "days: soon\n", "f, line 1, column 7: days is a string, not an integer", "");
}

static void checks_elements_and_their_places(void **state)
{
    (void)state;
    const char *schema = "{\"properties\":{\"list\":{\"minItems\":1,\"maxItems\":2,"
                         "\"items\":{\"properties\":{\"id\":{\"type\":\"string\"}}}}}}";
    fits(schema, "list: [{id: a}, {id: b}]\n");
    says(schema, "list: []\n", "f, line 1, column 7: list is empty", "");
    says(schema, "list: [{}, {}, {}]\n", "f, line 1, column 7: list has 3 elements, 2 are the most",
         "");
    says(schema, "list:\n  - id: a\n  - id: 5\n",
         "f, line 3, column 9: list[1].id is an integer, not a string", "put it in quotes");
}

static void checks_bounds_of_texts_and_numbers(void **state)
{
    (void)state;
    const char *text = "{\"minLength\":2,\"maxLength\":3}";
    fits(text, "\xc3\xa4\xc3\xb6\xc3\xbc"); /* three characters, six bytes */
    fits(text, "5");
    says(text, "a", "f, line 1, column 1: has 1 characters, 2 are the least", "");
    says(text, "abcd", "f, line 1, column 1: has 4 characters, 3 are the most", "");
    says("{\"minLength\":1}", "''", "f, line 1, column 1: is empty", "");
    const char *number = "{\"minimum\":1,\"maximum\":9007199254740991}";
    fits(number, "1");
    fits(number, "9007199254740991");
    says(number, "0", "f, line 1, column 1: is less than 1", "");
    says(number, "0.5", "f, line 1, column 1: is less than 1", "");
    says(number, "9007199254740992", "f, line 1, column 1: is more than 9007199254740991", "");
    says(number, "1e300", "f, line 1, column 1: is more than 9007199254740991", "");
    fits("{\"pattern\":\"^[a-f]+$\"}", "abc");
    fits("{\"pattern\":\"^[a-f]+$\"}", "5");
    says("{\"pattern\":\"^[a-f]+$\"}", "abx",
         "f, line 1, column 1: is \"abx\", which is not of the form ^[a-f]+$", "");
}

static void checks_conditions_and_references(void **state)
{
    (void)state;
    const char *schema =
        "{\"if\":{\"properties\":{\"t\":{\"const\":\"a\"}}},\"then\":{\"$ref\":\"#/$defs/a\"},"
        "\"else\":{\"required\":[\"y\"]},\"allOf\":[{\"required\":[\"t\"]}],"
        "\"$defs\":{\"a\":{\"required\":[\"x\"]}}}";
    fits(schema, "{t: a, x: 1}");
    fits(schema, "{t: b, y: 1}");
    says(schema, "{x: 1, y: 1}", "f, line 1, column 1: lacks the member t", "");
    says(schema, "{t: a, y: 1}", "f, line 1, column 1: lacks the member x", "");
    says(schema, "{t: b, x: 1}", "f, line 1, column 1: lacks the member y", "");
}

static void unknown(const char *text, const char *keyword)
{
    tlm_schema *schema = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_schema_load(text, strlen(text), &schema, &error), TLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, keyword));
    assert_null(schema);
}

static void refuses_keywords_that_it_does_not_check(void **state)
{
    (void)state;
    unknown("{\"oneOf\":[]}", "oneOf");
    unknown("{\"properties\":{\"a\":{\"items\":{\"format\":\"date\"}}}}", "format");
    unknown("{\"allOf\":[{\"not\":{}}]}", "not");
    unknown("{\"$defs\":{\"a\":{\"uniqueItems\":true}}}", "uniqueItems");
    unknown("{\"additionalProperties\":true}", "additionalProperties");
    unknown("{\"additionalProperties\":{}}", "additionalProperties");
    unknown("{\"$ref\":\"#/$defs/none\"}", "$ref");
    unknown("{\"$ref\":\"other.json\"}", "$ref");
    unknown("{\"items\":[]}", "a schema that is an array");
    unknown("{\"properties\":[]}", "properties");
    tlm_schema *schema = NULL;
    assert_int_equal(tlm_schema_load("{", 1, &schema, NULL), TLM_ERR_SETTING);
}

/* So a keyword that gets into the shipped schema without being checked fails here. */
static void knows_every_keyword_of_the_shipped_schema(void **state)
{
    (void)state;
    tlm_schema *schema = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_schema_license(&schema, &error), TLM_OK);
    tlm_schema_free(&schema);
    tlm_schema_free(&schema);
    tlm_schema_free(NULL);
    assert_int_equal(tlm_schema_license_size, strlen(tlm_schema_license_text));
    FILE *file = fopen(TLM_SCHEMA_FILE, "re");
    assert_non_null(file);
    char *text = calloc(1, tlm_schema_license_size + 2);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, tlm_schema_license_size + 1, file), tlm_schema_license_size);
    assert_string_equal(text, tlm_schema_license_text);
    free(text);
    assert_int_equal(fclose(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_types),
        cmocka_unit_test(checks_enum_and_const),
        cmocka_unit_test(checks_members),
        cmocka_unit_test(checks_elements_and_their_places),
        cmocka_unit_test(checks_bounds_of_texts_and_numbers),
        cmocka_unit_test(checks_conditions_and_references),
        cmocka_unit_test(refuses_keywords_that_it_does_not_check),
        cmocka_unit_test(knows_every_keyword_of_the_shipped_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
