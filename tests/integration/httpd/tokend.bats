#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The daemon and the tlm-tokend it uses the token through: a child of its own, one that runs by
# itself, none, one that is killed. Run for each BACKEND.

load common

: "${BACKEND:?softhsm or swtpm}" "${TOKEN_INIT:?tlm-token-init}" "${TOKEND:?tlm-tokend}"

setup() {
    new_home
    socket=${home:?}/pkcs11.sock
    tokend_pid=""
    make_token
}

teardown() {
    end_tokend TERM
    take_away
}

# start_tokend ARGUMENT…: one that runs by itself.
# shellcheck disable=SC2120 # a test may give some
start_tokend() {
    "$TOKEND" --config-dir "$home/config" --persistence-dir "$home/persistence" \
        --log-dir "$home/tokend-log" --pkcs11-socket "$socket" "${settings[@]}" "$@" \
        > "$home/tokend.out" 2> "$home/tokend.err" < /dev/null 3>&- &
    tokend_pid=$!
    wait_until 60 tokend_ready
}

tokend_ready() {
    [ "$(jq -r 'select(.pid == '"$tokend_pid"') | .state' "$home/tokend.json" 2> /dev/null)" = ready ]
}

end_tokend() {
    if [ -n "$tokend_pid" ]; then
        kill "-$1" "$tokend_pid" 2> /dev/null || true
        wait "$tokend_pid" || true
        tokend_pid=""
    fi
}

not_ready() {
    status_is /ready 503
}

ready() {
    status_is /ready 200
}

provider() {
    json /status ".token.provider.$1"
}

gone() {
    ! kill -0 "$1" 2> /dev/null
}

# The lockout counter, where there is one.
lockout() {
    if [ "$BACKEND" = swtpm ]; then
        "$TOKEN_INIT" status --json --persistence-dir "$home/persistence" \
            --config-dir "$home/config" "${settings[@]}" | jq .tpm.lockout.counter
    else
        echo 0
    fi
}

has_open() {
    local file
    for file in /proc/"$1"/fd/*; do
        case $(readlink "$file") in
        */token/* | /dev/tpm*) return 0 ;;
        esac
    done
    return 1
}

@test "it starts one of its own, and ends it" {
    start_ready
    local child
    child=$(provider pid)
    [ "$(provider supervised)" = true ]
    [ "$(provider socket)" = "$socket" ]
    [ "$(json /status .token.library)" = tlm-tokend ]
    [ "$(jq .pid "$home/tokend.json")" = "$child" ]
    grep -qa tlm-tokend "/proc/$child/cmdline"
    [ "$(ps -o ppid= -p "$child" | tr -d ' ')" = "$pid" ]
    [ -s "$home/log/tlm-tokend.log" ]
    # What the token is made of is the child's alone.
    run ! grep -qE 'libtpm2_pkcs11|libsofthsm2|libtss2' "/proc/$pid/maps"
    grep -q 'p11-kit-client' "/proc/$pid/maps"
    run ! has_open "$pid"
    finish TERM
    [ "$ended_with" -eq 0 ]
    gone "$child"
    [ ! -e "$socket" ]
    [ "$(lockout)" = 0 ]
}

@test "the child goes where the daemon is killed" {
    start_ready
    local child
    child=$(provider pid)
    finish KILL
    wait_until 60 gone "$child"
}

@test "a child that is killed is started again: 503, then 200, the same fingerprint" {
    start_ready
    local child
    child=$(provider pid)
    kill -KILL "$child"
    wait_until 60 not_ready
    status_is /fingerprint 200
    [ "$(json /health .status)" = degraded ]
    wait_until 60 ready
    [ "$(json /fingerprint .fingerprint)" = "$fingerprint" ]
    [ "$(provider pid)" != "$child" ]
    [ "$(provider supervised)" = true ]
    [ "$(json /status .token.recoveries)" -ge 1 ]
    [ "$(json /status '.errors | length')" = 0 ]
    [ "$(lockout)" = 0 ]
    grep -q 'tokend_ended.*status=137' "$err"
}

@test "one that runs by itself is used, and left alone" {
    start_tokend
    start_ready
    [ "$(provider supervised)" = false ]
    [ "$(provider pid)" = "$tokend_pid" ]
    [ "$backend" = "$BACKEND" ]
    finish TERM
    kill -0 "$tokend_pid"
    start_ready
    [ "$(json /status .start.kind)" = warm ]
}

@test "where it goes away, the daemon serves itself" {
    start_tokend
    start_ready
    end_tokend TERM
    wait_until 60 not_ready
    wait_until 60 ready
    [ "$(provider supervised)" = true ]
    [ "$(json /fingerprint .fingerprint)" = "$fingerprint" ]
}

@test "--no-start-tokend waits for it, at the start and later" {
    start --no-start-tokend
    wait_until 60 grep -q 'state=token-unavailable' "$err"
    [[ $(json /ready .detail) == *"no tlm-tokend serves the socket $socket"* ]]
    [[ $(json /ready .hint) == *systemctl*tlm-tokend* ]]
    [ "$(provider pid)" = null ]
    sleep 1
    [ ! -e "$socket" ]
    start_tokend
    wait_says '^ready ' "$out"
    [ "$(provider supervised)" = false ]
    end_tokend KILL
    wait_until 60 not_ready
    start_tokend
    wait_until 60 ready
    [ "$(json /status '.errors | length')" = 0 ]
    [ "$(lockout)" = 0 ]
}

@test "a socket that cannot be made: the message says --pkcs11-socket" {
    touch "$home/file"
    settings+=(--pkcs11-socket "$home/file/pkcs11.sock")
    start
    wait_until 60 grep -q 'state=token-unavailable' "$err"
    [[ $(json /ready .detail) == *"$home/file/pkcs11.sock cannot be made"* ]]
    [[ $(json /ready .hint) == *--pkcs11-socket* ]]
    status_is /health 200
    finish TERM
    settings+=(--pkcs11-socket "$home/$(printf 'long%.0s' {1..30})")
    launch
    ended_with=0
    wait "$pid" || ended_with=$?
    pid=""
    [ "$ended_with" -eq 2 ]
    grep -q -- '--pkcs11-socket' "$err"
}

@test "not in the access table: said so, with the rule that is missing; a reload mends it" {
    start
    wait_says '^ready ' "$out"
    finish TERM
    printf '{"version": 1, "rules": [{"user": 65534, "objects": ["*"], "operations": ["use"]}]}\n' \
        > "$home/config/access.json"
    start_tokend
    start --no-start-tokend
    wait_until 60 grep -q 'state=token-unavailable' "$err"
    [[ $(json /ready .detail) == *"but not to this program"* ]]
    [[ $(json /ready .hint) == *"uid $(id -u)"*access.json* ]]
    rm "$home/config/access.json"
    kill -HUP "$tokend_pid"
    wait_says '^ready ' "$out"
}

@test "another token on the socket is refused, and nothing is written" {
    local first=$home/persistence
    start_tokend
    mkdir -m 700 "$home/other"
    "$TOKEN_INIT" provision --backend softhsm --persistence-dir "$home/other" \
        --config-dir "$home/config" > /dev/null 2>&1 3>&-
    settings+=(--persistence-dir "$home/other")
    start
    wait_until 60 grep -q 'state=token-unavailable' "$err"
    [[ $(json /ready .detail) == *"serves the token of $first/token"* ]]
    [[ $(json /ready .hint) == *--pkcs11-socket* ]]
    [ ! -e "$home/other/persistence.bin" ]
}

@test "without the token store: the state file says what there is" {
    start_ready
    local first=$fingerprint
    finish TERM
    start_tokend
    mkdir -m 700 "$home/split"
    cp -p "$home"/persistence/*.bin "$home/split"
    settings+=(--persistence-dir "$home/split")
    start_ready --no-start-tokend
    [ "$fingerprint" = "$first" ]
    [ "$backend" = "$BACKEND" ]
    [ "$(json /status .start.kind)" = warm ]
    [ "$(json /status .token.label)" = tlm ]
    [ "$(json /fingerprint .hardwareBound)" = false ]
    if [ "$BACKEND" = swtpm ]; then
        [ "$(json /status .tpmConnected)" = true ]
        wait_until 60 has_facts
        stop_tpm
        wait_until 60 not_ready
        # The reason is tlm-tokend's own: the daemon has no way to the TPM.
        wait_until 60 tells_tokends_reason
        start_tpm
        wait_until 60 ready
    fi
}

has_facts() {
    [ "$(json /status .tpm.tcti.origin)" = tlm-tokend ]
}

tells_tokends_reason() {
    local reason
    reason=$(jq -r '.error.message // empty' "$home/tokend.json")
    [ -n "$reason" ] && [[ $(json /status '.errors[0].message') == *"$reason"* ]]
}

@test "a daemon that ends does not wait for a tlm-tokend that hangs" {
    start_ready
    local child
    child=$(provider pid)
    kill -STOP "$child"
    finish TERM
    ended_soon
    # In order, and not by the watchdog that cuts off what hangs.
    [ -n "${TSAN_OPTIONS:-}" ] || ! grep -q 'stopping took too long' "$err"
    wait_until 60 gone "$child"
}
