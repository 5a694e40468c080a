#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# tlm-tokend from its start to its end: socket, lock, state file, settings, watchdog.

load ../../support/tokens
load ../../support/tokend
load common

setup() {
    tokend_setup
}

teardown() {
    tokend_teardown
}

@test "--help, --version, a wrong flag" {
    run -0 "$TOKEND" --help
    [[ $output == *"--pkcs11-socket PATH"* ]]
    [[ $output == *"--call-timeout SECONDS"* ]]
    [[ $output != *"--rest-port"* ]]
    run -0 "$TOKEND" --version
    [[ $output == "tlm-tokend "* ]]
    run -2 "$TOKEND" --max-client 5
    [[ $output == *"did you mean --max-clients?"* ]]
    run -2 "$TOKEND" --pkcs11-socket relative/path --log-dir "$work/log"
    [[ $output == *"cannot be the path of a unix socket"* ]]
    run -0 "$TOKEND" --max-sessions 7 --check-config
    [[ $output == *"Pkcs11.MaxSessions = 7 (--max-sessions)"* ]]
}

@test "started before there is a token" {
    launch
    until_true 60 state_is unavailable
    [ "$(state error.code)" = not-provisioned ]
    [[ "$(state error.hint)" == *"tlm-token-init provision"* ]]
    [ "$(state pid)" -eq "$tokend_pid" ]
    tool --list-slots > "$work/slots"
    run ! grep -q 'token label' "$work/slots"
    provision
    until_true 60 state_is ready
    [ "$(state 'error // "none"')" = none ]
    read_public
    sign one
}

@test "the state file, and what is left at the end" {
    provision
    umask 077
    serve
    [ "$(state version)" -eq 1 ]
    [ "$(state backend)" = softhsm ]
    [ "$(state label)" = tlm ]
    [ "$(state store)" = "$store" ]
    [ "$(state hardwareBound)" = false ]
    [ "$(state 'tpm // "none"')" = none ]
    [ "$(stat -c %a "$work/run/tokend.json")" = 644 ]
    [ "$(stat -c %a "$work/run")" = 755 ]
    [ "$(stat -c %a "$socket")" = 666 ]
    date -d "$(state since)"
    kill -TERM "$tokend_pid"
    ends_with 0
    [ ! -e "$work/run/tokend.json" ]
    [ ! -e "$socket" ]
    grep -q ' stopped$' "$work/log/tlm-tokend.log"
}

@test "SIGTERM and SIGINT end it within seconds, whatever clients do" {
    provision
    serve
    hold peer silent 3
    hold "$GREEDY" "$client"
    kill -INT "$tokend_pid"
    ends_with 0
}

@test "a second one is refused" {
    provision
    serve
    run -1 "$TOKEND" --pkcs11-socket "$socket" --log-dir "$work/log2"
    [[ $output == *"another process serves the socket $socket already"* ]]
    # Also where somebody took the lock file away.
    rm "$socket.lock"
    run -1 "$TOKEND" --pkcs11-socket "$socket" --log-dir "$work/log2"
    [[ $output == *"another process serves the socket $socket already"* ]]
    tool --list-slots | grep -q 'token label *: tlm'
    [ "$(state pid)" -eq "$tokend_pid" ]
}

@test "the socket of a killed one is replaced" {
    provision
    serve
    kill -KILL "$tokend_pid"
    wait "$tokend_pid" || true
    [ -S "$socket" ]
    serve
    grep -q stale_socket "$work/tokend.out"
    tool --list-slots | grep -q 'token label *: tlm'
}

@test "what is not a socket is left alone" {
    mkdir "$work/run"
    echo precious > "$socket"
    run -1 "$TOKEND" --pkcs11-socket "$socket" --log-dir "$work/log"
    [[ $output == *"is there and is not a socket"* ]]
    [ "$(cat "$socket")" = precious ]
}

@test "a socket that the service manager hands over" {
    provision
    mkdir "$work/run"
    python3 "$SOURCE/tests/integration/tokend/peer.py" "$socket" handed-over "$TOKEND" \
        --pkcs11-socket "$work/other.sock" --log-dir "$work/log" \
        > "$work/tokend.out" 2>&1 < /dev/null 3>&- &
    tokend_pid=$!
    echo "$tokend_pid" > "$work/tokend.pid"
    until_true 60 tokend_is_ready
    grep -qx "serving unix:path=$socket" "$work/tokend.out"
    tool --list-slots | grep -q 'token label *: tlm'
    [ ! -e "$work/other.sock" ]
    kill -TERM "$tokend_pid"
    ends_with 0
    [ -S "$socket" ] # the service manager's
}

@test "a module that the operator names, with a PIN file" {
    provision
    jq -rj .userPin "$store/secrets.json" > "$work/pin"
    chmod 600 "$work/pin"
    export SOFTHSM2_CONF=$store/softhsm2.conf
    serve --pkcs11-module "$(jq -r .module "$store/token.json")" --pkcs11-token pkcs11:token=tlm \
        --pkcs11-pin-file "$work/pin" --token-store "$work/nowhere"
    [ "$(state backend)" = module ]
    read_public
    sign one
    run -2 "$TOKEND" --pkcs11-module "$client" --log-dir "$work/log2" \
        --pkcs11-socket "$work/second/pkcs11.sock"
    [[ $output == *"reaches a token through a server as this one"* ]]
}

@test "a PIN that is refused is sent once, and other files ask for a new start" {
    provision
    cp -a "$store/secrets.json" "$work/secrets.json"
    use_faults
    jq '.userPin = "00000000000000000000000000000000"' "$work/secrets.json" > "$store/secrets.json"
    launch
    until_true 60 state_is unavailable
    [ "$(state error.code)" = pin ]
    sleep 2
    [ "$(grep -c '^C_Login ' "$store/calls")" -eq 1 ]
    # Before the token was ever open, the right files are enough.
    cp "$work/secrets.json" "$store/secrets.json"
    until_true 60 state_is ready
    kill -0 "$tokend_pid"
}

# use_faults: the store's module is one that fails to order, $store/faults; its calls are logged.
use_faults() {
    TLM_FAULT_MODULE=$(jq -r .module "$store/token.json")
    export TLM_FAULT_MODULE TLM_FAULT_FILE=$store/faults TLM_FAULT_LOG=$store/calls
    jq --arg path "$FAULT_MODULE" '.module = $path' "$store/token.json" > "$work/token.json"
    cat "$work/token.json" > "$store/token.json"
}

@test "a call that hangs ends it with status 70, for a new start" {
    provision
    use_faults
    serve --call-timeout 2
    read_public
    sign before
    echo 'C_Sign:1:hang' > "$store/faults.new"
    mv "$store/faults.new" "$store/faults"
    run ! sign hanging
    ends_with 70
    grep -qE ' FATAL check_hung call_hangs call="[^"]+" seconds=[2-5] limit=2 ' \
        "$work/log/tlm-tokend.log"
    [ ! -e "$work/run/tokend.json" ]
    rm "$store/faults"
    serve
    sign after
}

@test "a start that hangs ends it, too" {
    provision
    use_faults
    echo 'C_Login:1:hang' > "$store/faults"
    launch --call-timeout 1
    ends_with 70
    grep -q 'call_hangs call="C_Login"' "$work/tokend.out"
}

@test "a call that hangs does not keep it from ending" {
    provision
    use_faults
    serve
    read_public
    echo 'C_Sign:1:hang' > "$store/faults"
    hold sh -c 'echo begun; exec "$@"' sh pkcs11-tool --module "$client" --login --pin '' \
        --sign -m ECDSA --id 02 -i "$work/attest.der" -o "$work/out"
    until_true 60 grep -q '^C_Sign' "$store/calls"
    kill -TERM "$tokend_pid"
    ends_with 1
}

@test "the module is begun afresh before its limit of operations" {
    provision
    use_faults
    serve --restart-after 20
    read_public
    local i before
    before=$(grep -c '^C_Initialize ' "$store/calls")
    for ((i = 0; i < 6; i++)); do
        sign "number$i"
    done
    until_true 60 grep -q restarting_module "$work/tokend.out"
    until_true 60 module_was_restarted "$before"
    sign after
}

module_was_restarted() {
    [ "$(grep -c '^C_Initialize ' "$store/calls")" -gt "$1" ]
}
