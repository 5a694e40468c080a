#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Clients that are slow, silent or too many do not keep others from being served.

load common

setup() {
    new_home
}

teardown() {
    if [ -n "${holder:-}" ]; then
        exec 4>&-
        wait "$holder" || true
    fi
    take_away
}

# hold COUNT ask|silent: that many connections, held by a process until teardown.
hold() {
    mkfifo "$home/hold"
    python3 "$client" "$port" hold "$1" "$2" < "$home/hold" > "$home/held" 3>&- 4>&- &
    holder=$!
    exec 4> "$home/hold"
    wait_until 60 grep -q open "$home/held"
}

@test "a client that drips header bytes is told 408 at its deadline" {
    start --rest-deadline 2 --rest-timeout 60
    read -r got seconds <<< "$(python3 "$client" "$port" drip header)"
    [ "$got" = 408 ]
    [ "$seconds" -ge 1 ]
    [ "$seconds" -le 5 ]
    wait_says connections_ended "$err"
}

@test "a client that drips a body is closed at its deadline" {
    start --rest-deadline 2 --rest-timeout 60
    read -r got seconds <<< "$(python3 "$client" "$port" drip body)"
    [[ $got =~ ^(408|413)$ ]]
    [ "$seconds" -le 5 ]
}

@test "a client that drips the body of a call is told 408 at its deadline" {
    start --rest-deadline 2 --rest-timeout 60
    local kind
    for kind in call chunked; do
        read -r got seconds <<< "$(python3 "$client" "$port" drip $kind)"
        [ "$got" = 408 ]
        [ "$seconds" -ge 1 ]
        [ "$seconds" -le 5 ]
    done
}

licensing_is_ready() {
    [ "$(json /status .licensing.state)" = ok ]
}

@test "a second request on a connection has a deadline too" {
    start --rest-deadline 2 --rest-timeout 60
    read -r got seconds <<< "$(python3 "$client" "$port" drip second)"
    [ "$got" = 408 ]
    [ "$seconds" -le 5 ]
}

@test "a silent client is closed after the idle time" {
    start --rest-deadline 1 --rest-timeout 2
    seconds=$(python3 "$client" "$port" idle | tail -n 1)
    [ "$seconds" -ge 1 ]
    [ "$seconds" -le 6 ]
}

@test "clients that close their side are answered, and closed soon" {
    start --rest-deadline 60 --rest-timeout 60
    seconds=$(python3 "$client" "$port" half 200)
    [ "$seconds" -le 5 ]
}

@test "a thousand idle connections: others are served, each costs at most 10 KB" {
    start_ready
    local before after
    # What the ledger takes is not the connections'.
    wait_until 60 licensing_is_ready
    before=$(awk '/^Rss/ {print $2}' "/proc/$pid/smaps_rollup")
    hold 1000 ask
    grep -q '200=1000' "$home/held"
    for _ in 1 2 3 4 5; do
        curl -fs -m 5 "$url/health"
    done
    after=$(awk '/^Rss/ {print $2}' "/proc/$pid/smaps_rollup")
    echo "$((after - before)) KiB for 1000"
    # The shadow memory of a sanitizer is no measure.
    [ "$((after - before))" -le 9765 ] || grep -qaE '__[at]san_init' "$DAEMON"
}

@test "dripping clients do not keep others out" {
    start_ready --rest-deadline 3
    for _ in 1 2 3 4 5; do
        python3 "$client" "$port" drip header > "$home/drip.$_" 3>&- &
    done
    sleep 0.5
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        curl -fs -m 2 "$url/health"
    done
}

@test "above the limit a client is told 503 at once, and served when there is room" {
    start_ready --rest-connections 8
    hold 8 ask
    grep -q '200=8' "$home/held"
    run -0 curl -s -m 5 -D "$home/head" "$url/health"
    [ "$(jq -r .code <<< "$output")" = too-many-connections ]
    grep -q '^HTTP/1.1 503' "$home/head"
    grep -qi '^Retry-After:' "$home/head"
    grep -qi '^Connection: close' "$home/head"
    exec 4>&-
    wait "$holder"
    holder=""
    wait_until 60 status_is /health 200
}

@test "silent clients above the limit, more than there is room for, go away" {
    start --rest-connections 8
    hold 60 silent
    wait_until 60 status_is /health 503
    wait_says connections_ended "$err"
}

@test "a low limit of open files lowers the number of connections and is told" {
    settings+=(--rest-connections 2048)
    (ulimit -n 512 && exec env --default-signal=TERM "$DAEMON" --config-dir "$home/config" \
        --persistence-dir "$home/persistence" --log-dir "$home/log" --rest-port 0 \
        "${settings[@]}" > "$out" 2> "$err" < /dev/null 3>&-) &
    pid=$!
    wait_says ' listening ' "$err"
    find_url
    [ "$(json /status '.errors[] | select(.code == "connections-limited") | .since | length')" = 20 ]
    grep -q connections_limited "$err"
}
