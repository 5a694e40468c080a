/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "client_private.h"
#include "options_private.h"
#include "tool.h"

int tlm_tool_version(const tlm_tool_options *options)
{
    (void)options;
    (void)printf("tlm %s\n", tlm_client_version());
    return TLM_EXIT_DONE;
}

int tlm_tool_help(const tlm_tool_options *options)
{
    const tlm_tool_command *command = NULL;
    if (options->words != NULL && options->words[0] != NULL) {
        size_t used = 0;
        command = tlm_tool_find(options->words, &used);
        if (command == NULL) {
            tlm_client_error error;
            (void)tlm_trouble(&error, TLM_CLIENT_ARGUMENT, "setting", "see: tlm help",
                              "there is no subcommand '%s'", options->words[0]);
            return tlm_tool_failure(&error);
        }
    }
    tlm_tool_print_help(command, stdout);
    return TLM_EXIT_DONE;
}

const tlm_tool_command tlm_tool_commands[] = {
    {"status", NULL, false, "Show how the daemon is", "", tlm_tool_status},
    {"fingerprint", NULL, false, "Show this host's fingerprint", "", tlm_tool_fingerprint},
    {"keys", NULL, false, "Print the host's public keys as JWKS",
     "What verify-statement, audit verify and applications verify with. Save it from a place\n"
     "that is trusted.\n",
     tlm_tool_keys},
    {"request", NULL, false, "Make the file from which a vendor licenses this host",
     "Fingerprints and public keys of the host, as one JSON object; nothing secret.\n",
     tlm_tool_request},
    {"activate", "FILE", true, "Put a package of licenses into force",
     "FILE is a vendor's .tlmpkg; - reads standard input. All of its licenses or none.\n",
     tlm_tool_activate},
    {"licenses list", NULL, false, "List licenses, features and what is left of them", "",
     tlm_tool_licenses},
    {"licenses show", "LICENSE", false, "Show one license", "", tlm_tool_license},
    {"licenses remove", "LICENSE", true, "Take a license out of force",
     "What was used of it stays known, and counts when it is activated again.\n", tlm_tool_remove},
    {"lease list", NULL, true, "List every lease", "", tlm_tool_leases},
    {"lease show", "LEASE", false, "Show one lease", "", tlm_tool_lease},
    {"lease acquire", NULL, false, "Take seats, and leave them taken",
     "The lease runs out unless it is renewed. For a program use run.\n", tlm_tool_acquire},
    {"lease renew", "LEASE", false, "Renew a lease", "", tlm_tool_renew},
    {"lease release", "LEASE", false, "Return a lease", "", tlm_tool_release},
    {"lease borrow", "FILE", false, "Borrow a seat, to work without contact",
     "Makes FILE and FILE.key, which stay together.\n", tlm_tool_borrow},
    {"lease check", "FILE", false, "Check a borrowed lease, without the daemon", "",
     tlm_tool_borrowed},
    {"lease return", "FILE", false, "Return a borrowed lease early", "Removes FILE and FILE.key.\n",
     tlm_tool_return},
    {"check", "[FILE]", false, "Ask for a stand-alone feature",
     "With FILE, a license as its vendor signed it, without the daemon.\n", tlm_tool_check},
    {"usage", NULL, false, "Take units of a counter or of tokens, or give them back",
     "The same request id is counted once.\n", tlm_tool_usage},
    {"run", "-- PROGRAM ...", false, "Run a program while a seat is held",
     "Takes a lease, renews it while the program runs, and returns it. Signals are passed on.\n"
     "Where the grace is over the program gets SIGTERM. The exit status is the program's, or 128\n"
     "and the number of the signal that ended it.\n",
     tlm_tool_run},
    {"state show", NULL, false, "Show the state of the record of use", "", tlm_tool_state},
    {"state accept", NULL, true, "Accept the state after a rollback", "", tlm_tool_accept},
    {"audit show", NULL, true, "Show the audit log", "", tlm_tool_audit},
    {"audit export", NULL, true, "Write the audit log as JSON lines", "", tlm_tool_audit_export},
    {"audit verify", "FILE", false, "Verify an exported audit log",
     "The chain, and with --keys the anchors that the host signed.\n", tlm_tool_audit_verify},
    {"revoke", "FILE", true, "Send a vendor's revocation list", "- reads standard input.\n",
     tlm_tool_revoke},
    {"revocations", NULL, false, "List the revocation lists that are known", "",
     tlm_tool_revocations},
    {"attest", NULL, false, "Have the host sign a nonce", "", tlm_tool_attest},
    {"verify-statement", "FILE", false, "Verify what the host signed",
     "FILE is any answer with a statement; - reads standard input. Needs --keys, and --nonce\n"
     "where one was asked with.\n",
     tlm_tool_verify_statement},
    {"help", "[SUBCOMMAND]", false, "Show this help, or the one of a subcommand", "",
     tlm_tool_help},
    {"version", NULL, false, "Show the version", "", tlm_tool_version},
    {NULL, NULL, false, NULL, NULL, NULL},
};
