#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# tlm-tokend for its clients: what they can do, and what they cannot do to each other.

load ../../support/tokens
load ../../support/tokend
load common

setup_file() {
    tokens_setup
    "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048 > "$work/provision" 2>&1 < /dev/null
    export shared=$work
    [ "$kind" = softhsm ] || stop_swtpm one
}

teardown_file() {
    rm -rf "$shared"
}

# Every case has a copy of the token and, with a TPM, of the TPM's state.
setup() {
    tokend_setup
    rm -rf "$persistence"
    cp -a "$shared/p" "$persistence"
    if [ "$kind" = tpm ]; then
        stop_swtpm one
        rm -rf "$work/one/st"
        cp -a "$shared/one/st" "$work/one/st"
        start_swtpm one
    fi
}

teardown() {
    tokend_teardown
}

@test "lists, signs and decrypts without a PIN" {
    serve
    tool --list-slots > "$work/slots"
    grep -q 'token label *: tlm' "$work/slots"
    grep -q 'PIN pad present' "$work/slots"
    tool --login --pin '' --list-objects > "$work/objects"
    [ "$(grep -c '^Private Key Object; ' "$work/objects")" -eq 2 ]
    [ "$(grep -c '^Certificate Object; ' "$work/objects")" -eq 2 ]
    read_public
    sign one
    decrypts
    # Nobody may change anything, root included, where no table says so.
    run tool --login --pin '' --keypairgen --key-type EC:prime256v1 --label mine --id 77
    [ "$status" -ne 0 ]
    grep -q 'audit refused .*operation=manage' "$work/tokend.out"
    grep -q 'audit key_used uid=.* key=tlm-attest mechanism=CKM_ECDSA operation=sign result=CKR_OK' \
        "$work/tokend.out"
}

@test "p11tool" {
    serve
    p11tool --provider "$client" --list-tokens 3>&- > "$work/tokens"
    grep -q 'Label: tlm' "$work/tokens"
    run ! grep -q '%00' "$work/tokens" # padded with blanks, as the standard has it
    p11tool --provider "$client" --list-all-certs 'pkcs11:token=tlm' 3>&- > "$work/certs"
    [ "$(grep -c 'Type: X.509 Certificate' "$work/certs")" -eq 2 ]
    p11tool --provider "$client" --export 'pkcs11:token=tlm;object=tlm-attest;type=cert' 3>&- |
        openssl x509 -noout -subject | grep -q 'CN = tlm-attest'
}

@test "a PIN that a client sends is never passed on" {
    serve
    # Refused or not, the token does not hear of it: neither back end locks, however often.
    for _ in {1..12}; do
        tool --login --pin wrong --list-objects > "$work/objects" 2>&1 || true
    done
    read_public
    sign after
    [ "$kind" = softhsm ] || [ "$(state tpm.lockout.counter)" -eq 0 ]
}

@test "16 clients at a time" {
    local pids=() pid i
    serve
    read_public
    for ((i = 0; i < 16; i++)); do
        sign "client$i" 3>&- &
        pids+=("$!")
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
}

@test "clients killed in mid-call harm nobody" {
    local pid i
    serve
    read_public
    for ((i = 0; i < 10; i++)); do
        tool --login --pin '' --sign -m RSA-PKCS --id 01 -i "$work/attest.der" -o "$work/out" \
            > /dev/null 2>&1 &
        pid=$!
        sleep "0.0$((i * 4 + 10))"
        kill -KILL "$pid" 2> /dev/null || true
        wait "$pid" || true
    done 2> /dev/null
    sign after
}

@test "a client that opens sessions until it is refused" {
    serve --max-sessions 20
    hold "$GREEDY" "$client"
    [ "$held" = "sessions=20 refused=CKR_SESSION_COUNT" ]
    read_public
    sign other
}

@test "clients that say nothing, or half a message" {
    serve
    hold peer silent 5
    hold peer half 5
    read_public
    sign other
    kill -TERM "$tokend_pid"
    ends_with 0
}

@test "clients that speak nonsense" {
    serve
    peer noise 1
    peer noise 2
    until_true 60 peer_is_admitted # its 400 connections are gone
    read_public
    sign other
    [ "$(state pid)" -eq "$tokend_pid" ]
}

@test "messages that ask for gigabytes get none" {
    [ -z "$VARIANT" ] || return 0 # sanitizers have a malloc of their own
    serve
    run -0 peer gigabytes
    [ "$output" = "closed=4 answered=9" ]
    [ "$(awk '/^VmHWM/ { print $2 }' "/proc/$tokend_pid/status")" -lt 40000 ]
    grep -q ' message_too_large uid=' "$work/tokend.out"
    read_public
    sign other
    [ "$(state pid)" -eq "$tokend_pid" ]
}

@test "a connection too many is closed, with a line in the audit" {
    serve --max-clients 8
    run -0 peer admitted 12
    [ "$output" = "greeted=8 closed=4" ]
    grep -q 'audit refused .*operation=connect' "$work/tokend.out"
    # Those that went make room.
    until_true 60 peer_is_admitted
}

peer_is_admitted() {
    [ "$(peer admitted 1)" = "greeted=1 closed=0" ]
}

@test "a user has a quarter of the connections" {
    # An ordinary user cannot be two: it is then the owner, who may have them all.
    local expected="greeted=16 closed=0" as=()
    serve --max-clients 16
    if [ "$(id -u)" -eq 0 ]; then
        expected="greeted=4 closed=12"
        as=(setpriv --reuid nobody --clear-groups)
        chmod 755 "$work" "$work/run"
    fi
    cp "$SOURCE/tests/integration/tokend/peer.py" "$work/peer.py"
    chmod 755 "$work/peer.py"
    run -0 "${as[@]}" /usr/bin/python3 "$work/peer.py" "$socket" admitted 16
    [ "$output" = "$expected" ]
    read_public
    sign other
}

@test "whom no rule names sees no token" {
    mkdir -p "$work/config"
    echo '{"version": 1, "rules": []}' > "$work/config/access.json"
    chmod 600 "$work/config/access.json"
    serve
    tool --list-slots > "$work/slots"
    run ! grep -q 'token label' "$work/slots"
}

@test "SIGHUP: the table counts for new clients, the log is opened again" {
    mkdir -p "$work/config" # what is made later lies beyond what the process may read
    serve
    read_public
    sign before
    printf '{"version": 1, "rules": [{"user": %d, "objects": ["tlm-srk"], "operations": ["use"]}]}' \
        "$(id -u)" > "$work/config/access.json"
    chmod 600 "$work/config/access.json"
    mv "$work/log/tlm-tokend.log" "$work/log/rotated"
    kill -HUP "$tokend_pid"
    until_true 60 grep -q ' reloaded ' "$work/log/tlm-tokend.log"
    tool --login --pin '' --list-objects > "$work/objects"
    grep -q tlm-srk "$work/objects"
    run ! grep -q tlm-attest "$work/objects"
    decrypts
    # A table that is wrong changes nothing.
    echo '{"version": 1, "rule": []}' > "$work/config/access.json"
    kill -HUP "$tokend_pid"
    until_true 60 grep -q access_reload_failed "$work/tokend.out"
    decrypts
}
