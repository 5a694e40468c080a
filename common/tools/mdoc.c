/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the part of a manual page that comes from the table of settings:
 *
 *     tlm-mdoc options daemon|token|tokend     the options of a program, as .It items
 *     tlm-mdoc keys                            the keys of the configuration file, as .It items
 *
 * Used while building (cmake/TlmManual.cmake); not installed.
 */
#include <stdio.h>
#include <string.h>

#include <tlm/settings.h>

static const struct {
    const char *name;
    tlm_program program;
} programs[] = {
    {"daemon", TLM_PROGRAM_DAEMON},
    {"token", TLM_PROGRAM_TOKEN},
    {"tokend", TLM_PROGRAM_TOKEND},
};

static int options_of(const char *name)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(programs[i].name, name) == 0) {
            tlm_settings_print_mdoc_options(programs[i].program, stdout);
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    (void)fprintf(stderr, "tlm-mdoc: there is no program '%s': daemon, token or tokend\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "options") == 0) {
        return options_of(argv[2]);
    }
    if (argc == 2 && strcmp(argv[1], "keys") == 0) {
        tlm_settings_print_mdoc_keys(stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    (void)fputs("usage: tlm-mdoc options daemon|token|tokend\n       tlm-mdoc keys\n", stderr);
    return 2;
}
