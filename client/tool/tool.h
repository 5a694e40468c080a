/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOOL_H
#define TLM_TOOL_H

/*
 * The program tlm: subcommands and options are rows of tables, and help, manual page and shell
 * completion come from them.
 *
 *     tlm_tool_options options;
 *     if (!tlm_tool_parse(argv + 1, &options, &error)) { … return TLM_EXIT_USAGE; }
 *     return options.command->run(&options);
 */

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <tlm-client.h>

/* Exit status; docs/client.md. */
enum {
    TLM_EXIT_DONE = 0,
    TLM_EXIT_FAILED = 1,
    TLM_EXIT_USAGE = 2,
    TLM_EXIT_REFUSED = 3,
    TLM_EXIT_AWAY = 4
};

struct tlm_tool_command;

typedef struct tlm_tool_options {
    const struct tlm_tool_command *command;
    const char *word;   /* the operand, of subcommands that take one */
    char *const *words; /* what stands behind --, of run */
    const char *url;
    const char *socket;
    const char *token_file;
    const char *ca;
    const char *certificate;
    const char *private_key;
    const char *keys;
    const char *host_kid;
    const char *trust_file;
    const char *timeout;
    const char *feature;
    const char *vendor;
    const char *product;
    const char *license;
    const char *client;
    const char *units;
    const char *ttl;
    const char *wait;
    const char *days;
    const char *request;
    const char *nonce;
    const char *reason;
    const char *after;
    const char *limit;
    const char *out;
    const char *vendor_keys;
    const char *fingerprint;
    bool json;
    bool no_verify;
    bool force;
    bool give_back;
    bool fallback;
    bool keep_going;
    bool help;
} tlm_tool_options;

typedef struct tlm_tool_command {
    const char *name;    /* one word, or a group and a word; a group's first row is its default */
    const char *operand; /* how the help writes it; NULL where there is none */
    bool administrator;  /* goes to the administrators' socket where it is there */
    const char *summary;
    const char *description; /* further sentences of the help */
    int (*run)(const tlm_tool_options *options);
} tlm_tool_command;

/* ---- commands.c, options.c ---- */

/* Ends with a row without name. */
extern const tlm_tool_command tlm_tool_commands[];

/* Reads subcommand, operand and options; TLM_CLIENT_ARGUMENT names what is wrong. */
TLM_CLIENT_CHECKED tlm_client_result tlm_tool_parse(char *const words[], tlm_tool_options *options,
                                                    tlm_client_error *error);

/* Help of the program, or of one subcommand. */
void tlm_tool_print_help(const tlm_tool_command *command, FILE *stream);
/* For the manual page (mdoc) and for bash. */
void tlm_tool_print_mdoc(FILE *stream);
void tlm_tool_print_options_mdoc(FILE *stream);
void tlm_tool_print_completion(FILE *stream);

/* A number of an option: `missing` where it was not given. */
TLM_CLIENT_CHECKED tlm_client_result tlm_tool_number(const char *text, const char *flag,
                                                     long long missing, long long *number,
                                                     tlm_client_error *error);

/* ---- connect.c ---- */

/* A client for the subcommand: socket or URL, token and keys by options, environment, defaults. */
TLM_CLIENT_CHECKED tlm_client_result tlm_tool_connect(const tlm_tool_options *options,
                                                      tlm_client **client, tlm_client_error *error);

/* What the options ask for. */
TLM_CLIENT_CHECKED tlm_client_result tlm_tool_ask(const tlm_tool_options *options,
                                                  tlm_client_ask *ask, tlm_client_error *error);

/* One request; the body (may be NULL) is taken over. The caller releases the answer. */
TLM_CLIENT_CHECKED tlm_client_result tlm_tool_call(tlm_client *client, const char *method,
                                                   const char *path, json_t *body, json_t **answer,
                                                   tlm_client_error *error);

/* Connects, makes one request without a body, and leaves the answer; or says what failed. */
int tlm_tool_fetch(const tlm_tool_options *options, const char *path, json_t **answer);

/* ---- output.c, table.c ---- */

/* The error on stderr, in two lines; returns the exit status. */
int tlm_tool_failure(const tlm_client_error *error);
int tlm_tool_out_of_memory(void);

/* The exit status after writing to standard output, which is flushed. */
int tlm_tool_written(bool done);

/* JSON on standard output. */
int tlm_tool_print_json(const json_t *value);

/* Name and value of every member, nested ones as name.name; --json: the object. */
int tlm_tool_print_object(const tlm_tool_options *options, const json_t *object);

typedef struct tlm_tool_column {
    const char *title;
    const char *member;
    bool right; /* numbers */
} tlm_tool_column;

/* A line for each object of a list; ends with a column without title. */
int tlm_tool_print_table(const json_t *rows, const tlm_tool_column columns[]);

/* A text, to a new file of mode 0644 or to standard output. */
int tlm_tool_write(const tlm_tool_options *options, const char *text);

/* The same for JSON. */
int tlm_tool_write_json(const tlm_tool_options *options, const json_t *value);

/* ---- subcommands ---- */

int tlm_tool_status(const tlm_tool_options *options);
int tlm_tool_fingerprint(const tlm_tool_options *options);
int tlm_tool_keys(const tlm_tool_options *options);
int tlm_tool_request(const tlm_tool_options *options);
int tlm_tool_attest(const tlm_tool_options *options);
int tlm_tool_verify_statement(const tlm_tool_options *options);
int tlm_tool_activate(const tlm_tool_options *options);
int tlm_tool_licenses(const tlm_tool_options *options);
int tlm_tool_license(const tlm_tool_options *options);
int tlm_tool_remove(const tlm_tool_options *options);
int tlm_tool_revoke(const tlm_tool_options *options);
int tlm_tool_revocations(const tlm_tool_options *options);
int tlm_tool_leases(const tlm_tool_options *options);
int tlm_tool_lease(const tlm_tool_options *options);
int tlm_tool_acquire(const tlm_tool_options *options);
int tlm_tool_renew(const tlm_tool_options *options);
int tlm_tool_release(const tlm_tool_options *options);
int tlm_tool_borrow(const tlm_tool_options *options);
int tlm_tool_borrowed(const tlm_tool_options *options);
int tlm_tool_return(const tlm_tool_options *options);
int tlm_tool_check(const tlm_tool_options *options);
int tlm_tool_usage(const tlm_tool_options *options);
int tlm_tool_run(const tlm_tool_options *options);
int tlm_tool_state(const tlm_tool_options *options);
int tlm_tool_accept(const tlm_tool_options *options);
int tlm_tool_audit(const tlm_tool_options *options);
int tlm_tool_audit_export(const tlm_tool_options *options);
int tlm_tool_audit_verify(const tlm_tool_options *options);
int tlm_tool_help(const tlm_tool_options *options);
int tlm_tool_version(const tlm_tool_options *options);

#endif
