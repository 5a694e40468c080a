/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_OPTIONS_H
#define TLM_ISSUE_OPTIONS_H

/* Subcommands of tlm-issue and their options, each a row of a table (tlm/command_line.h). */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/command_line.h>

typedef struct tlm_issue_options {
    tlm_words operands;
    const char *key;
    const char *alg;
    const char *bits;
    const char *kid;
    const char *module;
    const char *pin_file;
    const char *pin_fd;
    const char *public_file;
    const char *out;
    const char *iss;
    const char *description;
    const char *vendor_key;
    const char *vendor_pin_file;
    const char *jobs;
    const char *serial;
    const char *previous;
    const char *file;
    const char *keys;
    tlm_words vendor;
    tlm_words issuer;
    tlm_words hosts;
    tlm_words trust;
    bool pin_pad;
    bool force;
    bool quiet;
    bool json;
    bool help;
} tlm_issue_options;

typedef struct tlm_issue_command {
    tlm_command_row row;
    int (*run)(const tlm_issue_options *options);
} tlm_issue_command;

extern const tlm_issue_command tlm_issue_commands[];
extern const size_t tlm_issue_command_count;

const tlm_command_line *tlm_issue_line(void);

/* The subcommands, each in a file of its own; they return the exit status. */
int tlm_issue_keygen(const tlm_issue_options *options);
int tlm_issue_jwks(const tlm_issue_options *options);
int tlm_issue_license(const tlm_issue_options *options);
int tlm_issue_package(const tlm_issue_options *options);
int tlm_issue_revoke(const tlm_issue_options *options);
int tlm_issue_inspect(const tlm_issue_options *options);
int tlm_issue_verify(const tlm_issue_options *options);

#endif
