/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include "tool.h"

#define NAME_SIZE 256U
#define DEPTH_MAX 8U

/* A value in one cell, new; what the daemon says must not steer a terminal. */
static char *cell(const json_t *value)
{
    char *text = NULL;
    if (value == NULL || json_is_null(value)) {
        text = strdup("-");
    } else if (json_is_string(value)) {
        text = strdup(json_string_value(value));
    } else if (json_is_boolean(value)) {
        text = strdup(json_is_true(value) ? "yes" : "no");
    } else {
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    }
    for (char *at = text; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = *at == '\n' ? ' ' : '?';
        }
    }
    return text;
}

static bool add_cell(struct libscols_line *line, size_t column, const json_t *value)
{
    char *text = cell(value);
    bool added = text != NULL && scols_line_set_data(line, column, text) == 0;
    free(text);
    return added;
}

static struct libscols_table *new_table(void)
{
    struct libscols_table *table = scols_new_table();
    if (table != NULL) {
        /* Where nobody looks a whole value is worth more than the width of a screen. */
        (void)scols_table_enable_nowrap(table, 0);
    }
    return table;
}

static int show(struct libscols_table *table, bool good)
{
    bool printed = good && scols_print_table(table) == 0 && ferror(stdout) == 0;
    scols_unref_table(table);
    return good ? tlm_tool_written(printed) : tlm_tool_out_of_memory();
}

int tlm_tool_print_table(const json_t *rows, const tlm_tool_column columns[])
{
    struct libscols_table *table = new_table();
    bool good = table != NULL;
    size_t index = 0;
    json_t *row = NULL;
    for (size_t i = 0; good && columns[i].title != NULL; i++) {
        good = scols_table_new_column(table, columns[i].title, 0,
                                      columns[i].right ? SCOLS_FL_RIGHT : 0) != NULL;
    }
    json_array_foreach(rows, index, row)
    {
        struct libscols_line *line = good ? scols_table_new_line(table, NULL) : NULL;
        good = line != NULL;
        for (size_t i = 0; good && columns[i].title != NULL; i++) {
            good = add_cell(line, i, json_object_get(row, columns[i].member));
        }
    }
    return show(table, good);
}

/* One line for a name and its value. */
static bool add_pair(struct libscols_table *table, const char *name, const json_t *value)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    return line != NULL && scols_line_set_data(line, 0, name) == 0 && add_cell(line, 1, value);
}

/* Objects within objects, to a depth that answers have: a list of what is to be looked at next
 * stands in for recursion. */
static bool add_members(struct libscols_table *table, const json_t *object)
{
    struct {
        void *at;
        json_t *object;
        size_t length; /* of the name so far */
    } levels[DEPTH_MAX];
    char name[NAME_SIZE] = "";
    size_t depth = 0;
    json_t *whole = json_deep_copy(object);
    bool good = whole != NULL;
    levels[0].object = whole;
    levels[0].at = json_object_iter(whole);
    levels[0].length = 0;
    while (good) {
        if (levels[depth].at == NULL) {
            if (depth == 0) {
                break;
            }
            depth--;
            levels[depth].at = json_object_iter_next(levels[depth].object, levels[depth].at);
            continue;
        }
        json_t *value = json_object_iter_value(levels[depth].at);
        size_t length = levels[depth].length;
        (void)snprintf(name + length, sizeof name - length, "%s%s", length > 0 ? "." : "",
                       json_object_iter_key(levels[depth].at));
        if (json_is_object(value) && json_object_size(value) > 0 && depth + 1 < DEPTH_MAX) {
            depth++;
            levels[depth].object = value;
            levels[depth].at = json_object_iter(value);
            levels[depth].length = strlen(name);
            continue;
        }
        good = add_pair(table, name, value);
        levels[depth].at = json_object_iter_next(levels[depth].object, levels[depth].at);
    }
    json_decref(whole);
    return good;
}

int tlm_tool_print_object(const tlm_tool_options *options, const json_t *object)
{
    if (options->json) {
        return tlm_tool_print_json(object);
    }
    struct libscols_table *table = new_table();
    bool good = table != NULL && scols_table_new_column(table, "NAME", 0, 0) != NULL &&
                scols_table_new_column(table, "VALUE", 0, 0) != NULL &&
                scols_table_enable_noheadings(table, 1) == 0;
    return show(table, good && add_members(table, object));
}
