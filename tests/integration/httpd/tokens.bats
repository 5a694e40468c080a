#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The daemon beside a token: cold, warm, degraded, recovered. Run for each BACKEND.

load common

: "${BACKEND:?softhsm or swtpm}" "${TOKEN_INIT:?tlm-token-init}"

setup() {
    new_home
}

teardown() {
    take_away
}

picture() {
    # SoftHSM counts the uses of its own files.
    (cd "$home/persistence" && find . -path ./token/tokens -prune -o -type f ! -name '*lock*' \
        -printf '%p %m %s\n' -exec sha256sum {} + | sort)
}

# start_degraded STATE ARGUMENT…: serves, and says that state everywhere.
start_degraded() {
    local wanted=$1
    shift
    start "$@"
    wait_until 60 grep -q "state=$wanted" "$err"
    [ ! -s "$out" ]
    status_is /health 200
    status_is /status 200
    status_is /ready 503
    [ "$(json /health .status)" = degraded ]
    [ "$(json /health .state)" = "$wanted" ]
    [ "$(json /ready .code)" = "$wanted" ]
    [ -n "$(json /ready .hint)" ]
    [ "$(json /status .start.kind)" = degraded ]
    [ "$(json /status .start.state)" = "$wanted" ]
    [ "$(json /status .tpmConnected)" = false ]
    [ "$(json /status '.errors[0].code')" = "$wanted" ]
    [[ $(json /status '.errors[0].since') =~ ^20[0-9-]+T[0-9:]+Z$ ]]
    [ "$(json /status '.errors[0] | (.message | length > 0) and (.hint | length > 0)')" = true ]
}

@test "cold, then warm with the same fingerprint" {
    make_token
    start_ready
    local first=$fingerprint
    [ "$backend" = "$BACKEND" ]
    [ "$(json /status .start.kind)" = cold ]
    status_is /ready 200
    finish TERM
    [ "$ended_with" -eq 0 ]
    [ -s "$home/persistence/persistence.bin" ]
    [ -s "$home/persistence/vault.bin" ]

    start_ready
    [ "$fingerprint" = "$first" ]
    [ "$(json /status .start.kind)" = warm ]
    [ "$(json /fingerprint .fingerprint)" = "$first" ]
    [ "$(json /fingerprint/fallback .type)" = fallback ]
    [ "$(json /fingerprint/fallback .fingerprint)" != "$first" ]
    [ "$(wc -l < "$out")" -eq 1 ]
}

@test "the guide's own checks, and what kind of token it is" {
    make_token
    start_ready
    curl -fs "$url/health"
    curl -fs "$url/fingerprint" | jq -e '.fingerprint'
    if [ "$BACKEND" = swtpm ]; then
        curl -fs "$url/status" | jq -e '.tpmConnected == true'
        curl -fs "$url/status" | jq -e '.token.simulated == true'
        [ "$remark" = " (simulated, not hardware-bound)" ]
        [ "$(json /fingerprint .type)" = tpm ]
    else
        curl -fs "$url/status" | jq -e '.tpmConnected == false'
        curl -fs "$url/status" | jq -e '.token.simulated == false'
        [ "$remark" = " (not hardware-bound)" ]
        [ "$(json /fingerprint .type)" = token ]
    fi
    curl -fs "$url/status" | jq -e '.token.hardwareBound == false and .token.label == "tlm"'
    curl -fs "$url/fingerprint" | jq -e '.hardwareBound == false'
    curl -fs "$url/status" | jq -e --arg backend "$BACKEND" '.token.backend == $backend'
}

@test "the fingerprint is the RFC 7638 thumbprint of the public key" {
    make_token
    start_ready
    computed=$(json /fingerprint .jwk | jq -cj '{e, kty, n}' | openssl dgst -sha256 -r | cut -d' ' -f1)
    [ "$computed" = "$fingerprint" ]
    [ "$(json /fingerprint .kid | tr '_-' '/+' | sed 's/$/=/' | base64 -d | od -An -tx1 | tr -d ' \n')" \
        = "$fingerprint" ]
}

@test "it answers before there is a token, and takes one that comes" {
    settings=(--tcti "swtpm:path=$home/tpm.sock")
    [ "$BACKEND" = softhsm ] || start_tpm
    start_degraded not-provisioned
    [[ $(json /ready .hint) == *"tlm-token-init provision"* ]]
    status_is /fingerprint 503
    [ "$(json /fingerprint .code)" = not-provisioned ]
    make_token
    wait_says '^ready ' "$out"
    status_is /ready 200
    [ "$(json /status '.errors | length')" = 0 ]
    [ "$(json /status .token.backend)" = "$BACKEND" ]
}

@test "--no-tpm makes the fallback the identity" {
    [ "$BACKEND" != softhsm ] || make_token
    settings=(--no-tpm)
    start_ready
    [[ $backend =~ ^(softhsm|local)$ ]]
    [ "$remark" = " (not hardware-bound)" ]
    [ "$(json /fingerprint .type)" = fallback ]
    [ "$(json /fingerprint .fingerprint)" = "$(json /fingerprint/fallback .fingerprint)" ]
    [ "$(json /status .tpmConnected)" = false ]
    [ "$(json /status .tpm)" = null ]
    finish TERM
    settings=()
    TPM_ENABLED=false start_ready
    [ "$(json /fingerprint .type)" = fallback ]
}

@test "one file of two missing: refused by name, nothing changed" {
    make_token
    start_ready
    finish TERM
    local case file state before
    for case in vault.bin:vault-missing persistence.bin:persistence-missing; do
        file=$home/persistence/${case%:*}
        state=${case#*:}
        mv "$file" "$home/kept"
        before=$(picture)
        start_degraded "$state"
        finish TERM
        [ "$ended_with" -eq 0 ]
        [ "$(picture)" = "$before" ]
        mv "$home/kept" "$file"
    done
    start_ready
    [ "$(json /status .start.kind)" = warm ]
}

@test "both files gone: the token remembers that there were some" {
    make_token
    start_ready
    finish TERM
    mkdir "$home/kept"
    mv "$home"/persistence/*.bin* "$home/kept"
    start_degraded files-missing
    finish TERM
    [ -z "$(ls "$home"/persistence/*.bin 2> /dev/null)" ]
}

@test "damaged files: refused by name, nothing changed" {
    make_token
    start_ready
    finish TERM
    local case file before
    for case in persistence.bin:persistence-damaged vault.bin:vault-damaged; do
        file=$home/persistence/${case%:*}
        cp -p "$file" "$home/kept"
        truncate -s -10 "$file"
        before=$(picture)
        start_degraded "${case#*:}"
        finish TERM
        [ "$(picture)" = "$before" ]
        cp -p "$home/kept" "$file"
    done
}

@test "a second daemon on the same directory says that it is in use" {
    make_token
    start_ready
    local first=$pid first_url=$url
    err=$home/err2
    out=$home/out2
    start_degraded in-use --log-dir "$home/log2"
    finish TERM
    curl -fs "$first_url/ready"
    pid=$first
    finish TERM
    [ "$ended_with" -eq 0 ]
}

@test "health is answered while the token is being opened" {
    make_token
    launch
    wait_says ' listening ' "$err"
    find_url
    status_is /health 200
    wait_says '^ready ' "$out"
}
