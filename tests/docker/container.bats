#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What the daemon knows of its container, compared with what the engine knows.

load project

place=/etc/asperion/trustedLicensing/persistence

setup_file() {
    project_setup_file
    export socket=${DOCKER_HOST#unix://}
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir persistence
    chown 1000:1000 persistence
}

teardown() {
    docker rm -fv one two > /dev/null 2>&1 || true
}

# start NAME PORT [DOCKER ARGUMENT]…: without a TPM, unless the environment says otherwise.
start() {
    docker run -d --name "$1" -p "127.0.0.1:$2:52014" -e TPM_ENABLED="${tpm:-false}" \
        -e TLM_PROVISION_WAIT=0 "${@:3}" trustedlicensing:latest
    wait_until 120 curl -fs -o status "http://127.0.0.1:$2/status" || {
        docker logs "$1"
        return 1
    }
}

# becomes PORT FILTER: what jq says of the status in the end; the last one is in the file `status`.
becomes() {
    wait_until 120 holds "$@" || {
        cat status
        return 1
    }
}

holds() {
    curl -fs -o status "http://127.0.0.1:$1/status" && jq -e "$2" status
}

warning() {
    jq -r ".warnings[] | select(.code == \"$1\") | .$2" status
}

@test "without a socket it knows engine and id, and misses nothing" {
    start one 52014 -v "$PWD/persistence:$place"
    becomes 52014 '.start.state == "cold"'
    jq -e --arg id "$(docker inspect --format '{{.Id}}' one)" '.runtime == "container" and
        .container.runtime == "docker" and .container.id == $id and .container.engine == null and
        .container.name == null and .container.kubernetes == null and
        (.container.evidence | length > 0)' status
    jq -e '.errors == [] and .warnings == []' status
    run ! grep -q container_engine <(docker logs one 2>&1)
}

@test "with the socket it says of itself what docker inspect says, and warns of the socket, also read-only" {
    start one 52014 -v "$PWD/persistence:$place" -v "$socket:/var/run/docker.sock:ro" \
        --group-add "$(stat -c %g "$socket")"
    becomes 52014 '.container.engine.state == "answering" and .container.status == "running"'
    docker inspect one > seen
    jq -e --slurpfile of seen '$of[0][0] as $c | .container |
        .id == $c.Id and .name == "one" and .image == $c.Config.Image and .imageId == $c.Image and
        .restartCount == $c.RestartCount and .privileged == false and
        ([.mounts[] | [.type, .source, .destination, .rw]] | sort) ==
        ([$c.Mounts[] | [.Type, .Source, .Destination, .RW]] | sort)' status
    jq -e '.container.engine.access == "write"' status
    [[ $(warning docker-socket-writable message) == *":ro"* ]]
}

@test "a socket of another group is told with the number that lets it in" {
    start one 52014 -v "$PWD/persistence:$place" -v "$socket:/var/run/docker.sock"
    becomes 52014 '.container.engine.state == "unreachable"'
    jq -r .container.engine.hint status | grep -qF -- "--group-add $(stat -c %g "$socket")"
    [ -z "$(warning docker-socket-writable code)" ]
}

@test "keys that go with the container are warned of, and the command saves them" {
    start one 52014
    becomes 52014 '.start.state == "cold"'
    # The image's own VOLUME, where it has one, is one without a name.
    [[ $(warning persistence-not-on-volume message) =~ "own file system"|"without a name" ]]
    local hint
    hint=$(warning persistence-not-on-volume hint)
    [[ $hint =~ (docker cp [^ ]+ ./_persistence), ]]
    mkdir _persistence
    ${BASH_REMATCH[1]}
    [ -s _persistence/persistence.bin ]
    docker rm -fv one
    start one 52014 --tmpfs "$place:uid=1000,gid=1000,mode=0700"
    [[ $(warning persistence-not-on-volume message) == *"is in memory"* ]]
    docker rm -f one
    docker volume create tlm-named
    start one 52014 -v "tlm-named:$place"
    [ -z "$(warning persistence-not-on-volume code)" ]
}

@test "a privileged container is warned of, also by an ordinary user in it" {
    start one 52014 --privileged -v "$PWD/persistence:$place"
    jq -e '[.warnings[].code] == ["privileged"] and .elevated == false' status
    docker rm -f one
    start one 52014 --cap-drop ALL -v "$PWD/persistence:$place"
    jq -e '.warnings == []' status
}

@test "a TPM of another group is told with the numbers" {
    local tpm=true
    mknod tpmrm0 c 1 3
    chown 0:4711 tpmrm0
    chmod 660 tpmrm0
    start one 52014 --device "$PWD/tpmrm0:/dev/tpmrm0" -v "$PWD/persistence:$place"
    becomes 52014 '[.warnings[].code] == ["tpm-device"]'
    [[ $(warning tpm-device message) == *"group gid 4711"*"as uid 1000"* ]]
    [[ $(warning tpm-device hint) == *"--group-add 4711"* ]]
    docker rm -f one
    start one 52014 -v "$PWD/persistence:$place"
    becomes 52014 '[.warnings[].code] == ["tpm-device"]'
    [[ $(warning tpm-device message) == *"there is no device /dev/tpmrm0"* ]]
}

@test "of two containers on one directory the second refuses and names the first, then takes over" {
    start one 52014 -v "$PWD/persistence:$place"
    becomes 52014 '.start.state == "cold"'
    start two 52015 -v "$PWD/persistence:$place"
    becomes 52015 '.start.state == "in-use"'
    jq -r '.errors[0].hint' status | grep -qF "docker stop $(docker inspect --format '{{slice .Id 0 12}}' one)"
    holds 52014 '.errors == []'
    docker stop one
    becomes 52015 '.start.state == "warm"'
}

@test "a container made anew keeps the fallback fingerprint, with the host's machine id in it" {
    local before
    start one 52014 -v "$PWD/persistence:$place" --hostname first
    becomes 52014 '.start.state == "cold"'
    before=$(curl -fs $url/fingerprint/fallback | jq -S .)
    jq -e '.components | (map(select(.id == "cpu"))[0].present) and
        (map(select(.id == "network" or .id == "machine-id")) | all(.present | not))' <<< "$before"
    docker rm -f one
    start one 52014 -v "$PWD/persistence:$place" --hostname second
    becomes 52014 '.start.state == "warm"'
    [ "$(curl -fs $url/fingerprint/fallback | jq -S .)" = "$before" ]
    docker rm -f one
    mkdir etc
    echo 0123456789abcdef0123456789abcdef > etc/machine-id
    start one 52014 -v "$PWD/persistence:$place" -v "$PWD/etc/machine-id:/etc/machine-id:ro"
    becomes 52014 '.start.state == "warm"'
    curl -fs $url/fingerprint/fallback |
        jq -e '.components[] | select(.id == "machine-id") | .present'
}
