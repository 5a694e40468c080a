#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Keys of vendor and issuer in a token: SoftHSM, and a TPM by tpm2-pkcs11.

load ../../support/tokens
load common

setup() {
    tokens_setup
    cd "$work" || return 1
    provision > log
    module=$(jq -r .module "$store/token.json")
    token=$(jq -r .label "$store/token.json")
    secrets | jq -rj .userPin > pin
    chmod 600 pin
    if [ "$BACKEND" = swtpm ]; then
        export TPM2_PKCS11_STORE=$store TPM2_PKCS11_TCTI=$tcti TPM2_PKCS11_BACKEND=esysdb
    else
        export SOFTHSM2_CONF=$store/softhsm2.conf
    fi
    at=(--module "$module" --pin-file pin)
    vendor="pkcs11:token=$token;object=acme"
    description
    host h
}

teardown() {
    cd /
    tokens_teardown
}

@test "from nothing to a package, with keys that no file holds" {
    issue keygen --key "$vendor" "${at[@]}" --public acme.pub > log
    grep -q '^algorithm  *ES256' log
    issue keygen --key "pkcs11:token=$token;object=issuer" --alg PS256 --bits 2048 --public issuer.pub \
        --module "$module" --pin-fd 4 4< pin > log
    grep -q '^algorithm  *PS256' log
    issue jwks --vendor ACME=acme.pub --issuer issuer.pub --out trust.jwks
    issue jwks --vendor "ACME=$vendor" "${at[@]}" --out same.jwks
    [ "$(jq -c '.keys[0]' same.jwks)" = "$(jq -c '.keys[0]' trust.jwks)" ]
    run -0 --separate-stderr "$ISSUE" license license.yaml --for h.json --key "$vendor" "${at[@]}" --out license.jws
    [[ $stderr != *warning* ]]
    foreign_verify trust.jwks license.jws > /dev/null
    issue package license.jws --for h.json --key "pkcs11:token=$token;object=issuer?module-path=$module" \
        --pin-file pin --trust trust.jwks --out h.tlmpkg
    foreign_open h.key h.tlmpkg > signed
    foreign_verify trust.jwks signed > /dev/null
    issue verify signed --trust trust.jwks --for h.json
    issue revoke 11111111-1111-4111-8111-111111111111 --iss ACME --serial 1 --key "$vendor" "${at[@]}" --out list
    foreign_verify trust.jwks list > /dev/null
}

@test "keys of the other algorithms" {
    local alg algorithms=(ES384 RS256)
    for alg in "${algorithms[@]}"; do
        issue keygen --key "pkcs11:token=$token;object=$alg" --alg "$alg" --bits 2048 "${at[@]}" --public "$alg.pub" > log 2> err ||
            issue keygen --key "pkcs11:token=$token;object=$alg" --alg "$alg" "${at[@]}" --public "$alg.pub" > log
        issue jwks --vendor "ACME=$alg.pub" --alg "$alg" --out "$alg.jwks"
        issue license license.yaml --for h.json --key "pkcs11:token=$token;object=$alg" --alg "$alg" "${at[@]}" --out "$alg.jws"
        foreign_verify "$alg.jwks" "$alg.jws" | jq -e --arg alg "$alg" '.header.alg == $alg'
    done
}

@test "many hosts with one login" {
    local i
    issue keygen --key "$vendor" "${at[@]}" > log
    mkdir hosts
    for i in 1 2 3 4 5 6 7 8 9; do cp h.json "hosts/$i.json"; done
    issue package --for hosts --description license.yaml --key "$vendor" "${at[@]}" --jobs 4 --out out > log
    [ "$(tail -n 1 log)" = "9 hosts: 9 packages made, 0 present, 0 failed" ]
    [ "$(find out -name '*.tlmpkg' | wc -l)" -eq 9 ]
}

@test "a key that is there is not made again, one that is not there not used" {
    issue keygen --key "$vendor" "${at[@]}" > log
    refused 1 exists "a private key with that label" keygen --key "$vendor" "${at[@]}"
    refused 1 not-found "" license license.yaml --for h.json --key "pkcs11:token=$token;object=none" "${at[@]}"
    refused 1 not-found "" license license.yaml --for h.json --key 'pkcs11:token=none;object=acme' "${at[@]}"
    refused 2 setting "needs object" keygen --key "pkcs11:token=$token;id=%21" "${at[@]}"
    refused 1 unsupported "does not fit" license license.yaml --for h.json --key "$vendor" --alg RS256 "${at[@]}"
    issue keygen --key "pkcs11:token=$token;object=two;id=%21" "${at[@]}" > log
    issue license license.yaml --for h.json --key "pkcs11:token=$token;id=%21" "${at[@]}" --out two.jws
}

@test "a wrong PIN is tried once, a missing one explained, and none is shown" {
    issue keygen --key "$vendor" "${at[@]}" > log
    refused 1 not-found "" license license.yaml --for h.json --key "$vendor" --module "$module"
    [[ $stderr == *"add --pin-file FILE"* ]]
    printf 0000000000 > wrong
    chmod 600 wrong
    mkdir hosts
    cp h.json hosts/1.json
    cp h.json hosts/2.json
    refused 1 pin "" package --for hosts --description license.yaml --key "$vendor" --module "$module" --pin-file wrong --out out
    [[ $stderr != *0000000000* ]]
    chmod 644 pin
    refused 1 permission pin license license.yaml --for h.json --key "$vendor" "${at[@]}"
}
