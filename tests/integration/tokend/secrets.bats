#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# In a whole run no secret of the token is in any file, argument, environment, log or core, nor in
# the memory of the daemon. Two exceptions are known: SoftHSM's PINs rest in secrets.json, and
# tpm2-pkcs11 keeps TPM_AUTH in its own database.

load ../../support/tokens
load ../../support/tokend
load common

setup() {
    tokend_setup
    daemon_pid=""
}

teardown() {
    [ -z "$daemon_pid" ] || kill -TERM "$daemon_pid" 2> /dev/null || true
    [ -z "$daemon_pid" ] || tail --pid="$daemon_pid" -f /dev/null
    tokend_teardown
}

find_secrets() {
    "$SOURCE/tests/integration/tokend/find-secrets.py" "$BATS_TEST_TMPDIR/secrets" "$@" \
        2> "$BATS_TEST_TMPDIR/searched"
}

start_daemon() {
    "$DAEMON" --pkcs11-socket "$socket" --no-start-tokend --rest-port 0 --log-dir "$work/log" \
        --log-level trace ${tcti:+--tcti "$tcti"} > "$work/daemon.out" 2>&1 < /dev/null 3>&- &
    daemon_pid=$!
    until_true 60 grep -q '^ready ' "$work/daemon.out"
}

@test "no secret is found in a whole run" {
    "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048 --log-level trace \
        > "$work/provision.out" 2>&1
    secrets > "$BATS_TEST_TMPDIR/secrets"
    [ "$(jq -r 'del(.version) | length' "$BATS_TEST_TMPDIR/secrets")" -ge 2 ]
    ulimit -S -c "$(ulimit -H -c)"
    serve --log-level trace
    start_daemon
    read_public
    sign one
    decrypts
    "$TOKEN_INIT" status --json > "$work/status.out" 2>&1
    "$TOKEN_INIT" doctor > "$work/doctor.out" 2>&1 || true
    for pid in "$tokend_pid" "$daemon_pid"; do
        cat "/proc/$pid/cmdline" > "$work/cmdline.$pid"
        cat "/proc/$pid/environ" > "$work/environ.$pid"
        [ -s "$work/cmdline.$pid" ]
    done
    run -0 find_secrets --memory "$daemon_pid"
    [ "$output" = "" ]
    [ "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/searched")" -gt 100000 ]
    # A crash leaves no core, whatever the limit was at the start.
    kill -ABRT "$tokend_pid"
    wait "$tokend_pid" || true
    [ -z "$(find "$work" "$PWD" -maxdepth 2 -name 'core*' -newer "$work/provision.out")" ]
    find_secrets "$persistence" "$work/log" "$work/run" "$work/config" "$work"/*.* \
        > "$BATS_TEST_TMPDIR/found"
    [ "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/searched")" -gt 10000 ]
    if [ "$kind" = softhsm ]; then
        grep -q "^$store/secrets.json userPin text$" "$BATS_TEST_TMPDIR/found"
        sed -i "\\,^$store/secrets.json ,d" "$BATS_TEST_TMPDIR/found"
    else
        grep -q "^$store/tpm2_pkcs11.sqlite3 tpmAuth text$" "$BATS_TEST_TMPDIR/found"
        sed -i "\\,^$store/tpm2_pkcs11.sqlite3 tpmAuth text$,d" "$BATS_TEST_TMPDIR/found"
    fi
    cat "$BATS_TEST_TMPDIR/found"
    [ ! -s "$BATS_TEST_TMPDIR/found" ]
}

@test "the search finds what is there" {
    printf '{"version":1,"userPin":"00112233445566778899aabbccddeeff"}' > "$BATS_TEST_TMPDIR/secrets"
    mkdir "$work/planted"
    printf 'PIN=00112233445566778899AABBCCDDEEFF' > "$work/planted/text"
    printf '\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff' > "$work/planted/bytes"
    run -0 find_secrets "$work/planted"
    echo "$output" | grep -qx "$work/planted/text userPin text"
    echo "$output" | grep -qx "$work/planted/bytes userPin bytes"
    PLANTED=00112233445566778899aabbccddeeff sleep 60 3>&- &
    holders+=("$!")
    sleep 0.3
    run -0 find_secrets --memory "${holders[0]}"
    echo "$output" | grep -q "^memory:${holders[0]} userPin text$"
}
