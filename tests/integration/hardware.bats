#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Counter and clock through tlm-tokend's socket and p11-kit's remoting, read by the library.
# Set by ctest: BACKEND, TOKEND, HARDWARE_READER.

load ../support/tokens
load ../support/tokend

setup() {
    tokens_setup
    export P11_KIT_SERVER_ADDRESS=unix:path=$work/run/pkcs11.sock
    client=$(p11_kit_client)
}

teardown() {
    tokend_stop
    tokens_teardown
}

reader() {
    "$HARDWARE_READER" "$client" "$@"
}

# The state file it leaves would say that the next one is ready.
kill_tokend() {
    local pid
    pid=$(cat "$work/tokend.pid")
    kill -KILL "$pid"
    wait "$pid" || true
    rm -f "$work/run/tokend.json"
}

# clock MEMBER: of the answer in $work/clock.
clock() {
    sed -n "s/^$1=//p" "$work/clock"
}

# Four clients that read 250 numbers each, in the background.
begin_reading() {
    local client_number
    readers=()
    for client_number in 1 2 3 4; do
        reader count 250 > "$work/read.$client_number" 2> "$work/read.$client_number.out" 3>&- &
        readers+=($!)
    done
}

# They all succeeded, each saw rising numbers, and no number was seen twice.
finish_reading() {
    local pid client_number
    for pid in "${readers[@]}"; do
        wait "$pid" || { cat "$work"/read.?.out && return 1; }
    done
    for client_number in 1 2 3 4; do
        [ "$(wc -l < "$work/read.$client_number")" -eq 250 ]
        cut -d ' ' -f 1 "$work/read.$client_number" | sort -c -n -u
    done
    [ "$(cut -d ' ' -f 1 "$work"/read.[1-4] | sort -n -u | wc -l)" -eq 1000 ]
}

# Until the clients have read some, and are not done.
wait_for_readings() {
    until_true 60 some_readings "$1"
}

some_readings() {
    [ "$(cat "$work"/read.[1-4] | wc -l)" -ge "$1" ]
}

@test "the clock, its vendor attributes, and each reading a larger number" {
    provision
    tokend_start
    before=$(date +%s)
    reader clock > "$work/clock"
    [ "$(clock system)" -ge "$before" ]
    [ "$(clock system)" -le "$(date +%s)" ]
    [ "$(clock counted)" -eq 1 ]
    [ "$(clock tamper_proof)" -eq 0 ] # a simulated TPM is a file, too
    first=$(clock ms)
    [ "$first" -gt 0 ]
    reader clock > "$work/clock"
    [ "$(clock ms)" -ge "$first" ]
    if [ "$kind" = tpm ]; then
        tpm2_readclock > "$work/tpm"
        [ "$(clock resets)" -eq "$(awk '$1 == "reset_count:" { print $2 }' "$work/tpm")" ]
        [ "$(clock safe)" -eq 1 ]
    else
        [ "$(clock safe) $(clock resets) $(clock restarts)" = "0 0 0" ]
    fi
    value=$(status_json | jq .counter.value)
    run -0 --separate-stderr reader count 3
    [ "${lines[0]} ${lines[1]} ${lines[2]}" = "$((value + 1)) 0 $((value + 2)) 0 $((value + 3)) 0" ]
}

@test "bare modules have neither" {
    provision
    module=$(jq -r .module "$store/token.json")
    for what in "count 1" clock; do
        # shellcheck disable=SC2086 # one or two words
        TPM2_PKCS11_STORE=$store TPM2_PKCS11_TCTI=${tcti:-} TPM2_PKCS11_BACKEND=esysdb \
            SOFTHSM2_CONF=$store/softhsm2.conf run -1 "$HARDWARE_READER" "$module" $what
        [[ $output == *"[unsupported]"* ]]
        [[ $output == *"tlm-tokend"* ]]
    done
}

@test "1000 readings by 4 clients: all distinct, all rising" {
    provision
    tokend_start
    begin_reading
    finish_reading
}

@test "the same while tlm-tokend is killed and started again" {
    provision
    tokend_start
    begin_reading
    for step in 100 300; do
        wait_for_readings "$step"
        kill_tokend
        tokend_start
    done
    finish_reading
    grep -h recoveries= "$work"/read.?.out
    run -1 grep -hx recoveries=0 "$work"/read.?.out
}

@test "the same while the TPM is restarted, and cut off" {
    [ "$kind" = tpm ] || return 0 # has none
    provision
    tokend_start
    reader clock > "$work/clock"
    resets=$(clock resets)
    begin_reading
    wait_for_readings 100
    stop_swtpm one
    start_swtpm one
    wait_for_readings 300
    kill_swtpm one
    start_swtpm one
    finish_reading
    reader clock > "$work/clock"
    [ "$(clock resets)" -eq $((resets + 2)) ]
}

@test "a counter that is gone is told, and the token stays usable" {
    provision
    tokend_start
    reader count 1
    if [ "$kind" = tpm ]; then
        tpm2_nvundefine -Q -C o 0x018003E8
    else
        rm "$store/counter"
    fi
    IMPATIENT=1 run -1 reader count 1
    [[ $output == *"CKR_FUNCTION_REJECTED"* ]]
    [[ $output == *"tlm-token-init doctor"* ]]
    [[ $output == *"recoveries=0"* ]]
    grep -F hardware_feature_failed "$work/log/tlm-tokend.log" | grep -F "tlm-token-init provision"
    reader clock
    "$TOKEN_INIT" provision --replace
    reader count 1
}
