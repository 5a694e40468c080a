/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_internal.h"

#include <string.h>

static const struct {
    const char *name;
    const char *letter;
    tlm_settings_action action;
} actions[] = {
    {"--help", "-h", TLM_ACTION_HELP},
    {"--version", "-V", TLM_ACTION_VERSION},
    {"--check-config", "", TLM_ACTION_CHECK_CONFIG},
};
#define ACTION_COUNT (sizeof actions / sizeof actions[0])

/* The row of a flag, `word` being "--flag" or "--flag=value" with `length` up to the sign. */
static const tlm_setting_row *row_of(tlm_program program, const char *word, size_t length)
{
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        bool ours = (row->programs & (unsigned)program) != 0;
        if (ours && strlen(row->flag) == length && memcmp(row->flag, word, length) == 0) {
            return row;
        }
    }
    return NULL;
}

static bool find_action(const char *word, tlm_settings_action *action)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (strcmp(word, actions[i].name) == 0 || strcmp(word, actions[i].letter) == 0) {
            *action = actions[i].action;
            return true;
        }
    }
    return false;
}

static tlm_result unknown_flag(tlm_program program, const char *word, size_t length,
                               tlm_error *error)
{
    const char *flags[TLM_SETTING_COUNT + ACTION_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        if ((tlm_setting_rows[i].programs & (unsigned)program) != 0) {
            flags[count++] = tlm_setting_rows[i].flag;
        }
    }
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        flags[count++] = actions[i].name;
    }
    char name[80];
    size_t shown = length < sizeof name ? length : sizeof name - 1;
    memcpy(name, word, shown);
    name[shown] = '\0';
    char quoted[128];
    tlm_result result =
        tlm_error_set(error, TLM_ERR_SETTING, "--help lists the flags", "unknown flag %s",
                      tlm_log_quote(name, quoted, sizeof quoted));
    const char *nearest = tlm_settings_nearest(name, flags, count);
    if (nearest != NULL) {
        tlm_error_set_hint(error, "did you mean %s? --help lists the flags", nearest);
    }
    return result;
}

/* Takes the value of a flag from behind "=" or from the next word. */
static tlm_result take_value(const tlm_setting_row *row, const char *sign, char **argv, int *index,
                             const char **value, tlm_error *error)
{
    if (row->type == TLM_TYPE_switch) {
        if (sign != NULL) {
            return tlm_error_set(error, TLM_ERR_SETTING, "leave out \"=\" and what follows",
                                 "%s takes no value", row->flag);
        }
        /* A "no-" flag turns off what is on by default. */
        *value = strncmp(row->flag, "--no-", 5) == 0 ? "false" : "true";
        return TLM_OK;
    }
    const char *next = sign != NULL ? sign + 1 : argv[*index + 1];
    /* What looks like a flag is one: "--config --no-tpm" is a forgotten file name. */
    if (next == NULL || next[0] == '\0' || (sign == NULL && strncmp(next, "--", 2) == 0)) {
        tlm_result result = tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s needs a value: %s %s",
                                          row->flag, row->flag, row->argument);
        tlm_error_set_hint(error, "%s %s: %s", row->flag, row->argument, row->help);
        return result;
    }
    if (sign == NULL) {
        (*index)++;
    }
    *value = next;
    return TLM_OK;
}

static tlm_result refuse_word(tlm_program program, const char *word, size_t length,
                              tlm_error *error)
{
    if (word[0] == '-' && word[1] != '\0') {
        return unknown_flag(program, word, length, error);
    }
    char quoted[128];
    return tlm_error_set(error, TLM_ERR_SETTING, "settings are given as --flag value; see --help",
                         "unexpected argument %s", tlm_log_quote(word, quoted, sizeof quoted));
}

tlm_result tlm_settings_parse_command(tlm_program program, int argc, char **argv,
                                      tlm_settings_command *command, tlm_error *error)
{
    /* The servers take no words: there argv stays as it is, and its end is what is left. */
    bool reorders = program == TLM_PROGRAM_TOKEN && argc > 0;
    *command = (tlm_settings_command){.outcome = {.first_argument = reorders ? 1 : argc}};
    int kept = 1;
    int index = 1;
    for (; index < argc; index++) {
        char *word = argv[index];
        tlm_settings_action action = TLM_ACTION_RUN;
        if (find_action(word, &action)) {
            command->outcome.action = action;
            if (action != TLM_ACTION_CHECK_CONFIG) {
                index++;
                break; /* help is given whatever stands behind */
            }
            continue;
        }
        if (program == TLM_PROGRAM_TOKEN && strcmp(word, "--") == 0) {
            break;
        }
        const char *sign = strchr(word, '=');
        size_t length = sign != NULL ? (size_t)(sign - word) : strlen(word);
        const tlm_setting_row *row = row_of(program, word, length);
        tlm_result result = TLM_OK;
        if (row != NULL) {
            const char **value = &command->values[tlm_settings_row_index(row)];
            result = take_value(row, sign, argv, &index, value, error);
        } else if (program == TLM_PROGRAM_TOKEN) {
            argv[kept++] = word;
        } else {
            result = refuse_word(program, word, length, error);
        }
        if (result != TLM_OK) {
            return result;
        }
    }
    if (reorders) {
        while (index < argc) {
            argv[kept++] = argv[index++];
        }
        argv[kept] = NULL;
    }
    return TLM_OK;
}
