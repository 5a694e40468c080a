#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Revocation lists: numbers that only grow, licenses that stay revoked.

load common

one=11111111-1111-4111-8111-111111111111
two=22222222-2222-4222-8222-222222222222
three=33333333-3333-4333-8333-33333333333a

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    keys
}

claims() {
    foreign_verify trust.jwks "$1" | jq -c "$2"
}

@test "the first list has the number that was said, the next ones follow it" {
    issue revoke "$two" "${one^^}" --key vendor.pem --iss ACME --serial 7 -o first 2> err
    [ "$(claims first .header.typ)" = '"tlm-revocation+jwt"' ]
    [ "$(claims first '[.claims.iss, .claims.serial, .claims.revoked]')" = "[\"ACME\",7,[\"$one\",\"$two\"]]" ]
    printf '# taken back in May\n%s\n\n  %s \n' "$three" "$one" > ids
    issue revoke --file ids --previous first --key vendor.pem -o second 2> err
    [ "$(claims second '[.claims.iss, .claims.serial, .claims.revoked]')" = "[\"ACME\",8,[\"$one\",\"$two\",\"$three\"]]" ]
    issue revoke --previous second --serial 20 --key vendor.pem -o third 2> err
    [ "$(claims third .claims.serial)" = 20 ]
    issue verify third --trust trust.jwks
    issue inspect third | grep -q 'revoked  *3 licenses'
    issue revoke --iss ACME --serial 0 --key vendor.pem -o none 2> err
    [ "$(claims none .claims.revoked)" = '[]' ]
}

@test "what is no list, no id or no number is refused" {
    issue revoke "$one" --key vendor.pem --iss ACME --serial 7 -o first 2> err
    refused 2 setting "number of the list was not said" revoke "$one" --key vendor.pem --iss ACME
    refused 2 setting "vendor of the list was not named" revoke "$one" --key vendor.pem --serial 1
    refused 2 setting "has the serial 7 already" revoke --previous first --serial 7 --key vendor.pem
    refused 2 setting "--serial is a number" revoke --iss ACME --serial 1x --key vendor.pem
    refused 2 setting "--serial is a number" revoke --iss ACME --serial 9007199254740992 --key vendor.pem
    refused 2 setting "of the vendor ACME, not OTHER" revoke --previous first --iss OTHER --key vendor.pem
    refused 1 format "license-1 is no UUID" revoke license-1 --key vendor.pem --iss ACME --serial 1
    printf '%s\nx\n' "$one" > ids
    refused 1 format "ids: x is no UUID" revoke --file ids --key vendor.pem --iss ACME --serial 1
    refused 1 exists first revoke --iss ACME --serial 1 --key vendor.pem -o first
    description
    host h
    issue license license.yaml --for h.json --key vendor.pem -o license.jws 2> err
    refused 1 format "is no revocation list" revoke --previous license.jws --key vendor.pem
}

@test "a previous list that was changed is refused, one of an older key is warned of" {
    issue revoke "$one" --key vendor.pem --iss ACME --serial 7 -o first 2> err
    {
        cut -d. -f1 first | tr -d '\n'
        printf '.%s.%s\n' "$(cut -d. -f2 first | basenc -d --base64url 2> /dev/null | sed 's/:7/:9/' |
            basenc --base64url -w0 | tr -d =)" "$(cut -d. -f3 first)"
    } > bent
    refused 1 signature "" revoke --previous bent --key vendor.pem
    issue keygen --key new.pem 2> err
    run -0 --separate-stderr "$ISSUE" revoke --previous first --key new.pem -o second
    [[ $stderr == *"warning: first was signed by another key"* ]]
}
