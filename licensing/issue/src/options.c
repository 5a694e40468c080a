/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#define MEMBER(name) offsetof(tlm_issue_options, name)
#define SIGNING " license package revoke "
#define TOKENS " keygen jwks license package revoke "
#define WRITING " jwks license package revoke "

static const tlm_option_row rows[] = {
    {" keygen ", "key", "KEY", MEMBER(key),
     "Where the key is made: a pkcs11: URI with object, or a new file for a key in PEM"},
    {SIGNING, "key", "KEY", MEMBER(key),
     "Key that signs: a pkcs11: URI, or a file with a private key in PEM, for trials"},
    {" keygen ", "alg", "ALG", MEMBER(alg), "ES256 (default), ES384, PS256 or RS256"},
    {" license package revoke jwks ", "alg", "ALG", MEMBER(alg),
     "Algorithm of the key; default what fits it: ES256, ES384, or PS256 for RSA"},
    {" keygen ", "bits", "BITS", MEMBER(bits), "Size of an RSA key: 2048, 3072 (default) or 4096"},
    {" license package revoke jwks ", "kid", "TEXT", MEMBER(kid),
     "Key id instead of the key's thumbprint (RFC 7638)"},
    {TOKENS, "module", "FILE", MEMBER(module),
     "PKCS#11 module of the token, where the URI has no module-path"},
    {TOKENS, "pin-file", "FILE", MEMBER(pin_file),
     "File of mode 0600 with the token's user PIN, or the passphrase of a PEM file"},
    {TOKENS, "pin-fd", "N", MEMBER(pin_fd), "Open descriptor that the same is read from"},
    {TOKENS, "pin-pad", NULL, MEMBER(pin_pad), "The token asks for the PIN itself"},
    {" keygen ", "public", "FILE", MEMBER(public_file),
     "Write the public key to a new file, in PEM; jwks takes it"},
    {" jwks ", "vendor", "CODE=KEY...", MEMBER(vendor),
     "Key of a vendor and the code whose licenses it signs; may be given again"},
    {" jwks ", "issuer", "KEY...", MEMBER(issuer),
     "Key of an issuer, who signs packages; may be given again"},
    {" license ", "for", "FILE...", MEMBER(hosts),
     "Request or fingerprint answer of the host that the license is for"},
    {" package ", "for", "FILE|DIR...", MEMBER(hosts),
     "Request or fingerprint answer of a host, or a directory of them (*.json); may be given "
     "again"},
    {" package ", "description", "FILE", MEMBER(description),
     "Make a license for each host from this description instead of taking containers"},
    {" package ", "vendor-key", "KEY", MEMBER(vendor_key),
     "Key that signs these licenses; default the key of --key"},
    {" package ", "vendor-pin-file", "FILE", MEMBER(vendor_pin_file),
     "As --pin-file, for --vendor-key; default the same file"},
    {" package ", "iss", "NAME", MEMBER(iss),
     "Name of the issuer; default the vendor code of the first license"},
    {" package ", "trust", "FILE...", MEMBER(trust),
     "Trust file: what a host with it would refuse is not issued; may be given again"},
    {" package ", "jobs", "N", MEMBER(jobs), "Threads, 1 to 64; default one for each processor"},
    {" revoke ", "iss", "CODE", MEMBER(iss), "Vendor code; default the one of the previous list"},
    {" revoke ", "serial", "N", MEMBER(serial),
     "Number of the list, which never goes down; default that of the previous list and one"},
    {" revoke ", "previous", "FILE", MEMBER(previous),
     "The list before, whose licenses stay revoked"},
    {" revoke ", "file", "FILE", MEMBER(file), "File with further ids, one a line"},
    {" verify ", "trust", "FILE...", MEMBER(trust), "Trust file; may be given again"},
    {" verify ", "for", "FILE...", MEMBER(hosts), "Request or fingerprint answer of the host"},
    {" verify ", "keys", "FILE", MEMBER(keys),
     "Answer of /api/v1/keys, for statements and audit logs; default those of --for"},
    {WRITING, "out", "FILE", MEMBER(out),
     "Write to a new file instead of standard output; with many hosts a directory"},
    {WRITING, "force", NULL, MEMBER(force), "Replace a file that is there"},
    {" package ", "quiet", NULL, MEMBER(quiet), "Say nothing but errors"},
    {" keygen package inspect verify ", "json", NULL, MEMBER(json), "Print one JSON object"},
    {NULL, "help", NULL, MEMBER(help), "Show this help and end"},
};

static const tlm_option_letter letters[] = {{'o', "out"}, {'h', "help"}, {'q', "quiet"}};

const tlm_command_line *tlm_issue_line(void)
{
    static tlm_command_line line = {
        .program = "tlm-issue",
        .purpose = "Makes licenses, and packages of them for hosts that prove their identity with "
                   "a token.\n",
        .commands = tlm_issue_commands,
        .command_size = sizeof(tlm_issue_command),
        .options = rows,
        .option_count = sizeof rows / sizeof rows[0],
        .letters = letters,
        .letter_count = sizeof letters / sizeof letters[0],
        .operands = MEMBER(operands),
    };
    line.command_count = tlm_issue_command_count;
    return &line;
}
