/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SETTINGS_H
#define TLM_SETTINGS_H

/*
 * Settings of all programs, from one table (settings_table.h): struct member, default, key in the
 * configuration file, environment names, command line flag and help text. The parser, --help, the
 * manual pages and --check-config are made from it.
 *
 * Command line over environment over file over default. An unknown key, flag or value is
 * TLM_ERR_SETTING; the message names it, where it stands, and the nearest valid one.
 *
 *     tlm_settings settings;
 *     tlm_settings_outcome outcome;
 *     if (tlm_settings_load(TLM_PROGRAM_DAEMON, argc, argv, &settings, &outcome, &error) != TLM_OK)
 * { fprintf(stderr, "%s: %s\n%s\n", argv[0], error.message, error.hint); return 2;
 *     }
 *     …
 *     tlm_settings_clear(&settings);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <tlm/log.h>
#include <tlm/result.h>

/* Programs a setting applies to; a row of the table holds the union. */
typedef enum tlm_program {
    TLM_PROGRAM_DAEMON = 1, /* TLLicenseManager */
    TLM_PROGRAM_TOKEN = 2,  /* tlm-token-init */
    TLM_PROGRAM_TOKEND = 4  /* tlm-tokend */
} tlm_program;

/* Where a value came from, for --check-config and for messages. */
typedef enum tlm_setting_origin {
    TLM_ORIGIN_DEFAULT = 0,
    TLM_ORIGIN_FILE,
    TLM_ORIGIN_ENVIRONMENT,
    TLM_ORIGIN_COMMAND_LINE
} tlm_setting_origin;

/* What the program was asked to do instead of, or before, its work. */
typedef enum tlm_settings_action {
    TLM_ACTION_RUN = 0,
    TLM_ACTION_HELP,
    TLM_ACTION_VERSION,
    TLM_ACTION_CHECK_CONFIG
} tlm_settings_action;

#include <tlm/settings_table.h>

typedef char *tlm_setting_text;
typedef bool tlm_setting_switch;
typedef unsigned tlm_setting_number;
typedef tlm_log_level tlm_setting_level;
typedef tlm_log_format tlm_setting_format;
/* A list of texts: a JSON array in the file, separated by commas elsewhere. Kept comma-separated.
 */
typedef char *tlm_setting_list;
/* One of the words in the row's argument column, in the spelling that stands there. */
typedef char *tlm_setting_word;

typedef struct tlm_settings {
#define TLM_SETTING_MEMBER(member, type, ...) tlm_setting_##type member;
    TLM_SETTINGS(TLM_SETTING_MEMBER)
#undef TLM_SETTING_MEMBER
    tlm_setting_origin origin[TLM_SETTING_COUNT]; /* by TLM_SETTING_<member> */
    const char *origin_name[TLM_SETTING_COUNT];   /* "--tcti", "TLM_TCTI", "TPM.Tcti", "default" */
} tlm_settings;

typedef struct tlm_settings_outcome {
    tlm_settings_action action;
    int first_argument; /* index in argv of the first word that is not a setting's flag */
} tlm_settings_outcome;

/*
 * Fills `settings` (clear it with tlm_settings_clear, also after an error); texts are never NULL
 * then. The configuration file is the one named by --config or TLM_CONFIG (it must exist), else
 * TLLicenseManager.json in the configuration directory, where none is no error; settings->config is
 * the file that was read, or "". A file is at most 256 KiB. An empty environment value counts as
 * unset; names of other programs' settings are left alone, and an unknown TLM_ name is a warning in
 * the log. A flag that is given twice counts as given last. With --help and --version only the
 * defaults are filled in.
 *
 * The servers take no other words. For TLM_PROGRAM_TOKEN parsing of flags goes on behind the
 * subcommand; flags that are not in the table are left to the subcommand through `argv`, which is
 * reordered: settings' flags are taken out, the rest stays in order from outcome->first_argument
 * on, and argv ends there with NULL. "--" and what follows is not looked at.
 */
TLM_CHECKED tlm_result tlm_settings_load(tlm_program program, int argc, char **argv,
                                         tlm_settings *settings, tlm_settings_outcome *outcome,
                                         tlm_error *error);

void tlm_settings_clear(tlm_settings *settings);

/* The options part of --help, 80 columns, in the order of the table. */
void tlm_settings_print_help(tlm_program program, FILE *stream);

/* Every effective value with its origin, one a line, as --check-config shows it. */
void tlm_settings_print(tlm_program program, const tlm_settings *settings, FILE *stream);

/* Manual pages: the options (mdoc .It items) and the file keys with their environment names. */
void tlm_settings_print_mdoc_options(tlm_program program, FILE *stream);
void tlm_settings_print_mdoc_keys(FILE *stream);

/*
 * The candidate nearest to `word`: edit distance with swapped neighbors, case ignored, at most a
 * third of the letters wrong. NULL when none is near. Words over 64 bytes are near to nothing.
 */
const char *tlm_settings_nearest(const char *word, const char *const candidates[], size_t count);

/* Makes the error's hint name the candidate nearest to a wrong `word`, or all that there are. */
void tlm_settings_suggest(const char *word, const char *const candidates[], size_t count,
                          tlm_error *error);

#endif
