/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/command_line.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/settings.h>

#include "command_line_internal.h"

#define NAMES_MAX 64U

const tlm_command_row *tlm_command_line_at(const tlm_command_line *line, size_t index)
{
    const char *base = line->commands; /* structs of the program's, which begin with a row */
    const void *row = base + index * line->command_size;
    return row;
}

const tlm_command_row *tlm_command_line_find(const tlm_command_line *line, const char *name,
                                             size_t *index)
{
    for (size_t i = 0; i < line->command_count; i++) {
        const tlm_command_row *row = tlm_command_line_at(line, i);
        if (strcmp(row->name, name) == 0) {
            if (index != NULL) {
                *index = i;
            }
            return row;
        }
    }
    return NULL;
}

bool tlm_option_fits(const tlm_option_row *row, const char *command)
{
    if (row->commands == NULL) {
        return true;
    }
    char name[32];
    int length = snprintf(name, sizeof name, " %s ", command);
    return length > 0 && (size_t)length < sizeof name && strstr(row->commands, name) != NULL;
}

static bool repeats(const char *argument)
{
    return argument != NULL && strstr(argument, "...") != NULL;
}

tlm_result tlm_command_line_unknown(const tlm_command_line *line, const char *word,
                                    tlm_error *error)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (; count < line->command_count && count < NAMES_MAX; count++) {
        names[count] = tlm_command_line_at(line, count)->name;
    }
    (void)tlm_error_set(error, TLM_ERR_SETTING, NULL, "there is no subcommand '%s'", word);
    const char *nearest = tlm_settings_nearest(word, names, count);
    if (nearest != NULL) {
        tlm_error_set_hint(error, "did you mean '%s'? See: %s help", nearest, line->program);
    } else {
        tlm_error_set_hint(error, "see: %s help", line->program);
    }
    return TLM_ERR_SETTING;
}

static tlm_result unknown_option(const tlm_command_line *line, const char *word,
                                 const char *command, tlm_error *error)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < line->option_count && count < NAMES_MAX; i++) {
        if (tlm_option_fits(&line->options[i], command)) {
            names[count++] = line->options[i].flag;
        }
    }
    (void)tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s has no option '%s'", command, word);
    const char *bare = strncmp(word, "--", 2) == 0 ? word + 2 : word;
    const char *nearest = tlm_settings_nearest(bare, names, count);
    if (nearest != NULL) {
        tlm_error_set_hint(error, "did you mean --%s? See: %s help %s", nearest, line->program,
                           command);
    } else {
        tlm_error_set_hint(error, "see: %s help %s", line->program, command);
    }
    return TLM_ERR_SETTING;
}

static const tlm_option_row *find_flag(const tlm_command_line *line, const char *flag,
                                       size_t length, const char *command)
{
    for (size_t i = 0; i < line->option_count; i++) {
        const tlm_option_row *row = &line->options[i];
        if (tlm_option_fits(row, command) && strlen(row->flag) == length &&
            strncmp(row->flag, flag, length) == 0) {
            return row;
        }
    }
    return NULL;
}

/* The row of "--flag", "--flag=value", "-f" or "-fvalue" for the command. */
static const tlm_option_row *find_row(const tlm_command_line *line, const char *word,
                                      const char *command, const char **value)
{
    *value = NULL;
    if (strncmp(word, "--", 2) == 0) {
        size_t length = strcspn(word + 2, "=");
        *value = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
        return find_flag(line, word + 2, length, command);
    }
    for (size_t i = 0; i < line->letter_count && word[0] == '-' && word[1] != '\0'; i++) {
        if (line->letters[i].letter == word[1]) {
            const char *flag = line->letters[i].flag;
            *value = word[2] != '\0' ? word + 2 : NULL;
            return find_flag(line, flag, strlen(flag), command);
        }
    }
    return NULL;
}

static tlm_result add_word(tlm_words *words, const char *word, tlm_error *error)
{
    /* The room doubles whenever the count is a power of two. */
    if ((words->count & (words->count - 1)) == 0) {
        size_t room = words->count == 0 ? 1 : 2 * words->count;
        const char **grown = realloc(words->items, room * sizeof *grown);
        if (grown == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the command line");
        }
        words->items = grown;
    }
    words->items[words->count++] = word;
    return TLM_OK;
}

static tlm_result store(const tlm_option_row *row, const char *value, void *options,
                        tlm_error *error)
{
    char *member = (char *)options + row->member; /* the table names members by their offset */
    if (row->argument == NULL) {
        bool on = true;
        memcpy(member, &on, sizeof on);
        return TLM_OK;
    }
    if (!repeats(row->argument)) {
        memcpy(member, &value, sizeof value);
        return TLM_OK;
    }
    tlm_words words;
    memcpy(&words, member, sizeof words);
    tlm_result result = add_word(&words, value, error);
    memcpy(member, &words, sizeof words);
    return result;
}

static tlm_result parse_option(const tlm_command_line *line, const char *command,
                               char *const **words, void *options, tlm_error *error)
{
    const char *value = NULL;
    const tlm_option_row *row = find_row(line, **words, command, &value);
    if (row == NULL) {
        return unknown_option(line, **words, command, error);
    }
    if (row->argument == NULL && value != NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--%s takes no value, got '%s'",
                             row->flag, value);
    }
    if (row->argument != NULL && value == NULL) {
        (*words)++;
        value = **words;
    }
    if (row->argument != NULL && (value == NULL || value[0] == '\0')) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--%s needs a value: %s", row->flag,
                             row->argument);
    }
    return store(row, value, options, error);
}

static bool is_operand(const char *word)
{
    return word[0] != '-' || word[1] == '\0';
}

static tlm_result too_many(const tlm_command_line *line, const tlm_command_row *command,
                           const char *word, tlm_error *error)
{
    (void)tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s takes one %s, and '%s' is one more",
                        command->name, command->operand, word);
    tlm_error_set_hint(error, "see: %s help %s", line->program, command->name);
    return TLM_ERR_SETTING;
}

static tlm_result parse_words(const tlm_command_line *line, const tlm_command_row *command,
                              char *const words[], void *options, tlm_error *error)
{
    const tlm_option_row operands = {NULL, "", "...", line->operands, ""};
    size_t room = command->operand == NULL ? 0 : repeats(command->operand) ? SIZE_MAX : 1;
    bool only_operands = false;
    for (char *const *word = words; *word != NULL; word++) {
        if (!only_operands && strcmp(*word, "--") == 0) {
            only_operands = true;
            continue;
        }
        tlm_result result = TLM_OK;
        bool operand = command->operand != NULL && (only_operands || is_operand(*word));
        if (operand && room > 0) {
            room--;
            result = store(&operands, *word, options, error);
        } else if (operand) {
            result = too_many(line, command, *word, error);
        } else if (only_operands) {
            result = unknown_option(line, *word, command->name, error);
        } else {
            result = parse_option(line, command->name, &word, options, error);
        }
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

tlm_result tlm_command_line_parse(const tlm_command_line *line, char *const words[], void *options,
                                  size_t *command, tlm_error *error)
{
    if (words[0] == NULL) {
        tlm_result result = tlm_error_set(error, TLM_ERR_SETTING, NULL, "a subcommand is missing");
        tlm_error_set_hint(error, "see: %s help", line->program);
        return result;
    }
    const tlm_command_row *row = tlm_command_line_find(line, words[0], command);
    if (row == NULL) {
        return tlm_command_line_unknown(line, words[0], error);
    }
    return parse_words(line, row, words + 1, options, error);
}

void tlm_command_line_clear(const tlm_command_line *line, void *options)
{
    tlm_words *words = (void *)((char *)options + line->operands);
    free(words->items);
    *words = (tlm_words){.count = 0};
    for (size_t i = 0; i < line->option_count; i++) {
        if (repeats(line->options[i].argument)) {
            words = (void *)((char *)options + line->options[i].member);
            free(words->items);
            *words = (tlm_words){.count = 0};
        }
    }
}
