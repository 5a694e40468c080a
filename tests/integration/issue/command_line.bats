#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Subcommands, options, exit statuses, and where secrets do not go.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

@test "help and version end with 0, and help names every subcommand and option" {
    issue --version | grep -q '^tlm-issue [0-9]'
    issue version | grep -q '^tlm-issue [0-9]'
    issue --help > help
    [ "$(issue help)" = "$(cat help)" ]
    local command
    for command in keygen jwks license package revoke inspect verify; do
        grep -q "^  $command " help
        issue help "$command" > "$command"
        [ "$(issue "$command" --help)" = "$(cat "$command")" ]
        grep -q "^usage: tlm-issue $command" "$command"
    done
    grep -q -- '-o, --out FILE' license
}

@test "what is no word of the tables is refused with status 2 and the nearest one" {
    refused 2 setting "there is no subcommand 'licens'" licens
    [[ $stderr == *"did you mean 'license'?"* ]]
    refused 2 setting "license has no option '--kye'" license --kye x
    [[ $stderr == *"did you mean --key?"* ]]
    refused 2 setting "a subcommand is missing"
    refused 2 setting "--key needs a value" license x --key
    refused 2 setting "there is no subcommand 'nix'" help nix
    refused 2 setting "license takes one description" license
    refused 2 setting "license takes one DESCRIPTION, and 'b' is one more" license a b
    refused 2 setting "inspect takes one file" inspect
    refused 2 setting "which host" package x --key k
    refused 2 setting "either containers or --description" package --for x --key k
    refused 2 setting "either containers or --description" package x --for x --key k --description d
    refused 2 setting "--jobs" package x --for x --key k --jobs 65
    refused 2 setting "--jobs" package x --for x --key k --jobs 0
    refused 2 setting "standard output" package x --for x --key k --json
    refused 2 setting "where to make the key" keygen
    refused 2 setting "there is no algorithm 'HS256'" keygen --key k --alg HS256
    refused 2 setting "RSA keys of '1024' bits" keygen --key k --alg RS256 --bits 1024
    refused 2 setting "given by its curve" keygen --key k --bits 2048
    [ ! -e k ]
}

@test "a PIN stands in no URI" {
    refused 1 argument "the URI holds a PIN" keygen --key 'pkcs11:token=t;object=o?pin-value=1234' --module m
    [[ $stderr == *"--pin-file FILE"* ]]
    [[ $stderr != *1234* ]]
    refused 2 setting "module of the token was not named" keygen --key 'pkcs11:token=t;object=o'
    refused 2 setting "one is enough" keygen --key 'pkcs11:token=t;object=o' --module m --pin-file p --pin-pad
    refused 2 setting "no number of a descriptor" keygen --key 'pkcs11:token=t;object=o' --module m --pin-fd x
}

@test "an encrypted PEM file opens with its passphrase from a file or descriptor, and asks nobody" {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:secret -out key.pem
    chmod 600 key.pem
    description
    host h
    printf 'secret\n' > pass
    chmod 600 pass
    issue license license.yaml --for h.json --key key.pem --pin-file pass --out one.jws 2> err
    issue license license.yaml --for h.json --key key.pem --pin-fd 4 --out two.jws 4< pass 2> err
    refused 1 format "no private key in PEM" license license.yaml --for h.json --key key.pem
    printf 'wrong\n' > pass
    refused 1 format "no private key in PEM" license license.yaml --for h.json --key key.pem --pin-file pass
    chmod 644 pass
    refused 1 permission pass license license.yaml --for h.json --key key.pem --pin-file pass
}

@test "keys that do not fit are refused" {
    issue keygen --key ec.pem 2> err
    openssl genpkey -algorithm ED25519 -out ed.pem
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.pem 2> err
    chmod 600 ./*.pem
    description
    host h
    refused 1 unsupported "the key does not fit RS256" license license.yaml --for h.json --key ec.pem --alg RS256
    refused 1 unsupported "of no type that signs licenses" license license.yaml --for h.json --key ed.pem
    refused 1 unsupported "of no type that signs licenses" license license.yaml --for h.json --key small.pem
    refused 1 not-found none.pem license license.yaml --for h.json --key none.pem
    chmod 600 license.yaml
    refused 1 format "no private key" license license.yaml --for h.json --key license.yaml
}

@test "every option of help is in the manual page" {
    mandoc -T utf8 -O width=200 "$BUILD/licensing/issue/man/tlm-issue.1" | sed 's/.\x08//g' > manual
    local command option
    for command in $(issue help | awk '/^Subcommands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
        grep -qw -- "$command" manual
        for option in $(issue help "$command" | grep -oE -- '--[a-z-]+' | grep -v -- --help); do
            grep -qF -- "$option" manual || { echo "not in the manual: $command $option"; false; }
        done
    done
}
