/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_internal.h"

#include <string.h>

#define HELP_COLUMN 28
#define HELP_WIDTH 80
#define MDOC_WIDTH 78

static bool applies(const tlm_setting_row *row, tlm_program program)
{
    return (row->programs & (unsigned)program) != 0;
}

/* A default worth telling: a switch has none, and an empty one is told by the help text. */
static bool tells_default(const tlm_setting_row *row)
{
    return row->initial[0] != '\0' && row->type != TLM_TYPE_switch;
}

/* Writes `text` broken at blanks into the column on the right; `at` is where the cursor stands. */
static void print_wrapped(FILE *stream, int at, const char *text)
{
    if (at > HELP_COLUMN - 2) {
        (void)fputc('\n', stream);
        at = 0;
    }
    (void)fprintf(stream, "%*s", HELP_COLUMN - at, "");
    int column = HELP_COLUMN;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
            (void)fprintf(stream, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += fprintf(stream, "%s%.*s", column > HELP_COLUMN ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    (void)fputc('\n', stream);
}

static void print_option(FILE *stream, const char *flag, const char *argument, const char *help)
{
    int at = fprintf(stream, "  %s%s%s", flag, argument[0] != '\0' ? " " : "", argument);
    print_wrapped(stream, at, help);
}

void tlm_settings_print_help(tlm_program program, FILE *stream)
{
    print_option(stream, "-h, --help", "", "Show this help and end");
    print_option(stream, "-V, --version", "", "Show the version and how it was built, and end");
    print_option(stream, "--check-config", "", "Show every setting with its origin, and end");
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        if (!applies(row, program)) {
            continue;
        }
        char help[512];
        (void)snprintf(help, sizeof help, "%s%s%s%s", row->help, tells_default(row) ? " [" : "",
                       tells_default(row) ? row->initial : "", tells_default(row) ? "]" : "");
        print_option(stream, row->flag, row->argument, help);
    }
    (void)fputs("\nCommand line over environment over file over default. Names in the environment\n"
                "and keys of the file stand in TLLicenseManager.json(5).\n",
                stream);
}

void tlm_settings_print(tlm_program program, const tlm_settings *settings, FILE *stream)
{
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        if (!applies(row, program)) {
            continue;
        }
        char value[TLM_SETTINGS_TEXT_MAX + 1];
        char quoted[TLM_SETTINGS_TEXT_MAX * 2];
        tlm_settings_value_text(settings, row, value, sizeof value);
        const char *shown = value;
        if (row->type == TLM_TYPE_text || row->type == TLM_TYPE_list) {
            shown = tlm_log_quote(value, quoted, sizeof quoted);
        }
        (void)fprintf(stream, "%s = %s (%s)\n", row->key[0] != '\0' ? row->key : row->flag + 2,
                      shown, settings->origin_name[i]);
    }
}

/* mdoc(7) takes "-" for a hyphen and a backslash for an escape; neither is meant. */
static void print_mdoc_word(FILE *stream, const char *word)
{
    for (; *word != '\0'; word++) {
        if (*word == '\\') {
            (void)fputs("\\e", stream);
        } else if (*word == '-') {
            (void)fputs("\\-", stream);
        } else {
            (void)fputc(*word, stream);
        }
    }
}

/*
 * Running text, in lines that mandoc's lint finds short enough. A line that begins with a control
 * character of roff is protected.
 */
static void print_mdoc_text(FILE *stream, const char *text)
{
    int column = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > 0) {
            bool fits = column + 1 + length < MDOC_WIDTH;
            (void)fputc(fits ? ' ' : '\n', stream);
            column = fits ? column + 1 : 0;
        }
        if (column == 0 && (text[0] == '.' || text[0] == '\'')) {
            (void)fputs("\\&", stream);
        }
        for (int i = 0; i < length; i++) {
            (void)fputs(text[i] == '\\' ? "\\e" : (const char[]){text[i], '\0'}, stream);
        }
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    (void)fputs(".\n", stream);
}

/* What a key or name in the environment means: a "no-" flag is its value false. */
static void print_mdoc_meaning(FILE *stream, const tlm_setting_row *row)
{
    if (row->type == TLM_TYPE_switch && strncmp(row->flag, "--no-", 5) == 0) {
        (void)fputs("The default is true.\nWhere it is false:\n", stream);
    }
    print_mdoc_text(stream, row->help);
}

static void print_mdoc_default(FILE *stream, const tlm_setting_row *row)
{
    if (tells_default(row)) {
        (void)fputs("The default is\n.Ql ", stream);
        print_mdoc_word(stream, row->initial);
        (void)fputs(" .\n", stream);
    }
}

static void print_mdoc_environment(FILE *stream, const tlm_setting_row *row)
{
    (void)fputs("Environment:\n", stream);
    const char *name = NULL;
    for (size_t n = 0; (name = tlm_settings_environment_name(row, n)) != NULL; n++) {
        bool last = tlm_settings_environment_name(row, n + 1) == NULL;
        (void)fprintf(stream, ".Ev %s%s\n", name, last ? " ." : " ,");
    }
}

void tlm_settings_print_mdoc_options(tlm_program program, FILE *stream)
{
    (void)fputs(".It Fl h , Fl \\-help\nShow a short help and end.\n"
                ".It Fl V , Fl \\-version\nShow the version and how it was built, and end.\n"
                ".It Fl \\-check\\-config\nShow every setting with its origin, and end.\n",
                stream);
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        if (!applies(row, program)) {
            continue;
        }
        (void)fputs(".It Fl ", stream);
        print_mdoc_word(stream, row->flag + 1); /* Fl sets the first dash */
        (void)fprintf(stream, "%s%s\n", row->argument[0] != '\0' ? " Ar " : "", row->argument);
        print_mdoc_text(stream, row->help);
        print_mdoc_default(stream, row);
        print_mdoc_environment(stream, row);
    }
}

static const char *type_text(const tlm_setting_row *row, char *buffer, size_t size)
{
    switch (row->type) {
    case TLM_TYPE_switch:
        return "boolean";
    case TLM_TYPE_number:
        (void)snprintf(buffer, size, "integer, %u to %u", row->minimum, row->maximum);
        return buffer;
    case TLM_TYPE_list:
        return "array of strings";
    case TLM_TYPE_text:
    case TLM_TYPE_level:
    case TLM_TYPE_format:
    case TLM_TYPE_word:
        break;
    }
    return "string";
}

void tlm_settings_print_mdoc_keys(FILE *stream)
{
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        if (row->key[0] == '\0') {
            continue;
        }
        char type[64];
        (void)fprintf(stream, ".It Va %s Pq %s\n", row->key, type_text(row, type, sizeof type));
        print_mdoc_meaning(stream, row);
        print_mdoc_default(stream, row);
        (void)fputs("Flag:\n.Fl ", stream);
        print_mdoc_word(stream, row->flag + 1);
        (void)fputs(" .\n", stream);
        print_mdoc_environment(stream, row);
    }
}
