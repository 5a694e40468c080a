#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What a client may ask, and what it is told when it asks wrongly.

load common

setup() {
    new_home
    start_ready --rest-deadline 1
}

teardown() {
    take_away
}

@test "the guide's routes answer" {
    status_is /health 200
    status_is /ready 200
    status_is /status 200
    status_is /fingerprint 200
    status_is /fingerprint/fallback 200
    [ "$(json /health .status)" = ok ]
    [ "$(json /fingerprint .fingerprint)" = "$fingerprint" ]
}

@test "status says what it must" {
    curl -s "$url/status" > "$home/status"
    for member in service version build.compiler build.type build.fastcrypt build.tpmOn platform.os \
        platform.kernel platform.arch start.kind start.state runtime elevated tpmConnected \
        token.backend token.hardwareBound token.simulated token.label token.manufacturer \
        token.model token.firmware token.serial token.recoveries fingerprint.type \
        fingerprint.value build.runtimeTrust licensing paths.adminSocket paths.config paths.persistence paths.log paths.tokenStore paths.configFile \
        tpm errors startedAt uptimeSeconds; do
        jq -e "[paths | map(tostring) | join(\".\")] | index(\"$member\") != null" "$home/status" ||
            { echo "missing: $member"; return 1; }
    done
    jq -e '.errors == [] and (.tpmConnected | type) == "boolean"' "$home/status"
    jq -e '.tpmConnected == false and .token.hardwareBound == false' "$home/status"
    [ "$(jq -r .paths.persistence "$home/status")" = "$home/persistence" ]
    [ "$(jq -r .fingerprint.value "$home/status")" = "$fingerprint" ]
}

@test "uptime grows" {
    local first
    first=$(json /status .uptimeSeconds)
    sleep 1.2
    [ "$(json /status .uptimeSeconds)" -gt "$first" ]
}

@test "the fingerprint document is whole" {
    curl -s "$url/fingerprint" > "$home/fp"
    jq -e '.type == "fallback" and .hardwareBound == false' "$home/fp"
    jq -e '.jwk.kty == "RSA" and (.kid | length) == 43' "$home/fp"
    jq -e '.components | length == 6 and all(has("id") and has("weight") and has("present"))' \
        "$home/fp"
    jq -r .publicKey "$home/fp" | openssl pkey -pubin -noout
}

@test "HEAD has the headers of GET and no body" {
    local get head
    get=$(curl -s -o /dev/null -D - "$url/fingerprint" | grep -v '^Date')
    head=$(curl -s -I "$url/fingerprint" | grep -v '^Date')
    [ "$get" = "$head" ]
}

@test "nothing is cached, nothing is shared with other origins" {
    run -0 curl -s -D - -o /dev/null -H 'Origin: http://evil.example' "$url/health"
    [[ $output == *"Cache-Control: no-store"* ]]
    [[ $output == *"Content-Type: application/json; charset=utf-8"* ]]
    [[ $output != *Access-Control* ]]
}

@test "an unknown path gets a problem that names the nearest" {
    run -0 curl -s -D "$home/head" "$url/fingerprnt"
    [ "$(jq -r .status <<< "$output")" = 404 ]
    [ "$(jq -r .code <<< "$output")" = not-found ]
    [ "$(jq -r .instance <<< "$output")" = /fingerprnt ]
    [[ $(jq -r .hint <<< "$output") == *" /fingerprint" ]]
    grep -qi '^content-type: application/problem+json' "$home/head"
    [[ $(json / .hint) == *"/health /status"* ]]
    status_is /health/ 404
    status_is /health%00 404
    status_is /health%00x 404
    status_is '/health?x=1' 200
    status_is /%68ealth 200
    status_is '/..%2fhealth' 404
    status_is '/%ff%fe' 404
}

@test "another method gets 405 and the allowed ones" {
    for method in POST PUT DELETE PATCH OPTIONS TRACE FOO get; do
        run -0 curl -s -D "$home/head" -X "$method" "$url/health"
        [ "$(jq -r .code <<< "$output")" = method-not-allowed ]
        grep -q '^HTTP/1.1 405' "$home/head"
        grep -qi '^Allow: GET, HEAD' "$home/head"
    done
}

@test "a body gets 413, small or large" {
    head -c 100 /dev/zero > "$home/small"
    head -c 65536 /dev/zero > "$home/edge"
    head -c 65537 /dev/zero > "$home/above"
    head -c 4000000 /dev/zero > "$home/large"
    for body in small edge above large; do
        run -0 curl -s -X GET -H 'Content-Type: text/plain' --data-binary "@$home/$body" "$url/health"
        [ "$(jq -r .code <<< "$output")" = content-too-large ]
    done
    run -0 curl -s -X GET -H 'Transfer-Encoding: chunked' --data-binary "@$home/small" "$url/health"
    [ "$(jq -r .code <<< "$output")" = content-too-large ]
    status_is /health 200
}

@test "one connection for many requests" {
    [ "$(curl -s -o /dev/null -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}' \
        "$url/health" "$url/status" "$url/nowhere" "$url/fingerprint")" = 1000 ]
    [ "$(python3 "$client" "$port" many 500)" = 500 ]
    [ "$(python3 "$client" "$port" pipeline 50)" = 50 ]
}

@test "oversized paths and headers are refused, and the next client is served" {
    [ "$(python3 "$client" "$port" big path 2000)" = 404 ]
    [ "$(python3 "$client" "$port" big query 2000)" = 200 ]
    [ "$(python3 "$client" "$port" big header 2000)" = 200 ]
    for where in path query header; do
        for size in 8192 100000 1000000; do
            got=$(python3 "$client" "$port" big "$where" "$size")
            [[ $got =~ ^(414|431|413|none)$ ]] || { echo "$where $size: $got"; return 1; }
        done
    done
    got=$(python3 "$client" "$port" big headers 5000)
    [[ $got =~ ^(431|413|none)$ ]]
    status_is /health 200
}

@test "malformed requests are refused, and the next client is served" {
    local case got
    for case in 'GET\r\n\r\n' 'GET /health\r\n\r\n' '\r\n\r\n' 'GET /health HTTP/9.9\r\n\r\n' \
        'GET /health HTTX/1.1\r\n\r\n' '\x00\x01\x02\x03\r\n\r\n' \
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' \
        'GET /health HTTP/1.1\r\nHost x\r\n\r\n' \
        'GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n' \
        'GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n' \
        'GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n' \
        'GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'; do
        got=$(python3 "$client" "$port" raw "$case")
        [[ $got =~ ^(400|404|405|408|411|413|501|505|none)$ ]] || { echo "$case: $got"; return 1; }
    done
    [ "$(python3 "$client" "$port" raw 'GET /health HTTP/1.0\r\n\r\n')" = 200 ]
    [ "$(python3 "$client" "$port" raw 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n')" = 200 ]
    python3 "$client" "$port" reset 200
    status_is /health 200
}

@test "what peers send reaches the log escaped, and not at all at info" {
    curl -s -g "$url/health%0a%1b[31mfake%20level=error" > "$home/answer"
    [ -z "$(grep fake "$err")" ]
    jq -e '.instance | contains("fake")' "$home/answer"
}
