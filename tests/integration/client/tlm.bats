#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The program tlm from outside, against a daemon that answers as docs/rest.md has it.

load common

setup() {
    stage="" libraries=""
    new_home
}

teardown() {
    take_away
}

# fails_with STATUS CODE COMMAND…
fails_with() {
    local expected=$1 code=$2
    shift 2
    run "$@"
    [ "$status" -eq "$expected" ] && [[ $output == *"[$code]"* ]] || {
        echo "status $status: $output"
        return 1
    }
}

@test "what the daemon tells, as tables and as JSON" {
    start_fake
    run "$tlm" licenses
    [ "$status" -eq 0 ]
    [[ ${lines[0]} =~ ^LICENSE\ +STATE\ +VENDOR ]]
    [[ ${lines[1]} =~ active.*ACME.*suite.*pro.*0\ of\ 3.*perpetual ]]
    [[ ${lines[2]} =~ lone.*stand-alone.*trial.*1.*8.*2030 ]]
    [ "$("$tlm" licenses --json | jq -r '.licenses[0].features[1].id')" = lone ]
    [ "$("$tlm" fingerprint --json | jq -r .fingerprint)" = "$(curl -s "$TLM_URL/fingerprint" | jq -r .fingerprint)" ]
    [ "$("$tlm" fingerprint --fallback --json | jq -r .type)" = fallback ]
    [[ $("$tlm" status) == *'licensing.state fine'* ]]
    [ "$("$tlm" state --json | jq -r .policy)" = strict ]
    [ "$("$tlm" state accept --reason because --json | jq -r .reason)" = because ]
    [ "$("$tlm" licenses show 0b8ff9dc-6aa1 --json | jq -r .vendor)" = ACME ]
    "$tlm" licenses remove 0b8ff9dc-6aa1
    grep -q '^DELETE /api/v1/licenses/0b8ff9dc-6aa1' "$home/log"
    "$tlm" revocations
    # What the daemon says does not reach the terminal as it is.
    run "$tlm" status
    [[ $output != *$'\033'* ]]
}

@test "a request file has what a vendor needs" {
    start_fake
    "$tlm" request --out "$home/host.json"
    jq -e '.type == "tlm-request" and .version == 1 and .host.kid and .fallback.type == "fallback"
        and (.keys.keys | length == 2) and (.created | test("^[0-9-]+T[0-9:]+Z$"))' "$home/host.json"
    fails_with 1 exists "$tlm" request --out "$home/host.json"
    fault 'problem 404 not-found for GET /fingerprint/fallback'
    [ "$("$tlm" request | jq .fallback)" = null ]
}

@test "activating needs an administrator, and sends the text as it is" {
    start_fake
    printf 'a.b.c.d.e' > "$home/package.tlmpkg"
    fails_with 1 unauthorized "$tlm" activate "$home/package.tlmpkg"
    printf 'secret-of-admin\n' > "$home/admin.token"
    chmod 644 "$home/admin.token"
    fails_with 1 permission "$tlm" activate "$home/package.tlmpkg" --token-file "$home/admin.token"
    chmod 600 "$home/admin.token"
    "$tlm" activate "$home/package.tlmpkg" --token-file "$home/admin.token" | grep -q activated
    TLM_TOKEN_FILE=$home/admin.token "$tlm" activate - < "$home/package.tlmpkg" | grep -q activated
    # The token of the persistence directory, for the daemon of this host.
    TLM_PERSISTENCE_DIR=$home "$tlm" activate "$home/package.tlmpkg" --json | jq -e '.licenses[0].result == "activated"'
    grep -q '^POST /api/v1/licenses  application/jose a.b.c.d.e' "$home/log"
    # Nobody else gets it.
    TLM_PERSISTENCE_DIR=$home "$tlm" status
    run grep -c secret-of-admin "$home/log"
    [ "$output" -eq 0 ]
    fails_with 1 not-found "$tlm" activate "$home/nothing"
    head -c 1048577 /dev/zero > "$home/large"
    fails_with 1 too-large "$tlm" activate "$home/large"
    fails_with 1 too-large "$tlm" activate - < "$home/large"
}

@test "the administrators' socket is taken where it is there" {
    start_fake --socket "$home/admin.sock"
    unset TLM_URL
    export TLM_ADMIN_SOCKET=$home/admin.sock
    printf 'a.b.c.d.e' > "$home/package.tlmpkg"
    "$tlm" activate "$home/package.tlmpkg" | grep -q activated
    "$tlm" status --socket "$home/admin.sock" > /dev/null
    "$tlm" status --url "unix:$home/admin.sock" > /dev/null
    # What is no administrator's goes where it always goes.
    export http_proxy=http://127.0.0.1:1
    run "$tlm" lease show 0b8f --timeout 1
    [[ $output == *127.0.0.1:52014* ]]
}

@test "leases by hand" {
    start_fake --ttl 60
    local lease
    lease=$("$tlm" lease acquire --feature pro --client me --keys "$keys" --json | jq -r .lease)
    [ "$("$tlm" lease acquire --feature pro --client me --keys "$keys" --json | jq -r .lease)" = "$lease" ]
    "$tlm" lease | grep -q "^$lease pro"
    [ "$("$tlm" lease show "$lease" --json | jq -r .client)" = me ]
    [ "$("$tlm" lease renew "$lease" --ttl 90 --keys "$keys" --json | jq -r .ttl)" -eq 90 ]
    "$tlm" lease release "$lease"
    fails_with 1 not-found "$tlm" lease show "$lease"
    fails_with 1 not-found "$tlm" lease release "$lease" --force
    grep -q "^DELETE /api/v1/leases/$lease force=true" "$home/log"
    fails_with 3 unlicensed "$tlm" lease acquire --feature missing
    fails_with 2 setting "$tlm" lease show ../licenses
}

@test "waiting in the queue" {
    start_fake --seats 1 --ttl 2
    "$tlm" lease acquire --feature pro --client first > /dev/null
    fails_with 3 seats-exhausted "$tlm" lease acquire --feature pro --client second
    [[ $output == *'place 1 in the queue'* ]]
    [ "$("$tlm" lease acquire --feature pro --client second --wait 20 --json | jq -r .client)" = second ]
    [ "$(requests 'POST /api/v1/leases ')" -ge 4 ]
}

@test "uses are counted once, whatever happens to the connection" {
    start_fake
    [ "$("$tlm" usage --feature c --units 3 --request one --json --keys "$keys" | jq -c '[.used, .repeated]')" = '[3,false]' ]
    [ "$("$tlm" usage --feature c --units 3 --request one --json --keys "$keys" | jq -c '[.used, .repeated]')" = '[3,true]' ]
    # Counted, and the answer is lost, each time.
    fault 'reset-after for POST /api/v1/usage'
    fails_with 4 io "$tlm" usage --feature c --keys "$keys"
    [ "$(requests 'POST /api/v1/usage')" -eq 5 ]
    [ "$(requests COUNTED)" -eq 2 ]
    local request
    [[ $output =~ --request\ ([A-Za-z0-9_-]+) ]]
    request=${BASH_REMATCH[1]}
    fault ''
    [ "$("$tlm" usage --feature c --request "$request" --json --keys "$keys" | jq -c '[.used, .repeated]')" = '[4,true]' ]
    [ "$("$tlm" usage --feature c --give-back --json | jq .used)" -eq 3 ]
}

@test "a borrowed lease: checked without the daemon, bound to its key, returned early" {
    start_fake
    "$tlm" lease borrow "$home/seat" --feature pro --days 2 --keys "$keys"
    [ "$(stat -c %a "$home/seat.key")" = 600 ]
    openssl pkey -in "$home/seat.key" -noout -text | grep -q P-256
    fails_with 1 exists "$tlm" lease borrow "$home/seat" --feature pro --keys "$keys"
    [ "$(leases_held)" -eq 1 ]
    [ "$("$tlm" lease check "$home/seat" --feature pro --keys "$keys" --json | jq -c '[.borrowed, .verified, .memory.level]')" = '[true,true,3]' ]
    "$tlm" lease check "$home/seat" --feature pro --host-kid "$(cat "$home/kid")" > /dev/null
    fails_with 1 untrusted "$tlm" lease check "$home/seat" --feature pro --host-kid "$(printf 'A%.0s' {1..43})"
    fails_with 1 untrusted "$tlm" lease check "$home/seat" --feature pro
    fails_with 1 signature "$tlm" lease check "$home/seat" --feature more --keys "$keys"
    # Another key beside it, and a statement that was changed.
    cp "$home/seat" "$home/copy"
    openssl ecparam -name prime256v1 -genkey -noout -out "$home/copy.key"
    chmod 600 "$home/copy.key"
    fails_with 1 signature "$tlm" lease check "$home/copy" --feature pro --keys "$keys"
    cp "$home/seat.key" "$home/copy.key"
    "$tlm" lease check "$home/copy" --feature pro --keys "$keys" > /dev/null
    jq '.answer.statement.exp += 1000000' "$home/seat" > "$home/copy"
    fails_with 1 signature "$tlm" lease check "$home/copy" --feature pro --keys "$keys"
    chmod 644 "$home/copy.key"
    fails_with 1 permission "$tlm" lease check "$home/copy" --feature pro --keys "$keys"
    "$tlm" lease return "$home/seat"
    [ ! -e "$home/seat" ] && [ ! -e "$home/seat.key" ]
    none_held
}

@test "no borrowing without somebody to believe, and nothing is left of it" {
    start_fake
    fails_with 1 untrusted "$tlm" lease borrow "$home/seat" --feature pro
    fault 'other-key for POST /api/v1/leases'
    fails_with 1 signature "$tlm" lease borrow "$home/seat" --feature pro --keys "$keys"
    [ ! -e "$home/seat" ] && [ ! -e "$home/seat.key" ]
    none_held
}

@test "trust on the first use, when asked for" {
    start_fake --ttl 1
    "$tlm" check --feature lone --trust-file "$home/known.jwks" --json | jq -e .verified
    [ "$(stat -c %a "$home/known.jwks")" = 600 ]
    "$tlm" check --feature lone --trust-file "$home/known.jwks" --json | jq -e .verified
    [ "$(requests 'GET /api/v1/keys')" -eq 1 ]
    # Another host at the same place.
    stop_fake
    rm "$home/keys.json"
    start_fake
    fails_with 1 signature "$tlm" check --feature lone --trust-file "$home/known.jwks"
    fails_with 1 untrusted "$tlm" check --feature lone --host-kid "$(printf 'A%.0s' {1..43})"
    "$tlm" check --feature lone --host-kid "$(cat "$home/kid")" --json | jq -e .verified
}

@test "statements are verified with the host's keys alone" {
    start_fake
    "$tlm" keys --out "$home/saved.jwks"
    "$tlm" attest --nonce abc --keys "$home/saved.jwks" --out "$home/attestation"
    "$tlm" verify-statement "$home/attestation" --keys "$home/saved.jwks" --nonce abc --json | jq -e '.verified and .type == "attestation"'
    "$tlm" verify-statement - --keys "$home/saved.jwks" < "$home/attestation" > /dev/null
    fails_with 1 signature "$tlm" verify-statement "$home/attestation" --keys "$home/saved.jwks" --nonce abd
    jq '.statement.state = "rollback"' "$home/attestation" > "$home/changed"
    fails_with 1 signature "$tlm" verify-statement "$home/changed" --keys "$home/saved.jwks"
    fails_with 2 setting "$tlm" verify-statement "$home/attestation"
    fault 'other-key for POST /api/v1/attest'
    fails_with 1 signature "$tlm" attest --keys "$home/saved.jwks"
    fails_with 1 format "$tlm" verify-statement "$home/kid" --keys "$home/saved.jwks"
}

@test "the audit log is exported whole, and verified" {
    start_fake
    "$tlm" audit export --out "$home/log.jsonl"
    [ "$(wc -l < "$home/log.jsonl")" -eq 2501 ]
    [ "$("$tlm" audit verify "$home/log.jsonl" --json | jq -c '[.verified, .first, .last]')" = '[true,1,2501]' ]
    sed '7s/activated/removed/' "$home/log.jsonl" > "$home/changed.jsonl"
    fails_with 1 damaged "$tlm" audit verify "$home/changed.jsonl"
    : > "$home/empty.jsonl"
    fails_with 1 format "$tlm" audit verify "$home/empty.jsonl"
    sed '7d' "$home/log.jsonl" > "$home/changed.jsonl"
    fails_with 1 damaged "$tlm" audit verify "$home/changed.jsonl"
    [ "$("$tlm" audit export --after 2400 | wc -l)" -eq 101 ]
    fault 'problem 403 permission for GET /api/v1/audit'
    fails_with 1 permission "$tlm" audit export --out "$home/none.jsonl"
    [ ! -e "$home/none.jsonl" ]
}

@test "run holds a seat while a program runs, and ends as it ends" {
    start_fake --ttl 1
    run "$tlm" run --feature pro --keys "$keys" -- sh -c 'echo inside; exit 7'
    [ "$status" -eq 7 ]
    [ "$output" = inside ]
    none_held
    run "$tlm" run --feature pro -- sh -c 'kill -KILL $$'
    [ "$status" -eq 137 ]
    run -127 "$tlm" run --feature pro -- "$home/no-such-program"
    none_held
    fails_with 3 unlicensed "$tlm" run --feature missing -- touch "$home/never"
    [ ! -e "$home/never" ]
    # Blanks and options behind -- are the program's.
    run "$tlm" run --feature pro -- printf '%s|' --json 'a b' ''
    [ "$output" = '--json|a b||' ]
}

@test "run passes signals on, and renews meanwhile" {
    start_fake --ttl 1
    # shellcheck disable=SC2016 # the inner shell's
    "$tlm" run --feature pro -- bash -c 'trap "echo got it; exit 5" TERM; echo ready; while :; do sleep 0.05; done' \
        > "$home/out" 2> "$home/err" 3>&- &
    local program=$!
    pids+=("$program")
    wait_until 60 says ready
    wait_until 60 at_least 'PUT /api/v1/leases/' 2
    [ "$(leases_held)" -eq 1 ]
    kill -TERM "$program"
    end_of "$program"
    [ "$status" -eq 5 ]
    says 'got it'
    none_held
}

@test "run ends the program when the license is taken back, unless it shall go on" {
    start_fake --ttl 1
    "$tlm" run --feature pro -- sleep 60 > "$home/out" 2> "$home/err" 3>&- &
    local program=$!
    pids+=("$program")
    wait_until 60 at_least 'PUT /api/v1/leases/' 1
    fault 'problem 403 revoked for PUT'
    end_of "$program"
    [ "$status" -eq 3 ]
    grep -q 'stop: .*\[revoked\]' "$home/err"
    fault 'problem 403 revoked for PUT'
    "$tlm" run --feature pro --keep-going -- sh -c 'read -r _; exit 6' < <(wait_until 60 grep -q 'stop: ' "$home/err2"; echo) \
        2> "$home/err2" 3>&- && status=0 || status=$?
    [ "$status" -eq 6 ]
}

@test "exit status: usage, refusal, absence" {
    start_fake
    fails_with 2 setting "$tlm"
    fails_with 2 setting "$tlm" nothing
    fails_with 2 setting "$tlm" lease acquire
    fails_with 2 setting "$tlm" lease acquire --feature a --units many
    fails_with 2 setting "$tlm" status --url nowhere
    fails_with 2 setting "$tlm" status --url http://a --socket /b
    fault 'html for GET /status'
    fails_with 4 io "$tlm" status
    fault 'hang for GET /status'
    fails_with 4 timeout "$tlm" status --timeout 1
    fault 'problem 503 token-unavailable for GET /status'
    fails_with 4 token-unavailable "$tlm" status
    fault 'problem 429 too-many-requests for GET /status'
    fails_with 4 too-many-requests "$tlm" status
    stop_fake
    fails_with 4 io "$tlm" status
    run "$tlm" --version
    [[ $output =~ ^tlm\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "https: who is not believed is not spoken to" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -days 2 -keyout "$home/tls.key" -out "$home/tls.crt" 2> /dev/null
    cat "$home/tls.key" "$home/tls.crt" > "$home/tls.pem"
    start_fake --tls "$home/tls.pem"
    fails_with 1 untrusted "$tlm" status --timeout 60
    [ "$(requests GET)" -eq 0 ]
    "$tlm" status --ca "$home/tls.crt" --timeout 60 > /dev/null
    fails_with 2 setting "$tlm" status --ca "$home/nothing"
    fails_with 2 setting "$tlm" status --ca "$home/tls.crt" --certificate "$home/kid" --private-key "$home/kid" --timeout 60
}

@test "the completion offers subcommands, words and options" {
    # shellcheck disable=SC1091
    . "$BUILD/client/completion/tlm"
    complete_words() {
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _tlm
        echo "${COMPREPLY[*]}"
    }
    [ "$(complete_words tlm act)" = activate ]
    [ "$(complete_words tlm lease bor)" = borrow ]
    [ "$(complete_words tlm lease acquire --fea)" = --feature ]
    [ "$(complete_words tlm status --fea)" = "" ]
    touch "$home/some.tlmpkg"
    [ "$(complete_words tlm activate "$home/some")" = "$home/some.tlmpkg" ]
    [ "$(complete_words tlm activate --json "$home/some")" = "$home/some.tlmpkg" ]
}
