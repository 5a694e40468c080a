/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client_private.h"
#include "options_private.h"
#include "tool.h"

#define ANY TLM_TOOL_ANY

const tlm_tool_row tlm_tool_rows[] = {
    {ANY, "url", "URL", offsetof(tlm_tool_options, url),
     "http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH; default $TLM_URL, else "
     "http://127.0.0.1:52014"},
    {ANY, "socket", "PATH", offsetof(tlm_tool_options, socket),
     "Unix socket of the daemon, as --url unix:/PATH"},
    {ANY, "token-file", "FILE", offsetof(tlm_tool_options, token_file),
     "File with the bearer token; default $TLM_TOKEN_FILE, for administrators else admin.token"},
    {ANY, "ca", "FILE", offsetof(tlm_tool_options, ca), "Whom to believe the daemon's certificate"},
    {ANY, "certificate", "FILE", offsetof(tlm_tool_options, certificate),
     "Client certificate, PEM"},
    {ANY, "private-key", "FILE", offsetof(tlm_tool_options, private_key), "Its key, PEM"},
    {ANY, "keys", "FILE", offsetof(tlm_tool_options, keys),
     "The host's keys (JWKS): answers are verified with them"},
    {ANY, "host-kid", "KID", offsetof(tlm_tool_options, host_kid),
     "Thumbprint of the host's signing key, instead of its keys"},
    {ANY, "trust-file", "FILE", offsetof(tlm_tool_options, trust_file),
     "Keeps the host's keys from the first use on"},
    {ANY, "no-verify", NULL, offsetof(tlm_tool_options, no_verify),
     "Take answers of another host without proof"},
    {ANY, "timeout", "SECONDS", offsetof(tlm_tool_options, timeout), "For one request; default 5"},
    {ANY, "json", NULL, offsetof(tlm_tool_options, json), "Print JSON"},
    {ANY, "help", NULL, offsetof(tlm_tool_options, help), "Show the subcommand's help"},
    {",lease acquire,lease borrow,lease check,check,usage,run,", "feature", "ID",
     offsetof(tlm_tool_options, feature), "Id of the feature; needed"},
    {",lease acquire,lease borrow,check,usage,run,", "vendor", "CODE",
     offsetof(tlm_tool_options, vendor), "Only licenses of this vendor"},
    {",lease acquire,lease borrow,check,usage,run,", "product", "ID",
     offsetof(tlm_tool_options, product), "Only licenses of this product"},
    {",lease acquire,lease borrow,check,usage,run,", "license", "LICENSE",
     offsetof(tlm_tool_options, license), "Only this license"},
    {",lease acquire,lease borrow,check,usage,run,", "client", "NAME",
     offsetof(tlm_tool_options, client), "Who asks; default USER@HOST, for run one of its own"},
    {",lease acquire,lease borrow,usage,run,", "units", "COUNT", offsetof(tlm_tool_options, units),
     "How many; default 1"},
    {",lease acquire,lease renew,run,", "ttl", "SECONDS", offsetof(tlm_tool_options, ttl),
     "Until the lease runs out without renewal"},
    {",lease acquire,run,", "wait", "SECONDS", offsetof(tlm_tool_options, wait),
     "Queue that long for a seat"},
    {",run,", "keep-going", NULL, offsetof(tlm_tool_options, keep_going),
     "Leave the program alone when the grace is over"},
    {",lease borrow,", "days", "COUNT", offsetof(tlm_tool_options, days),
     "For how long; default 1"},
    {",lease release,", "force", NULL, offsetof(tlm_tool_options, force),
     "As administrator, also somebody else's; it is recorded"},
    {",usage,", "request", "ID", offsetof(tlm_tool_options, request),
     "Id of this use, for another try of the same; default a new one"},
    {",usage,", "give-back", NULL, offsetof(tlm_tool_options, give_back), "Return tokens"},
    {",check,", "vendor-keys", "FILE", offsetof(tlm_tool_options, vendor_keys),
     "The vendor's keys (JWKS), to check a file"},
    {",check,", "fingerprint", "HEX", offsetof(tlm_tool_options, fingerprint),
     "The host of the file's license; default by --keys"},
    {",attest,verify-statement,", "nonce", "TEXT", offsetof(tlm_tool_options, nonce),
     "1 to 256 characters; attest makes one"},
    {",fingerprint,", "fallback", NULL, offsetof(tlm_tool_options, fallback),
     "The one by the host's components"},
    {",state accept,", "reason", "TEXT", offsetof(tlm_tool_options, reason),
     "Goes into the audit log"},
    {",audit show,audit export,", "after", "NUMBER", offsetof(tlm_tool_options, after),
     "Only entries with numbers above this one"},
    {",audit show,", "limit", "COUNT", offsetof(tlm_tool_options, limit),
     "At most so many; default 1000"},
    {",keys,request,attest,audit export,", "out", "FILE", offsetof(tlm_tool_options, out),
     "A new file, instead of standard output"},
    {NULL, NULL, NULL, 0, NULL},
};

bool tlm_tool_row_fits(const tlm_tool_row *row, const char *command)
{
    char name[40];
    int length = snprintf(name, sizeof name, ",%s,", command);
    return strcmp(row->commands, ANY) == 0 ||
           (length > 0 && (size_t)length < sizeof name && strstr(row->commands, name) != NULL);
}

size_t tlm_tool_group(const char *name)
{
    const char *blank = strchr(name, ' ');
    return blank != NULL ? (size_t)(blank - name) : 0;
}

const tlm_tool_command *tlm_tool_find(char *const words[], size_t *used)
{
    const tlm_tool_command *first = NULL;
    for (const tlm_tool_command *row = tlm_tool_commands; row->name != NULL; row++) {
        size_t group = tlm_tool_group(row->name);
        if (group == 0 && strcmp(row->name, words[0]) == 0) {
            *used = 1;
            return row;
        }
        if (group == 0 || strlen(words[0]) != group || strncmp(row->name, words[0], group) != 0) {
            continue;
        }
        first = first == NULL ? row : first;
        if (words[1] != NULL && strcmp(row->name + group + 1, words[1]) == 0) {
            *used = 2;
            return row;
        }
    }
    bool alone = words[1] == NULL || words[1][0] == '-';
    *used = 1;
    return alone ? first : NULL;
}

static tlm_client_result usage(tlm_client_error *error, const char *command, const char *what,
                               const char *word)
{
    (void)tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", NULL, "%s '%s'", what, word);
    if (error != NULL) {
        (void)snprintf(error->hint, sizeof error->hint, "see: tlm %s%s",
                       command != NULL ? command : "help", command != NULL ? " --help" : "");
    }
    return TLM_CLIENT_ARGUMENT;
}

static const tlm_tool_row *find_row(const char *word, const char *command, const char **value)
{
    size_t length = strcspn(word + 2, "=");
    *value = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
    for (const tlm_tool_row *row = tlm_tool_rows; row->flag != NULL; row++) {
        if (tlm_tool_row_fits(row, command) && strlen(row->flag) == length &&
            strncmp(row->flag, word + 2, length) == 0) {
            return row;
        }
    }
    return NULL;
}

static tlm_client_result parse_option(char *const **words, tlm_tool_options *options,
                                      tlm_client_error *error)
{
    const char *word = **words;
    const char *value = NULL;
    const char *command = options->command->name;
    const tlm_tool_row *row = strncmp(word, "--", 2) == 0 ? find_row(word, command, &value) : NULL;
    if (row == NULL) {
        return usage(error, command, "there is no option", word);
    }
    char *base = (char *)options; /* the table names members by their offset */
    if (row->argument == NULL) {
        const bool on = true;
        if (value != NULL) {
            return usage(error, command, "an option without value has one:", word);
        }
        memcpy(base + row->member, &on, sizeof on);
        return TLM_CLIENT_OK;
    }
    if (value == NULL && (*words)[1] != NULL) {
        (*words)++;
        value = **words;
    }
    if (value == NULL || value[0] == '\0') {
        return usage(error, command, "a value is missing behind", word);
    }
    memcpy(base + row->member, &value, sizeof value);
    return TLM_CLIENT_OK;
}

static tlm_client_result check_operand(const tlm_tool_options *options, tlm_client_error *error)
{
    const char *operand = options->command->operand;
    bool needed = operand != NULL && operand[0] != '[';
    bool program = needed && strncmp(operand, "--", 2) == 0;
    bool given =
        program ? options->words != NULL && options->words[0] != NULL : options->word != NULL;
    if (needed && !given && !options->help) {
        return usage(error, options->command->name, "the command line lacks", operand);
    }
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_tool_parse(char *const words[], tlm_tool_options *options,
                                 tlm_client_error *error)
{
    memset(options, 0, sizeof *options);
    if (words[0] == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", "see: tlm help",
                           "a subcommand is missing");
    }
    size_t used = 0;
    options->command = tlm_tool_find(words, &used);
    if (options->command == NULL) {
        char both[64];
        bool two = words[1] != NULL && words[1][0] != '-';
        (void)snprintf(both, sizeof both, "%s%s%s", words[0], two ? " " : "", two ? words[1] : "");
        return usage(error, NULL, "there is no subcommand", both);
    }
    if (options->command->run == tlm_tool_help) {
        options->words = words + used;
        return TLM_CLIENT_OK;
    }
    for (char *const *word = words + used; *word != NULL; word++) {
        if (strcmp(*word, "--") == 0 && options->command->operand != NULL) {
            options->words = word + 1;
            break;
        }
        bool operand = (*word)[0] != '-' || (*word)[1] == '\0';
        if (operand && (options->command->operand == NULL || options->word != NULL)) {
            return usage(error, options->command->name, "nothing takes the word", *word);
        }
        if (operand) {
            options->word = *word;
            continue;
        }
        tlm_client_result result = parse_option(&word, options, error);
        if (result != TLM_CLIENT_OK) {
            return result;
        }
    }
    return check_operand(options, error);
}

tlm_client_result tlm_tool_number(const char *text, const char *flag, long long missing,
                                  long long *number, tlm_client_error *error)
{
    *number = missing;
    if (text == NULL) {
        return TLM_CLIENT_OK;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0 || text[0] == '-' ||
        text[0] == '+' || text[0] == ' ') {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", NULL,
                           "--%s takes a number from 0, not '%s'", flag, text);
    }
    *number = value;
    return TLM_CLIENT_OK;
}
