# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For bats, beside tokens.bash: tlm-tokend on the store of tokens_setup, its socket in $work/run.
# Set by ctest: TOKEND.

: "${TOKEND:?tlm-tokend}"

# The distribution's module that talks to the socket.
p11_kit_client() {
    echo "$(pkg-config --variable=p11_module_path p11-kit-1)/p11-kit-client.so"
}

# tokend_start ARGUMENT…: waits until the token can be used.
tokend_start() {
    "$TOKEND" --pkcs11-socket "$work/run/pkcs11.sock" --log-dir "$work/log" "$@" \
        > "$work/tokend.out" 2>&1 < /dev/null 3>&- &
    echo $! > "$work/tokend.pid"
    until_true 60 tokend_is_ready
}

# The one that was started last, and not one before it that was killed and left its word.
tokend_is_ready() {
    [ "$(jq -r '"\(.state) \(.pid)"' "$work/run/tokend.json" 2> /dev/null)" = \
        "ready $(cat "$work/tokend.pid")" ]
}

tokend_stop() {
    local pid
    pid=$(cat "$work/tokend.pid" 2> /dev/null) || return 0
    end_process "$pid" 10
}

# until_true SECONDS COMMAND…
until_true() {
    local tries=$(($1 * 20))
    shift
    until "$@"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            echo "not within its time: $*"
            tail -n 40 "$work"/*.out
            return 1
        fi
        sleep 0.05
    done
}
