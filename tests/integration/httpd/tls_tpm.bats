#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# HTTPS with the private key in a TPM that goes away and comes back.

load common
load tls

setup() {
    new_home
    make_ca ours
    make_token
    use_module
}

teardown() {
    take_away
}

answers() {
    ask /health > /dev/null
}

# The status over a session that is resumed, which needs no signature.
status_by_session() {
    { printf 'GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' && sleep 1; } |
        timeout 15 openssl s_client -connect "127.0.0.1:$port" -CAfile "$home/ours.crt" -quiet \
            -no_ign_eof -sess_in "$home/session" 2> /dev/null | tail -n 1
}

says_tls_error() {
    status_by_session > "$home/status"
    jq -e '.errors[] | select(.code == "tls") | .message' "$home/status"
}

says_no_tls_error() {
    ask /status | jq -e '[.errors[] | select(.code == "tls")] | length == 0'
}

@test "a TPM that is restarted costs alerts while it is away, and nothing afterwards" {
    local round
    start_key tlm-attest
    for round in 1 2 3; do
        session "$home/one" -sess_out "$home/session"
        grep -q '"status"' "$home/one"
        stop_tpm
        run ! ask /health
        gets_alert -tls1_3
        grep -q 'internal error' "$home/said"
        gets_alert -tls1_2
        grep -q 'internal error' "$home/said"
        wait_until 60 says_tls_error
        start_tpm
        wait_until 60 answers
        wait_until 60 says_no_tls_error
    done
    finish TERM
    [ "$ended_with" -eq 0 ]
}

@test "a TPM that is killed under handshakes loses no later one" {
    local peer
    start_key tlm-srk
    (while [ ! -e "$home/enough" ]; do ask /health || true; done) > "$home/peer" 2>&1 3>&- &
    peer=$!
    sleep 1
    kill -KILL "$(cat "$home/tpm.pid")"
    sleep 1
    start_tpm
    wait_until 60 answers
    touch "$home/enough"
    wait "$peer"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ask /health
    done
}

@test "started without its TPM it serves when that comes" {
    certify tlm-attest
    stop_tpm
    start --rest-tls-certificate "$home/tlm-attest.crt" --rest-tls-key pkcs11:object=tlm-attest
    wait_says tls_unavailable "$err"
    gets_alert
    start_tpm
    wait_says '^ready https://' "$out"
    ask /health
}

@test "a TPM that does not answer keeps handshakes waiting, but nobody else" {
    start_key tlm-attest --rest-deadline 3
    { printf 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n' && sleep 1 &&
        printf 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n' && sleep 1 &&
        printf 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' && sleep 1; } |
        timeout 15 openssl s_client -connect "127.0.0.1:$port" -CAfile "$home/ours.crt" -quiet \
            > "$home/kept" 2> /dev/null 3>&- &
    local kept=$!
    wait_until 60 test -s "$home/kept"
    kill -STOP "$(cat "$home/tpm.pid")"
    local peers=() peer
    for peer in 1 2 3 4 5; do
        curl -sk -m 8 "$url/health" > /dev/null 3>&- &
        peers+=($!)
    done
    wait "$kept"
    [ "$(grep -o 'HTTP/1.1 200' "$home/kept" | wc -l)" -eq 3 ]
    for peer in "${peers[@]}"; do
        run ! wait "$peer"
    done
    wait_says 'tls_signature_failed.*waited 3000 ms' "$err"
    kill -CONT "$(cat "$home/tpm.pid")"
    wait_until 60 answers
}
