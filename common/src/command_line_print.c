/* SPDX-License-Identifier: BSD-2-Clause */
#include "command_line_internal.h"

#include <string.h>

#define HELP_COLUMN 28
#define HELP_WIDTH 80

static char letter_of(const tlm_command_line *line, const char *flag)
{
    for (size_t i = 0; i < line->letter_count; i++) {
        if (strcmp(line->letters[i].flag, flag) == 0) {
            return line->letters[i].letter;
        }
    }
    return '\0';
}

/* Text broken at blanks into a column on the right. */
static void print_wrapped(const char *text, FILE *stream)
{
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

static void print_option(const tlm_command_line *line, const tlm_option_row *row, FILE *stream)
{
    char letter = letter_of(line, row->flag);
    int at = fprintf(stream, "  ");
    if (letter != '\0') {
        at += fprintf(stream, "-%c, ", letter);
    }
    at += fprintf(stream, "--%s%s%s", row->flag, row->argument != NULL ? " " : "",
                  row->argument != NULL ? row->argument : "");
    if (at >= HELP_COLUMN) {
        (void)fputc('\n', stream);
        at = 0;
    }
    (void)fprintf(stream, "%*s", HELP_COLUMN - at, "");
    print_wrapped(row->help, stream);
}

/* The rows of one subcommand alone, or (NULL) those of every one. */
static void print_options(const tlm_command_line *line, const char *command, const char *title,
                          FILE *stream)
{
    bool any = false;
    for (size_t i = 0; i < line->option_count; i++) {
        const tlm_option_row *row = &line->options[i];
        bool common = row->commands == NULL;
        if (command != NULL ? common || !tlm_option_fits(row, command) : !common) {
            continue;
        }
        (void)fputs(any ? "" : title, stream);
        any = true;
        print_option(line, row, stream);
    }
}

static void print_program(const tlm_command_line *line, FILE *stream)
{
    (void)fprintf(stream, "usage: %s SUBCOMMAND [options]\n\n%s\nSubcommands:\n", line->program,
                  line->purpose);
    for (size_t i = 0; i < line->command_count; i++) {
        const tlm_command_row *row = tlm_command_line_at(line, i);
        (void)fprintf(stream, "  %-16s %s\n", row->name, row->summary);
    }
    (void)fprintf(stream, "\nOptions of a subcommand: %s help SUBCOMMAND\n", line->program);
}

void tlm_command_line_print_help(const tlm_command_line *line, const tlm_command_row *command,
                                 FILE *stream)
{
    if (command != NULL) {
        (void)fprintf(stream, "usage: %s %s%s%s [options]\n\n%s\n%s", line->program, command->name,
                      command->operand != NULL ? " " : "",
                      command->operand != NULL ? command->operand : "", command->summary,
                      command->description);
        print_options(line, command->name, "\nOptions:\n", stream);
    } else {
        print_program(line, stream);
    }
    print_options(line, NULL, "\nOptions of every subcommand:\n", stream);
    if (line->print_common != NULL) {
        (void)fputs("\nOptions of every subcommand:\n", stream);
        line->print_common(stream);
    }
}

/* mdoc(7) wants each sentence on a line of its own. */
static void print_sentences(const char *text, FILE *stream)
{
    bool ended = false;
    for (; *text != '\0'; text++) {
        (void)fputc(ended && *text == ' ' ? '\n' : *text, stream);
        ended = *text == '.';
    }
}

static void print_mdoc_option(const tlm_command_line *line, const tlm_option_row *row, FILE *stream)
{
    char letter = letter_of(line, row->flag);
    (void)fputs(".It ", stream);
    if (letter != '\0') {
        (void)fprintf(stream, "Fl %c , ", letter);
    }
    (void)fprintf(stream, "Fl Fl %s%s%s\n%s.\n", row->flag, row->argument != NULL ? " Ar " : "",
                  row->argument != NULL ? row->argument : "", row->help);
}

static void print_mdoc_options(const tlm_command_line *line, const char *command, FILE *stream)
{
    bool open = false;
    for (size_t i = 0; i < line->option_count; i++) {
        const tlm_option_row *row = &line->options[i];
        if (row->commands == NULL || !tlm_option_fits(row, command)) {
            continue;
        }
        if (!open) {
            (void)fputs(".Bl -tag -width Ds\n", stream);
            open = true;
        }
        print_mdoc_option(line, row, stream);
    }
    if (open) {
        (void)fputs(".El\n", stream);
    }
}

void tlm_command_line_print_mdoc(const tlm_command_line *line, FILE *stream)
{
    for (size_t i = 0; i < line->command_count; i++) {
        const tlm_command_row *row = tlm_command_line_at(line, i);
        (void)fprintf(stream, ".It Cm %s%s%s\n%s.\n", row->name, row->operand != NULL ? " Ar " : "",
                      row->operand != NULL ? row->operand : "", row->summary);
        print_sentences(row->description, stream);
        print_mdoc_options(line, row->name, stream);
    }
}

void tlm_command_line_print_mdoc_common(const tlm_command_line *line, FILE *stream)
{
    for (size_t i = 0; i < line->option_count; i++) {
        if (line->options[i].commands == NULL) {
            print_mdoc_option(line, &line->options[i], stream);
        }
    }
}
