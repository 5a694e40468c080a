#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docs/attestation.md, typed as it stands, on a TPM of a maker's and with a CA of openssl.

load common
load ../support/tokens
load ../support/manufacture

setup() {
    tokens_setup
    cd "$work" || return 1
    mkdir bin
    ln -s "$TOKEN_INIT" bin/tlm-token-init
    PATH=$work/bin:$PATH
}

teardown() {
    cd /
    tokens_teardown
}

# Runs the blocks of that mark.
typed() {
    awk -v name="test: $1" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/attestation.md" > commands
    [ -s commands ]
    bash -euo pipefail commands
}

@test "the way of an attestation" {
    manufacture one ca
    kind=tpm
    provision > log
    cp "$ca" tpm-maker.pem
    typed attest-nonce
    typed attest-host
    typed attest-challenge
    typed attest-answer
    run -0 typed attest-verify
    [[ $output == *"fingerprint=$(fingerprint)"* && $output == *"bound: "* ]]
    run -0 typed attest-digest
    jq -r '.keys[0].attest' host.json | basenc_padded | basenc --base16 -w0 | grep -iF "$output"
    run -0 typed attest-issuer
    [[ $output == *"issuer=CN = swtpm-localca"* ]]
    # An attestation, a challenge, what is kept and an answer have the documented members.
    for file in host challenge secret answer; do
        member_names < "$file.json" > names
        in_document names "$SOURCE/docs/formats.md"
    done
    tlm-token-init verify-attestation host.json --ca tpm-maker.pem --answer answer.json \
        --secret-file secret.json --json | member_names > names
    in_document names "$SOURCE/docs/formats.md"
}

@test "messages of refusals are those that the document lists" {
    manufacture one ca
    manufacture two other
    kind=tpm
    provision > log
    tlm-token-init attest --out host.json
    run -1 tlm-token-init verify-attestation host.json --ca "$work/ca/issuercert.pem"
    [[ $output == *"not among the trusted ones"* ]]
    grep -F "not among the trusted ones" "$SOURCE/docs/attestation.md"
    sed -n '/^## Refusals/,/^On the host/p' "$SOURCE/docs/attestation.md" |
        sed -n 's/^| `\([^`]*\)` | `.*/\1/p' > messages
    [ "$(wc -l < messages)" -ge 12 ]
    cat "$SOURCE"/token-init/src/{attestation_*,ek_certificate,chain}.c | tr '\n' ' ' |
        sed -e 's/" *"//g' > sources
    while read -r message; do
        grep -qF "$message" sources || [ "$message" = "has expired" ] || {
            echo "no such message: $message"
            return 1
        }
    done < messages
}

@test "a certificate from a CA" {
    provision > log
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj "/CN=CA" -days 2 -out ca.pem 2> err
    typed certify-csr
    openssl x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -out host.pem 2> err
    run -0 typed certify-install
    [[ $output == *"installed: certificate of tlm-attest"* ]]
    [ -s "$(sed -n 's/^the certificate before it is saved in //p' <<< "$output")" ]
}
