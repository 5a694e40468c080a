/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SETTINGS_INTERNAL_H
#define TLM_SETTINGS_INTERNAL_H

/*
 * The rows of settings_table.h as data, and the three places values come from: environment and
 * precedence in settings.c, the file in settings_file.c, flags in settings_command.c.
 *
 *     const tlm_setting_row *row = &tlm_setting_rows[TLM_SETTING_rest_port];
 *     tlm_setting_source source = {TLM_ORIGIN_COMMAND_LINE, row->flag, row->flag};
 *     result = tlm_settings_store(settings, row, "52014", &source, error);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/settings.h>

typedef enum tlm_setting_type {
    TLM_TYPE_text,
    TLM_TYPE_switch,
    TLM_TYPE_number,
    TLM_TYPE_level,
    TLM_TYPE_format,
    TLM_TYPE_list,
    TLM_TYPE_word
} tlm_setting_type;

typedef struct tlm_setting_row {
    const char *member;
    const char *key;         /* "TPM.Tcti", or "" */
    const char *environment; /* names separated by blanks */
    const char *flag;        /* with its dashes: "--tcti" */
    const char *argument;    /* "" for a switch; the words of a word, "strict|warn|stop" */
    const char *initial;
    const char *help;
    size_t offset; /* of the member in tlm_settings */
    tlm_setting_type type;
    unsigned minimum;
    unsigned maximum;
    unsigned programs;
} tlm_setting_row;

/* In the order of the table, indexed by TLM_SETTING_<member>. */
extern const tlm_setting_row tlm_setting_rows[TLM_SETTING_COUNT];

/* The root of the file, above every key of the table. */
#define TLM_SETTINGS_ROOT "TrustedLicensing"
#define TLM_SETTINGS_FILE_MAX ((size_t)256 * 1024)
#define TLM_SETTINGS_TEXT_MAX 4096U
/* Environment names of one row, and their length. */
#define TLM_SETTINGS_NAMES_MAX 4U
#define TLM_SETTINGS_NAME_SIZE 32U
/* Words of one row, and all of them with the bars between. */
#define TLM_SETTINGS_WORDS_MAX 8U
#define TLM_SETTINGS_WORDS_SIZE 96U

typedef struct tlm_setting_source {
    tlm_setting_origin origin;
    const char *name;  /* what settings->origin_name gets: a text that is never freed */
    const char *place; /* the same for messages: "--tcti", "TrustedLicensing.TPM.Tcti in /…" */
} tlm_setting_source;

static inline size_t tlm_settings_row_index(const tlm_setting_row *row)
{
    return (size_t)(row - tlm_setting_rows);
}

/* Converts `text` to the row's type and stores it; the caller says where it comes from. */
TLM_CHECKED tlm_result tlm_settings_store(tlm_settings *settings, const tlm_setting_row *row,
                                          const char *text, const tlm_setting_source *source,
                                          tlm_error *error);

/* The effective value as it would stand in the environment. */
void tlm_settings_value_text(const tlm_settings *settings, const tlm_setting_row *row, char *buffer,
                             size_t size);

/* Environment name `index` of a row, a text that is never freed; NULL behind the last one. */
const char *tlm_settings_environment_name(const tlm_setting_row *row, size_t index);

/*
 * Reads a configuration file's content (JSON, RFC 8259) into `settings`. `path` is for messages.
 * The fuzz target's way in.
 */
TLM_CHECKED tlm_result tlm_settings_parse(const char *data, size_t size, const char *path,
                                          tlm_settings *settings, tlm_error *error);

/* What the command line says: the value of each flag that was given, by row; the rest in argv. */
typedef struct tlm_settings_command {
    const char *values[TLM_SETTING_COUNT];
    tlm_settings_outcome outcome;
} tlm_settings_command;

TLM_CHECKED tlm_result tlm_settings_parse_command(tlm_program program, int argc, char **argv,
                                                  tlm_settings_command *command, tlm_error *error);

#endif
