#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Signals, the log, and the service manager.

load common

setup() {
    new_home
}

teardown() {
    take_away
}

@test "SIGTERM and SIGINT end it with status 0, idle connections or not" {
    for signal in TERM INT; do
        start_ready
        python3 "$client" "$port" idle > "$home/idle" 3>&- &
        local peer=$!
        wait_until 60 grep -q open "$home/idle"
        sleep 0.2
        finish "$signal"
        [ "$ended_with" -eq 0 ]
        ended_soon
        wait "$peer"
        grep -q ' stopped ' "$err"
    done
}

@test "a request under way is finished, and its connection closed" {
    start_ready
    python3 "$client" "$port" begin 1.5 > "$home/begin" 3>&- &
    local peer=$!
    wait_until 60 grep -q begun "$home/begin"
    sleep 0.3
    finish TERM
    wait "$peer"
    [ "$ended_with" -eq 0 ]
    ended_soon
    grep -q '200 close' "$home/begin"
}

@test "a request that never ends does not keep it from ending" {
    start_ready --rest-deadline 60
    python3 "$client" "$port" begin 30 > "$home/begin" 3>&- &
    local peer=$!
    wait_until 60 grep -q begun "$home/begin"
    sleep 0.3
    finish TERM
    kill "$peer"
    wait "$peer" || true
    [ "$ended_with" -eq 0 ]
    ended_soon
}

@test "SIGTERM right after the start ends it" {
    for pause in 0 0.01 0.03 0.1; do
        launch
        sleep "$pause"
        # Before its first instruction the default action ends it: both are an end.
        finish TERM
        [ "$ended_with" -eq 0 ] || [ "$ended_with" -eq 143 ]
        ended_soon
    done
}

@test "SIGHUP opens the log again after an outside rotation" {
    start_ready
    mv "$log" "$log.old"
    kill -HUP "$pid"
    wait_until 60 test -s "$log"
    grep -q ' reloaded ' "$log"
    status_is /health 200
}

level_line() {
    grep -q " reloaded level=$1" "$err"
}

@test "SIGHUP reads the level again; a flag still wins" {
    local file=$home/config/TLLicenseManager.json
    printf '{"TrustedLicensing":{"LicenseManager":{"LogLevel":"info"}}}' > "$file"
    start_ready
    curl -fs "$url/health"
    [ -z "$(grep DEBUG "$err")" ]
    printf '{"TrustedLicensing":{"LicenseManager":{"LogLevel":"debug"}}}' > "$file"
    kill -HUP "$pid"
    wait_until 60 level_line debug
    curl -fs "$url/health"
    wait_says 'DEBUG .* request ' "$err"
    finish TERM
    start_ready --log-level info
    kill -HUP "$pid"
    wait_until 60 level_line info
}

@test "SIGHUP with a damaged file keeps the level and says so in the status" {
    start_ready
    printf '{' > "$home/config/TLLicenseManager.json"
    kill -HUP "$pid"
    wait_says reload_failed "$err"
    wait_until 60 reload_is_told
    [ "$(json /health .status)" = ok ]
    rm "$home/config/TLLicenseManager.json"
    kill -HUP "$pid"
    wait_until 60 no_errors
}

# The status is made anew when all is read again, after the line in the log.
reload_is_told() {
    [ "$(json /status '.errors[0].code')" = reload ]
}

no_errors() {
    [ "$(json /status '.errors | length')" = 0 ]
}

@test "many SIGHUPs under load lose no request" {
    start_ready
    python3 "$client" "$port" many 3000 > "$home/many" 3>&- &
    local peer=$!
    for _ in $(seq 30); do
        kill -HUP "$pid"
        sleep 0.01
    done
    wait "$peer"
    [ "$(cat "$home/many")" = 3000 ]
}

@test "the log file has what standard error has" {
    start_ready
    finish TERM
    # tlm-tokend, our child, has the same standard error and a log file of its own, which it opens
    # after it became who it shall be.
    diff <(grep -v ' tlm_harden_note' "$err" | sort) \
        <(cat "$log" "$home/log/tlm-tokend.log" | grep -v ' tlm_harden_note' | sort)
    [ "$(grep -c . "$log")" -gt 4 ]
    [ "$(grep -c . "$home/log/tlm-tokend.log")" -gt 4 ]
}

@test "every JSON line is JSON with time, level, function and event" {
    launch --log-format json --log-level debug
    wait_says '^ready ' "$out"
    url=$(jq -r 'select(.event == "listening") | .url' "$err")
    port=${url##*:}
    curl -s "$url/%0a%22%5c%c3%28" > /dev/null
    python3 "$client" "$port" raw '\x00\r\n\r\n'
    python3 "$client" "$port" big path 100000
    finish TERM
    jq -e -s 'length > 4 and all(has("time") and has("level") and has("function") and has("event"))' \
        "$err"
    [ "$(jq -s length "$err")" -eq "$(wc -l < "$err")" ]
}

@test "the log is rotated by size and keeps as many as asked" {
    start_ready --log-max-size 16 --log-keep 2 --log-level debug
    for _ in 1 2 3 4 5 6 7 8; do
        python3 "$client" "$port" many 100 > /dev/null
    done
    wait_until 60 test -s "$log.2"
    [ ! -e "$log.3" ]
    for file in "$log" "$log.1" "$log.2"; do
        [ "$(stat -c %s "$file")" -le 16384 ]
    done
}

@test "a log directory that cannot be written costs the file, not the program" {
    touch "$home/file"
    launch --log-dir "$home/file/below"
    wait_says '^ready ' "$out"
    find_url
    grep -q log_file_unusable "$err"
    [ "$(json /health .status)" = ok ]
    [ "$(json /status '.errors[0].code')" = log-file ]
    [[ $(json /status '.errors[0].hint') == *--log-dir* ]]
}

@test "the service manager hears of readiness, reloading and stopping" {
    python3 - "$home/notify" "$home/heard" 3>&- << 'END' &
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
with open(sys.argv[2], "w") as heard:
    while True:
        text = manager.recv(4096).decode()
        heard.write(text + "\n")
        heard.flush()
        if "STOPPING=1" in text:
            break
END
    local manager=$!
    wait_until 60 test -S "$home/notify"
    export NOTIFY_SOCKET=$home/notify
    start_ready
    wait_until 60 grep -q '^READY=1$' "$home/heard"
    wait_until 60 grep -q '^STATUS=ready at http://127.0.0.1:' "$home/heard"
    kill -HUP "$pid"
    wait_until 60 grep -q '^RELOADING=1$' "$home/heard"
    wait_until 60 grep -qE '^MONOTONIC_USEC=[0-9]+$' "$home/heard"
    finish TERM
    wait "$manager"
    grep -q '^STOPPING=1$' "$home/heard"
}
