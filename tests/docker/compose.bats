#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docker-compose.yml with the simulator: what an operator does with it, in order. The cases share
# one project, as a life of a container is a sequence.

load project

setup_file() {
    project_setup_file
    project one docker-compose.simulator.yml
    docker-compose up -d
    wait_health tl-license-manager healthy
    fingerprint > "$work/fingerprint"
}

setup() {
    project one docker-compose.simulator.yml
    known=$(cat "$work/fingerprint")
}

@test "the API answers as the guide asks it" {
    [ "$(curl -fs $url/health | jq -r .status)" = ok ]
    curl -s $url/status | jq -e '.tpmConnected == true'
    curl -s $url/status | jq -e '.runtime == "container" and .token.simulated == true'
    [[ $known =~ ^[0-9a-f]{64}$ ]]
    curl -fs $url/fingerprint/fallback | jq -e '.fingerprint'
    [ "$(curl -s -o /dev/null -w '%{http_code}' $url/ready)" = 200 ]
    docker-compose ps | grep -q '(healthy)'
}

@test "it runs as user 1000 on a read-only system, without any capability" {
    docker exec tl-license-manager cat /proc/1/status > status
    grep -qx 'CapEff:	0000000000000000' status
    grep -qx 'CapBnd:	0000000000000000' status
    grep -qx 'NoNewPrivs:	1' status
    grep -qx 'Uid:	1000	1000	1000	1000' status
    [ "$(docker exec tl-license-manager cat /proc/1/comm)" = TLLicenseManage ]
    # The tss of the host, by number.
    [[ " $(docker exec tl-license-manager id -G) " == *" 113 "* ]]
    run ! docker exec tl-license-manager touch /etc/anything
    [[ $output == *"Read-only file system"* ]]
    run ! docker exec tl-license-manager touch /usr/bin/anything
    docker inspect tl-license-manager | jq -e '.[0].HostConfig | .Privileged == false and
        .ReadonlyRootfs and .CapDrop == ["ALL"] and .CapAdd == null and .PidsLimit > 0 and
        .Memory > 0 and .RestartPolicy.Name == "unless-stopped" and
        .LogConfig.Type == "json-file" and .LogConfig.Config["max-file"] == "3"'
}

@test "nothing is written but in the volumes and on tmpfs" {
    [ "$(docker diff tl-license-manager | grep -cv '^C /run$')" = 0 ]
    [ -s _persistence/persistence.bin ]
    [ -s _persistence/vault.bin ]
    [ -s _logs/TLLicenseManager.log ]
    [ "$(stat -c %u:%a _persistence/persistence.bin)" = 1000:600 ]
}

@test "a restart is warm, and a new container on the same volumes, too: the same fingerprint" {
    docker restart tl-license-manager
    wait_health tl-license-manager healthy
    [ "$(start_state)" = warm ]
    [ "$(fingerprint)" = "$known" ]
    docker-compose up -d --force-recreate
    wait_health tl-license-manager healthy
    [ "$(start_state)" = warm ]
    [ "$(fingerprint)" = "$known" ]
    run ! grep -q 'cold start' <(docker logs tl-license-manager 2>&1)
}

@test "with the TPM gone the container is unhealthy, and healthy when it is back" {
    docker-compose stop tpm-simulator
    wait_health tl-license-manager unhealthy
    [ "$(curl -s -o /dev/null -w '%{http_code}' $url/ready)" = 503 ]
    # The process is fine: a restart would mend nothing.
    [ "$(curl -s -o /dev/null -w '%{http_code}' $url/health)" = 200 ]
    curl -s $url/status | jq -e '.tpmConnected == false and (.errors | length > 0)'
    docker inspect tl-license-manager | jq -r '.[0].State.Health.Log[-1].Output' | grep -q '^503 .*token'
    docker-compose start tpm-simulator
    wait_health tl-license-manager healthy
    [ "$(fingerprint)" = "$known" ]
    [ "$(docker inspect --format '{{.RestartCount}}' tl-license-manager)" = 0 ]
}

@test "stopped, it ends within ten seconds by itself, with everything on the disk" {
    local begin=$SECONDS
    docker stop --time 60 tl-license-manager
    [ $((SECONDS - begin)) -lt 10 ]
    # Not killed: 137 it would be.
    [ "$(docker inspect --format '{{.State.ExitCode}}' tl-license-manager)" = 0 ]
    docker logs --tail 20 tl-license-manager 2>&1 | grep -q ' stopped cut_off=0'
    tail -n 20 _logs/TLLicenseManager.log | grep -q ' stopped cut_off=0'
    [ ! -e _persistence/.new ]
    docker start tl-license-manager
    wait_health tl-license-manager healthy
    [ "$(start_state)" = warm ]
    [ "$(fingerprint)" = "$known" ]
}

@test "volumes cloned to another TPM are refused, and stay as they are" {
    docker-compose stop
    cp -a "$work/one" "$work/two"
    cd "$work/two"
    cat >> test.yml << 'FILE'
    container_name: clone
FILE
    export COMPOSE_PROJECT_NAME=two
    find _persistence -name '*.bin' -exec sha256sum {} + | sort > before
    docker-compose up -d
    wait_health clone unhealthy
    curl -s $url/ready | jq -e '.code == "foreign"'
    curl -s $url/status | jq -e '.start.kind == "degraded" and .start.state == "foreign" and
        (.errors[] | select(.code == "foreign") | .message != "" and .hint != "")'
    run ! curl -fs $url/fingerprint
    find _persistence -name '*.bin' -exec sha256sum {} + | sort | cmp - before
    # Nothing was made over it either.
    run ! grep -q 'cold start' <(docker logs clone 2>&1)
    docker-compose down -v
    cd "$work/one"
    export COMPOSE_PROJECT_NAME=one
    docker-compose start
    wait_health tl-license-manager healthy
    [ "$(fingerprint)" = "$known" ]
}

@test "on an internal network nothing reaches outside, and the API is reached from within" {
    project one docker-compose.simulator.yml docker-compose.internal.yml
    docker-compose up -d
    wait_health tl-license-manager healthy
    docker inspect tl-license-manager | jq -r '.[0].NetworkSettings.Networks | keys[]' > networks
    [ "$(cat networks)" = one_tl-internal ]
    docker network inspect one_tl-internal | jq -e '.[0].Internal == true'
    run ! docker exec tl-license-manager grep -q '^[^\t]*	00000000	' /proc/net/route
    docker run --rm --network one_tl-internal -e TLM_URL=http://tl-license-manager:52014 \
        trustedlicensing:latest tlm status | tee /dev/stderr | grep -q "$known"
}

@test "the image on Debian 13 takes the volumes over" {
    TLM_IMAGE=trustedlicensing:trixie docker-compose up -d
    wait_health tl-license-manager healthy
    docker exec tl-license-manager grep -qx VERSION_CODENAME=trixie /etc/os-release
    [ "$(start_state)" = warm ]
    [ "$(fingerprint)" = "$known" ]
}
