/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options_private.h"
#include "read_private.h"
#include "tool.h"

#define WORDS_MAX 12U

static tlm_tool_options options;
static tlm_client_error error;

/* Splits at blanks, as nobody's word here has one. */
static tlm_client_result parse(const char *line)
{
    static char copy[256];
    char *words[WORDS_MAX + 1] = {NULL};
    size_t count = 0;
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL && count < WORDS_MAX;
         word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    memset(&error, 0, sizeof error);
    return tlm_tool_parse(words, &options, &error);
}

static void finds_subcommands_of_one_and_two_words(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *name;
    } cases[] = {{"status", "status"},
                 {"licenses", "licenses list"},
                 {"lease", "lease list"},
                 {"lease list", "lease list"},
                 {"lease --json", "lease list"},
                 {"state", "state show"},
                 {"state accept", "state accept"},
                 {"audit", "audit show"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].line), TLM_CLIENT_OK);
        assert_string_equal(options.command->name, cases[i].name);
    }
    assert_int_equal(parse("leases"), TLM_CLIENT_ARGUMENT);
    assert_int_equal(parse("lease nothing"), TLM_CLIENT_ARGUMENT);
    assert_non_null(strstr(error.message, "lease nothing"));
    assert_int_equal(parse("list"), TLM_CLIENT_ARGUMENT);
    assert_int_equal(parse(""), TLM_CLIENT_ARGUMENT);
}

static void reads_options_and_operands(void **state)
{
    (void)state;
    assert_int_equal(parse("lease acquire --feature pro --units=2 --json"), TLM_CLIENT_OK);
    assert_string_equal(options.feature, "pro");
    assert_string_equal(options.units, "2");
    assert_true(options.json);
    assert_int_equal(parse("activate - --url http://h"), TLM_CLIENT_OK);
    assert_string_equal(options.word, "-");
    assert_int_equal(parse("run --feature pro -- program --json"), TLM_CLIENT_OK);
    assert_false(options.json);
    assert_int_equal(parse("activate --help"), TLM_CLIENT_OK);
    assert_true(options.help);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "status --feature x", "status word",        "activate",     "activate a b",
        "run --feature x",    "run --feature x --", "status --url", "status --json=1",
        "status --url=",      "status -v",          "lease show"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(parse(wrong[i]), TLM_CLIENT_ARGUMENT);
        assert_true(strlen(error.message) > 0);
        assert_non_null(strstr(error.hint, "tlm "));
    }
}

static void reads_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1x", "x", "99999999999999999999"};
    long long number = 0;
    assert_int_equal(tlm_tool_number("42", "units", 1, &number, NULL), TLM_CLIENT_OK);
    assert_int_equal(number, 42);
    assert_int_equal(tlm_tool_number(NULL, "units", 7, &number, NULL), TLM_CLIENT_OK);
    assert_int_equal(number, 7);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(tlm_tool_number(wrong[i], "units", 1, &number, NULL), TLM_CLIENT_ARGUMENT);
    }
}

/* Every name that an option's row is for is a subcommand, and every option has a subcommand. */
static void rows_of_the_tables_fit_together(void **state)
{
    (void)state;
    for (const tlm_tool_row *row = tlm_tool_rows; row->flag != NULL; row++) {
        size_t fitting = 0;
        size_t named = 0;
        for (const tlm_tool_command *command = tlm_tool_commands; command->name != NULL;
             command++) {
            fitting += tlm_tool_row_fits(row, command->name) ? 1 : 0;
        }
        for (const char *at = row->commands; *at != '\0'; at++) {
            named += *at == ',' ? 1 : 0;
        }
        assert_true(fitting > 0);
        assert_true(strcmp(row->commands, TLM_TOOL_ANY) == 0 || named == fitting + 1);
        assert_non_null(row->help);
    }
    for (const tlm_tool_command *command = tlm_tool_commands; command->name != NULL; command++) {
        assert_non_null(command->run);
        assert_non_null(command->summary);
        assert_non_null(command->description);
    }
}

static char *printed(void (*print)(FILE *stream))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    print(stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void descriptions_name_every_row(void **state)
{
    (void)state;
    char *completion = printed(tlm_tool_print_completion);
    char *subcommands = printed(tlm_tool_print_mdoc);
    char *common = printed(tlm_tool_print_options_mdoc);
    for (const tlm_tool_command *command = tlm_tool_commands; command->name != NULL; command++) {
        char expected[80];
        (void)snprintf(expected, sizeof expected, "    '%s') options=", command->name);
        assert_non_null(strstr(completion, expected));
        (void)snprintf(expected, sizeof expected, ".It Cm %s", command->name);
        assert_non_null(strstr(subcommands, expected));
    }
    for (const tlm_tool_row *row = tlm_tool_rows; row->flag != NULL; row++) {
        char expected[80];
        (void)snprintf(expected, sizeof expected, " --%s", row->flag);
        assert_non_null(strstr(completion, expected));
        (void)snprintf(expected, sizeof expected, ".It Fl Fl %s", row->flag);
        bool is_common = strcmp(row->commands, TLM_TOOL_ANY) == 0;
        assert_non_null(strstr(is_common ? common : subcommands, expected));
    }
    free(completion);
    free(subcommands);
    free(common);
}

static void ids_are_ids(void **state)
{
    (void)state;
    char path[64];
    assert_true(tlm_tool_path("/x", "0b8ff9dc-6aa1", path, sizeof path, NULL));
    assert_string_equal(path, "/x/0b8ff9dc-6aa1");
    assert_false(tlm_tool_path("/x", "../y", path, sizeof path, NULL));
    assert_false(tlm_tool_path("/x", "", path, sizeof path, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_subcommands_of_one_and_two_words),
        cmocka_unit_test(reads_options_and_operands),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(rows_of_the_tables_fit_together),
        cmocka_unit_test(descriptions_name_every_row),
        cmocka_unit_test(ids_are_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
