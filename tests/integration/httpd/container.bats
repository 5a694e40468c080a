#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What the daemon knows of its container, in namespaces and on an overlay as an engine makes them.

load common

place=/etc/asperion/trustedLicensing/persistence
first_id=3f4ac0f7a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c
second_id=c0ffee00a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c

setup() {
    new_home
    program=$DAEMON
    mkdir "$home/volume"
    chmod 700 "$home/volume"
}

teardown() {
    local one
    for one in ${contained[@]+"${contained[@]}"}; do
        end_container "$one" || true
    done
    pid=""
    take_away
}

# container NAME ID VOLUME…: how the next one is made; a volume is "SOURCE PLACE".
container() {
    local top=$home/$1
    mkdir -p "$top"
    echo "$2" > "$top/id"
    # As with the host's network: the name says nothing.
    echo samename > "$top/name"
    # The root is this system's without what is mounted into it.
    printf '%s\n' "$SOURCE $SOURCE" "$BUILD $BUILD" "${@:3}" > "$top/volumes"
    DAEMON=$home/$1/run
    printf '#!/bin/sh\nexec %q %q %q "$@"\n' "$SOURCE/tests/integration/httpd/contained" "$top" \
        "$program" > "$DAEMON"
    chmod +x "$DAEMON"
    out=$top/out
    err=$top/err
    settings=(--no-tpm --persistence-dir "$place" --log-dir "$top/log" --pkcs11-socket "$top/sock")
    contained+=("")
}

# launched: after the start, notes what has to be ended.
launched() {
    contained[-1]=$pid
}

# end_container PID-OF-UNSHARE: signals go to its child, the first process in there.
end_container() {
    [ -n "$1" ] && kill -0 "$1" 2> /dev/null || return 0
    pkill -TERM -P "$1" || true
    wait "$1"
}

warning() {
    json /status ".warnings[] | select(.code == \"$1\") | .$2"
}

@test "it knows the engine, the id, and that its files go with the container" {
    container one "$first_id"
    start_ready
    launched
    grep -q 'address=0.0.0.0:' "$err"
    curl -s "$url/status" > "$home/status"
    jq -e --arg id "$first_id" '.runtime == "container" and .container.runtime == "docker" and
        .container.id == $id and .container.kubernetes == null' "$home/status"
    jq -e --arg id "$first_id" '.container.evidence | length >= 1 and (.[0] | contains($id))' \
        "$home/status"
    jq -e '.errors == []' "$home/status"
    [[ $(warning persistence-not-on-volume message) == "$place is in the container's own file system"* ]]
    [[ $(warning persistence-not-on-volume hint) == *"docker cp ${first_id:0:12}:$place/. ./_persistence"* ]]
    grep -q "container_warning .*persistence-not-on-volume" "$err"
}

@test "on a volume there is nothing to warn of, in memory there is" {
    container one "$first_id" "$home/volume $place"
    start_ready
    launched
    [ -z "$(warning persistence-not-on-volume code)" ]
    [ -e "$home/volume/persistence.bin" ]
    end_container "$pid"
    container two "$second_id" "tmpfs $place"
    start_ready
    launched
    [[ $(warning persistence-not-on-volume message) == *"is in memory"* ]]
}

@test "of two containers on one directory the second refuses, and takes over" {
    local first first_url
    container one "$first_id" "$home/volume $place"
    start_ready
    launched
    first=$pid
    first_url=$url
    container two "$second_id" "$home/volume $place"
    start
    launched
    wait_says 'state=in-use' "$err"
    [[ $(json /status '.errors[] | select(.code == "in-use") | .message') == \
        *"container or host ${first_id:0:12} uses $place" ]]
    [[ $(json /status '.errors[] | select(.code == "in-use") | .hint') == \
        *"docker stop ${first_id:0:12}"* ]]
    status_is /ready 503
    curl -fs "$first_url/ready"
    end_container "$first"
    wait_says '^ready ' "$out"
    [ "$(json /status .start.kind)" = warm ]
}

@test "a container made anew keeps the fallback fingerprint" {
    container one "$first_id" "$home/volume $place"
    start_ready
    launched
    curl -s "$url/fingerprint/fallback" > "$home/before"
    jq -e '.components | any(.present)' "$home/before"
    # The image's machine id is not the host's.
    jq -e '.components[] | select(.id == "machine-id") | .present == false' "$home/before"
    end_container "$pid"
    container two "$second_id" "$home/volume $place"
    start_ready
    launched
    curl -s "$url/fingerprint/fallback" > "$home/after"
    diff "$home/before" "$home/after"
    [ "$(json /status .container.id)" = "$second_id" ]
}

@test "the host's machine id counts where it is mounted" {
    mkdir -p "$home/host/etc"
    echo 0123456789abcdef0123456789abcdef > "$home/host/etc/machine-id"
    container one "$first_id" "$home/volume $place" "$home/host/etc/machine-id /etc/machine-id"
    start_ready
    launched
    json /fingerprint/fallback .components > "$home/before"
    jq -e '.[] | select(.id == "machine-id") | .present' "$home/before"
    end_container "$pid"
    container two "$second_id" "$home/volume $place" "$home/host/etc/machine-id /etc/machine-id"
    start_ready
    launched
    json /fingerprint/fallback .components | diff "$home/before" -
}

told() {
    [ "$(json /status '.start.kind')" = degraded ]
}

@test "a TPM that is wanted and was not passed is warned of, and not beside a token that works" {
    container one "$first_id" "$home/volume $place"
    settings=("${settings[@]:1}" --tpm-device /dev/tlm-none)
    start
    launched
    wait_until 60 told
    [[ $(warning tpm-device message) == *"there is no device /dev/tlm-none"* ]]
    [[ $(warning tpm-device hint) == *"--device /dev/tlm-none"* ]]
    end_container "$pid"
    "$TOKEN_INIT" provision --backend softhsm --config-dir "$home/config" \
        --persistence-dir "$home/volume"
    container two "$second_id" "$home/volume $place"
    settings=("${settings[@]:1}" --tpm-device /dev/tlm-none)
    start_ready
    launched
    [ -z "$(warning tpm-device code)" ]
}

@test "the first process of a container hears SIGTERM" {
    container one "$first_id" "$home/volume $place"
    start_ready
    launched
    end_container "$pid"
    grep -q 'stopped cut_off=0' "$err"
}
