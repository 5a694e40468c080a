#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What a container engine says of the container, and what it costs when it misbehaves.

load common

setup() {
    new_home
    # Asked is from inside a container alone; on a machine this is how one says that it is one.
    export container=docker
    socket=$home/engine.sock
    known=(--docker-host "unix://$socket")
    vectors=$SOURCE/tests/vectors/engine
    : > "$home/requests"
}

teardown() {
    stop_engine
    take_away
}

# engine MANNER…: starts it, or changes its manner.
engine() {
    echo "$*" > "$home/manner.new"
    mv "$home/manner.new" "$home/manner"
    [ -z "${engine_pid:-}" ] || return 0
    : > "$home/engine"
    python3 "$SOURCE/tests/integration/httpd/engine.py" "${engine_at:-$socket}" "$home" "$vectors" \
        ${certificates:+"$certificates"} > "$home/engine" 2> "$home/engine.err" < /dev/null 3>&- &
    engine_pid=$!
    wait_until 60 test -s "$home/engine" || { cat "$home/engine.err"; return 1; }
}

stop_engine() {
    if [ -n "${engine_pid:-}" ]; then
        kill "$engine_pid"
        wait "$engine_pid" || true
        engine_pid=""
    fi
}

engine_is() {
    [ "$(json /status .container.engine.state)" = "$1" ]
}

wait_state() {
    wait_until 90 engine_is "$1" || {
        json /status .container
        return 1
    }
}

@test "the status says what the engine knows of the container" {
    engine engine=docker-24
    start --docker-host "unix://$socket"
    wait_state answering
    json /status .container > "$home/status"
    [ "$(jq -r .name "$home/status")" = tl-license-manager ]
    [ "$(jq -r .image "$home/status")" = registry.example:5000/vendor/trustedlicensing:1.2 ]
    [[ $(jq -r .digest "$home/status") =~ ^sha256:2{64}$ ]]
    [[ $(jq -r .id "$home/status") =~ ^[0-9a-f]{64}$ ]]
    [ "$(jq -r .status "$home/status")" = running ]
    [ "$(jq -r .restartCount "$home/status")" = 3 ]
    [ "$(jq -r '.mounts | length' "$home/status")" = 4 ]
    [ "$(jq -c '.mounts[1]' "$home/status")" = '{"type":"bind","source":"/srv/tlm/_config","destination":"/etc/asperion/trustedLicensing/config","rw":false}' ]
    [ "$(jq -r .engine.version "$home/status")" = 24.0.7 ]
    wait_says ' container_known ' "$err"
    [ "$(grep -c ' container_known ' "$err")" -eq 1 ]
    # Neither environment nor labels, where secrets are.
    run ! grep -rE 'hunter2|com.example.secret' "$home/status" "$err" "$home/log"
}

@test "each engine is asked in a version that both speak" {
    local manner expected
    while read -r expected manner; do
        : > "$home/requests"
        # shellcheck disable=SC2086 # words
        engine $manner
        start "${known[@]}"
        wait_state answering
        [ "$(json /status .container.engine.apiVersion)" = "$expected" ]
        finish TERM
        [ "$(head -n 1 "$home/requests")" = "GET /version" ]
        run ! grep -vE "^(GET /version|(GET|POST) /v$expected/.*)$" "$home/requests"
        grep -qE "^GET /v$expected/containers/[^/]*/json$" "$home/requests"
        grep -qE "^GET /v$expected/images/sha256:[0-9a-f]{64}/json$" "$home/requests"
        # That is all, each once.
        [ "$(wc -l < "$home/requests")" -eq 4 ]
    done <<'END'
1.41 engine=docker-20.10
1.43 engine=docker-24
1.50 engine=docker-28
1.41 engine=podman-4.3
1.24 engine=docker-20.10 api=1.24
1.51 engine=docker-28 api=1.99 least=1.44
1.60 engine=docker-28 api=1.99 least=1.60
END
}

@test "one that is older than what is understood is named" {
    engine api=1.23
    start "${known[@]}"
    wait_state unreachable
    [[ $(json /status .container.engine.message) == *"API 1.23"* ]]
}

@test "over TCP, whatever proxy the environment names" {
    engine_at=0
    engine engine=podman-4.3
    http_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 \
        start --docker-host "tcp://127.0.0.1:$(cat "$home/engine")"
    wait_state answering
    [ "$(json /status .container.engine.name)" = "Podman Engine" ]
    [ "$(json /status .container.name)" = tl-license-manager ]
}

# authority DIRECTORY: ca.pem, and a certificate of it for the server and for a client, as the
# Docker CLI wants them.
authority() {
    local name
    mkdir "$1"
    openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=authority ${1##*/}" -days 2 \
        -keyout "$1/ca-key.pem" -out "$1/ca.pem" 2> /dev/null
    for name in server client; do
        openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$1/$name-key.pem" \
            -out "$1/$name.csr" 2> /dev/null
        openssl x509 -req -in "$1/$name.csr" -CA "$1/ca.pem" -CAkey "$1/ca-key.pem" -days 2 \
            -CAcreateserial -out "$1/$name.pem" 2> /dev/null \
            -extfile <(echo "subjectAltName=IP:127.0.0.1")
    done
    cp "$1/client.pem" "$1/cert.pem"
    cp "$1/client-key.pem" "$1/key.pem"
}

@test "over TLS with certificates of both sides, and with no others" {
    authority "$home/ours"
    authority "$home/other"
    engine_at=0 certificates=$home/ours
    engine
    local at
    at=tcp://127.0.0.1:$(cat "$home/engine")
    DOCKER_HOST=$at DOCKER_CERT_PATH=$home/ours start
    wait_state answering
    [ "$(json /status .container.engine.host)" = "https${at#tcp}" ]
    [ "$(json /status .container.name)" = tl-license-manager ]
    finish TERM
    : > "$home/requests"
    start --docker-host "$at" --docker-cert-path "$home/other"
    wait_state unreachable
    [[ $(json /status .container.engine.message) == *"is not trusted"* ]]
    [[ $(json /status .container.engine.hint) == *"--docker-cert-path"* ]]
    finish TERM
    # The server is right, and the client is nobody it knows.
    cp "$home/ours/ca.pem" "$home/other/ca.pem"
    start --docker-host "$at" --docker-cert-path "$home/other"
    wait_state unreachable
    finish TERM
    # Without certificates there is no TLS, and nobody understands.
    start --docker-host "$at"
    wait_state unreachable
    finish TERM
    [ ! -s "$home/requests" ]
}

@test "DOCKER_HOST names it, and none asks nobody" {
    engine
    DOCKER_HOST=unix://$socket start
    wait_state answering
    finish TERM
    : > "$home/requests"
    DOCKER_HOST=unix://$socket start_ready --docker-host none
    [ "$(json /status .container.engine)" = null ]
    finish TERM
    [ ! -s "$home/requests" ]
}

@test "that more than looking is allowed is a warning, behind a read-only proxy it is none" {
    engine
    start "${known[@]}"
    wait_state answering
    [ "$(json /status .container.engine.access)" = write ]
    [ "$(json /status '[.warnings[].code] | index("docker-socket-writable") != null')" = true ]
    finish TERM
    grep -qE '^POST /v1.41/containers/0{64}/wait$' "$home/requests"
    engine readonly
    start "${known[@]}"
    wait_state answering
    [ "$(json /status .container.engine.access)" = read ]
    [ "$(json /status '[.warnings[].code] | index("docker-socket-writable")')" = null ]
}

@test "a container that the engine does not know is not taken for another" {
    engine unknown
    start "${known[@]}"
    wait_state answering
    [ "$(json /status .container.name)" = null ]
    [ "$(json /status .container.mounts)" = null ]
    wait_says ' container_unknown ' "$err"
}

@test "an engine that fails is told once, with what it said, and changes nothing else" {
    engine status=500
    start_ready "${known[@]}"
    wait_state unreachable
    [[ $(json /status .container.engine.message) == *"status 500: out of order"* ]]
    [ "$(json /status .container.engine.hint)" != null ]
    [ "$(json /status .container.name)" = null ]
    status_is /health 200
    [ "$(grep -c ' container_engine_unreachable ' "$err")" -eq 1 ]
    # It is mended, and asked again soon.
    engine
    wait_state answering
    [ "$(json /status .container.name)" = tl-license-manager ]
}

@test "an answer that drips, or is huge, is given up, and nobody waits for it" {
    local misbehaving
    for misbehaving in drip huge; do
        engine "$misbehaving"
        start_ready "${known[@]}"
        status_is /health 200
        status_is /status 200
        wait_state unreachable
        [ "$(json /status .container.name)" = null ]
        finish TERM
        [ "$ended_with" -eq 0 ]
    done
}

asked() {
    [ -s "$home/requests" ]
}

@test "SIGTERM ends it while the engine hangs" {
    engine hang
    start_ready "${known[@]}"
    wait_until 60 asked
    status_is /status 200
    finish TERM
    # What takes too long ends with 1.
    [ "$ended_with" -eq 0 ]
    grep -q ' stopped ' "$err"
}

@test "where there is no socket there is no word of it" {
    start_ready "${known[@]}" --log-level debug
    wait_says ' no_container_engine ' "$err"
    [ "$(json /status .container.engine)" = null ]
    finish TERM
    grep ' no_container_engine ' "$err" | grep -q ' DEBUG '
    start_ready "${known[@]}"
    finish TERM
    run ! grep -iE 'engine|docker\.sock' "$err"
}

@test "a socket that nobody serves any more is asked again" {
    engine
    stop_engine
    [ -S "$socket" ]
    start "${known[@]}"
    wait_state unreachable
    [[ $(json /status .container.engine.message) == *"Connection refused"* ]]
    engine
    wait_state answering
}

@test "a socket that refuses is told once, with the numbers and the way out" {
    local as=() mode=0000
    engine
    chmod 711 "$home"
    if [ "$(id -u)" -eq 0 ]; then
        as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
        mode=0660
        chown 0:4321 "$socket"
        mkdir -p "$home/log"
        chown -R 65534:65534 "$home/config" "$home/persistence" "$home/log"
        settings+=(--pkcs11-socket "$home/config/pkcs11.sock")
    fi
    chmod "$mode" "$socket"
    : > "$home/runner"
    printf '#!/bin/sh\nexec %s "$@"\n' "${as[*]} $DAEMON" > "$home/runner"
    chmod 755 "$home/runner"
    DAEMON=$home/runner start "${known[@]}"
    wait_state unreachable
    [ ! -s "$home/requests" ]
    local message hint
    message=$(json /status .container.engine.message)
    hint=$(json /status .container.engine.hint)
    [[ $message == *"$socket"*"mode $mode"*"refuses uid"* ]]
    if [ "$mode" = 0660 ]; then
        [[ $message == *"gid 4321"*"uid 65534 with gid 65534"* ]]
        [[ $hint == *"--group-add 4321"* ]]
    fi
    [ "$(grep -c ' container_engine_unreachable ' "$err")" -eq 1 ]
    run ! grep -q ' ERROR ' "$err"
}

@test "a DOCKER_HOST for other programs is named and does not keep it from starting" {
    DOCKER_HOST=ssh://root@host start_ready
    [ "$(json /status .container.engine.state)" = unreachable ]
    [[ $(json /status .container.engine.message) == *"ssh://"* ]]
    [[ $(json /status .container.engine.hint) == *"none"* ]]
    grep ' container_engine_unreachable ' "$err" | grep -q ' WARNING '
    status_is /health 200
}

@test "outside of a container nobody is asked" {
    unset container
    engine
    start_ready "${known[@]}"
    if [ "$(json /status .runtime)" = container ]; then
        # The machine of the test is one: then it is asked, as everywhere above.
        wait_state answering
    else
        [ "$(json /status .container)" = null ]
        finish TERM
        [ ! -s "$home/requests" ]
    fi
}
