#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A thousand packages in one call, and what one bad host or an interruption does to it. Set by ctest:
# MANY, the number.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    keys
    description
    mkdir hosts
}

# hosts COUNT: files of so many hosts, of three keys.
hosts() {
    local i
    host a
    host b
    host c
    for ((i = 0; i < $1; i++)); do
        cp "$(cut -c $((i % 3 + 1)) <<< abc).json" "hosts/h$i.json"
    done
}

packages() {
    issue package --for hosts --description license.yaml --key issuer.pem --vendor-key vendor.pem --out out "$@"
}

@test "a thousand packages, each with a license of its own" {
    hosts "$MANY"
    packages --trust trust.jwks > log 2> err
    [ "$(tail -n 1 log)" = "$MANY hosts: $MANY packages made, 0 present, 0 failed" ]
    [ "$(grep -c '^made out/h[0-9]*.tlmpkg [0-9a-f-]\{36\}$' log)" -eq "$MANY" ]
    [ "$(find out -name '*.tlmpkg' -size +0 | wc -l)" -eq "$MANY" ]
    [ "$(cut -d' ' -f3 log | grep -E '^[0-9a-f-]{36}$' | sort -u | wc -l)" -eq "$MANY" ]
    [ "$(find out -type f | wc -l)" -eq "$MANY" ]
    foreign_open b.key out/h40.tlmpkg > signed
    issue verify signed --trust trust.jwks --for b.json
}

@test "a run goes on where another one ended, and leaves alone what is there" {
    hosts 20
    packages > log 2> err
    sum=$(cat out/* | sha256sum)
    packages > log 2> err
    [ "$(tail -n 1 log)" = "20 hosts: 0 packages made, 20 present, 0 failed" ]
    [ "$(cat out/* | sha256sum)" = "$sum" ]
    rm out/h7.tlmpkg out/h9.tlmpkg
    packages > log 2> err
    [ "$(tail -n 1 log)" = "20 hosts: 2 packages made, 18 present, 0 failed" ]
    packages --force > log 2> err
    [ "$(tail -n 1 log)" = "20 hosts: 20 packages made, 0 present, 0 failed" ]
    [ "$(cat out/* | sha256sum)" != "$sum" ]
    [ "$(find out -type f | wc -l)" -eq 20 ]
}

@test "one that was killed in the middle leaves whole packages only" {
    hosts "$MANY"
    "$ISSUE" package --for hosts --description license.yaml --key issuer.pem --vendor-key vendor.pem \
        --out out --jobs 2 > log 2> err &
    local pid=$!
    while [ "$(find out -name '*.tlmpkg' 2> /dev/null | wc -l)" -lt 20 ] && kill -0 "$pid"; do :; done
    kill -KILL "$pid"
    wait "$pid" || true
    local file
    for file in out/*.tlmpkg; do
        issue inspect "$file" > /dev/null
    done
    packages > log 2> err
    [[ $(tail -n 1 log) == "$MANY hosts: "*" present, 0 failed" ]]
    [ "$(find out -name '*.tlmpkg' | wc -l)" -eq "$MANY" ]
}

@test "two runs at a time make each package once" {
    hosts 60
    packages --jobs 2 > one 2> err &
    local pid=$!
    packages --jobs 2 > two 2> err
    wait "$pid"
    [ "$(cat one two | grep -c '^made out/')" -eq 60 ]
    [ "$(find out -type f | wc -l)" -eq 60 ]
}

@test "a host that is wrong is named, and the others have their packages" {
    hosts 6
    echo '{}' > hosts/h2.json
    jq '.kid = "x"' hosts/h4.json > bent
    mv bent hosts/h4.json
    run -1 --separate-stderr packages
    [[ $stderr == *"hosts/h2.json is neither a request nor an answer"*"[format]"* ]]
    [[ $stderr == *"hosts/h4.json: kid and its key do not belong together [damaged]"* ]]
    [ "${lines[-1]}" = "6 hosts: 4 packages made, 0 present, 2 failed" ]
    [ "$(find out -name '*.tlmpkg' | wc -l)" -eq 4 ]
    run -1 --separate-stderr packages --json --force
    [ "$(jq -r '[.made, .present, .failed, .pending] | @csv' <<< "$output")" = 4,0,2,0 ]
    [ "$(jq -r '.packages[] | select(.host == "hosts/h2.json") | .result, .code' <<< "$output" | xargs)" = "failed format" ]
    [ "$(jq -r '[.packages[] | select(.result == "made") | .licenses[0]] | unique | length' <<< "$output")" = 4 ]
}

@test "containers go to the hosts that they are bound to" {
    host a
    host b
    host c
    cp a.json b.json hosts
    local name
    for name in a a b; do
        issue license license.yaml --for $name.json --key vendor.pem --out "$name$((++n)).jws" 2> err
    done
    issue package ./*.jws --for hosts --key issuer.pem --out out > log 2> err
    foreign_open a.key out/a.tlmpkg > signed
    [ "$(issue inspect signed --json | jq '.claims.containers | length')" = 2 ]
    foreign_open b.key out/b.tlmpkg > signed
    [ "$(issue inspect signed --json | jq '.claims.containers | length')" = 1 ]
    issue license license.yaml --for c.json --key vendor.pem --out c.jws 2> err
    run -1 --separate-stderr issue package ./*.jws --for hosts --key issuer.pem --out out --force
    [[ $stderr == *"is bound to none of these hosts"* ]]
    cp c.json hosts
    rm c.jws
    run -1 --separate-stderr issue package ./*.jws --for hosts --key issuer.pem --out out --force
    [[ $stderr == *"no container is bound to the host"* ]]
}

@test "what cannot be meant is refused before a key is opened" {
    hosts 2
    refused 2 setting "no directory for them" package --for hosts --description license.yaml --key none.pem
    refused 2 setting "would both become" package --for hosts --for hosts --description license.yaml --key none.pem --out out
    mkdir none
    refused 1 not-found "holds no file of a host" package --for none --description license.yaml --key none.pem --out out
    description 'id: 3f1d9b5e-0c6a-4b0e-9a9e-5b1a3c2d4e5f'
    refused 2 setting "one id is no id" package --for hosts --description license.yaml --key none.pem --out out
    : > file
    refused 1 exists file package --for hosts --description license.yaml --key none.pem --out file
}

@test "a progress bar on a terminal, lines elsewhere, nothing when quiet" {
    hosts 5
    packages --quiet > log 2> err
    [ ! -s log ]
    grep -v warning err && return 1
    script -qec "$ISSUE package --for hosts --description license.yaml --key issuer.pem --vendor-key vendor.pem --out two" \
        /dev/null > screen
    grep -q '\[########################################\] 5/5' screen
    grep -q '5 hosts: 5 packages made' screen
    run grep -c '^made' screen
    [ "$output" -eq 0 ]
}
