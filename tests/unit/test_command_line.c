/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/command_line.h>

typedef struct given {
    tlm_words operands;
    const char *key;
    tlm_words more;
    bool json;
} given;

typedef struct command {
    tlm_command_row row;
    int number;
} command;

static const command commands[] = {
    {{"sign", "FILE...", "Sign files", "One by one. All of them.\n"}, 1},
    {{"show", "FILE", "Show a file", ""}, 2},
    {{"none", NULL, "Do nothing", ""}, 3},
};

static const tlm_option_row rows[] = {
    {" sign ", "key", "URI", offsetof(given, key), "Key that signs"},
    {" sign show ", "more", "WORD...", offsetof(given, more), "A word; may be given again"},
    {NULL, "json", NULL, offsetof(given, json), "Print one JSON object"},
};

static const tlm_option_letter letters[] = {{'k', "key"}, {'j', "json"}};

static const tlm_command_line line = {
    .program = "tool",
    .purpose = "Does things.\n",
    .commands = commands,
    .command_size = sizeof commands[0],
    .command_count = 3,
    .options = rows,
    .option_count = 3,
    .letters = letters,
    .letter_count = 2,
    .operands = offsetof(given, operands),
};

static tlm_result parse(const char *const words[], given *to, size_t *which, tlm_error *error)
{
    static char room[128][32]; /* outlives what is parsed, as argv does */
    char *copies[128] = {NULL};
    for (size_t i = 0; words[i] != NULL; i++) {
        (void)snprintf(room[i], sizeof room[i], "%s", words[i]);
        copies[i] = room[i];
    }
    *to = (given){.json = false};
    return tlm_command_line_parse(&line, copies, to, which, error);
}

static void reads_options_and_operands(void **state)
{
    (void)state;
    given to;
    size_t which = 9;
    const char *const words[] = {"sign",     "a",      "--key", "pkcs11:x", "b",
                                 "--more=1", "--more", "2",     "--more=3", "--json",
                                 "-",        "--",     "--key", NULL};
    assert_int_equal(parse(words, &to, &which, NULL), TLM_OK);
    assert_int_equal(which, 0);
    assert_string_equal(to.key, "pkcs11:x");
    assert_true(to.json);
    assert_int_equal(to.more.count, 3);
    assert_string_equal(to.more.items[2], "3");
    assert_int_equal(to.operands.count, 4);
    assert_string_equal(to.operands.items[1], "b");
    assert_string_equal(to.operands.items[2], "-");
    assert_string_equal(to.operands.items[3], "--key");
    tlm_command_line_clear(&line, &to);
    assert_null(to.operands.items);
    assert_int_equal(to.more.count, 0);
}

static void reads_letters(void **state)
{
    (void)state;
    given to;
    size_t which = 9;
    const char *const apart[] = {"sign", "-k", "one", "-j", NULL};
    assert_int_equal(parse(apart, &to, &which, NULL), TLM_OK);
    assert_string_equal(to.key, "one");
    assert_true(to.json);
    tlm_command_line_clear(&line, &to);
    const char *const joined[] = {"sign", "-ktwo", NULL};
    assert_int_equal(parse(joined, &to, &which, NULL), TLM_OK);
    assert_string_equal(to.key, "two");
    assert_false(to.json);
    tlm_command_line_clear(&line, &to);
}

static void takes_a_hundred_operands(void **state)
{
    (void)state;
    const char *words[102] = {"sign"};
    for (size_t i = 1; i <= 100; i++) {
        words[i] = "x";
    }
    given to;
    size_t which = 9;
    assert_int_equal(parse(words, &to, &which, NULL), TLM_OK);
    assert_int_equal(to.operands.count, 100);
    tlm_command_line_clear(&line, &to);
}

static void refused(const char *const words[], const char *message, const char *hint)
{
    given to;
    size_t which = 9;
    tlm_error error = {0};
    assert_int_equal(parse(words, &to, &which, &error), TLM_ERR_SETTING);
    assert_string_equal(error.message, message);
    assert_string_equal(error.hint, hint);
    tlm_command_line_clear(&line, &to);
}

static void refuses_what_is_no_word_of_the_tables(void **state)
{
    (void)state;
    refused((const char *const[]){NULL}, "a subcommand is missing", "see: tool help");
    refused((const char *const[]){"sgin", NULL}, "there is no subcommand 'sgin'",
            "did you mean 'sign'? See: tool help");
    refused((const char *const[]){"zzzzzz", NULL}, "there is no subcommand 'zzzzzz'",
            "see: tool help");
    refused((const char *const[]){"sign", "--kye", "x", NULL}, "sign has no option '--kye'",
            "did you mean --key? See: tool help sign");
    refused((const char *const[]){"show", "--key", "x", NULL}, "show has no option '--key'",
            "see: tool help show");
    refused((const char *const[]){"show", "-k", "x", NULL}, "show has no option '-k'",
            "see: tool help show");
    refused((const char *const[]){"sign", "--key", NULL}, "--key needs a value: URI", "");
    refused((const char *const[]){"sign", "--key=", NULL}, "--key needs a value: URI", "");
    refused((const char *const[]){"sign", "--json=1", NULL}, "--json takes no value, got '1'", "");
    refused((const char *const[]){"none", "x", NULL}, "none has no option 'x'",
            "see: tool help none");
    refused((const char *const[]){"none", "--", "x", NULL}, "none has no option 'x'",
            "see: tool help none");
    refused((const char *const[]){"show", "x", "y", NULL},
            "show takes one FILE, and 'y' is one more", "see: tool help show");
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

static void print_program(FILE *stream)
{
    tlm_command_line_print_help(&line, NULL, stream);
}

static void print_sign(FILE *stream)
{
    tlm_command_line_print_help(&line, tlm_command_line_find(&line, "sign", NULL), stream);
}

static void print_mdoc(FILE *stream)
{
    tlm_command_line_print_mdoc(&line, stream);
    tlm_command_line_print_mdoc_common(&line, stream);
}

static void prints_help_and_manual_from_the_tables(void **state)
{
    (void)state;
    char *text = printed(print_program);
    assert_non_null(strstr(text, "usage: tool SUBCOMMAND [options]\n\nDoes things.\n"));
    assert_non_null(strstr(text, "  show             Show a file\n"));
    assert_non_null(strstr(text, "  -j, --json                Print one JSON object\n"));
    assert_null(strstr(text, "--key"));
    free(text);
    text = printed(print_sign);
    assert_non_null(strstr(text, "usage: tool sign FILE... [options]\n\nSign files\nOne by one."));
    assert_non_null(strstr(text, "\nOptions:\n  -k, --key URI             Key that signs\n"));
    assert_non_null(strstr(text, "\nOptions of every subcommand:\n  -j, --json"));
    free(text);
    text = printed(print_mdoc);
    assert_non_null(strstr(text, ".It Cm sign Ar FILE...\nSign files.\nOne by one.\nAll of them.\n"
                                 ".Bl -tag -width Ds\n.It Fl k , Fl Fl key Ar URI\n"));
    assert_non_null(strstr(text, ".It Cm none\nDo nothing.\n.It Fl j , Fl Fl json\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_options_and_operands),
        cmocka_unit_test(reads_letters),
        cmocka_unit_test(takes_a_hundred_operands),
        cmocka_unit_test(refuses_what_is_no_word_of_the_tables),
        cmocka_unit_test(prints_help_and_manual_from_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
