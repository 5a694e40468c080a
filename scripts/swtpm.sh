# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A simulated TPM of one's own, by the socket it listens on. Sourced by scripts/run and the tests.

# pid_matches PID TEXT…: the process is alive and each text stands in its command line.
pid_matches() {
    local pid=$1 text line
    shift
    [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
    { line=$(tr '\0' '\n' < "/proc/$pid/cmdline"); } 2> /dev/null || return 1
    for text in "$@"; do
        [[ $line == *"$text"* ]] || return 1
    done
}

# end_process PID SECONDS: SIGTERM, and SIGKILL after that time. Also for processes of others' making.
end_process() {
    local pid=$1 tenths=$(($2 * 10))
    kill -TERM "$pid" 2> /dev/null || return 0
    while [ "$tenths" -gt 0 ]; do
        kill -0 "$pid" 2> /dev/null || return 0
        sleep 0.1
        tenths=$((tenths - 1))
    done
    kill -KILL "$pid" 2> /dev/null || true
}

# swtpm_start STATE SOCKET PIDFILE: absolute paths, without commas; SOCKET shorter than 100 bytes.
swtpm_start() {
    local state=$1 socket=$2 pidfile=$3 tries=50
    mkdir -p "$state"
    rm -f "$socket" "$socket.ctrl" "$pidfile"
    swtpm socket --tpm2 --tpmstate "dir=$state" \
        --server "type=unixio,path=$socket" --ctrl "type=unixio,path=$socket.ctrl" \
        --flags startup-clear,not-need-init --daemon --pid "file=$pidfile" \
        < /dev/null 8>&- 9>&- || return
    while [ ! -s "$pidfile" ] || [ ! -S "$socket" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# swtpm_stop SOCKET PIDFILE: as a machine would be switched off. Without TPM2_Shutdown the TPM
# counts a possible attack on its lockout counter; swtpm does not send it by itself.
swtpm_stop() {
    local socket=$1 pidfile=$2 pid
    pid=$(cat "$pidfile" 2> /dev/null) || pid=""
    if pid_matches "$pid" swtpm "path=$socket"; then
        TPM2TOOLS_TCTI="swtpm:path=$socket" timeout 5 tpm2_shutdown --clear > /dev/null 2>&1 \
            8>&- 9>&- || true
        end_process "$pid" 5
    fi
    rm -f "$socket" "$socket.ctrl" "$pidfile"
}
