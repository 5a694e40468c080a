# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Projects of docker-compose, as an operator has them: the files of docker/ in a directory with the
# volumes. Set by ctest: SOURCE, DOCKER_DATA.

: "${SOURCE:?the repository}"
bats_require_minimum_version 1.5.0
# shellcheck source=tests/docker/engine.bash
. "$SOURCE/tests/docker/engine.bash"

# Nothing of the caller's settings reaches the containers; a test machine may not raise limits.
unset TLM_IMAGE TSS_GID COMPOSE_FILE COMPOSE_PROJECT_NAME
export TLM_MEMLOCK=8388608 TSS_GID=113

# Around the tests of a file: a directory `work`, and an engine.
project_setup_file() {
    work=$(mktemp -d /tmp/tlm-project.XXXXXX)
    export work
    # shellcheck disable=SC2119 # as the engine is by default
    engine_start
}

teardown_file() {
    engine_stop
    rm -rf "$work"
}

# project NAME [FILE]…: makes the directory and goes there; the files are added to
# docker-compose.yml. Checks of health come every second, so that the tests need not wait.
project() {
    local name=$1 file
    shift
    directory=$work/$name
    mkdir -p "$directory"
    cp "$SOURCE"/docker/*.yml "$directory"
    "$SOURCE/docker/build_and_stage.sh" --no-build --stage "$directory" 2> /dev/null
    cd "$directory" || return 1
    cat > test.yml << 'FILE'
services:
  tl-license-manager:
    healthcheck:
      interval: 1s
FILE
    COMPOSE_FILE=docker-compose.yml
    for file in "$@"; do
        COMPOSE_FILE=$COMPOSE_FILE:$file
    done
    COMPOSE_FILE=$COMPOSE_FILE:test.yml
    export COMPOSE_FILE COMPOSE_PROJECT_NAME=$name
}

health_of() {
    docker inspect --format '{{.State.Health.Status}}' "$1" 2> /dev/null
}

is_health() {
    [ "$(health_of "$1")" = "$2" ]
}

# wait_health CONTAINER healthy|unhealthy
wait_health() {
    wait_until 120 is_health "$1" "$2" || {
        docker logs --tail 60 "$1"
        docker inspect --format '{{json .State}}' "$1"
        return 1
    }
}

url=http://localhost:52014

fingerprint() {
    curl -fs "$url/fingerprint" | jq -r .fingerprint
}

start_state() {
    curl -fs "$url/status" | jq -r .start.state
}

is_state() {
    [ "$(start_state)" = "$1" ]
}
