# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For steps with containers: the engine, the project of docs/docker.md, and containers beside it.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

project=/root/docker
container=tl-license-manager
# shellcheck disable=SC2034 # for the steps
tss=$(getent group tss | cut -d: -f3)
# As docker-compose.yml has it, without device, group and volume.
careful=(--cap-drop ALL --security-opt no-new-privileges --read-only
    --tmpfs "/run:mode=0755,uid=1000,gid=1000" --tmpfs /tmp)

engine_answers() {
    docker version > /dev/null 2>&1
}

engine_start() {
    mkdir -p /var/lib/docker
    mount /dev/vdc /var/lib/docker
    dockerd > /var/log/dockerd 2>&1 &
    echo $! > /run/dockerd.pid
    until_true 120 engine_answers || {
        tail -n 40 /var/log/dockerd
        return 1
    }
}

# Stops the containers, too, and remembers which ran.
engine_stop() {
    local pid
    pid=$(cat /run/dockerd.pid)
    kill -TERM "$pid"
    timeout 120 tail --pid="$pid" -f /dev/null
    umount /var/lib/docker
}

# run_block NAME [DOCUMENT]: the block of the document with this name, as a user types it in a new shell.
run_block() {
    awk -v name="test: $1" -f /opt/vm/blocks.awk "/opt/vm/${2:-docker.md}" > /tmp/block
    [ -s /tmp/block ]
    (cd "$project" && bash -euxo pipefail /tmp/block)
}

is_healthy() {
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy ]
}

container_ready() {
    until_true 120 curl -fs -o /dev/null "$url/ready" || {
        curl -s "$url/status" | jq .errors
        docker logs --tail 20 "$container"
        return 1
    }
}

# in_container ARGUMENT…: of docker run, then the image's program; the way to the TPM is the arguments'.
in_container() {
    docker run --rm "${careful[@]}" "$@"
}

# finds NAME ARGUMENT…: what doctor says inside of a container that is run with the arguments.
finds() {
    local name=$1
    shift
    finding "$name" in_container "$@" trustedlicensing:latest
}
