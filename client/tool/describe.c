/* SPDX-License-Identifier: BSD-2-Clause */
/* Help, manual page and shell completion, from the tables. */
#include <stdio.h>
#include <string.h>

#include "options_private.h"
#include "tool.h"

#define HELP_COLUMN 26
#define HELP_WIDTH 80

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

static bool is_common(const tlm_tool_row *row)
{
    return strcmp(row->commands, TLM_TOOL_ANY) == 0;
}

static void print_rows(const char *command, bool common, const char *title, FILE *stream)
{
    for (const tlm_tool_row *row = tlm_tool_rows; row->flag != NULL; row++) {
        if (is_common(row) != common || (!common && !tlm_tool_row_fits(row, command))) {
            continue;
        }
        (void)fputs(title, stream);
        title = "";
        int at = fprintf(stream, "  --%s%s%s", row->flag, row->argument != NULL ? " " : "",
                         row->argument != NULL ? row->argument : "");
        if (at >= HELP_COLUMN) {
            (void)fputc('\n', stream);
            at = 0;
        }
        (void)fprintf(stream, "%*s", HELP_COLUMN - at, "");
        print_wrapped(row->help, stream);
    }
}

void tlm_tool_print_help(const tlm_tool_command *command, FILE *stream)
{
    if (command != NULL) {
        (void)fprintf(stream, "usage: tlm %s [options]%s%s\n\n%s\n%s", command->name,
                      command->operand != NULL ? " " : "",
                      command->operand != NULL ? command->operand : "", command->summary,
                      command->description);
        print_rows(command->name, false, "\nOptions:\n", stream);
    } else {
        (void)fputs("usage: tlm SUBCOMMAND [options]\n\n"
                    "Asks TLLicenseManager, and looks after its licenses.\n\nSubcommands:\n",
                    stream);
        for (const tlm_tool_command *row = tlm_tool_commands; row->name != NULL; row++) {
            (void)fprintf(stream, "  %-18s %s\n", row->name, row->summary);
        }
    }
    print_rows("", true, "\nOptions of every subcommand:\n", stream);
}

/* mdoc(7) wants each sentence on a line of its own. */
static void print_sentences(const char *text, FILE *stream)
{
    bool ended = false;
    for (; *text != '\0'; text++) {
        (void)fputc(ended && *text == ' ' ? '\n' : *text, stream);
        ended = *text == '.' && text[1] != 't'; /* .tlmpkg */
    }
}

static void print_row_mdoc(const tlm_tool_row *row, FILE *stream)
{
    (void)fprintf(stream, ".It Fl Fl %s%s%s\n%s.\n", row->flag, row->argument != NULL ? " Ar " : "",
                  row->argument != NULL ? row->argument : "", row->help);
}

void tlm_tool_print_mdoc(FILE *stream)
{
    for (const tlm_tool_command *row = tlm_tool_commands; row->name != NULL; row++) {
        (void)fprintf(stream, ".It Cm %s%s%s\n%s.\n", row->name, row->operand != NULL ? " Ar " : "",
                      row->operand != NULL ? row->operand : "", row->summary);
        print_sentences(row->description, stream);
        bool open = false;
        for (const tlm_tool_row *option = tlm_tool_rows; option->flag != NULL; option++) {
            if (is_common(option) || !tlm_tool_row_fits(option, row->name)) {
                continue;
            }
            if (!open) {
                (void)fputs(".Bl -tag -width Ds\n", stream);
                open = true;
            }
            print_row_mdoc(option, stream);
        }
        if (open) {
            (void)fputs(".El\n", stream);
        }
    }
}

void tlm_tool_print_options_mdoc(FILE *stream)
{
    for (const tlm_tool_row *row = tlm_tool_rows; row->flag != NULL; row++) {
        if (is_common(row)) {
            print_row_mdoc(row, stream);
        }
    }
}

static void print_case(const char *command, FILE *stream)
{
    (void)fprintf(stream, "    '%s') options='", command);
    for (const tlm_tool_row *row = tlm_tool_rows; row->flag != NULL; row++) {
        if (tlm_tool_row_fits(row, command)) {
            (void)fprintf(stream, " --%s", row->flag);
        }
    }
    (void)fputs("' ;;\n", stream);
}

/* Words that may stand first: subcommands and groups, each once. */
static void print_first_words(FILE *stream)
{
    const char *before = "";
    for (const tlm_tool_command *row = tlm_tool_commands; row->name != NULL; row++) {
        size_t group = tlm_tool_group(row->name);
        size_t length = group > 0 ? group : strlen(row->name);
        if (group == 0 || tlm_tool_group(before) != group ||
            strncmp(before, row->name, group) != 0) {
            (void)fprintf(stream, " %.*s", (int)length, row->name);
        }
        before = row->name;
    }
}

static void print_groups(FILE *stream)
{
    const char *before = "";
    for (const tlm_tool_command *row = tlm_tool_commands; row->name != NULL; row++) {
        size_t group = tlm_tool_group(row->name);
        bool same =
            group > 0 && tlm_tool_group(before) == group && strncmp(before, row->name, group) == 0;
        if (tlm_tool_group(before) > 0 && !same) {
            (void)fputs("' ;;\n", stream);
        }
        if (group > 0 && !same) {
            (void)fprintf(stream, "    %.*s) second='", (int)group, row->name);
        }
        if (group > 0) {
            (void)fprintf(stream, " %s", row->name + group + 1);
        }
        before = row->name;
    }
}

/* Options behind which no value stands. */
static void print_switches(FILE *stream)
{
    for (const tlm_tool_row *row = tlm_tool_rows; row->flag != NULL; row++) {
        if (row->argument == NULL) {
            (void)fprintf(stream, " --%s", row->flag);
        }
    }
}

void tlm_tool_print_completion(FILE *stream)
{
    (void)fputs("# SPDX-License-Identifier: BSD-2-Clause\n"
                "# shellcheck shell=bash\n"
                "# bash completion for tlm(1), made from the program's own tables.\n\n"
                "_tlm() {\n"
                "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
                "    local command=${COMP_WORDS[1]} second='' options=''\n"
                "    COMPREPLY=()\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                "        mapfile -t COMPREPLY < <(compgen -W '",
                stream);
    print_first_words(stream);
    (void)fputs("' -- \"$current\")\n        return\n    fi\n    case $command in\n", stream);
    print_groups(stream);
    (void)fputs("    esac\n"
                "    if [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$second\" ] && [[ $current != -* ]]; "
                "then\n"
                "        mapfile -t COMPREPLY < <(compgen -W \"$second\" -- \"$current\")\n"
                "        return\n"
                "    fi\n"
                "    [ -z \"$second\" ] || command=\"$command ${COMP_WORDS[2]}\"\n"
                "    case $command in\n",
                stream);
    for (const tlm_tool_command *row = tlm_tool_commands; row->name != NULL; row++) {
        print_case(row->name, stream);
    }
    (void)fputs("    esac\n"
                "    case $before in\n"
                "    --*) [[ '",
                stream);
    print_switches(stream);
    (void)fputs(" ' == *\" $before \"* ]] ||\n"
                "        { mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return; } ;;\n"
                "    esac\n"
                "    if [[ $current == -* ]]; then\n"
                "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
                "    else\n"
                "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                "    fi\n"
                "}\n"
                "complete -o filenames -F _tlm tlm\n",
                stream);
}
