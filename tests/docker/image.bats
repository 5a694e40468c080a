#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What is in the image, and what is not.

load project

setup_file() {
    project_setup_file
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

# In a container of an image, as root: what its user may not see counts, too.
inside() {
    docker run --rm --network none --user 0 --entrypoint "$2" "$1" "${@:3}"
}

images=(trustedlicensing:latest trustedlicensing:with-tools trustedlicensing:trixie
    trustedlicensing-simulator:latest trustedlicensing-example:latest)

@test "no file is setuid or setgid, and none is everybody's to write" {
    local image
    for image in "${images[@]}"; do
        run -0 inside "$image" find / -xdev -type f -perm /6000
        [ -z "$output" ]
        run -0 inside "$image" find / -xdev -type f -perm /002
        [ -z "$output" ]
    done
    # The base has some, or this shows nothing.
    run -0 inside debian:bookworm-slim find / -xdev -type f -perm /6000
    [ -n "$output" ]
}

@test "the user is tlm, 1000, with the groups that the build was told" {
    [ "$(docker run --rm trustedlicensing:latest id -un)" = tlm ]
    [ "$(docker run --rm --group-add 4711 trustedlicensing:latest id -G | tr ' ' '\n' | sort -n | xargs)" = \
        "113 999 1000 4711" ]
    run -0 inside trustedlicensing:latest id tlm
    [[ $output == "uid=1000(tlm) gid=1000(tlm) "* && $output == *"113(tss)"* && $output == *"999(docker)"* ]]
    [ "$(docker run --rm --entrypoint id trustedlicensing-simulator:latest -u)" = 1000 ]
    inside trustedlicensing:latest stat -c '%u %a %n' /etc/asperion/trustedLicensing/persistence |
        grep -q '^1000 700 '
}

@test "nothing of a compiler, of diagnosis or of the vendor's tools is inside" {
    local image name
    for image in trustedlicensing:latest trustedlicensing:trixie; do
        for name in gcc cc ld make ninja cmake curl wget jq docker tpm2_getcap swtpm python3 git udevadm systemd tlm-issue; do
            run ! inside "$image" sh -c "command -v $name"
        done
        # The headers of perl are of the base.
        run -0 inside "$image" find / -xdev ! -path '*/perl/*' \( -name '*.h' -o -name '*.a' -o -name '*.pc' \
            -o -name 'test_*' \)
        [ -z "$output" ]
        inside "$image" sh -c 'command -v TLLicenseManager tlm-tokend tlm-token-init tlm tlm-health'
        # Nothing of the build's own: lists and caches of apt, what it was configured by, logs.
        run -0 inside "$image" find /var/lib/apt/lists /var/cache/apt /var/log /tmp /mnt /media -type f -size +0
        [ -z "$output" ]
    done
    for name in tpm2_getcap docker curl jq; do
        inside trustedlicensing:with-tools sh -c "command -v $name"
    done
}

@test "every library is there, and the daemon has none of the TPM's" {
    local image
    for image in trustedlicensing:latest trustedlicensing:trixie; do
        inside "$image" sh -c 'for f in /usr/sbin/TLLicenseManager /usr/sbin/tlm-tok* /usr/bin/tlm \
            /usr/bin/tlm-health $(find /usr/lib -name "libtpm2_pkcs11.so*" -o -name p11-kit-client.so \
            -o -name "libtss2-tcti-device.so.0" -o -name "libtss2-tcti-swtpm.so.0"); do echo "$f:"; ldd "$f"; done' > libraries
        [ "$(grep -c ':$' libraries)" -ge 9 ]
        run ! grep 'not found' libraries
        inside "$image" ldd /usr/sbin/TLLicenseManager > libraries
        grep -q libmicrohttpd libraries
        run ! grep libtss2 libraries
    done
}

@test "it is labelled, and knows how it is started, stopped and asked" {
    docker image inspect trustedlicensing:latest > image.json
    jq -e '.[0].Config | .User == "1000" and .Entrypoint == ["tlm-entrypoint"] and
        .Cmd == ["TLLicenseManager"] and (.ExposedPorts | has("52014/tcp")) and
        .Healthcheck.Test == ["CMD", "tlm-health"]' image.json
    version=$(sed -n 's/^project(TLLicenseManager VERSION \([0-9.]*\).*/\1/p' "$SOURCE/CMakeLists.txt")
    jq -e --arg version "$version" '.[0].Config.Labels |
        .["org.opencontainers.image.version"] == $version and
        .["org.opencontainers.image.licenses"] == "BSD-2-Clause" and
        .["org.opencontainers.image.revision"] != "" and
        (.["org.opencontainers.image.created"] | test("^[0-9]{4}-.*Z$"))' image.json
    docker run --rm trustedlicensing:latest --version | grep -F "$version"
    docker run --rm trustedlicensing:latest --version | grep -iF release
}

@test "what our layers hold has one time, so that the same content is the same layer" {
    docker save trustedlicensing:latest | tar -x -C "$work"
    # The first is the base's.
    for layer in $(jq -r '.[0].Layers[1:][]' "$work/manifest.json"); do
        tar --full-time -tvf "$work/$layer" > list
        [ -s list ]
        # Packages' files keep their own time, which is older than the build; this one's day counts.
        run ! grep -F " $(date +%Y-%m-%d) " list
# Empty ones stand where the base has some.
        run ! grep -E '^-.* [1-9][0-9]* [0-9-]+ [0-9:]+ (var/lib/apt/lists|var/cache/apt|var/log|tmp|run)/[^ ]+[^/]$' list
    done
}

@test "the script says what is missing, and what it can do" {
    script=$SOURCE/docker/build_and_stage.sh
    run -0 "$script" --help
    for word in --base --target --trust --tss-gid --docker-gid --no-cache; do
        [[ $output == *"$word"* ]]
    done
    run -1 "$script" --bse x
    [[ $output == *"unknown option: --bse"*"--help lists"* ]]
    run -1 "$script" --target nothing
    [[ $output == *"--target nothing"* ]]
    run -1 "$script" --tss-gid tss
    [[ $output == *"a number is needed"* ]]
    run -1 "$script" --trust nofile
    [[ $output == *"no such file"* ]]
    run -1 "$script" --base debian:none-slim --no-stage
    [[ $output == *"debian:none-slim is not here yet"*"cannot be pulled"*"mmdebstrap"* ]]
    DOCKER_HOST=unix:///nowhere run -1 "$script" --no-stage
    [[ $output == *"engine does not answer"* ]]
    run -0 "$script" --no-build --stage "$work/stage"
    [ "$(stat -c '%u %a' "$work/stage/_persistence")" = "1000 700" ]
    # docker-compose finds the group's number there, and what somebody wrote there stays.
    [ "$(cat "$work/stage/.env")" = "TSS_GID=$(getent group tss | cut -d : -f 3)" ]
    printf 'TLM_IMAGE=mine:1\nTSS_GID=7\n' > "$work/stage/.env"
    run -0 "$script" --no-build --stage "$work/stage" --tss-gid 8
    [[ $output == *'TSS_GID=7, and this host'*' 8: left as it is'* ]]
    [ "$(cat "$work/stage/.env")" = $'TLM_IMAGE=mine:1\nTSS_GID=7' ]
    echo TLM_IMAGE=mine:1 > "$work/stage/.env"
    run -0 "$script" --no-build --stage "$work/stage" --tss-gid 8
    [ "$(cat "$work/stage/.env")" = $'TLM_IMAGE=mine:1\nTSS_GID=8' ]
}

# The files of each way to run it.
ways=("" "simulator" "internal" "split" "simulator internal" "split simulator split-simulator")

config_of() {
    local files=(-f docker-compose.yml) name
    for name in $2; do
        files+=(-f "docker-compose.$name.yml")
    done
    case $1 in
    1) docker-compose "${files[@]}" config ;;
    2)
        docker run --rm --network none -v "$PWD:$PWD" -w "$PWD" -e TLM_MEMLOCK compose:v2 \
            docker-compose "${files[@]}" config
        ;;
    esac
}

@test "docker-compose 1.29 and Compose v2 read every combination of the files, and find no privilege" {
    local version way
    project config
    unset COMPOSE_FILE
    docker-compose version --short | grep -q '^1\.29'
    docker run --rm --network none compose:v2 docker-compose version --short | grep -q '^2'
    for version in 1 2; do
        for way in "${ways[@]}"; do
            echo "v$version: $way"
            config_of "$version" "$way" > "config-$version"
            run ! grep -E 'privileged: true|cap_add|SYS_ADMIN|/dev/tpm0|docker.sock' "config-$version"
            grep -q tmpfs "config-$version"
            [ "$(grep -c 'read_only: true' "config-$version")" -ge 1 ]
        done
    done
}

@test "Compose v2 brings it up" {
    project v2 docker-compose.simulator.yml
    docker run --rm --network none -v "$PWD:$PWD" -w "$PWD" -v "$engine/sock:/var/run/docker.sock" \
        -e DOCKER_HOST=unix:///var/run/docker.sock -e TLM_MEMLOCK -e TSS_GID -e COMPOSE_FILE \
        -e COMPOSE_PROJECT_NAME compose:v2 docker-compose up -d
    wait_health tl-license-manager healthy
    [[ $(fingerprint) =~ ^[0-9a-f]{64}$ ]]
}
