/* SPDX-License-Identifier: BSD-2-Clause */
#include "command_line_internal.h"

#include <string.h>

static bool is_same_group(const tlm_command_row *one, const tlm_command_row *other)
{
    size_t group = tlm_command_group(one->name);
    return group > 0 && tlm_command_group(other->name) == group &&
           strncmp(one->name, other->name, group) == 0;
}

/* Words that may stand first: subcommands and groups, each once. */
static void print_first_words(const tlm_command_line *line, FILE *stream)
{
    for (size_t i = 0; i < line->command_count; i++) {
        const tlm_command_row *row = tlm_command_line_at(line, i);
        size_t group = tlm_command_group(row->name);
        if (i == 0 || !is_same_group(row, tlm_command_line_at(line, i - 1))) {
            size_t length = group > 0 ? group : strlen(row->name);
            (void)fprintf(stream, " %.*s", (int)length, row->name);
        }
    }
}

/* For each group the words that may stand second. */
static void print_groups(const tlm_command_line *line, FILE *stream)
{
    for (size_t i = 0; i < line->command_count; i++) {
        const tlm_command_row *row = tlm_command_line_at(line, i);
        size_t group = tlm_command_group(row->name);
        if (group == 0) {
            continue;
        }
        if (i == 0 || !is_same_group(row, tlm_command_line_at(line, i - 1))) {
            (void)fprintf(stream, "    %.*s) second='", (int)group, row->name);
        }
        (void)fprintf(stream, " %s", row->name + group + 1);
        if (i + 1 == line->command_count || !is_same_group(row, tlm_command_line_at(line, i + 1))) {
            (void)fputs("' ;;\n", stream);
        }
    }
}

static void print_options(const tlm_command_line *line, FILE *stream)
{
    for (size_t i = 0; i < line->command_count; i++) {
        const char *command = tlm_command_line_at(line, i)->name;
        (void)fprintf(stream, "    '%s') options='", command);
        for (size_t k = 0; k < line->option_count; k++) {
            if (tlm_option_fits(&line->options[k], command)) {
                (void)fprintf(stream, " --%s", line->options[k].flag);
            }
        }
        (void)fputs("' ;;\n", stream);
    }
}

/* Options behind which no value stands. */
static void print_switches(const tlm_command_line *line, FILE *stream)
{
    for (size_t i = 0; i < line->option_count; i++) {
        if (line->options[i].argument == NULL) {
            (void)fprintf(stream, " --%s", line->options[i].flag);
        }
    }
}

void tlm_command_line_print_completion(const tlm_command_line *line, FILE *stream)
{
    (void)fprintf(stream,
                  "# SPDX-License-Identifier: BSD-2-Clause\n"
                  "# shellcheck shell=bash\n"
                  "# bash completion for %s, made from the program's own tables.\n\n"
                  "_%s() {\n"
                  "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - "
                  "1]}\n"
                  "    local command=${COMP_WORDS[1]} second='' options=''\n"
                  "    COMPREPLY=()\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        mapfile -t COMPREPLY < <(compgen -W '",
                  line->program, line->program);
    print_first_words(line, stream);
    (void)fputs("' -- \"$current\")\n        return\n    fi\n    case $command in\n", stream);
    print_groups(line, stream);
    (void)fputs("    esac\n"
                "    if [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$second\" ] && [[ $current != -* ]]; "
                "then\n"
                "        mapfile -t COMPREPLY < <(compgen -W \"$second\" -- \"$current\")\n"
                "        return\n"
                "    fi\n"
                "    [ -z \"$second\" ] || command=\"$command ${COMP_WORDS[2]}\"\n"
                "    case $command in\n",
                stream);
    print_options(line, stream);
    (void)fputs("    esac\n"
                "    case $before in\n"
                "    --*) [[ '",
                stream);
    print_switches(line, stream);
    (void)fputs(" ' == *\" $before \"* ]] ||\n"
                "        { mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return; } ;;\n"
                "    esac\n"
                "    if [[ $current == -* ]]; then\n"
                "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
                "    else\n"
                "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                "    fi\n"
                "}\n",
                stream);
    (void)fprintf(stream, "complete -o filenames -F _%s %s\n", line->program, line->program);
}
