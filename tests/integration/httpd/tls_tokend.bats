#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# HTTPS with the key behind tlm-tokend, as it is deployed: no module, no PIN. BACKEND: softhsm or
# swtpm.

load common
load tls

: "${TOKEND:?tlm-tokend}"

setup() {
    new_home
    make_ca ours
    make_token
}

teardown() {
    take_away
}

answers() {
    ask /health > "${home:?}/answer" 2>&1 && ask /ready --fail > "$home/answer" 2>&1
}

# Both versions, and the certificate that the CA gave the token's key.
serves() {
    local version
    for version in 1.2 1.3; do
        ask /health --tlsv$version --tls-max $version
    done
}

@test "the key is used through tlm-tokend" {
    start_key tlm-attest
    serves
    ask /status | jq -e '.tls.keyIn == "token" and .token.provider.supervised'
    grep -q 'audit key_used.*key=tlm-attest.*result=CKR_OK' "$home"/*/tlm-tokend.log
}

@test "a tlm-tokend that is killed costs alerts while it is away, and nothing afterwards" {
    local killed
    start_key tlm-attest
    serves
    killed=$(ask /status | jq .token.provider.pid)
    kill -KILL "$killed"
    wait_until 60 answers || { cp -r "$home" /tmp/consumers/tlshome; false; }
    serves
    [ "$(ask /status | jq .token.provider.pid)" -ne "$killed" ]
}
