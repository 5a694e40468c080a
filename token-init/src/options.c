/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <stddef.h>

static const tlm_option_row rows[] = {
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

static void print_settings(FILE *stream)
{
    tlm_settings_print_help(TLM_PROGRAM_TOKEN, stream);
}

const tlm_command_line *tlm_options_line(void)
{
    static tlm_command_line line = {
        .program = "tlm-token-init",
        .purpose = "Makes and looks after the token that holds this host's identity.\n",
        .commands = tlm_commands,
        .command_size = sizeof(tlm_command),
        .options = rows,
        .option_count = sizeof rows / sizeof rows[0],
        .operands = offsetof(tlm_options, operands),
        .print_common = print_settings,
    };
    line.command_count = tlm_command_count;
    return &line;
}
