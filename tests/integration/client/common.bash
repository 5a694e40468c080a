# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A fake daemon for the client library and the program tlm, and programs that use the library.
# Set by ctest: SOURCE, BUILD, CLIENT_CFLAGS (how the library was instrumented).

: "${SOURCE:?the repository}" "${BUILD:?the build}"
bats_require_minimum_version 1.5.0
fake=$SOURCE/tests/integration/client/fake.py
tlm=$BUILD/client/tlm
unset "${!TLM_@}"

# Once for a file: what is installed, and the examples compiled against it as a user does.
make_stage() {
    stage=$(mktemp -d /tmp/tlm-client-stage.XXXXXX)
    export stage
    DESTDIR=$stage cmake --install "$BUILD" --component client > "$stage/install.log"
    pc=$(dirname "$(find "$stage" -name tlm-client.pc)")
    export pc
    libraries=$(dirname "$pc")
    include=$(dirname "$(find "$stage" -name tlm-client.h)")
    export libraries include
    local example
    for example in client/examples/{acquire,standalone} tests/integration/client/leaver; do
        # shellcheck disable=SC2046,SC2086 # words for the compiler
        cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror $CLIENT_CFLAGS "$SOURCE/$example.c" \
            $(PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_PATH=$pc pkg-config --cflags --libs tlm-client) \
            -o "$stage/${example##*/}"
    done
}

new_home() {
    home=$(mktemp -d /tmp/tlm-client.XXXXXX)
    keys=$home/host.jwks
    fake_pid=""
    pids=()
    touch "$home/log"
    export LD_LIBRARY_PATH=${libraries:-}
}

# start_fake OPTION…: waits until it listens, and sets TLM_URL.
start_fake() {
    rm -f "$home/url"
    "$fake" "$home" "$@" > "$home/fake.out" 2>&1 < /dev/null 3>&- &
    fake_pid=$!
    wait_until 60 test -s "$home/url"
    TLM_URL=$(cat "$home/url")
    export TLM_URL
}

stop_fake() {
    kill -KILL "$fake_pid"
    wait "$fake_pid" 2> /dev/null || true
    fake_pid=""
}

# fault WORDS…: what happens to requests from now on; none without words.
fault() {
    printf '%s\n' "$@" > "$home/fault.new"
    mv "$home/fault.new" "$home/fault"
}

# start_holder ARGUMENT…: examples/acquire in the background; its input stays open at fd 9.
start_holder() {
    mkfifo "$home/in" 2> /dev/null || true
    "$stage/acquire" "$@" > "$home/out" 2> "$home/err" < "$home/in" 3>&- &
    holder=$!
    pids+=("$holder")
    exec 9> "$home/in"
}

says() {
    grep -q -- "$1" "$home/out"
}

# How often the log of the fake daemon has a line with this beginning.
requests() {
    grep -c -- "^$1" "$home/log" || true
}

at_least() {
    [ "$(requests "$1")" -ge "$2" ]
}

leases_held() {
    curl -s "$TLM_URL/api/v1/leases" | jq '.leases | length'
}

none_held() {
    [ "$(leases_held)" -eq 0 ]
}

# wait_until SECONDS COMMAND…
wait_until() {
    local tries=$(($1 * 50))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            echo "in vain: $*"
            return 1
        fi
        sleep 0.02
    done
}

ended() {
    ! kill -0 "$1" 2> /dev/null
}

# end_of PID: waits for it, and sets status.
end_of() {
    wait_until 60 ended "$1"
    status=0
    wait "$1" || status=$?
}

take_away() {
    local pid
    exec 9>&- || true
    for pid in "${pids[@]}" $fake_pid; do
        kill -KILL "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        tail -n 30 "$home"/{out,err,log,fake.out} 2> /dev/null || true
    fi
    rm -rf "$home"
}
