# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For bats, inside tests/consumers/namespace: tlm-tokend on its default socket, and the blocks of
# docs/consumers.md. Set by ctest: SOURCE, BACKEND, TOKEND, TOKEN_INIT.

: "${SOURCE:?the repository}" "${BACKEND:?softhsm or swtpm}" "${TOKEND:?tlm-tokend}"
load ../support/tokens
load ../support/tokend

# Starts a token and tlm-tokend for the file; its directory is $work.
consumers_setup_file() {
    tokens_setup
    export work persistence store tcti kind
    mkdir -p "$work/config" "$work/files"
    block access > "$work/config/access.json"
    "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048 > "$work/provision" 2>&1 < /dev/null
    start_tokend
}

# On the default socket, which the programs know from p11-kit's directory.
start_tokend() {
    "$TOKEND" --persistence-dir "$persistence" --log-dir "$work/log" \
        > "$work/tokend.out" 2>&1 < /dev/null 3>&- &
    echo $! > "$work/tokend.pid"
    until_true 60 token_is_there
}

token_is_there() {
    p11tool --list-tokens 2> /dev/null | grep -q 'token=tlm'
}

consumers_teardown_file() {
    tokend_stop
    tokens_teardown
}

end_by_pid() {
    local pid
    pid=$(cat "$1" 2> /dev/null) || return 0
    kill -TERM "$pid" 2> /dev/null || return 0
    tail --pid="$pid" -f /dev/null
}

# The block of docs/consumers.md with this name.
block() {
    awk -v name="test: $1" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/consumers.md" > "$work/block.$1"
    [ -s "$work/block.$1" ] || { echo "docs/consumers.md has no block '$1'"; return 1; }
    cat "$work/block.$1"
}

# Runs a block as a user would type it, in a directory of the test's.
run_block() {
    block "$1" > "$work/commands"
    (cd "$work/files" && bash -euo pipefail "$work/commands" 3>&-)
}

# start_block NAME PORT: a block that serves, until stop_block.
start_block() {
    block "$1" > "$work/commands"
    (cd "$work/files" && exec setsid bash -euo pipefail "$work/commands") \
        > "$work/server.out" 2>&1 < /dev/null 3>&- &
    server=$!
    until_true 60 port_is_open "$2"
}

stop_block() {
    [ -n "${server:-}" ] || return 0
    kill -TERM -- "-$server" 2> /dev/null || true
    wait "$server" || true
    server=""
}

port_is_open() {
    (exec 7<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}
