#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# HTTPS with the private key in the token. BACKEND: softhsm or swtpm.

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

@test "TLS 1.2 and 1.3 with the token's EC key and its RSA key" {
    local key version
    for key in tlm-attest tlm-srk; do
        start_key "$key"
        for version in 1.2 1.3; do
            ask /health --tlsv$version --tls-max $version
        done
        [ "$key" = tlm-attest ] || handshake -tls1_2 -sigalgs RSA+SHA256
        ask /status | jq -e '.tls.enabled and .tls.keyIn == "token" and (.errors | length) == 0'
        finish TERM
        [ "$ended_with" -eq 0 ]
    done
}

@test "the token's own certificate, known by its public key" {
    start_ready --rest-tls-certificate 'pkcs11:object=tlm-attest;type=cert' \
        --rest-tls-key 'pkcs11:token=tlm;id=%02;type=private'
    openssl s_client -connect "127.0.0.1:$port" < /dev/null 2> /dev/null |
        sed -n '/-----BEGIN/,/-----END/p' > "$home/attest.pem"
    local pin
    pin=$(openssl x509 -in "$home/attest.pem" -noout -pubkey | openssl pkey -pubin -outform DER |
        openssl dgst -sha256 -binary | base64)
    curl -sSk --pinnedpubkey "sha256//$pin" "$url/health"
    run ! curl -sSk --pinnedpubkey "sha256//$(printf x | openssl dgst -sha256 -binary | base64)" \
        "$url/health"
    openssl verify -CAfile "$home/attest.pem" "$home/attest.pem"
}

@test "a certificate of another key is named, and handshakes get an alert" {
    make_pair ours web ec serverAuth
    # Before the daemon, whose keys would leave a simulated TPM too few slots for another program.
    certify tlm-attest
    start --rest-tls-certificate "$home/web.crt" --rest-tls-key pkcs11:object=tlm-attest
    wait_says 'tls_unavailable.*do not belong together.*pkcs11:object=tlm-attest' "$err"
    gets_alert
    grep -q 'internal error' "$home/said"
    run ! grep -q '^ready' "$out"
    # A certificate that fits mends it without a restart.
    cp "$home/tlm-attest.crt" "$home/web.crt"
    kill -HUP "$pid"
    wait_says '^ready ' "$out"
    ask /health
}

@test "a key that is not there is named, with the URI" {
    certify tlm-attest
    start --rest-tls-certificate "$home/tlm-attest.crt" --rest-tls-key pkcs11:object=tlm-atest
    wait_says 'tls_unavailable.*no private key that pkcs11:object=tlm-atest names' "$err"
    gets_alert
    finish TERM
    start --rest-tls-certificate "$home/tlm-attest.crt" \
        --rest-tls-key 'pkcs11:token=other;object=tlm-attest'
    wait_says 'tls_unavailable.*names another token' "$err"
}

@test "many clients at a time, each answer whole" {
    start_key tlm-attest
    local peers=() peer
    for peer in 1 2 3 4 5 6 7 8; do
        (for _ in 1 2 3 4 5 6 7 8 9 10; do ask /health || exit 1; done) > "$home/peer.$peer" 3>&- &
        peers+=($!)
    done
    for peer in "${peers[@]}"; do
        wait "$peer"
    done
    [ "$(cat "$home"/peer.* | grep -o '"status":"ok"' | wc -l)" -eq 80 ]
}
