/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <stdio.h>

#include "output.h"

static int run_help(const tlm_issue_options *options)
{
    const tlm_command_row *command = NULL;
    if (options->operands.count > 0) {
        command = tlm_command_line_find(tlm_issue_line(), options->operands.items[0], NULL);
        if (command == NULL) {
            tlm_error error;
            (void)tlm_command_line_unknown(tlm_issue_line(), options->operands.items[0], &error);
            return tlm_output_failure(&error);
        }
    }
    tlm_command_line_print_help(tlm_issue_line(), command, stdout);
    return TLM_EXIT_DONE;
}

static int run_version(const tlm_issue_options *options)
{
    (void)options;
    tlm_output_version();
    return TLM_EXIT_DONE;
}

const tlm_issue_command tlm_issue_commands[] = {
    {{"keygen", NULL, "Make a key that signs licenses or packages",
      "In a token the key cannot be read out. A key in a PEM file is for trials: whoever\n"
      "reads the file issues licenses. Nothing that is there is replaced.\n"},
     tlm_issue_keygen},
    {{"jwks", "FILE...", "Make the trust file of the hosts from public keys",
      "KEY is a pkcs11: URI or a file in PEM, public or private. FILE is a trust file whose\n"
      "keys are taken over.\n"},
     tlm_issue_jwks},
    {{"license", "DESCRIPTION", "Make a license from its description",
      "DESCRIPTION is a file in YAML or JSON; - is standard input. It is checked against\n"
      "the schema that is installed beside the program. What is made is a signed container.\n"},
     tlm_issue_license},
    {{"package", "CONTAINER...", "Sign and encrypt licenses for hosts",
      "Each package opens with the token of its host alone. With many hosts each gets the\n"
      "containers that are bound to it, or one made for it from --description; packages that\n"
      "are there already are passed over, so that a run that was interrupted goes on.\n"},
     tlm_issue_package},
    {{"revoke", "ID...", "Make the list of licenses that are taken back",
      "ID is the UUID of a license, its jti.\n"},
     tlm_issue_revoke},
    {{"inspect", "FILE", "Explain one of our files; nothing is verified",
      "A container, package, revocation list, trust file, request, fingerprint answer,\n"
      "statement, audit log, description or key; - is standard input.\n"},
     tlm_issue_inspect},
    {{"verify", "FILE", "Check what a host would check, as far as it goes without its key",
      "Says which check failed. The content of an encrypted package is for its host alone.\n"},
     tlm_issue_verify},
    {{"help", "[SUBCOMMAND]", "Show this help, or the one of a subcommand", ""}, run_help},
    {{"version", NULL, "Show the version", ""}, run_version},
};

const size_t tlm_issue_command_count = sizeof tlm_issue_commands / sizeof tlm_issue_commands[0];
