/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client_private.h"
#include "tool.h"

static const tlm_option_row rows[] = {
    {NULL, "url", "URL", offsetof(tlm_tool_options, url),
     "http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH; default $TLM_URL, else "
     "http://127.0.0.1:52014"},
    {NULL, "socket", "PATH", offsetof(tlm_tool_options, socket),
     "Unix socket of the daemon, as --url unix:/PATH"},
    {NULL, "token-file", "FILE", offsetof(tlm_tool_options, token_file),
     "File with the bearer token; default $TLM_TOKEN_FILE, for administrators else admin.token"},
    {NULL, "ca", "FILE", offsetof(tlm_tool_options, ca),
     "Whom to believe the daemon's certificate"},
    {NULL, "certificate", "FILE", offsetof(tlm_tool_options, certificate),
     "Client certificate, PEM"},
    {NULL, "private-key", "FILE", offsetof(tlm_tool_options, private_key), "Its key, PEM"},
    {NULL, "keys", "FILE", offsetof(tlm_tool_options, keys),
     "The host's keys (JWKS): answers are verified with them"},
    {NULL, "host-kid", "KID", offsetof(tlm_tool_options, host_kid),
     "Thumbprint of the host's signing key, instead of its keys"},
    {NULL, "trust-file", "FILE", offsetof(tlm_tool_options, trust_file),
     "Keeps the host's keys from the first use on"},
    {NULL, "no-verify", NULL, offsetof(tlm_tool_options, no_verify),
     "Take answers of another host without proof"},
    {NULL, "timeout", "SECONDS", offsetof(tlm_tool_options, timeout), "For one request; default 5"},
    {NULL, "json", NULL, offsetof(tlm_tool_options, json), "Print JSON"},
    {NULL, "help", NULL, offsetof(tlm_tool_options, help), "Show the subcommand's help"},
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
};

const tlm_command_line *tlm_tool_line(void)
{
    static tlm_command_line line = {
        .program = "tlm",
        .purpose = "Asks TLLicenseManager, and looks after its licenses.\n",
        .commands = tlm_tool_commands,
        .command_size = sizeof(tlm_tool_command),
        .options = rows,
        .option_count = sizeof rows / sizeof rows[0],
        .operands = offsetof(tlm_tool_options, operands),
        .leading = true,
    };
    line.command_count = tlm_tool_command_count;
    return &line;
}

tlm_client_result tlm_tool_parse(char *const words[], tlm_tool_options *options,
                                 tlm_client_error *error)
{
    tlm_error cause = {0};
    size_t which = tlm_tool_command_count;
    *options = (tlm_tool_options){.json = false};
    tlm_result result = tlm_command_line_parse(tlm_tool_line(), words, options, &which, &cause);
    if (which < tlm_tool_command_count) {
        options->command = &tlm_tool_commands[which];
    }
    if (result == TLM_OK && !options->help) {
        result = tlm_command_line_check_operands(tlm_tool_line(), &options->command->row, options,
                                                 &cause);
    }
    if (result == TLM_OK) {
        options->word = options->operands.count > 0 ? options->operands.items[0] : NULL;
        return TLM_CLIENT_OK;
    }
    if (cause.hint[0] == '\0') {
        tlm_error_set_hint(&cause, "see: tlm help%s%s", options->command != NULL ? " " : "",
                           options->command != NULL ? options->command->row.name : "");
    }
    tlm_tool_clear(options);
    return tlm_trouble_of(error, &cause);
}

void tlm_tool_clear(tlm_tool_options *options)
{
    tlm_command_line_clear(tlm_tool_line(), options);
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
