#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The daemon and a TPM that goes away, comes back, and is asked for its facts.

load common

BACKEND=swtpm
: "${TOKEN_INIT:?tlm-token-init}"

setup() {
    new_home
    make_token
}

teardown() {
    take_away
}

has_facts() {
    [ "$(json /status '.tpm.asOf | type')" = string ]
}

@test "facts of the TPM, with their time" {
    start_ready
    wait_until 60 has_facts
    curl -s "$url/status" > "$home/status"
    jq -e '.errors == []' "$home/status"
    jq -e '.tpm.connected == true and (.tpm.manufacturer | length) > 0' "$home/status"
    jq -e '.tpm.lockout.inLockout == false' "$home/status"
    jq -e --arg tcti "swtpm:path=$home/tpm.sock" '.tpm.tcti.conf == $tcti' "$home/status"
    [[ $(jq -r .tpm.asOf "$home/status") =~ ^20[0-9-]+T[0-9:]+Z$ ]]
}

@test "asking for the status asks the TPM nothing" {
    start_ready
    wait_until 60 has_facts
    local first
    first=$(json /status .tpm.asOf)
    for _ in $(seq 50); do
        curl -fs "$url/status" > /dev/null
    done
    sleep 1.1
    [ "$(json /status .tpm.asOf)" = "$first" ]
}

@test "the facts are those that tlm-tokend tells: no other program is asked" {
    # A copy elsewhere finds no tlm-token-init beside itself, nor in PATH.
    cp "$DAEMON" "$TOKEND" "$home"
    DAEMON=$home/TLLicenseManager PATH=/usr/bin:/bin start_ready
    wait_until 60 has_facts
    [ "$(json /status '.tpm.tcti.origin')" = tlm-tokend ]
    [ "$(json /status '.errors | length')" = 0 ]
    [ "$(json /status .tpm.manufacturer)" = "$(jq -r .tpm.manufacturer "$home/tokend.json")" ]
}

licensing_is_open() {
    [ "$(json /status .licensing.state)" = ok ]
}

@test "tlm-token-init has the slots of a simulated TPM beside a daemon that just used its keys" {
    local words=(--persistence-dir "$home/persistence" --config-dir "$home/config"
        --tcti "swtpm:path=$home/tpm.sock")
    start_ready
    wait_until 60 licensing_is_open
    curl -fs "$url/api/v1/attest" -H 'Content-Type: application/json' -d '{"nonce":"n"}' > "$home/answer"
    "$TOKEN_INIT" attest "${words[@]}" > "$home/host.json" 3>&-
    "$TOKEN_INIT" doctor "${words[@]}" > "$home/doctor" 3>&-
    run ! grep -E '^(problem|warning)' "$home/doctor"
    curl -fs "$url/api/v1/attest" -H 'Content-Type: application/json' -d '{"nonce":"n"}' > "$home/answer"
}

not_ready() {
    status_is /ready 503
}

ready() {
    status_is /ready 200
}

@test "a TPM that goes away and comes back" {
    start_ready
    wait_until 60 has_facts
    local first=$fingerprint
    stop_tpm
    wait_until 60 not_ready
    status_is /health 200
    [ "$(json /health .status)" = degraded ]
    [ "$(json /status .tpmConnected)" = false ]
    [ "$(json /status '.errors[0] | (.message | length > 0) and (.hint | length > 0)')" = true ]
    status_is /fingerprint 200
    start_tpm
    wait_until 90 ready
    [ "$(json /status .tpmConnected)" = true ]
    [ "$(json /fingerprint .fingerprint)" = "$first" ]
    [ "$(json /status .token.recoveries)" -ge 1 ]
    [ "$(grep -c '^ready ' "$out")" = 1 ]
    finish TERM
    [ "$ended_with" -eq 0 ]
}

@test "a TPM that is not there at the start, and comes" {
    stop_tpm
    start
    wait_until 60 not_ready
    [ "$(json /health .status)" = degraded ]
    start_tpm
    wait_says '^ready ' "$out"
    status_is /ready 200
}

@test "it ends in time while the TPM is away" {
    start_ready
    stop_tpm
    wait_until 60 not_ready
    finish TERM
    ended_soon
    [ "$ended_with" -eq 0 ]
}

@test "TSS2_TCTI and TPM_DEVICE name the TPM as --tcti does" {
    settings=()
    TSS2_TCTI="swtpm:path=$home/tpm.sock" start_ready
    [ "$backend" = swtpm ]
    finish TERM
    TPM_DEVICE=/dev/nowhere start
    wait_until 60 not_ready
    wait_until 60 names_device
}

names_device() {
    [[ $(json /ready '.detail + .hint') == */dev/nowhere* ]]
}
