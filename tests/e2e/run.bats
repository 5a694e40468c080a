#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# scripts/run from the first start to the last: ready line, warm start, Ctrl-C.

load helpers

setup() {
    new_state
    as=()
}

teardown() {
    take_away
}

check_life() {
    local first
    start --backend "$1"
    [ "$backend" = "$1" ]
    first=$fingerprint
    # The guide's own checks.
    curl -fs "$url/health"
    [ "$(curl -fs "$url/fingerprint" | jq -r .fingerprint)" = "$first" ]
    [ "$(curl -fs "$url/status" | jq -r .start.kind)" = cold ]
    [ "$(curl -fs "$url/fingerprint" | jq -r .hardwareBound)" = false ]
    [ "$(curl -fs "$url/status" | jq -r .tpmConnected)" = "$2" ]
    status_is "$url/ready" 200
    for directory in config persistence log run; do
        [ -d "$state/$directory" ]
    done
    [ -s "$state/persistence/persistence.bin" ]
    [ -s "$state/persistence/vault.bin" ]

    finish INT
    [ "$ended_with" -eq 0 ]
    assert_nothing_left

    start --backend "$1"
    [ "$fingerprint" = "$first" ]
    [ "$(curl -fs "$url/status" | jq -r .start.kind)" = warm ]
    [ "$(wc -l < "$out")" -eq 1 ]
    finish TERM
    [ "$ended_with" -eq 0 ]
    assert_nothing_left

    # The back end need not be named again.
    start
    [ "$fingerprint" = "$first" ]
    [ "$backend" = "$1" ]
}

@test "softhsm: ready, warm start with the same fingerprint, Ctrl-C leaves nothing" {
    check_life softhsm false
}

@test "swtpm: ready, warm start with the same fingerprint, Ctrl-C leaves nothing" {
    check_life swtpm true
    grep -q 'simulated, not hardware-bound' "$err"
    grep -q 'simulated, not hardware-bound' "$out"
    [ -s "$state/swtpm/tpm2-00.permall" ]
}

@test "without a TPM device, auto takes the simulated one" {
    [ ! -e /dev/tpmrm0 ] || {
        start --backend auto
        [ "$backend" = tpm ]
        return
    }
    start
    [ "$backend" = swtpm ]
}

@test "the fingerprint is the thumbprint that standard tools compute" {
    start --backend softhsm
    local n
    curl -fs "$url/fingerprint" | jq -r .publicKey > "$state.pem"
    n=$(openssl rsa -pubin -in "$state.pem" -noout -modulus | cut -d= -f2 | basenc -d --base16 |
        basenc --base64url -w0 | tr -d =)
    [ "$(printf '{"e":"AQAB","kty":"RSA","n":"%s"}' "$n" | sha256sum | cut -c1-64)" = "$fingerprint" ]
}

@test "paths with blanks, and longer than a unix socket's path may be" {
    state="${state%/state}/a state with blanks/$(printf 'long%.0s' {1..30})"
    mkdir -p "$(dirname "$state")"
    start --backend swtpm
    [ "$backend" = swtpm ]
    local directory first=$fingerprint
    directory=$(cat "$state/run/socket-directory")
    [ -S "$directory/swtpm.sock" ]
    finish INT
    [ "$ended_with" -eq 0 ]
    assert_nothing_left
    [ ! -e "$directory" ]
    start
    [ "$fingerprint" = "$first" ]
    finish INT
    rm -rf "${state%/a state*}"
}

@test "swtpm is shut down in order: no start counts as an attack" {
    start --backend swtpm
    finish INT
    start
    local counter
    counter=$(TPM2TOOLS_TCTI="swtpm:path=$state/run/swtpm.sock" tpm2_getcap properties-variable |
        sed -n 's/^TPM2_PT_LOCKOUT_COUNTER: *//p')
    [ "$((counter))" -eq 0 ]
}

@test "--port is the port that answers" {
    # A port that was free a moment ago.
    start --backend softhsm
    local port=${url##*:}
    finish INT
    launch --backend softhsm --port "$port"
    wait_says "^ready http://[0-9.]*:$port " "$out"
    curl -fs "http://127.0.0.1:$port/health"
}
