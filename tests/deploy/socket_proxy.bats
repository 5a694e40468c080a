#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docker/socket-proxy: nginx with its configuration before a fake engine. What the license manager
# asks comes through; what changes something, or leads elsewhere, does not.

load ../integration/httpd/common

id=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

setup() {
    new_home
    vectors=$SOURCE/tests/vectors/engine
    : > "$home/requests"
    echo "engine=docker-24" > "$home/manner"
    python3 "$SOURCE/tests/integration/httpd/engine.py" "$home/engine.sock" "$home" "$vectors" \
        > "$home/engine" 2> "$home/engine.err" < /dev/null 3>&- &
    engine_pid=$!
    wait_until 60 test -s "$home/engine"
    # As in the image, but for the directories and the user.
    mkdir "$home/run"
    echo "user $(id -un);" > "$home/nginx.conf"
    sed -e "s,/run/docker-engine/docker.sock,$home/engine.sock," \
        -e "s,/run/docker-proxy/docker.sock,$home/docker.sock," -e "s,/run/proxy/,$home/run/,g" \
        "$SOURCE/docker/socket-proxy/nginx.conf" >> "$home/nginx.conf"
    [ "$(grep -c "$home" "$home/nginx.conf")" -ge 7 ]
    nginx -t -q -c "$home/nginx.conf" -e /dev/stderr
    nginx -c "$home/nginx.conf" -e /dev/stderr > "$home/proxy.out" 2>&1 < /dev/null 3>&- &
    proxy_pid=$!
    wait_until 60 test -S "$home/docker.sock"
}

teardown() {
    local one
    for one in $proxy_pid $engine_pid; do
        kill "$one" 2> /dev/null || true
        wait "$one" || true
    done
    take_away
}

# ask METHOD PATH [CURL OPTION…]: prints the status.
ask() {
    local method=$1 path=$2
    shift 2
    curl -s -m 60 -o "$home/answer" -w '%{http_code}' --path-as-is --unix-socket "$home/docker.sock" -X "$method" \
        "$@" "http://localhost$path"
}

arrived() {
    tail -n 1 "$home/requests"
}

@test "what is read comes through as it was asked" {
    local path
    for path in /version /v1.41/version "/containers/$id/json" "/v1.24/containers/$id/json" \
        /v1.43/containers/tl-license-manager/json "/v1.43/images/sha256:$id/json"; do
        [ "$(ask GET "$path")" = 200 ] || { cat "$home/answer" "$home/proxy.out"; return 1; }
        [ "$(arrived)" = "GET $path" ]
    done
    # What the engine itself refuses is in its own words.
    [ "$(ask GET /_ping)" = 404 ]
    [ "$(jq -r .message "$home/answer")" = "page not found" ]
    [ "$(ask GET /v1.99/version)" = 400 ]
    [ "$(jq -r .message "$home/answer")" = "client version 1.99 is too new" ]
}

@test "whatever changes something is refused, and does not reach the engine" {
    local method path
    for path in /containers/create /images/create /build "/containers/$id/start" "/v1.41/containers/$id/exec" \
        "/containers/$id/wait" "/containers/$id/kill" /exec/1/start /volumes/create /containers/prune \
        /session /grpc /auth /commit /swarm/init /version "/containers/$id/json" "/images/sha256:$id/json"; do
        for method in POST PUT PATCH DELETE OPTIONS TRACE CONNECT LINK get; do
            [[ $(ask "$method" "$path") =~ ^(400|403)$ ]] || { echo "$method $path"; cat "$home/answer"; return 1; }
        done
        [ "$(ask POST "$path" -H 'Content-Type: application/json' -d '{"Image":"x"}')" = 403 ]
        [ "$(jq -r .message "$home/answer")" = "this proxy only reads: GET of version, of a container and of an image" ]
    done
    [ ! -s "$home/requests" ]
}

@test "what else could be read is refused" {
    local path
    for path in / /info /events "/v1.41/events?since=0" /containers/json "/containers/json?all=1" "/containers/$id/logs?stdout=1" \
        "/containers/$id/archive?path=/etc/shadow" "/containers/$id/export" "/containers/$id/top" "/containers/$id/attach/ws" \
        "/containers/$id/stats" "/containers/$id/changes" /images/json "/images/sha256:$id/get" /images/get \
        "/images/trustedlicensing:latest/json" "/images/sha256:$id/history" /exec/1/json /secrets /configs /volumes \
        /networks /system/df /plugins /swarm/unlockkey /distribution/x/json "/containers/$id/json?size=1" "/version?" \
        "/containers/$id/json#" /v2.0/version /v1/version /v1.100/version /V1.41/version; do
        if [[ $path == *'#' ]]; then
            continue # which no client sends; below it is sent
        fi
        [ "$(ask GET "$path")" = 403 ] || { echo "$path"; return 1; }
    done
    [ ! -s "$home/requests" ]
}

@test "tricks with the address lead nowhere" {
    local path
    for path in //version /./version /containers/../version "/containers/$id/../../version" /%76ersion /version%00 /version%20 \
        /version/ //containers/$id/json "/containers//$id/json" "/containers/$id%2fjson" "/containers/$id%2f..%2f..%2fimages%2fjson" \
        /containers/..%2f..%2fversion "/containers/%2e%2e/json" /containers/../json "/containers/./json" "/containers/-x/json" \
        "/containers/$id/json/../start" "/containers/$id/json/" "/containers/$id/json%3f" "/containers/a/b/json" \
        "/version;x" '/version\' "/containers/$id;json/json" /images/sha256:../json "/images/sha256:$id/../json" \
        "/v1.41//version" "/v1.41/../version" "/v1.41/v1.41/version" "/images/x@sha256:$id/json"; do
        [[ $(ask GET "$path") =~ ^40[03]$ ]] || { echo "$path"; cat "$home/requests"; return 1; }
    done
    [ ! -s "$home/requests" ]
}

raw() {
    printf '%s' "$1" | python3 "$SOURCE/tests/deploy/raw.py" "$home/docker.sock"
}

@test "requests that are bent out of shape lead nowhere, and a second one is judged by itself" {
    local refused="^(40[0-9]|none)$" request got
    while read -r request; do
        got=$(raw "$request")
        [[ $got =~ $refused ]] || { echo "$got: $request"; return 1; }
    done << 'END'
GET /version#/../containers/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n
GET /version\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n
GET http://localhost/containers/json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n
GET unix:/containers/json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n
POST /containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n
GET /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Original-URL: /version\r\nX-Rewrite-URL: /version\r\n\r\n
GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n
PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n
GET  /containers/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n
GET /containers/json\r\n
END
    [ ! -s "$home/requests" ]
    # Bodies and upgrades of what is read stay behind.
    [ "$(raw 'GET /version HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: tcp\r\n\r\n')" = 200 ]
    [ "$(raw 'GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx')" = 200 ]
    [ "$(raw 'GET /version HTTP/1.1\r\nHost: x\r\n\r\nPOST /containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')" = "200 403" ]
    local hidden='GET /containers/json HTTP/1.1\r\nHost: x\r\n\r\n'
    [ "$(raw "GET /version HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: 42\\r\\n\\r\\n$hidden")" = 403 ]
    [ "$(sort -u "$home/requests")" = "GET /version" ]
}

@test "the license manager learns all it asks for, and that it may only read" {
    export container=docker
    start --docker-host "unix://$home/docker.sock"
    wait_until 90 engine_is answering
    json /status .container > "$home/status"
    [ "$(jq -r .name "$home/status")" = tl-license-manager ]
    [[ $(jq -r .digest "$home/status") =~ ^sha256:2{64}$ ]]
    [ "$(jq -r .engine.access "$home/status")" = read ]
    grep -q '^GET /v[0-9.]*/images/' "$home/requests"
    run ! grep -v '^GET ' "$home/requests"
}

engine_is() {
    [ "$(json /status .container.engine.state)" = "$1" ]
}

@test "without an engine it says so, and it goes on once there is one again" {
    kill "$engine_pid"
    wait "$engine_pid" || true
    rm -f "$home/engine.sock"
    [ "$(ask GET /version)" = 502 ]
    : > "$home/engine"
    python3 "$SOURCE/tests/integration/httpd/engine.py" "$home/engine.sock" "$home" "$vectors" \
        > "$home/engine" 2> "$home/engine.err" < /dev/null 3>&- &
    engine_pid=$!
    wait_until 60 test -s "$home/engine"
    wait_until 60 answers
}

answers() {
    [ "$(ask GET /version)" = 200 ]
}
