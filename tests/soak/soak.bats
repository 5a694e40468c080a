#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# tlm-tokend under load: many clients, clients that die, a TPM that goes away, long runs.

load ../support/tokens
load ../support/tokend

setup_file() {
    tokens_setup
    export work persistence store tcti kind
    "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048 > "$work/provision" 2>&1 < /dev/null
    tokend_start
}

teardown_file() {
    tokend_stop
    tokens_teardown
}

setup() {
    [ "$kind" = softhsm ] || use_swtpm one
    client_module=$(p11_kit_client)
    export P11_KIT_SERVER_ADDRESS=unix:path=$work/run/pkcs11.sock
}

# client KIND COUNT [patient]
client() {
    "$SOAK_CLIENT" "$client_module" "$@" 3>&-
}

# start_client OUTPUT KIND COUNT [patient]: in the background; pid is the program's own.
start_client() {
    local output=$1
    shift
    "$SOAK_CLIENT" "$client_module" "$@" > "$output" 2>&1 < /dev/null 3>&- &
    pid=$!
}

# How often the TPM has counted a failed authorization.
lockout_counter() {
    tpm2_getcap properties-variable | sed -n 's/^TPM2_PT_LOCKOUT_COUNTER: *//p'
}

no_lockout() {
    [ "$kind" = softhsm ] || [ "$(lockout_counter)" = 0x0 ]
}

# background NUMBER ARGUMENT…: so many clients, their output in $work/client.N; sets pids.
background() {
    local count=$1 i pid
    shift
    pids=()
    for ((i = 0; i < count; i++)); do
        start_client "$work/client.$i" "$@"
        pids+=("$pid")
    done
}

wait_for_all() {
    local pid bad=0
    for pid in "${pids[@]}"; do
        wait "$pid" || bad=1
    done
    cat "$work"/client.*
    return "$bad"
}

@test "8 clients, 1000 signatures each, every one verified" {
    background 8 sign 1000
    wait_for_all
    [ "$(cat "$work"/client.* | grep -c '^done=1000 away=0 wrong=0 recoveries=0$')" -eq 8 ]
    no_lockout
}

@test "200 clients killed in mid-call harm nobody" {
    local witness i pid
    start_client "$work/witness" sign 1000000
    witness=$pid
    for ((i = 0; i < 200; i++)); do
        start_client "$work/victim" sign 1000000
        sleep "0.0$((RANDOM % 90 + 10))"
        kill -KILL "$pid"
        wait "$pid" || true
    done 2> /dev/null
    kill -0 "$witness"
    kill -KILL "$witness"
    wait "$witness" || true
    [ ! -s "$work/witness" ] # it reported no error
    run -0 client sign 20
    [[ $output == "done=20 away=0 wrong=0 "* ]]
    until_true 60 no_thread_is_left
    no_lockout
}

# The threads of killed clients are gone, and so are their sockets.
no_thread_is_left() {
    local pid
    pid=$(cat "$work/tokend.pid")
    [ "$(find "/proc/$pid/fd" -lname 'socket:*' 2> /dev/null | wc -l)" -le 4 ]
}

@test "the TPM restarted 20 times under load: no wrong answer, no lockout" {
    [ "$kind" = tpm ] || return 0 # there is nothing to restart
    local pid
    background 4 sign 1000000 patient
    for _ in {1..20}; do
        sleep 0.4
        reset_tpm
        until_true 60 client_signs
    done
    for pid in "${pids[@]}"; do
        kill -0 "$pid" # none has given up, none has seen a wrong signature
        kill -KILL "$pid"
        wait "$pid" || true
    done 2> /dev/null
    [ ! -s "$work/client.0" ]
    kill -0 "$(cat "$work/tokend.pid")"
    no_lockout
}

# As a machine that is switched off and on in an orderly way: TPM2_Shutdown is the last command. The
# owner is stopped between two of its own; in the middle of one the simulated TPM has no ear for us.
reset_tpm() {
    local owner tpm tries=200
    owner=$(cat "$work/tokend.pid")
    tpm=$(cat "$work/one/pid")
    kill -STOP "$owner"
    until timeout 1 tpm2_shutdown --clear > /dev/null 2>&1; do
        tries=$((tries - 1))
        kill -CONT "$owner"
        [ "$tries" -gt 0 ]
        sleep "0.00$((RANDOM % 10))"
        kill -STOP "$owner"
    done
    kill -KILL "$tpm"
    while kill -0 "$tpm" 2> /dev/null; do
        sleep 0.01
    done
    start_swtpm one
    kill -CONT "$owner"
}

client_signs() {
    client sign 1 > "$work/single" 2>&1
}

@test "100,000 operations in one run" {
    run -0 client mixed 100000
    [[ $output == "done=100000 away=0 wrong=0 "* ]]
    kill -0 "$(cat "$work/tokend.pid")"
    # More than the module is trusted with, so it was brought back in between.
    grep -q 'restarting_module' "$work/tokend.out"
    no_lockout
}
