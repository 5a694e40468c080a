#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# HTTPS with certificate and key in files: protocol, clients' certificates, settings, slow clients.

load common
load tls

setup() {
    new_home
    make_ca ours
}

teardown() {
    if [ -n "${holder:-}" ]; then
        exec 4>&-
        wait "$holder" || true
    fi
    take_away
}

# start_tls OPTION…: with the pair "web"
start_tls() {
    [ -e "$home/web.crt" ] || make_pair ours web ec serverAuth
    start_ready --rest-tls-certificate "$home/web.crt" --rest-tls-key "$home/web.key" "$@"
    [[ $url == https://127.0.0.1:* ]]
}

@test "plain HTTP is the default, and the status says so" {
    start_ready
    [[ $url == http://127.0.0.1:* ]]
    [ "$(json /status '.tls | "\(.enabled) \(.certificateNotAfter) \(.keyIn)"')" = "false null null" ]
}

@test "TLS 1.2 and 1.3 with EC and RSA keys, and the status says where the key is" {
    local kind version
    for kind in ec rsa:2048 rsa:3072; do
        make_pair ours web "$kind" serverAuth
        start_tls
        for version in 1.2 1.3; do
            ask /health --tlsv$version --tls-max $version
        done
        ask /status > "$home/status"
        jq -e '.tls.enabled and .tls.keyIn == "file" and (.errors | length) == 0' "$home/status"
        [ "$(date -d "$(jq -r .tls.certificateNotAfter "$home/status")" +%s)" -eq \
            "$(date -d "$(openssl x509 -in "$home/web.crt" -noout -enddate | cut -d= -f2)" +%s)" ]
        finish TERM
        [ "$ended_with" -eq 0 ]
    done
}

@test "older versions, weak ciphers and plain HTTP are refused" {
    start_tls
    run ! ask /health --tls-max 1.1 --ciphers 'DEFAULT@SECLEVEL=0'
    run ! handshake -tls1_1 -cipher 'DEFAULT@SECLEVEL=0'
    run ! handshake -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA
    run ! handshake -tls1_2 -cipher AES128-GCM-SHA256
    handshake -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
    run ! curl -s -m 5 "http://127.0.0.1:$port/health"
    ask /health
}

@test "connections are kept: many requests, one handshake" {
    start_tls
    ask /health -w '%{stderr}%{num_connects}\n' "$url/health" "$url/status" "$url/health" \
        > "$home/answers" 2> "$home/connects"
    [ "$(wc -l < "$home/connects")" -eq 4 ]
    [ "$(awk '{ sum += $1 } END { print sum }' "$home/connects")" -eq 1 ]
}

@test "a session is resumed without another certificate" {
    local version
    start_tls
    for version in -tls1_2 -tls1_3; do
        session "$home/one" $version -sess_out "$home/session"
        grep -q '"status"' "$home/one"
        handshake $version -sess_in "$home/session"
        grep -q '^Reused' "$home/said"
    done
}

@test "a client certificate is required: ours passes, none, a foreign and a server's do not" {
    make_ca theirs
    make_pair ours alice ec clientAuth
    make_pair theirs mallory ec clientAuth
    make_pair ours server ec serverAuth
    start_tls --rest-tls-client-ca "$home/ours.crt"
    local version name
    for version in 1.2 1.3; do
        ask /health --cert "$home/alice.crt" --key "$home/alice.key" --tlsv$version --tls-max $version
        run ! ask /health --tlsv$version --tls-max $version
        gets_alert "-tls${version/./_}"
        for name in mallory server; do
            run ! ask /health --cert "$home/$name.crt" --key "$home/$name.key" --tlsv$version \
                --tls-max $version
            gets_alert "-tls${version/./_}" -cert "$home/$name.crt" -key "$home/$name.key"
        done
    done
    grep -q 'tls_refused reason="the client has no certificate"' "$err"
}

@test "a resumed session keeps what its first handshake proved" {
    make_pair ours alice ec clientAuth
    start_tls --rest-tls-client-ca "$home/ours.crt"
    session "$home/one" -tls1_3 -sess_out "$home/session" -cert "$home/alice.crt" \
        -key "$home/alice.key"
    session "$home/two" -tls1_3 -sess_in "$home/session"
    grep -q '"status"' "$home/two"
}

@test "an optional client certificate: ours and none pass, a foreign one does not" {
    make_ca theirs
    make_pair ours alice ec clientAuth
    make_pair theirs mallory ec clientAuth
    start_tls --rest-tls-client-ca "$home/ours.crt" --rest-tls-client-optional
    ask /health
    ask /health --cert "$home/alice.crt" --key "$home/alice.key"
    run ! ask /health --cert "$home/mallory.crt" --key "$home/mallory.key"
    gets_alert -cert "$home/mallory.crt" -key "$home/mallory.key"
    grep -q 'unknown ca' "$home/said"
}

@test "an expired client certificate is refused by name" {
    make_pair ours alice ec clientAuth
    openssl x509 -req -in "$home/alice.csr" -CA "$home/ours.crt" -CAkey "$home/ours.key" \
        -days -1 -out "$home/alice.crt" 2> /dev/null
    start_tls --rest-tls-client-ca "$home/ours.crt"
    gets_alert -cert "$home/alice.crt" -key "$home/alice.key"
    grep -q 'certificate expired' "$home/said"
}

@test "a key file that others can read is refused with the command that mends it" {
    make_pair ours web ec serverAuth
    chmod 640 "$home/web.key"
    refused --rest-tls-certificate "$home/web.crt" --rest-tls-key "$home/web.key"
    grep -q 'REST.Tls.Key' "$err"
    grep -q 'chmod 600' "$err"
}

@test "certificate and key that do not belong together are named at the start" {
    make_pair ours web ec serverAuth
    make_pair ours other ec serverAuth
    refused --rest-tls-certificate "$home/web.crt" --rest-tls-key "$home/other.key"
    grep -q 'certificate and key do not belong together' "$err"
    grep -q "$home/other.key" "$err"
}

@test "files that are missing, damaged or locked are named with their setting" {
    make_pair ours web ec serverAuth
    refused --rest-tls-certificate "$home/none.crt" --rest-tls-key "$home/web.key"
    grep -q 'REST.Tls.Certificate.*none.crt' "$err"
    refused --rest-tls-certificate "$home/web.key" --rest-tls-key "$home/web.key"
    grep -q 'REST.Tls.Certificate.*is not a chain' "$err"
    openssl pkey -in "$home/web.key" -aes256 -passout pass:x -out "$home/locked.key"
    chmod 600 "$home/locked.key"
    refused --rest-tls-certificate "$home/web.crt" --rest-tls-key "$home/locked.key"
    grep -q 'REST.Tls.Key.*without a password' "$err"
    touch "$home/empty.crt"
    refused --rest-tls-certificate "$home/web.crt" --rest-tls-key "$home/web.key" \
        --rest-tls-client-ca "$home/empty.crt"
    grep -q 'REST.Tls.ClientCa' "$err"
}

@test "settings that need each other are told" {
    refused --rest-tls-certificate "$home/web.crt"
    grep -q 'REST.Tls.Certificate is set and REST.Tls.Key is not' "$err"
    refused --rest-tls-key "$home/web.key"
    grep -q 'REST.Tls.Key is set and REST.Tls.Certificate is not' "$err"
    refused --rest-tls-client-ca "$home/ours.crt"
    grep -q 'REST.Tls.ClientCa is set' "$err"
    make_pair ours web ec serverAuth
    refused --rest-tls-certificate "$home/web.crt" --rest-tls-key "$home/web.key" \
        --rest-tls-client-optional
    grep -q 'REST.Tls.ClientOptional is set and REST.Tls.ClientCa is not' "$err"
}

@test "a URI with a PIN is refused and not shown" {
    make_pair ours web ec serverAuth
    refused --rest-tls-certificate "$home/web.crt" \
        --rest-tls-key 'pkcs11:object=web?pin-value=4711'
    grep -q 'REST.Tls.Key: the URI holds a PIN' "$err"
    run ! grep 4711 "$err"
    refused --rest-tls-certificate "$home/web.crt" --rest-tls-key 'pkcs11:token=tlm'
    grep -q 'REST.Tls.Key: the URI names no private key' "$err"
}

@test "where nobody serves the token, handshakes get an alert and the log says why" {
    start --pkcs11-socket "$home/none.sock" --rest-tls-certificate pkcs11:object=tlm-attest \
        --rest-tls-key pkcs11:object=tlm-attest
    wait_says 'tls_unavailable.*no token' "$err"
    gets_alert
    grep -q 'internal error' "$home/said"
    finish TERM
    [ "$ended_with" -eq 0 ]
}

new_serial() {
    [ "$(served_serial)" = "$(openssl x509 -in "$home/web.crt" -noout -serial)" ]
}

@test "SIGHUP takes a new certificate and key; damaged ones leave the old in use" {
    start_tls
    new_serial
    make_pair ours web ec serverAuth
    kill -HUP "$pid"
    wait_until 60 new_serial
    cp "$home/web.crt" "$home/kept.crt"
    echo nonsense > "$home/web.crt"
    kill -HUP "$pid"
    wait_says tls_unavailable "$err"
    ask /status > "$home/status"
    jq -e '.errors[] | select(.code == "tls") | .message | test("REST.Tls.Certificate")' \
        "$home/status"
    mv "$home/kept.crt" "$home/web.crt"
    kill -HUP "$pid"
    wait_says tls_available "$err"
    ask /status | jq -e '.errors | length == 0'
}

@test "an expired certificate is served and told" {
    make_pair ours web ec serverAuth
    openssl x509 -req -in "$home/web.csr" -CA "$home/ours.crt" -CAkey "$home/ours.key" \
        -days -1 -out "$home/web.crt" 2> /dev/null
    start_tls
    curl -sk "$url/status" > "$home/status"
    jq -e '.errors[] | select(.code == "tls-certificate") | .message | test("expired at 20")' \
        "$home/status"
    grep -q tls_certificate "$err"
}

# stall COUNT TEXT: connections that send so much and no more, held until teardown
stall() {
    mkfifo "$home/hold"
    python3 "$client" "$port" stall "$1" "$2" < "$home/hold" > "$home/held" 3>&- 4>&- &
    holder=$!
    exec 4> "$home/hold"
    wait_until 60 grep -q open "$home/held"
}

# In one line of the log or, where a sweep came in between, in several.
late_requests_are() {
    awk -F 'late_requests=' -v wanted="$1" '
        / connections_ended / { sum += $2 + 0 }
        END { exit sum != wanted }' "$err"
}

@test "stalled handshakes do not stop others and end at the deadline" {
    start_tls --rest-deadline 3 --rest-timeout 60
    # A record header that promises a ClientHello, and its first bytes.
    stall 100 '\x16\x03\x01\x02\x00\x01\x00'
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ask /health -m 2
    done
    wait_until 60 grep -q closed "$home/held"
    read -r _ count seconds < <(grep closed "$home/held")
    [ "$count" -eq 100 ]
    [ "$seconds" -ge 2 ]
    [ "$seconds" -le 6 ]
    wait_until 60 late_requests_are 100
}

# A request of one byte each fifth of a second, for as long as somebody takes it.
drip() {
    printf 'GET /health HTTP/1.1\r\nHost: x\r\nX: ' 3>&-
    while printf x 2> /dev/null && sleep 0.2 3>&-; do :; done
}

@test "silent connections end at the deadline, dripping requests have theirs behind the handshake" {
    start_tls --rest-deadline 2 --rest-timeout 60
    stall 20 ''
    wait_until 8 grep -q 'closed 20' "$home/held"
    local begun=$SECONDS
    timeout 15 openssl s_client -connect "127.0.0.1:$port" -quiet > /dev/null 2>&1 < <(drip) || true
    [ "$((SECONDS - begun))" -le 6 ]
}

@test "an idle connection behind its handshake lives until the idle time" {
    start_tls --rest-deadline 1 --rest-timeout 30
    { sleep 4 && printf 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' && sleep 1; } |
        timeout 15 openssl s_client -connect "127.0.0.1:$port" -quiet > "$home/late" 2> /dev/null
    grep -q '"status"' "$home/late"
}

@test "above the limit a client is told 503 over TLS" {
    start_tls --rest-connections 8
    stall 8 ''
    run -0 ask /health -w ' %{http_code}'
    [[ $output == *too-many-connections*' 503' ]]
}

@test "SIGTERM ends it with connections open" {
    start_tls
    stall 10 ''
    finish TERM
    [ "$ended_with" -eq 0 ]
    ended_soon
}
