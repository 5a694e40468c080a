/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_OPTIONS_H
#define TLM_OPTIONS_H

/*
 * Subcommands and their own options, each a row of a table with its help text. Settings that both
 * programs share are not here: they come from tlm/settings_table.h.
 *
 *     tlm_options options = {0};
 *     size_t chosen = 0;
 *     if (tlm_command_line_parse(tlm_options_line(), words, &options, &chosen, &error) == TLM_OK) {
 *         status = tlm_commands[chosen].run(&settings, &options);
 *     }
 *     tlm_command_line_clear(tlm_options_line(), &options);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/command_line.h>
#include <tlm/result.h>
#include <tlm/settings.h>

typedef struct tlm_options {
    tlm_words operands; /* of subcommands that take one */
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
    tlm_words ca;
    bool replace;
    bool json;
} tlm_options;

typedef struct tlm_command {
    tlm_command_row row;
    int (*run)(const tlm_settings *settings, const tlm_options *options);
} tlm_command;

/* The table of subcommands, in commands.c. */
extern const tlm_command tlm_commands[];
extern const size_t tlm_command_count;

/* The tables of the program's command line. */
const tlm_command_line *tlm_options_line(void);

/* The operand, or NULL. */
static inline const char *tlm_options_word(const tlm_options *options)
{
    return options->operands.count > 0 ? options->operands.items[0] : NULL;
}

#endif
