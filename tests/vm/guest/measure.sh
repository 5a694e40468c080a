# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The container against the bare process on the same kernel device, one after the other: for
# docs/performance.md, by tests/vm/measure.

# shellcheck source=tests/vm/guest/docker.sh
. "${0%/*}/docker.sh"

rounds=3
idle_seconds=$(tr ' ' '\n' < /proc/cmdline | sed -n 's/^tlm\.idle=//p')
volume=/root/volume

wait_ready() {
    until curl -fs -o /dev/null "$url/ready"; do
        sleep 0.02
    done
}

# timed NAME COMMAND…: milliseconds from the command to /ready.
timed() {
    local name=$1 begun
    shift
    begun=$(milliseconds)
    "$@" > /dev/null
    wait_ready
    value "$name" $(($(milliseconds) - begun))
}

new_token() {
    as_tlm tpm2_evictcontrol -Q -C o -c 0x810003E8 || true
    rm -rf "${1:?}"
    install -d -o tlm -g tlm -m 700 "$1"
}

bare_cold() {
    as_tlm tlm-token-init provision
    daemon_start
}

container_run() {
    docker run -d --name measured "${careful[@]}" --device /dev/tpmrm0 --group-add "$tss" \
        -p 127.0.0.1:52014:52014 -v "$volume:$persistence" trustedlicensing:latest
}

# cpu_of PID…: processor time in milliseconds; the first number of schedstat is in nanoseconds, and each
# thread has its own.
cpu_of() {
    local pid
    for pid in "$@"; do
        cat /proc/"$pid"/task/*/schedstat
    done | awk '{ sum += $1 } END { printf "%d\n", sum / 1000000 }'
}

# idle NAME: processor time and proportional set size (KiB) of both programs, which nobody asks.
idle() {
    local name=$1 before pids pid
    mapfile -t pids < <(pgrep -x 'TLLicenseManage|tlm-tokend')
    sleep 10 # what a start leaves to do
    before=$(cpu_of "${pids[@]}")
    sleep "$idle_seconds"
    value "$name.cpu" $(($(cpu_of "${pids[@]}") - before))
    value "$name.pss" "$(for pid in "${pids[@]}"; do cat "/proc/$pid/smaps_rollup"; done |
        awk '/^Pss:/ { sum += $2 } END { print sum }')"
}

measure() {
    for _ in $(seq "$rounds"); do
        new_token "$persistence"
        timed bare.cold bare_cold
        daemon_stop
        new_token "$volume"
        timed container.cold container_run
        docker rm -f measured
    done
    new_token "$persistence"
    bare_cold
    wait_ready
    idle bare
    daemon_stop
    for _ in $(seq "$rounds"); do
        timed bare.warm daemon_start
        daemon_stop
    done
    new_token "$volume"
    container_run
    wait_ready
    idle container
    for _ in $(seq "$rounds"); do
        docker stop measured
        timed container.warm docker start measured
    done
    docker rm -f measured
}

usermod -aG tss tlm
install -d -o tlm -g tlm "$logs" /etc/asperion/trustedLicensing/config
step "the engine starts" engine_start
step "measured" measure
step "the engine ends" engine_stop
steps_end
