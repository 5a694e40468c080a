# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Starts TLLicenseManager in a directory of the test's own, on a port of its own.
# Set by ctest: SOURCE, DAEMON, TOKEN_INIT; BACKEND for the files that need a token.

: "${SOURCE:?the repository}" "${DAEMON:?TLLicenseManager}"
bats_require_minimum_version 1.5.0
# shellcheck source=scripts/swtpm.sh
. "$SOURCE/scripts/swtpm.sh"
client=$SOURCE/tests/integration/httpd/client.py

# Nothing of the caller's settings reaches the program, which warns of every TLM_ name it does not
# know.
unset "${!TLM_@}" "${!TPM_@}" TSS2_TCTI NOTIFY_SOCKET DOCKER_HOST DOCKER_CERT_PATH

new_home() {
    home=$(mktemp -d /tmp/tlm-httpd.XXXXXX)
    mkdir -m 700 "$home/config" "$home/persistence"
    out=$home/out
    err=$home/err
    log=$home/log/TLLicenseManager.log
    # The local key alone: no token is needed for what HTTP does.
    settings=(--no-tpm)
}

# launch ARGUMENT…: the program in the background with signals as a service manager gives them.
launch() {
    : > "$out"
    : > "$err"
    env --default-signal=HUP,INT,TERM "$DAEMON" --config-dir "$home/config" \
        --persistence-dir "$home/persistence" --log-dir "$home/log" --rest-port 0 \
        --pkcs11-socket "$home/pkcs11.sock" \
        "${settings[@]}" "$@" >> "$out" 2>> "$err" < /dev/null 3>&- &
    pid=$!
}

# wait_until SECONDS COMMAND…
wait_until() {
    local tries=$(($1 * 20))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            echo "in vain: $*"
            return 1
        fi
        sleep 0.05
    done
}

ended() {
    ! kill -0 "$pid" 2> /dev/null
}

says_or_ended() {
    grep -q -- "$1" "$2" || ended
}

wait_says() {
    wait_until 60 says_or_ended "$1" "$2" && grep -q -- "$1" "$2" || {
        echo "the program did not say: $1"
        cat "$out" "$err"
        return 1
    }
}

# start ARGUMENT…: waits until the port is open, and sets url and port.
start() {
    launch "$@"
    wait_says ' listening ' "$err"
    find_url
}

find_url() {
    url=$(grep -o ' url=http[^ ]*' "$err" | head -n 1 | cut -d= -f2)
    [ -n "$url" ]
    port=${url##*:}
}

# start_ready ARGUMENT…: waits for the ready line; sets fingerprint and backend too.
start_ready() {
    launch "$@"
    wait_says '^ready ' "$out"
    find_url
    local line
    line=$(cat "$out")
    echo "$line"
    [[ $line =~ ^ready\ (https?://[^ ]+)\ fingerprint=([0-9a-f]{64})\ backend=([a-z0-9]+)(\ \(.*\))?$ ]]
    [ "${BASH_REMATCH[1]}" = "$url" ]
    fingerprint=${BASH_REMATCH[2]}
    backend=${BASH_REMATCH[3]}
    remark=${BASH_REMATCH[4]}
}

# After finish: nothing held the end up. What it could wait for, a client or a token, takes longer yet.
ended_soon() {
    local most=10000
    # A program with a sanitizer ends slower, and waits by itself before it is gone.
    [ -z "${TSAN_OPTIONS:-}" ] || most=20000
    [ "$took_ms" -lt "$most" ]
}

# finish SIGNAL: sets ended_with and took_ms.
finish() {
    local begun
    begun=$(date +%s%3N)
    kill "-$1" "$pid"
    ended_with=0
    wait "$pid" || ended_with=$?
    took_ms=$(($(date +%s%3N) - begun))
    pid=""
}

# status_is PATH STATUS
status_is() {
    local got
    got=$(curl -s -o /dev/null -w '%{http_code}' "$url$1")
    [ "$got" = "$2" ] || {
        echo "$1 gave $got"
        return 1
    }
}

# json PATH FILTER: what the daemon says, through jq.
json() {
    curl -s "$url$1" | jq -r "$2"
}

no_child_left() {
    ! pgrep -f "tlm-token-init .*$home/" > /dev/null
}

take_away() {
    if [ -n "${pid:-}" ]; then
        kill -TERM "$pid" 2> /dev/null || true
        wait "$pid" || true
    fi
    # What the program said is worth seeing when a test failed.
    if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -s "${err:-}" ]; then
        tail -n 40 "$err"
    fi
    if [ -n "${home:-}" ]; then
        # A tlm-token-init that the program started may be at work still.
        wait_until 60 no_child_left
        swtpm_stop "$home/tpm.sock" "$home/tpm.pid"
        chmod -R u+rwX "$home"
        rm -rf "$home"
    fi
}

# make_token: provisions BACKEND (softhsm or swtpm) for the home, and says so in settings.
make_token() {
    local kind=$BACKEND words=()
    settings=()
    if [ "$BACKEND" = swtpm ]; then
        kind=tpm
        [ -S "$home/tpm.sock" ] || start_tpm
        words=(--tcti "swtpm:path=$home/tpm.sock")
        settings=("${words[@]}")
    fi
    "$TOKEN_INIT" provision --backend "$kind" --persistence-dir "$home/persistence" \
        --config-dir "$home/config" "${words[@]}" > "$home/provision" 2>&1 < /dev/null 3>&- || {
        cat "$home/provision"
        return 1
    }
}

start_tpm() {
    swtpm_start "$home/tpm" "$home/tpm.sock" "$home/tpm.pid" 3>&-
}

stop_tpm() {
    swtpm_stop "$home/tpm.sock" "$home/tpm.pid" 3>&-
}
