/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_COMMAND_LINE_H
#define TLM_COMMAND_LINE_H

/*
 * Subcommands and their options as rows of tables with their help text: parser, --help and the
 * manual page come from the same rows.
 *
 *     typedef struct options { tlm_words operands; const char *key; bool json; } options;
 *     typedef struct command { tlm_command_row row; int (*run)(const options *options); } command;
 *
 *     static const command commands[] = {{{"sign", "FILE...", "Sign files", ""}, run_sign}};
 *     static const tlm_option_row rows[] = {
 *         {" sign ", "key", "URI", offsetof(options, key), "Key that signs"}};
 *     const tlm_command_line line = {.program = "tool", .purpose = "Signs.\n",
 *                                    .commands = commands, .command_size = sizeof commands[0],
 *                                    .command_count = 1, .options = rows, .option_count = 1,
 *                                    .operands = offsetof(options, operands)};
 *     if (tlm_command_line_parse(&line, argv + 1, &given, &chosen, &error) == TLM_OK) {
 *         status = commands[chosen].run(&given);
 *     }
 *     tlm_command_line_clear(&line, &given);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <tlm/result.h>

/* Words of the command line: the array is ours, the words are argv's. */
typedef struct tlm_words {
    const char **items;
    size_t count;
} tlm_words;

/* The member at `member` is a bool for a switch, a const char * for an option with an argument, and
 * tlm_words for one that may be given again. */
typedef struct tlm_option_row {
    const char *commands; /* names between blanks; NULL: every subcommand */
    const char *flag;     /* without its dashes */
    const char *argument; /* NULL for a switch; ends with "..." where it may be given again */
    size_t member;
    const char *help;
} tlm_option_row;

/* A short form: -o for --out. */
typedef struct tlm_option_letter {
    char letter;
    const char *flag;
} tlm_option_letter;

typedef struct tlm_command_row {
    const char *name;
    const char *operand; /* as the help writes it; NULL: none; with "...": any number */
    const char *summary;
    const char *description; /* further sentences of the help, with line ends */
} tlm_command_row;

typedef struct tlm_command_line {
    const char *program;
    const char *purpose;
    const void *commands; /* structs of command_size bytes that begin with a tlm_command_row */
    size_t command_size;
    size_t command_count;
    const tlm_option_row *options;
    size_t option_count;
    const tlm_option_letter *letters;
    size_t letter_count;
    size_t operands;                  /* offset of the tlm_words for operands */
    void (*print_common)(FILE *file); /* options that are no rows of `options`; may be NULL */
} tlm_command_line;

const tlm_command_row *tlm_command_line_at(const tlm_command_line *line, size_t index);

/* The row of that name, or NULL; *index may be NULL. */
const tlm_command_row *tlm_command_line_find(const tlm_command_line *line, const char *name,
                                             size_t *index);

/*
 * Reads subcommand, operands and options of a NULL-terminated list into a struct of the program's
 * that was zeroed. "--" ends the options; "-" is an operand. TLM_ERR_SETTING names the word, and
 * the hint the nearest one that there is. The struct is to be cleared in every case.
 */
TLM_CHECKED tlm_result tlm_command_line_parse(const tlm_command_line *line, char *const words[],
                                              void *options, size_t *command, tlm_error *error);

/* Frees the arrays of tlm_words. */
void tlm_command_line_clear(const tlm_command_line *line, void *options);

/* TLM_ERR_SETTING for a word that is no subcommand. */
tlm_result tlm_command_line_unknown(const tlm_command_line *line, const char *word,
                                    tlm_error *error);

/* Help of the program (NULL) or of one subcommand. */
void tlm_command_line_print_help(const tlm_command_line *line, const tlm_command_row *command,
                                 FILE *stream);

/* The subcommands' part of the manual page, as mdoc .It items. */
void tlm_command_line_print_mdoc(const tlm_command_line *line, FILE *stream);

/* The options of every subcommand that are rows of the table, as mdoc .It items. */
void tlm_command_line_print_mdoc_common(const tlm_command_line *line, FILE *stream);

#endif
