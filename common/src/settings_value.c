/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64U

const tlm_setting_row tlm_setting_rows[TLM_SETTING_COUNT] = {
#define TLM_SETTING_ROW(member, type, key, environment, flag, argument, initial, minimum, maximum, \
                        programs, help)                                                            \
    {#member,         key,     environment, "--" flag,                                             \
     argument,        initial, help,        offsetof(tlm_settings, member),                        \
     TLM_TYPE_##type, minimum, maximum,     programs},
    TLM_SETTINGS(TLM_SETTING_ROW)
#undef TLM_SETTING_ROW
};

/* The table's blank-separated names as texts of their own, for tlm_settings.origin_name. */
static char names[TLM_SETTING_COUNT][TLM_SETTINGS_NAMES_MAX][TLM_SETTINGS_NAME_SIZE];
static pthread_once_t names_once = PTHREAD_ONCE_INIT;

static void split_names(void)
{
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const char *next = tlm_setting_rows[i].environment;
        for (size_t n = 0; n < TLM_SETTINGS_NAMES_MAX && *next != '\0'; n++) {
            size_t length = strcspn(next, " ");
            (void)snprintf(names[i][n], TLM_SETTINGS_NAME_SIZE, "%.*s", (int)length, next);
            next += length + strspn(next + length, " ");
        }
    }
}

const char *tlm_settings_environment_name(const tlm_setting_row *row, size_t index)
{
    (void)pthread_once(&names_once, split_names);
    if (index >= TLM_SETTINGS_NAMES_MAX) {
        return NULL;
    }
    const char *name = names[tlm_settings_row_index(row)][index];
    return name[0] != '\0' ? name : NULL;
}

/* The member of a row. Its type is the row's type: both come from the same line of the table. */
static void *member_of(tlm_settings *settings, const tlm_setting_row *row)
{
    return (char *)settings + row->offset;
}

static const void *value_of(const tlm_settings *settings, const tlm_setting_row *row)
{
    return (const char *)settings + row->offset;
}

static tlm_result wrong(const tlm_setting_row *row, const char *text, const char *place,
                        const char *expected, tlm_error *error)
{
    char quoted[128];
    return tlm_error_set(error, TLM_ERR_SETTING, row->help, "%s: %s is not %s", place,
                         tlm_log_quote(text, quoted, sizeof quoted), expected);
}

static tlm_result store_text(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                             const char *place, tlm_error *error)
{
    size_t most = row->maximum > 0 ? row->maximum : TLM_SETTINGS_TEXT_MAX;
    if (strlen(text) > most) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "a text of at most %zu bytes", most);
        return wrong(row, text, place, expected, error);
    }
    if (strlen(text) < row->minimum) {
        return wrong(row, text, place, "a text with something in it", error);
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return wrong(row, text, place, "a text without control characters", error);
        }
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the value of %s", place);
    }
    char **member = member_of(settings, row);
    free(*member);
    *member = copy;
    return TLM_OK;
}

static tlm_result store_list(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                             const char *place, tlm_error *error)
{
    size_t length = strlen(text);
    if (length == 0 || text[0] == ',' || text[length - 1] == ',' || strstr(text, ",,") != NULL) {
        return wrong(row, text, place, "a comma-separated list without empty entries", error);
    }
    return store_text(settings, row, text, place, error);
}

/* Decimal digits alone: strtoul takes blanks, signs and what overflows after the last digit. */
static bool parse_number(const char *text, unsigned maximum, unsigned *number)
{
    size_t length = strlen(text);
    if (length == 0 || length > 10 || strspn(text, "0123456789") != length) {
        return false;
    }
    unsigned long value = strtoul(text, NULL, 10);
    if (value > maximum) {
        return false;
    }
    *number = (unsigned)value;
    return true;
}

static tlm_result store_number(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                               const char *place, tlm_error *error)
{
    unsigned number = 0;
    if (!parse_number(text, row->maximum, &number) || number < row->minimum) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "a number from %u to %u", row->minimum,
                       row->maximum);
        return wrong(row, text, place, expected, error);
    }
    *(unsigned *)member_of(settings, row) = number;
    return TLM_OK;
}

static tlm_result store_switch(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                               const char *place, tlm_error *error)
{
    static const struct {
        const char *word;
        bool on;
    } words[] = {{"true", true}, {"false", false}, {"1", true},  {"0", false},
                 {"yes", true},  {"no", false},    {"on", true}, {"off", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *(bool *)member_of(settings, row) = words[i].on;
            return TLM_OK;
        }
    }
    tlm_result result = wrong(row, text, place, "true or false", error);
    tlm_error_set_hint(error, "use true or false (or 1, 0, yes, no, on, off), or leave it unset");
    return result;
}

static tlm_result store_level(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                              const char *place, tlm_error *error)
{
    tlm_log_level level = TLM_LOG_INFO;
    if (tlm_log_level_from_name(text, &level)) {
        *(tlm_log_level *)member_of(settings, row) = level;
        return TLM_OK;
    }
    const char *levels[TLM_LOG_LEVEL_COUNT + 1];
    levels[TLM_LOG_LEVEL_COUNT] = "warn";
    for (int i = 0; i < TLM_LOG_LEVEL_COUNT; i++) {
        levels[i] = tlm_log_level_name((tlm_log_level)i);
    }
    const char *near = tlm_settings_nearest(text, levels, TLM_LOG_LEVEL_COUNT + 1);
    tlm_result result =
        wrong(row, text, place, "a log level (trace, debug, info, warning, error or fatal)", error);
    tlm_error_set_hint(error, near != NULL ? "did you mean %s?" : "for example %s",
                       near != NULL ? near : "info");
    return result;
}

static tlm_result store_format(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                               const char *place, tlm_error *error)
{
    tlm_log_format *member = member_of(settings, row);
    if (strcasecmp(text, "text") == 0) {
        *member = TLM_LOG_TEXT;
        return TLM_OK;
    }
    if (strcasecmp(text, "json") == 0) {
        *member = TLM_LOG_JSON;
        return TLM_OK;
    }
    return wrong(row, text, place, "text or json", error);
}

static tlm_result refuse_word(const tlm_setting_row *row, const char *text, const char *place,
                              const char *const words[], size_t count, tlm_error *error)
{
    char expected[TLM_SETTINGS_WORDS_SIZE + 16];
    (void)snprintf(expected, sizeof expected, "one of %s", row->argument);
    const char *near = tlm_settings_nearest(text, words, count);
    tlm_result result = wrong(row, text, place, expected, error);
    if (near != NULL) {
        tlm_error_set_hint(error, "did you mean %s?", near);
    }
    return result;
}

static tlm_result store_word(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                             const char *place, tlm_error *error)
{
    char list[TLM_SETTINGS_WORDS_SIZE];
    const char *words[TLM_SETTINGS_WORDS_MAX];
    size_t count = 0;
    char *rest = NULL;
    (void)snprintf(list, sizeof list, "%s", row->argument);
    for (char *word = strtok_r(list, "|", &rest); word != NULL && count < TLM_SETTINGS_WORDS_MAX;
         word = strtok_r(NULL, "|", &rest)) {
        if (strcasecmp(text, word) == 0) {
            return store_text(settings, row, word, place, error);
        }
        words[count++] = word;
    }
    return refuse_word(row, text, place, words, count, error);
}

tlm_result tlm_settings_store(tlm_settings *settings, const tlm_setting_row *row, const char *text,
                              const tlm_setting_source *source, tlm_error *error)
{
    static tlm_result (*const stores[])(tlm_settings *, const tlm_setting_row *, const char *,
                                        const char *, tlm_error *) = {
        [TLM_TYPE_text] = store_text,     [TLM_TYPE_switch] = store_switch,
        [TLM_TYPE_number] = store_number, [TLM_TYPE_level] = store_level,
        [TLM_TYPE_format] = store_format, [TLM_TYPE_list] = store_list,
        [TLM_TYPE_word] = store_word,
    };
    tlm_result result = stores[row->type](settings, row, text, source->place, error);
    if (result == TLM_OK) {
        settings->origin[tlm_settings_row_index(row)] = source->origin;
        settings->origin_name[tlm_settings_row_index(row)] = source->name;
    }
    return result;
}

void tlm_settings_value_text(const tlm_settings *settings, const tlm_setting_row *row, char *buffer,
                             size_t size)
{
    const void *value = value_of(settings, row);
    switch (row->type) {
    case TLM_TYPE_text:
    case TLM_TYPE_list:
    case TLM_TYPE_word:
        (void)snprintf(buffer, size, "%s", *(char *const *)value);
        break;
    case TLM_TYPE_switch:
        (void)snprintf(buffer, size, "%s", *(const bool *)value ? "true" : "false");
        break;
    case TLM_TYPE_number:
        (void)snprintf(buffer, size, "%u", *(const unsigned *)value);
        break;
    case TLM_TYPE_level:
        (void)snprintf(buffer, size, "%s", tlm_log_level_name(*(const tlm_log_level *)value));
        break;
    case TLM_TYPE_format:
        (void)snprintf(buffer, size, "%s",
                       *(const tlm_log_format *)value == TLM_LOG_JSON ? "json" : "text");
        break;
    }
}

void tlm_settings_clear(tlm_settings *settings)
{
    if (settings == NULL) {
        return;
    }
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        bool owned =
            row->type == TLM_TYPE_text || row->type == TLM_TYPE_list || row->type == TLM_TYPE_word;
        if (owned) {
            free(*(char **)member_of(settings, row));
        }
    }
    *settings = (tlm_settings){0};
}

static unsigned char lower(char letter)
{
    return (unsigned char)(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
}

static size_t least(size_t left, size_t right)
{
    return left < right ? left : right;
}

/*
 * Edit distance with swapped neighbors as one step (optimal string alignment), case ignored, on
 * three rows of the matrix. Both words are at most WORD_MAX long.
 */
static size_t distance(const char *left, const char *right)
{
    size_t rows[3][WORD_MAX + 1];
    size_t width = strlen(right);
    for (size_t j = 0; j <= width; j++) {
        rows[0][j] = j;
    }
    size_t height = strlen(left);
    for (size_t i = 1; i <= height; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];
        const size_t *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t cost = lower(left[i - 1]) == lower(right[j - 1]) ? 0 : 1;
            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + cost);
            bool swapped = i > 1 && j > 1 && lower(left[i - 1]) == lower(right[j - 2]) &&
                           lower(left[i - 2]) == lower(right[j - 1]);
            if (swapped) {
                now[j] = least(now[j], earlier[j - 2] + 1);
            }
        }
    }
    return rows[height % 3][width];
}

const char *tlm_settings_nearest(const char *word, const char *const candidates[], size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > WORD_MAX) {
        return NULL;
    }
    /* A third of the word may be wrong, but one letter always. */
    size_t limit = length < 6 ? 1 : length / 3;
    size_t best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (candidates[i][0] == '\0' || strlen(candidates[i]) > WORD_MAX) {
            continue;
        }
        size_t far = distance(word, candidates[i]);
        if (far < best) {
            best = far;
            nearest = candidates[i];
        }
    }
    return nearest;
}

void tlm_settings_suggest(const char *word, const char *const candidates[], size_t count,
                          tlm_error *error)
{
    const char *nearest = tlm_settings_nearest(word, candidates, count);
    if (nearest != NULL) {
        tlm_error_set_hint(error, "did you mean \"%s\"?", nearest);
        return;
    }
    char list[256];
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < count && used < sizeof list; i++) {
        int done =
            snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", candidates[i]);
        used += done > 0 ? (size_t)done : 0;
    }
    tlm_error_set_hint(error, "known there: %s", list);
}
