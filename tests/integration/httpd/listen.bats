#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Where the port is opened, and what is said when it cannot be.

load common

setup() {
    new_home
}

teardown() {
    if [ -n "${first:-}" ]; then
        kill "$first" 2> /dev/null || true
        wait "$first" || true
    fi
    take_away
}

@test "a port in use ends it with status 1 and the command that shows by whom" {
    start_ready
    first=$pid
    mkdir -m 700 "$home/second"
    launch --rest-port "$port" --persistence-dir "$home/second" --log-dir "$home/log2"
    ended_with=0
    wait "$pid" || ended_with=$?
    pid=""
    [ "$ended_with" -eq 1 ]
    grep -F "ss -ltnp 'sport = :$port'" "$err" | grep -qF -- --rest-port
    # Nothing was touched: the token comes after the port.
    [ -z "$(ls -A "$home/second")" ]
}

@test "an address of another host ends it with status 1 and a hint" {
    launch --rest-host 192.0.2.1
    ended_with=0
    wait "$pid" || ended_with=$?
    pid=""
    [ "$ended_with" -eq 1 ]
    grep -qF -- --rest-host "$err"
}

@test "IPv6, both kinds, and wildcards" {
    start_ready --rest-host ::1
    [[ $url == http://\[::1\]:* ]]
    curl -fs "$url/health"
    finish TERM
    start_ready --rest-host ::
    curl -fs "http://127.0.0.1:$port/health"
    curl -fs "http://[::1]:$port/health"
    finish TERM
    start_ready --rest-host 0.0.0.0
    [ "$url" = "http://127.0.0.1:$port" ]
    curl -fs "$url/health"
    grep -q 'address=0.0.0.0:' "$err"
}

@test "by default it is the loopback address outside of a container" {
    start_ready
    if [ "$(json /status .runtime)" = container ]; then
        grep -q 'address=0.0.0.0:' "$err"
    else
        grep -q 'address=127.0.0.1:' "$err"
    fi
}

@test "the same port can be had again at once" {
    start_ready
    curl -fs "$url/health"
    local wanted=$port
    finish TERM
    launch --rest-port "$wanted"
    wait_says '^ready ' "$out"
    find_url
    [ "$port" = "$wanted" ]
}
