#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docs/docker.md, typed as it stands, where a simulated TPM stands in for the host's.

load project

setup_file() {
    project_setup_file
    # The device of the first commands is the simulator's; what names its files by -f does so itself.
    project docs docker-compose.simulator.yml
}

setup() {
    project docs docker-compose.simulator.yml
    page=$SOURCE/docs/docker.md
}

# Runs the blocks of that mark as a user would.
typed() {
    awk -v name="test: $1" -f "$SOURCE/tests/docs/blocks.awk" "$page" > commands
    [ -s commands ]
    bash -euo pipefail commands
}

@test "started, asked, looked into" {
    typed up
    wait_health tl-license-manager healthy
    run -0 typed ask
    [[ $output == *'"tpmConnected": true'* ]]
    run -0 typed inspect
    [[ $output == *"uid=1000(tlm)"* && $output == *"TPM "*connected* && $output == *libmicrohttpd* ]]
}

@test "with the guide's tools" {
    run -0 typed tools
    [[ $output == *TPM2_PT_FAMILY_INDICATOR* && $output == *sha256:* && $output == *0x810003E8* ]]
}

@test "started again in each way, the fingerprint stays" {
    local known
    wait_health tl-license-manager healthy
    known=$(fingerprint)
    typed again
    wait_health tl-license-manager healthy
    [ "$(fingerprint)" = "$known" ]
}

@test "from the sources to the fingerprint by one script" {
    run -0 "$SOURCE/docker/end_to_end.sh" --no-build
    [[ $output == *"All checks passed"* ]]
    run -0 "$SOURCE/docker/end_to_end.sh" --help
    docker-compose stop tpm-simulator
    wait_health tl-license-manager unhealthy
    docker-compose down -v
}

# Each in a directory of its own: with the volumes of the simulator its TPM goes away.
@test "the simulator by its file" {
    project simulator docker-compose.simulator.yml
    typed simulator
    wait_health tl-license-manager healthy
    docker-compose down -v
}

@test "the internal network by its file" {
    project internal docker-compose.simulator.yml docker-compose.internal.yml
    typed internal
    wait_health tl-license-manager healthy
    run ! curl -s --max-time 2 $url/health
    docker-compose down -v
}

@test "the split by its files" {
    project split docker-compose.split.yml docker-compose.simulator.yml \
        docker-compose.split-simulator.yml
    typed access
    chown 1000:1000 _tokend/access.json
    typed split
    wait_health tl-license-manager healthy
    wait_until 90 signed
    docker-compose down -v
}

signed() {
    docker logs split_example-application_1 2>&1 | grep -q '^signed: .'
}

@test "every file of docker-compose and every target is in the document" {
    local file word
    for file in "$SOURCE"/docker/docker-compose*.yml; do
        grep -qF "$(basename "$file")" "$page"
    done
    for word in $(sed -n 's/^FROM .* AS //p' "$SOURCE/docker/Dockerfile" | grep -xE 'runtime|with-tools|simulator|example'); do
        grep -q -- "--target $word" "$page" || [ "$word" = runtime ]
    done
}
