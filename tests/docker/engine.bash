# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A Docker engine of a test's own: its images below DOCKER_DATA, everything else in a directory of
# the test. Started in the namespace that tests/docker/namespace made. Set by ctest: DOCKER_DATA.

# Debian's client speaks with Debian's engine; another one may come first on the machine.
PATH=/usr/sbin:/usr/bin:$PATH

# wait_until SECONDS COMMAND…
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "in vain waited for: $*"
            return 1
        fi
        sleep 0.2
    done
}

engine_answers() {
    docker version > /dev/null 2>&1
}

# engine_start [DOCKERD ARGUMENT]…: exports DOCKER_HOST. The directory is short, as it has sockets.
engine_start() {
    engine=$(mktemp -d /tmp/tlm-docker.XXXXXX)
    mkdir -p "$DOCKER_DATA"
    # The lock of a build that still runs, and of another test.
    exec 7> "$DOCKER_DATA.lock"
    flock 7
    export DOCKER_HOST=unix://$engine/sock
    dockerd --data-root "$DOCKER_DATA" --exec-root "$engine/exec" --pidfile "$engine/pid" \
        --host "$DOCKER_HOST" "$@" > "$engine/log" 2>&1 < /dev/null 3>&- &
    engine_pid=$!
    export engine engine_pid
    wait_until 90 engine_answers || {
        tail -n 40 "$engine/log"
        return 1
    }
}

engine_stop() {
    local left
    [ -n "${engine_pid:-}" ] || return 0
    left=$(docker ps -aq)
    # shellcheck disable=SC2086 # ids, one word each
    [ -z "$left" ] || docker rm -fv $left > /dev/null
    docker volume prune -f > /dev/null
    docker network prune -f > /dev/null
    kill -TERM "$engine_pid" 2> /dev/null || return 0
    wait_until 60 engine_gone
    rm -rf "$engine"
}

engine_gone() {
    ! kill -0 "$engine_pid" 2> /dev/null
}
