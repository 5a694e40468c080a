#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The client against the daemon itself, on a token: BACKEND is softhsm or swtpm.

load ../httpd/common
load ../httpd/licensing

setup_file() {
    load common
    make_stage
}

teardown_file() {
    rm -rf "$stage"
}

setup() {
    new_home
    # A lease of three seconds: its renewal is seen within one.
    export LD_LIBRARY_PATH=$libraries
    tlm=$BUILD/client/tlm
    holders=()
    make_token
    trust_vendor
    serve
    activate_with_tlm
}

teardown() {
    local holder
    exec 9>&- || true
    for holder in "${holders[@]}"; do
        kill -KILL "$holder" 2> /dev/null || true
        wait "$holder" 2> /dev/null || true
    done
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        tail -n 20 "$home"/holder.{out,err} 2> /dev/null || true
    fi
    take_away
}

serve() {
    start_ready "$@"
    export TLM_URL=$url TLM_ADMIN_SOCKET=$home/admin.sock TLM_PERSISTENCE_DIR=$home/persistence
    # The identity is ready before the licenses are opened.
    wait_until 60 licensing_open
}

licensing_open() {
    "$tlm" state --socket "$home/admin.sock" > /dev/null 2>&1
}

activate_with_tlm() {
    "$tlm" keys --out "$home/host.jwks"
    # Without a network: by files.
    "$tlm" request --out "$home/host.json"
    jq .host "$home/host.json" > "$home/fingerprint.json"
    claims "$license" \
        "$(feature pro 2 '{"type":"perpetual"}' '{"color":"blue"}')" \
        "$(feature solo 0 '{"type":"perpetual"}' '[1,2]')" \
        "$(feature pages 5 '{"type":"counter","direction":"down","limit":10}')" |
        jq -s '{licenses: .}' |
        vendor package "$home/vendor" "$home/fingerprint.json" "$home/acme.tlmpkg"
    "$tlm" activate "$home/acme.tlmpkg" | grep "^$license.*ACME.*activated"
}

hold() {
    mkfifo "$home/in" 2> /dev/null || true
    "$stage/acquire" "$@" > "$home/holder.out" 2> "$home/holder.err" < "$home/in" 3>&- &
    holder=$!
    holders+=("$holder")
    exec 9> "$home/in"
    wait_until 60 grep -q '^held ' "$home/holder.out"
}

seats_in_use() {
    "$tlm" licenses --json | jq '.licenses[0].features[] | select(.id == "pro").inUse'
}

in_use_is() {
    [ "$(seats_in_use)" = "$1" ]
}

holder_ended() {
    ! kill -0 "$holder" 2> /dev/null
}

@test "from a request to a seat: held with proof, renewed, returned" {
    "$tlm" activate "$home/acme.tlmpkg" | grep unchanged
    hold pro "$home/host.jwks"
    grep -q '^held pro fence [0-9]* memory {"color":"blue"}$' "$home/holder.out"
    in_use_is 1
    "$tlm" lease list | grep -q ' pro '
    exec 9>&-
    wait_until 60 holder_ended
    wait_until 60 in_use_is 0
    # As a program that runs while the seat is held.
    run "$tlm" run --feature pro --keys "$home/host.jwks" -- "$tlm" licenses --json
    [ "$(jq '.licenses[0].features[0].inUse' <<< "$output")" -eq 1 ]
    in_use_is 0
}

@test "SIGTERM returns the seat, a kill leaves it to its time, an administrator ends it" {
    hold pro "$home/host.jwks"
    kill -TERM "$holder"
    wait_until 60 holder_ended
    in_use_is 0
    hold pro "$home/host.jwks"
    kill -KILL "$holder"
    wait_until 60 holder_ended
    in_use_is 1
    "$tlm" lease release --force "$("$tlm" lease list --json | jq -r '.leases[0].lease')"
    in_use_is 0
    "$tlm" audit show | grep -qi forced || "$tlm" audit show | grep -qi release
}

@test "the daemon is killed and comes back: the seat is the same one" {
    hold pro "$home/host.jwks"
    local lease
    lease=$("$tlm" lease list --json | jq -r '.leases[0].lease')
    finish KILL
    serve --rest-port "$port"
    [ "$("$tlm" lease list --json | jq -r '.leases[0].lease')" = "$lease" ]
    # (The daemon has a copy of fd 9 now, so an end of input is none.)
    kill -TERM "$holder"
    wait_until 60 holder_ended
    wait_until 60 in_use_is 0
}

@test "every answer is proven by the token" {
    local keys=(--keys "$home/host.jwks")
    [ "$("$tlm" check --feature solo "${keys[@]}" --json | jq -c '[.verified, .memory]')" = '[true,[1,2]]' ]
    [ "$("$tlm" usage --feature pages --units 4 --request r1 "${keys[@]}" --json | jq -c '[.verified, .used, .remaining, .repeated]')" = '[true,4,6,false]' ]
    [ "$("$tlm" usage --feature pages --units 4 --request r1 "${keys[@]}" --json | jq -c '[.used, .repeated]')" = '[4,true]' ]
    local lease
    lease=$("$tlm" lease acquire --feature pro --client me --ttl 60 "${keys[@]}" --json | jq -r 'select(.verified).lease')
    [ "$("$tlm" lease renew "$lease" --ttl 90 "${keys[@]}" --json | jq -r '.verified')" = true ]
    "$tlm" lease release "$lease"
    "$tlm" attest --nonce n "${keys[@]}" > "$home/attestation"
    "$tlm" verify-statement "$home/attestation" "${keys[@]}" --nonce n
    run "$tlm" verify-statement "$home/attestation" "${keys[@]}" --nonce m
    [ "$status" -eq 1 ]
    # Another host's keys prove nothing.
    jq '.keys[0].x = .keys[0].y' "$home/host.jwks" > "$home/other.jwks"
    run "$tlm" check --feature solo --keys "$home/other.jwks"
    [ "$status" -eq 1 ]
    "$tlm" check --feature solo --host-kid "$(jq -r '.keys[] | select(.kty == "EC").kid' "$home/host.jwks")"
}

@test "a seat is borrowed, checked without the daemon, and returned" {
    "$tlm" lease borrow "$home/seat" --feature pro --days 2 --keys "$home/host.jwks"
    in_use_is 1
    run "$stage/standalone" borrowed pro "$home/host.jwks" "$home/seat"
    [ "$status" -eq 0 ]
    # Whoever has no key of it cannot return it.
    run "$tlm" lease release "$("$tlm" lease list --json | jq -r '.leases[0].lease')"
    [ "$status" -ne 0 ]
    in_use_is 1
    "$tlm" lease return "$home/seat"
    in_use_is 0
    [ ! -e "$home/seat.key" ]
    run "$tlm" lease borrow "$home/seat" --feature pro --days 3650 --keys "$home/host.jwks"
    [ "$status" -ne 0 ]
    [ ! -e "$home/seat" ] && [ ! -e "$home/seat.key" ]
}

@test "every seat is taken: refused, and queued for" {
    "$tlm" lease acquire --feature pro --client a --ttl 3 > /dev/null
    "$tlm" lease acquire --feature pro --client b > /dev/null
    run "$tlm" lease acquire --feature pro --client c
    [ "$status" -eq 3 ]
    [[ $output == *'[seats-exhausted]'*'place 1 in the queue'* ]]
    "$tlm" lease acquire --feature pro --client c --wait 60 | grep -q ' c$'
    run "$tlm" lease acquire --feature nothing
    [ "$status" -eq 3 ]
    [[ $output == *'[unlicensed]'* ]]
}

@test "the audit log is exported and verified with the host's keys" {
    "$tlm" audit export --out "$home/audit.jsonl"
    "$tlm" audit verify "$home/audit.jsonl" --keys "$home/host.jwks" --json | jq -e '.verified and .entries > 0'
    sed -i '1s/"event":"[a-z-]*"/"event":"nothing"/' "$home/audit.jsonl"
    run "$tlm" audit verify "$home/audit.jsonl"
    [ "$status" -eq 1 ]
    [[ $output == *'[damaged]'* ]]
}

@test "licenses are shown, removed, and activated again; the state is told" {
    "$tlm" licenses | grep -q "^$license active"
    "$tlm" licenses show "$license" | grep -q customer
    "$tlm" licenses remove "$license"
    run "$tlm" check --feature solo
    [ "$status" -eq 3 ]
    "$tlm" activate "$home/acme.tlmpkg"
    "$tlm" check --feature solo
    "$tlm" state --json | jq -e .state
    "$tlm" status | grep -q '^licensing\.'
    "$tlm" revocations
}

@test "where a token is needed, the client brings it" {
    finish TERM
    serve --rest-access token
    run "$tlm" check --feature solo
    [ "$status" -eq 1 ]
    [[ $output == *'[unauthorized]'* ]]
    "$tlm" check --feature solo --token-file "$home/persistence/client.token"
    # The administrators' socket needs none.
    "$tlm" check --feature solo --socket "$home/admin.sock"
    # Over TCP, the administrator's own token is found in its directory.
    TLM_ADMIN_SOCKET=$home/none "$tlm" lease list
    run env TLM_ADMIN_SOCKET="$home/none" TLM_PERSISTENCE_DIR="$home/none" "$tlm" lease list
    [ "$status" -eq 1 ]
}
