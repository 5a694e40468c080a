# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Starts scripts/run as a user at a terminal would, and looks at what it leaves behind.
# Set by ctest: SOURCE (this repository). One run at a time in a test.

: "${SOURCE:?the repository}"
bats_require_minimum_version 1.5.0
# shellcheck source=scripts/swtpm.sh
. "$SOURCE/scripts/swtpm.sh"

# Nothing of the caller's settings reaches the programs.
unset TLM_TCTI TSS2_TCTI TPM_DEVICE TPM_ENABLED TLM_REST_PORT TLM_REST_HOST TLM_CONFIG \
    TPM2TOOLS_TCTI TLM_LOG_LEVEL XDG_STATE_HOME

tree=$SOURCE
token_init=$SOURCE/build/release/token-init/tlm-token-init

new_state() {
    state=$(mktemp -d /tmp/tlm-e2e.XXXXXX)/state
}

# The script as the head of its own process group, with signals as a terminal gives them. The
# arguments are scripts/run's; an array `as` may name a program to run it by.
launch() {
    out=$state.out
    err=$state.err
    : > "$out"
    setsid "${as[@]}" env --default-signal=HUP,INT,TERM,QUIT "$tree/scripts/run" --state "$state" \
        --port 0 "$@" > "$out" 2>> "$err" < /dev/null 3>&- &
    run_pid=$!
}

# wait_until SECONDS COMMAND…
wait_until() {
    local tries=$(($1 * 10))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            echo "in vain: $*"
            return 1
        fi
        sleep 0.1
    done
}

ended() {
    ! kill -0 "$run_pid" 2> /dev/null
}

says_or_ended() {
    grep -q "$1" "$2" || ended
}

# says PATTERN FILE: waits until it stands in the file of the running script.
wait_says() {
    if wait_until 240 says_or_ended "$1" "$2" && grep -q "$1" "$2"; then
        return
    fi
    echo "the script did not say: $1"
    cat "$out" "$err"
    return 1
}

# Sets url, fingerprint and backend from the ready line.
start() {
    launch "$@"
    wait_says '^ready ' "$out"
    local line
    line=$(grep '^ready ' "$out")
    echo "$line"
    [[ $line =~ ^ready\ (http://[0-9.]+:[0-9]+)\ fingerprint=([0-9a-f]{64})\ backend=([a-z0-9]+) ]]
    url=${BASH_REMATCH[1]}
    fingerprint=${BASH_REMATCH[2]}
    backend=${BASH_REMATCH[3]}
}

# For a start that ends degraded: waits for the log's word, sets url.
start_degraded() {
    local wanted=$1
    shift
    : > "$err"
    launch "$@"
    wait_says "state=$wanted" "$err"
    [ ! -s "$out" ]
    url=$(grep -o 'url=http[^ ]*' "$err" | tail -n 1 | cut -d= -f2)
    [ -n "$url" ]
}

status_is() {
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$1")" = "$2" ]
}

# finish SIGNAL: to the whole group, as the terminal's Ctrl-C. Leaves the exit status in `ended_with`.
finish() {
    kill "-$1" -- "-$run_pid"
    ended_with=0
    wait "$run_pid" || ended_with=$?
}

# Processes that have the state's path in their command line.
left_processes() {
    local directory
    for directory in /proc/[0-9]*; do
        if tr '\0' ' ' < "$directory/cmdline" 2> /dev/null | grep -qF -- "$state/"; then
            echo "${directory#/proc/}: $(tr '\0' ' ' < "$directory/cmdline")"
        fi
    done
}

nothing_left() {
    [ -z "$(left_processes)" ]
}

assert_nothing_left() {
    wait_until 60 nothing_left || {
        left_processes
        return 1
    }
}

# Names, modes, times and contents of the files of a directory.
picture() {
    (cd "$1" && find . -type f ! -name '*.lock' ! -name lock -printf '%p %m %s %T@\n' -exec sha256sum {} + | sort)
}

take_away() {
    local pid
    if [ -n "${run_pid:-}" ] && ! ended; then
        kill -TERM "$run_pid" 2> /dev/null || true
        wait "$run_pid" || true
    fi
    [ -n "${state:-}" ] || return 0
    if [ -f "$state/run/daemon.pid" ]; then
        pid=$(cat "$state/run/daemon.pid")
        if pid_matches "$pid" "$state/"; then
            end_process "$pid" 5
        fi
    fi
    swtpm_stop "$state/run/swtpm.sock" "$state/run/swtpm.pid"
    rm -rf "${state%/state}"
}
