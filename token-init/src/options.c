/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <stddef.h>
#include <string.h>

#define COMMANDS_MAX 32U
#define HELP_COLUMN 28
#define HELP_WIDTH 80

static const struct {
    const char *commands; /* names between blanks */
    const char *flag;
    const char *argument; /* NULL for a switch; with "..." it may be given again */
    size_t member;
    const char *help;
} rows[] = {
    {" provision ", "backend", "BACKEND", offsetof(tlm_options, backend),
     "tpm (default) or softhsm, which is not hardware-bound"},
    {" provision ", "rsa-bits", "BITS", offsetof(tlm_options, rsa_bits),
     "Size of tlm-srk: 2048 or 3072; default 3072 where the TPM can, else 2048"},
    {" provision recover seal ", "replace", NULL, offsetof(tlm_options, replace),
     "Remove a foreign object that stands at a handle of ours; nothing brings it back"},
    {" provision seal reseal ", "recovery-key", "FILE", offsetof(tlm_options, recovery_key),
     "File of the recovery key, which a vault policy needs; made where it does not exist"},
    {" provision recover seal destroy ", "owner-auth-file", "FILE",
     offsetof(tlm_options, owner_auth_file),
     "File of mode 0600 with the authorization of the TPM's owner hierarchy"},
    {" provision recover seal reseal status doctor ", "json", NULL, offsetof(tlm_options, json),
     "Print one JSON object"},
    {" destroy ", "yes-destroy", "LABEL", offsetof(tlm_options, yes_destroy),
     "Label of the token, instead of typing it"},
    {" forget-storage ", "yes-forget", "LABEL", offsetof(tlm_options, yes_forget),
     "Label of the token; the command does nothing without it"},
    {" csr install-cert ", "key", "LABEL", offsetof(tlm_options, key),
     "tlm-attest (default) or tlm-srk"},
    {" csr ", "subject", "NAME", offsetof(tlm_options, subject),
     "CN=host.example,O=Example; default CN= the label and the begin of the fingerprint"},
    {" csr ", "san", "NAMES", offsetof(tlm_options, san),
     "Alternative names: DNS:host.example,IP:192.0.2.1; also URI and email"},
    {" csr attest ", "out", "FILE", offsetof(tlm_options, out),
     "Write to a new file instead of standard output"},
    {" install-cert ", "ca", "FILE...", offsetof(tlm_options, ca),
     "Certificates of the CA, PEM; needed where FILE holds no issuer; may be given again"},
    {" install-cert ", "replace", NULL, offsetof(tlm_options, replace),
     "Replace a certificate that a CA issued, too"},
    {" attest ", "challenge", "FILE", offsetof(tlm_options, challenge),
     "Answer a challenge of verify-attestation instead"},
    {" attest ", "endorsement-auth-file", "FILE", offsetof(tlm_options, endorsement_auth_file),
     "File of mode 0600 with the authorization of the TPM's endorsement hierarchy"},
    {" attest verify-attestation ", "nonce", "HEX", offsetof(tlm_options, nonce),
     "Up to 64 bytes of the verifier's choice, which the attestation holds"},
    {" verify-attestation ", "ca", "FILE...", offsetof(tlm_options, ca),
     "Certificates of the TPM's maker that are trusted, PEM or DER; may be given again"},
    {" verify-attestation ", "ek-public", "FILE", offsetof(tlm_options, ek_public),
     "Public key, PEM, of an endorsement key known to be genuine, instead of --ca"},
    {" verify-attestation ", "expect-fingerprint", "HEX", offsetof(tlm_options, expect_fingerprint),
     "Fingerprint that the host must have"},
    {" verify-attestation ", "make-challenge", "FILE", offsetof(tlm_options, make_challenge),
     "Write a challenge for the host to a new file"},
    {" verify-attestation ", "secret-file", "FILE", offsetof(tlm_options, secret_file),
     "What the answer is compared with: written with the challenge, read with the answer"},
    {" verify-attestation ", "answer", "FILE", offsetof(tlm_options, answer),
     "The host's answer to the challenge"},
    {" verify-attestation ", "json", NULL, offsetof(tlm_options, json), "Print one JSON object"},
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static bool row_fits(size_t row, const char *command)
{
    char name[32];
    int length = snprintf(name, sizeof name, " %s ", command);
    return length > 0 && (size_t)length < sizeof name && strstr(rows[row].commands, name) != NULL;
}

const tlm_command *tlm_command_find(const char *name)
{
    for (const tlm_command *command = tlm_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

static tlm_result unknown_command(const char *word, tlm_error *error)
{
    const char *names[COMMANDS_MAX];
    size_t count = 0;
    for (const tlm_command *command = tlm_commands; command->name != NULL && count < COMMANDS_MAX;
         command++) {
        names[count++] = command->name;
    }
    (void)tlm_error_set(error, TLM_ERR_SETTING, "see: tlm-token-init help",
                        "there is no subcommand '%s'", word);
    const char *nearest = tlm_settings_nearest(word, names, count);
    if (nearest != NULL) {
        tlm_error_set_hint(error, "did you mean '%s'? See: tlm-token-init help", nearest);
    }
    return TLM_ERR_SETTING;
}

static tlm_result unknown_option(const char *word, const char *command, tlm_error *error)
{
    const char *names[ROW_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (row_fits(i, command)) {
            names[count++] = rows[i].flag;
        }
    }
    (void)tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s has no option '%s'", command, word);
    const char *bare = strncmp(word, "--", 2) == 0 ? word + 2 : word;
    const char *nearest = tlm_settings_nearest(bare, names, count);
    if (nearest != NULL) {
        tlm_error_set_hint(error, "did you mean --%s? See: tlm-token-init help %s", nearest,
                           command);
    } else {
        tlm_error_set_hint(error, "see: tlm-token-init help %s", command);
    }
    return TLM_ERR_SETTING;
}

static bool row_repeats(size_t row)
{
    return rows[row].argument != NULL && strstr(rows[row].argument, "...") != NULL;
}

/* The row of "--flag" or "--flag=value" for the command; ROW_COUNT where there is none. */
static size_t find_row(const char *word, const char *command, const char **value)
{
    size_t length = strcspn(word + 2, "=");
    *value = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (row_fits(i, command) && strlen(rows[i].flag) == length &&
            strncmp(rows[i].flag, word + 2, length) == 0) {
            return i;
        }
    }
    return ROW_COUNT;
}

static tlm_result parse_option(char *const **words, tlm_options *options, tlm_error *error)
{
    const char *word = **words;
    const char *value = NULL;
    size_t row =
        strncmp(word, "--", 2) == 0 ? find_row(word, options->command->name, &value) : ROW_COUNT;
    if (row == ROW_COUNT) {
        return unknown_option(word, options->command->name, error);
    }
    char *base = (char *)options; /* the table names members by their offset */
    if (rows[row].argument == NULL) {
        if (value != NULL) {
            return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--%s takes no value, got '%s'",
                                 rows[row].flag, value);
        }
        bool on = true;
        memcpy(base + rows[row].member, &on, sizeof on);
        return TLM_OK;
    }
    if (value == NULL) {
        (*words)++;
        value = **words;
    }
    if (value == NULL || value[0] == '\0') {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--%s needs a value: %s", rows[row].flag,
                             rows[row].argument);
    }
    if (!row_repeats(row)) {
        memcpy(base + rows[row].member, &value, sizeof value);
        return TLM_OK;
    }
    tlm_option_list list;
    memcpy(&list, base + rows[row].member, sizeof list);
    if (list.count == TLM_OPTION_REPEATS) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--%s is given more than %u times",
                             rows[row].flag, TLM_OPTION_REPEATS);
    }
    list.items[list.count++] = value;
    memcpy(base + rows[row].member, &list, sizeof list);
    return TLM_OK;
}

tlm_result tlm_options_parse(char *const words[], tlm_options *options, tlm_error *error)
{
    memset(options, 0, sizeof *options);
    if (words[0] == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, "see: tlm-token-init help",
                             "a subcommand is missing");
    }
    options->command = tlm_command_find(words[0]);
    if (options->command == NULL) {
        return unknown_command(words[0], error);
    }
    for (char *const *word = words + 1; *word != NULL; word++) {
        if (options->command->operand != NULL && options->word == NULL && (*word)[0] != '-') {
            options->word = *word;
            continue;
        }
        tlm_result result = parse_option(&word, options, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

/* Text broken at blanks into a column on the right. */
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

static void print_options(const char *command, FILE *stream)
{
    bool any = false;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!row_fits(i, command)) {
            continue;
        }
        (void)fputs(any ? "" : "\nOptions:\n", stream);
        any = true;
        int at = fprintf(stream, "  --%s%s%s", rows[i].flag, rows[i].argument != NULL ? " " : "",
                         rows[i].argument != NULL ? rows[i].argument : "");
        if (at >= HELP_COLUMN) {
            (void)fputc('\n', stream);
            at = 0;
        }
        (void)fprintf(stream, "%*s", HELP_COLUMN - at, "");
        print_wrapped(rows[i].help, stream);
    }
}

void tlm_options_print_help(const tlm_command *command, FILE *stream)
{
    if (command != NULL) {
        (void)fprintf(stream, "usage: tlm-token-init %s%s%s [options]\n\n%s\n%s", command->name,
                      command->operand != NULL ? " " : "",
                      command->operand != NULL ? command->operand : "", command->summary,
                      command->description);
        print_options(command->name, stream);
    } else {
        (void)fputs("usage: tlm-token-init SUBCOMMAND [options]\n\n"
                    "Makes and looks after the token that holds this host's identity.\n\n"
                    "Subcommands:\n",
                    stream);
        for (const tlm_command *row = tlm_commands; row->name != NULL; row++) {
            (void)fprintf(stream, "  %-16s %s\n", row->name, row->summary);
        }
        (void)fputs("\nOptions of a subcommand: tlm-token-init help SUBCOMMAND\n", stream);
    }
    (void)fputs("\nOptions of every subcommand:\n", stream);
    tlm_settings_print_help(TLM_PROGRAM_TOKEN, stream);
}

/* mdoc(7) wants each sentence on a line of its own. */
static void print_sentences(const char *text, FILE *stream)
{
    bool ended = false;
    for (; *text != '\0'; text++) {
        (void)fputc(ended && *text == ' ' ? '\n' : *text, stream);
        ended = *text == '.';
    }
}

void tlm_options_print_mdoc(FILE *stream)
{
    for (const tlm_command *row = tlm_commands; row->name != NULL; row++) {
        (void)fprintf(stream, ".It Cm %s%s%s\n%s.\n", row->name, row->operand != NULL ? " Ar " : "",
                      row->operand != NULL ? row->operand : "", row->summary);
        print_sentences(row->description, stream);
        bool open = false;
        for (size_t i = 0; i < ROW_COUNT; i++) {
            if (!row_fits(i, row->name)) {
                continue;
            }
            if (!open) {
                (void)fputs(".Bl -tag -width Ds\n", stream);
                open = true;
            }
            (void)fprintf(stream, ".It Fl Fl %s%s%s\n%s.\n", rows[i].flag,
                          rows[i].argument != NULL ? " Ar " : "",
                          rows[i].argument != NULL ? rows[i].argument : "", rows[i].help);
        }
        if (open) {
            (void)fputs(".El\n", stream);
        }
    }
}
