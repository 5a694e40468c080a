#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# scripts/run cut off, doubled, and started over what is not its own.

load helpers

setup() {
    new_state
    as=()
}

teardown() {
    take_away
}

gone() {
    ! kill -0 "$1" 2> /dev/null
}

@test "kill -9 while it serves: the daemon goes too, and a second start has the same fingerprint" {
    start --backend swtpm
    local first=$fingerprint daemon swtpm
    daemon=$(cat "$state/run/daemon.pid")
    swtpm=$(cat "$state/run/swtpm.pid")
    kill -KILL "$run_pid"
    wait "$run_pid" || true
    wait_until 60 gone "$daemon"
    start
    [ "$fingerprint" = "$first" ]
    run ! kill -0 "$swtpm"
    status_is "$url/ready" 200
    finish INT
    assert_nothing_left
}

@test "kill -9 while the token is made: a second start completes it" {
    launch --backend swtpm
    wait_says 'making the token' "$err"
    sleep 0.3
    kill -KILL "$run_pid"
    wait "$run_pid" || true
    start --backend swtpm
    local first=$fingerprint
    finish INT
    start
    [ "$fingerprint" = "$first" ]
    finish INT
    assert_nothing_left
}

@test "a process number of somebody else in a pid file is left alone" {
    mkdir -p "$state/run"
    sleep 300 3>&- &
    local bystander=$!
    echo "$bystander" > "$state/run/daemon.pid"
    printf '%s' "$bystander" > "$state/run/swtpm.pid"
    start --backend swtpm
    finish INT
    kill -0 "$bystander"
    kill "$bystander"
}

@test "two runs on one state: the second is refused and the first goes on" {
    start --backend softhsm
    run timeout 60 "$SOURCE/scripts/run" --state "$state" --port 0 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"$state is in use by another scripts/run (process $run_pid)"* ]]
    [[ $output == *"--state DIR"* ]]
    status_is "$url/ready" 200
}

@test "the daemon's own end is told, with its status" {
    start --backend softhsm
    kill -KILL "$(cat "$state/run/daemon.pid")"
    ended_with=0
    wait "$run_pid" || ended_with=$?
    [ "$ended_with" -eq 137 ]
    grep -q "TLLicenseManager ended with status 137; its log is in $state/log" "$err"
    assert_nothing_left
}

@test "a port that is taken is an error that names it" {
    start --backend softhsm
    local port=${url##*:} first=$state
    run timeout 120 "$SOURCE/scripts/run" --state "$state-2" --backend softhsm --port "$port" 3>&-
    [ "$status" -ne 0 ]
    [[ $output == *"$port"* ]]
    status_is "$url/ready" 200
    state=$first
    [ ! -e "$state-2/run/daemon.pid" ]
}

@test "a state of another back end is refused, and stays as it is" {
    start --backend softhsm
    finish INT
    local before
    before=$(picture "$state/persistence")
    run timeout 60 "$SOURCE/scripts/run" --state "$state" --port 0 --backend swtpm 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"was provisioned with --backend softhsm, not with swtpm"* ]]
    [ "$before" = "$(picture "$state/persistence")" ]
    run timeout 60 "$SOURCE/scripts/run" --state "$state" --port 0 --backend tpm 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"not with tpm"* ]]
}

@test "files without their token: no new token is made over them" {
    start --backend softhsm
    finish INT
    mv "$state/persistence/token" "$state/away"
    start_degraded token-missing --backend softhsm
    [ ! -e "$state/persistence/token/token.json" ]
    grep -q 'not making a new one over them' "$err"
    status_is "$url/health" 200
    status_is "$url/ready" 503
    mv "$state/away" "$state/persistence/token"
    wait_until 60 status_is "$url/ready" 200
}
