# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Inside of the virtual machine: steps, and the programs as the service's user.

persistence=/etc/asperion/trustedLicensing/persistence
store=$persistence/token
logs=/var/log/asperion/trustedLicensing
kept=/var/lib/vm # outlives a reboot
url=http://127.0.0.1:52014
number=0
mkdir -p "$kept"

# step NAME COMMAND…: one line of TAP. Where it fails, what the command said follows, and no other step,
# as they build on each other.
step() {
    local name=$1 status begun
    shift
    number=$((number + 1))
    begun=$(milliseconds)
    (
        set -euo pipefail -o errtrace
        trap 'echo "in line $LINENO of ${FUNCNAME[0]:-}: $BASH_COMMAND: status $?"' ERR
        "$@"
    ) > /tmp/step 2>&1
    status=$?
    if [ "$status" -eq 0 ]; then
        echo "ok $number - $name # $(($(milliseconds) - begun)) ms"
        grep '^value ' /tmp/step | sed 's/^/# /'
    else
        echo "not ok $number - $name"
        tail -n 60 /tmp/step | sed 's/^/# /'
        steps_end
        exit 1
    fi
}

# The plan, and the word that nothing was cut off.
steps_end() {
    echo "1..$number"
    echo "end"
}

milliseconds() {
    awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# value NAME TEXT: a line that the host reads.
value() {
    echo "value $1=$2"
}

tlm=(setpriv --reuid tlm --regid tlm --init-groups --inh-caps=-all --)

as_tlm() {
    "${tlm[@]}" "$@"
}

# until_true SECONDS COMMAND…
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "not within its time: $*"
            return 1
        fi
        sleep 0.1
    done
}

# The daemon as the service's user, on the usual paths and port.
daemon_start() {
    # shellcheck disable=SC2119
    daemon_start_with
}

# daemon_start_with ARGUMENT…
# shellcheck disable=SC2120 # other files do
daemon_start_with() {
    install -d -o tlm -g tlm /run/tlm "$logs"
    rm -f /run/tlm/out
    "${tlm[@]}" TLLicenseManager "$@" > /run/tlm/out 2> /run/tlm/err < /dev/null &
    echo $! > /run/tlm/pid
    until_true 60 curl -fs -o /dev/null "$url/health"
}

daemon_stop() {
    local pid
    pid=$(cat /run/tlm/pid)
    kill -TERM "$pid"
    timeout 60 tail --pid="$pid" -f /dev/null
    until_true 60 no_process tlm-tokend
}

no_process() {
    ! pgrep -x "$1" > /dev/null
}

daemon_ready() {
    until_true 60 curl -fs -o /dev/null "$url/ready" || {
        curl -s "$url/status"
        tail -n 40 /run/tlm/err
        return 1
    }
}

# jq takes nothing for an answer, and -e for a good one.
status_is() {
    curl -fs "$url/status" > /tmp/status.json && [ -s /tmp/status.json ] || return 1
    jq -e "$1" /tmp/status.json > /dev/null
}

# degraded CODE: the daemon says so, and is not ready.
degraded() {
    until_true 60 status_is "[.errors[].code] | index(\"$1\")" || {
        cat /tmp/status.json
        return 1
    }
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/ready")" = 503 ]
}

# finding NAME [COMMAND…]: what doctor finds as the service's user, or run by the command. The host reads
# what it says, and holds it against the documents.
finding() {
    local name=$1
    shift
    [ $# -gt 0 ] || set -- as_tlm
    "$@" tlm-token-init doctor --json > /tmp/doctor.json || true
    jq --arg id "$name" '.findings[] | select(.id == $id)' /tmp/doctor.json > /tmp/finding
    [ -s /tmp/finding ] || {
        echo "no finding $name:"
        cat /tmp/doctor.json
        return 1
    }
    value finding "$(jq -r '"\(.severity): \(.cause) [\(.id)]"' /tmp/finding)"
    value evidence "$(jq -r .evidence /tmp/finding)"
    value command "$(jq -r .command /tmp/finding)"
}

evidence_has() {
    jq -e --arg text "$1" '.evidence | contains($text)' /tmp/finding
}

command_has() {
    jq -e --arg text "$1" '.command | contains($text)' /tmp/finding
}

# The command of the finding, typed by root.
mend() {
    bash -euxc "$(command_of_finding)"
}

# The same, typed by the service's user.
mend_as_tlm() {
    as_tlm bash -euxc "$(command_of_finding)"
}

# Without the words beside it that are for people, and with their file.
command_of_finding() {
    jq -r .command /tmp/finding | sed -e 's/, then .*//' -e 's/ (.*//' -e 's/; if \/dev.*//' \
        -e 's/^wait .*, or: //' -e 's/^look whose it is: //' -e 's/; if nobody needs it: / \&\& /' \
        -e "s,FILE,$kept/recovery/key,"
}

# refute COMMAND…: it must fail. Behind a ! nobody would notice.
refute() {
    if "$@"; then
        echo "should fail: $*"
        return 1
    fi
}

# Doctor finds nothing that keeps the token from working.
healthy() {
    as_tlm tlm-token-init doctor || {
        ls -la /dev/tpm* "$persistence" "$store"
        return 1
    }
}

fingerprint() {
    curl -fs "$url/fingerprint" | jq -re .fingerprint
}

fingerprint_of_store() {
    as_tlm tlm-token-init status --json | jq -re .store.thumbprint
}

# Names, modes, times and contents of the files that the service keeps; a lock is no content.
picture() {
    (cd "$persistence" && find . -type f ! -name '*lock*' -printf '%p %m %u %s %T@\n' \
        -exec sha256sum {} + | sort)
}
