/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "client_private.h"
#include "tool.h"

int tlm_tool_version(const tlm_tool_options *options)
{
    (void)options;
    (void)printf("tlm %s\n", tlm_client_version());
    return TLM_EXIT_DONE;
}

int tlm_tool_help(const tlm_tool_options *options)
{
    tlm_error cause;
    if (tlm_command_line_help(tlm_tool_line(), &options->operands, stdout, &cause) != TLM_OK) {
        tlm_client_error error;
        (void)tlm_trouble_of(&error, &cause);
        return tlm_tool_failure(&error);
    }
    return TLM_EXIT_DONE;
}

const tlm_tool_command tlm_tool_commands[] = {
    {{"status", NULL, "Show how the daemon is", ""}, false, tlm_tool_status},
    {{"fingerprint", NULL, "Show this host's fingerprint", ""}, false, tlm_tool_fingerprint},
    {{"keys", NULL, "Print the host's public keys as JWKS",
      "What verify-statement, audit verify and applications verify with. Save it from a place\n"
      "that is trusted.\n"},
     false,
     tlm_tool_keys},
    {{"request", NULL, "Make the file from which a vendor licenses this host",
      "Fingerprints and public keys of the host, as one JSON object; nothing secret.\n"},
     false,
     tlm_tool_request},
    {{"activate", "FILE", "Put a package of licenses into force",
      "FILE is a vendor's .tlmpkg; - reads standard input. All of its licenses or none.\n"},
     true,
     tlm_tool_activate},
    {{"licenses list", NULL, "List licenses, features and what is left of them", ""},
     false,
     tlm_tool_licenses},
    {{"licenses show", "LICENSE", "Show one license", ""}, false, tlm_tool_license},
    {{"licenses remove", "LICENSE", "Take a license out of force",
      "What was used of it stays known, and counts when it is activated again.\n"},
     true,
     tlm_tool_remove},
    {{"lease list", NULL, "List every lease", ""}, true, tlm_tool_leases},
    {{"lease show", "LEASE", "Show one lease", ""}, false, tlm_tool_lease},
    {{"lease acquire", NULL, "Take seats, and leave them taken",
      "The lease runs out unless it is renewed. For a program use run.\n"},
     false,
     tlm_tool_acquire},
    {{"lease renew", "LEASE", "Renew a lease", ""}, false, tlm_tool_renew},
    {{"lease release", "LEASE", "Return a lease", ""}, false, tlm_tool_release},
    {{"lease borrow", "FILE", "Borrow a seat, to work without contact",
      "Makes FILE and FILE.key, which stay together.\n"},
     false,
     tlm_tool_borrow},
    {{"lease check", "FILE", "Check a borrowed lease, without the daemon", ""},
     false,
     tlm_tool_borrowed},
    {{"lease return", "FILE", "Return a borrowed lease early", "Removes FILE and FILE.key.\n"},
     false,
     tlm_tool_return},
    {{"check", "[FILE]", "Ask for a stand-alone feature",
      "With FILE, a license as its vendor signed it, without the daemon.\n"},
     false,
     tlm_tool_check},
    {{"usage", NULL, "Take units of a counter or of tokens, or give them back",
      "The same request id is counted once.\n"},
     false,
     tlm_tool_usage},
    {{"run", "-- PROGRAM ...", "Run a program while a seat is held",
      "Takes a lease, renews it while the program runs, and returns it. Signals are passed on.\n"
      "Where the grace is over the program gets SIGTERM. The exit status is the program's, or 128\n"
      "and the number of the signal that ended it.\n"},
     false,
     tlm_tool_run},
    {{"state show", NULL, "Show the state of the record of use", ""}, false, tlm_tool_state},
    {{"state accept", NULL, "Accept the state after a rollback", ""}, true, tlm_tool_accept},
    {{"audit show", NULL, "Show the audit log", ""}, true, tlm_tool_audit},
    {{"audit export", NULL, "Write the audit log as JSON lines", ""}, true, tlm_tool_audit_export},
    {{"audit verify", "FILE", "Verify an exported audit log",
      "The chain, and with --keys the anchors that the host signed.\n"},
     false,
     tlm_tool_audit_verify},
    {{"revoke", "FILE", "Send a vendor's revocation list", "- reads standard input.\n"},
     true,
     tlm_tool_revoke},
    {{"revocations", NULL, "List the revocation lists that are known", ""},
     false,
     tlm_tool_revocations},
    {{"attest", NULL, "Have the host sign a nonce", ""}, false, tlm_tool_attest},
    {{"verify-statement", "FILE", "Verify what the host signed",
      "FILE is any answer with a statement; - reads standard input. Needs --keys, and --nonce\n"
      "where one was asked with.\n"},
     false,
     tlm_tool_verify_statement},
    {{"help", "[SUBCOMMAND...]", "Show this help, or the one of a subcommand", ""},
     false,
     tlm_tool_help},
    {{"version", NULL, "Show the version", ""}, false, tlm_tool_version},
};

const size_t tlm_tool_command_count = sizeof tlm_tool_commands / sizeof tlm_tool_commands[0];
