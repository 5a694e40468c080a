#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Docker's own engine behind the proxy, a backup of a container that runs, and the image's bill of
# materials.

load project

setup_file() {
    project_setup_file
    # The engine's socket as this host has it.
    export DOCKER_SOCKET=${DOCKER_HOST#unix://}
    DOCKER_GID=$(stat -c %g "$DOCKER_SOCKET")
    export DOCKER_GID
    project api docker-compose.simulator.yml docker-compose.docker-api.yml
    awk -v name="test: up" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/docker-api.md" |
        sed 's/ up -d/ -f docker-compose.simulator.yml&/' > "$work/commands"
    [ -s "$work/commands" ]
    bash -euo pipefail "$work/commands"
    wait_health tl-license-manager healthy
}

setup() {
    project api docker-compose.simulator.yml docker-compose.docker-api.yml
    proxy=api_docker-socket-proxy_1
}

# Docker's client at the proxy's socket, in a container that has nothing else.
beside() {
    docker run --rm --network none -v api_docker-proxy:/run/docker-proxy --entrypoint docker \
        trustedlicensing:with-tools -H unix:///run/docker-proxy/docker.sock "$@"
}

answering() {
    curl -fs $url/status | jq -e '.container.engine.state == "answering"' > /dev/null
}

@test "the license manager knows its container, and is told that it may only read" {
    wait_until 90 answering
    curl -fs $url/status | jq .container > container.json
    jq -e '.name == "tl-license-manager" and .status == "running" and .engine.access == "read"' container.json
    jq -e '.image == "trustedlicensing:latest" and (.id | test("^[0-9a-f]{64}$"))' container.json
    jq -e --arg source "$PWD/_persistence" '.mounts[] | select(.source == $source) | .rw and .type == "bind"' container.json
    curl -fs $url/status | jq -e '[.warnings[].code] | index("docker-socket-writable") == null'
    [ "$(jq -r .id container.json)" = "$(docker inspect --format '{{.Id}}' tl-license-manager)" ]
}

@test "what the proxy passes is read, and nothing else, whoever asks" {
    beside version | grep -q 'Server:'
    [ "$(beside inspect --type container --format '{{.Name}}' tl-license-manager)" = /tl-license-manager ]
    local command
    for command in "ps" "images" "info" "kill tl-license-manager" "stop tl-license-manager" "rm -f tl-license-manager" \
        "exec tl-license-manager id" "logs tl-license-manager" "cp tl-license-manager:/etc/passwd -" "events --until 1s" \
        "volume ls" "network ls" "run --rm -v /:/host --entrypoint id trustedlicensing:latest" \
        "pause tl-license-manager" "top tl-license-manager" "export tl-license-manager" "system prune -f"; do
        # shellcheck disable=SC2086 # words
        run beside $command
        echo "$command: $output"
        [ "$status" -ne 0 ]
        [[ $output == *"this proxy only reads"* ]]
    done
    is_health tl-license-manager healthy
}

@test "the proxy has the socket and nothing besides" {
    docker inspect $proxy | jq -e '.[0] | .Config.User == "13:13" and (.HostConfig | .NetworkMode == "none" and
        .Privileged == false and .ReadonlyRootfs and .CapDrop == ["ALL"] and .CapAdd == null)'
    docker exec $proxy cat /proc/1/status | grep -qx 'CapEff:	0000000000000000'
    run ! docker exec tl-license-manager ls "$DOCKER_SOCKET" /run/docker-engine
}

@test "killed, it begins again, also over the socket that it left" {
    docker kill --signal KILL $proxy
    docker start $proxy
    wait_until 60 beside_version
    awk -v name="test: restart" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/docker-api.md" > commands
    [ -s commands ]
    bash -euo pipefail commands
    wait_until 60 beside_version
}

beside_version() {
    beside version > /dev/null 2>&1
}

@test "a backup of the running container, restored: the same host, and never paused for long" {
    local known
    known=$(fingerprint)
    "$SOURCE/docker/tlm-backup" create --pause tl-license-manager one.tar.gz
    [ "$(docker inspect --format '{{.State.Status}}' tl-license-manager)" = running ]
    run "$SOURCE/docker/tlm-backup" create --pause $proxy two.tar.gz
    [ "$status" -eq 1 ]
    [[ $output == *"does not use"* ]]
    run "$SOURCE/docker/tlm-backup" restore --move-aside one.tar.gz
    [ "$status" -eq 1 ]
    docker-compose stop tl-license-manager
    "$SOURCE/docker/tlm-backup" restore --move-aside one.tar.gz
    [ "$(stat -c %u:%g _persistence _persistence/vault.bin | sort -u)" = 1000:1000 ]
    docker-compose start tl-license-manager
    wait_health tl-license-manager healthy
    [ "$(start_state)" = warm ]
    [ "$(fingerprint)" = "$known" ]
    # As docs/backup.md has it; whether there is something to accept or not.
    run docker exec tl-license-manager tlm state
    [[ $output == *rolled-back* || $output == *"ok"* ]]
}

@test "the bill of materials in the image is that of the image" {
    local image
    for image in trustedlicensing:latest trustedlicensing:with-tools trustedlicensing:trixie; do
        awk -v name="test: sbom" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/docker.md" |
            sed "s,trustedlicensing:latest,$image," > commands
        [ -s commands ]
        bash -euo pipefail commands
        mv sbom.spdx.json sbom.json
        jq -r '.packages[] | select(.externalRefs) | "\(.name) \(.versionInfo)"' sbom.json | sort > told
        docker run --rm --entrypoint dpkg-query "$image" -W -f '${db:Status-Status} ${Package} ${Version}\n' |
            sed -n 's/^installed //p' | sort | diff - told
        jq -r '.files[] | "\(.checksums[] | select(.algorithm == "SHA256").checksumValue)  \(.fileName)"' sbom.json > sums
        grep -q ' ./usr/sbin/TLLicenseManager$' sums
        docker run --rm -i --user 0 --workdir / --entrypoint sha256sum "$image" --strict --quiet -c - < sums
    done
}
