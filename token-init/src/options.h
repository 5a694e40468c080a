/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_OPTIONS_H
#define TLM_OPTIONS_H

/*
 * Subcommands and their own options, each a row of a table with its help text. Settings that both
 * programs share are not here: they come from tlm/settings_table.h.
 *
 *     tlm_options options;
 *     if (tlm_options_parse(argv + first, &options, &error) != TLM_OK) { … }
 *     return options.command->run(&settings, &options);
 */

#include <stdbool.h>
#include <stdio.h>

#include <tlm/result.h>
#include <tlm/settings.h>

struct tlm_command;

#define TLM_OPTION_REPEATS 16U

/* The values of an option that may be given more than once. */
typedef struct tlm_option_list {
    const char *items[TLM_OPTION_REPEATS];
    size_t count;
} tlm_option_list;

typedef struct tlm_options {
    const struct tlm_command *command;
    const char *word; /* the operand, of subcommands that take one */
    const char *backend;
    const char *rsa_bits;
    const char *owner_auth_file;
    const char *recovery_key;
    const char *yes_destroy;
    const char *yes_forget;
    const char *key;
    const char *subject;
    const char *san;
    const char *out;
    const char *nonce;
    const char *challenge;
    const char *endorsement_auth_file;
    const char *ek_public;
    const char *expect_fingerprint;
    const char *make_challenge;
    const char *secret_file;
    const char *answer;
    tlm_option_list ca;
    bool replace;
    bool json;
} tlm_options;

typedef struct tlm_command {
    const char *name;
    const char *operand; /* how the help writes it; NULL where there is none */
    const char *summary;
    const char *description; /* further sentences of the help */
    int (*run)(const tlm_settings *settings, const tlm_options *options);
} tlm_command;

/* The table of subcommands, in commands.c; ends with a row without name. */
extern const tlm_command tlm_commands[];

/* Reads subcommand and options of a NULL-terminated list; an unknown one is TLM_ERR_SETTING. */
TLM_CHECKED tlm_result tlm_options_parse(char *const words[], tlm_options *options,
                                         tlm_error *error);

/* Help of the program, or of one subcommand. */
void tlm_options_print_help(const tlm_command *command, FILE *stream);

/* The subcommands' part of the manual page, as mdoc. */
void tlm_options_print_mdoc(FILE *stream);

/* The subcommand of that name, or NULL. */
const tlm_command *tlm_command_find(const char *name);

#endif
