#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Builds the container image and stages what docker-compose.yml mounts.
set -euo pipefail

program=docker/build_and_stage.sh
script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/lib.sh
. "$script_dir/../scripts/lib.sh"

usage() {
    cat << 'END_OF_USAGE'
Usage: docker/build_and_stage.sh [OPTION]… [-DNAME=VALUE]…

Compiles in a container, runs the unit tests there, and makes the image trustedlicensing:latest.
Makes _logs, _config and _persistence beside docker-compose.yml, and _token and _tokend for
docker-compose.split.yml, for user 1000; and .env with the number of this host's group tss. Then:

    cd docker && docker-compose up -d

  -DNAME=VALUE       an option of CMake: -DFASTCRYPT=ON for trials, never for production
  --trust FILE       JWKS of the vendors and issuers that the daemon takes licenses from
  --base IMAGE       default debian:bookworm-slim; debian:trixie-slim works, too
  --target NAME      runtime (default), with-tools (tag trustedlicensing:with-tools), simulator
                     (tag trustedlicensing-simulator:latest) or example (tag
                     trustedlicensing-example:latest); may be given more than once
  --tag NAME         another tag, for the target named before it
  --tss-gid N        group of /dev/tpmrm0 on the host; default this host's tss, else 113
  --docker-gid N     group of the Docker socket; default this host's docker, else 999
  --apt DIRECTORY    an apt configuration to build with, behind a mirror or a proxy: /etc/apt
  --network NAME     network of the build's steps: default or host
  --no-unit-tests    do not run them
  --no-cache         build everything again
  --no-stage         make no directories
  --no-build         make the directories only
  --stage DIRECTORY  make them there; default is beside docker-compose.yml
  --help             this text
END_OF_USAGE
}

usage_error() {
    die "$1" "$program --help lists the options"
}

base=debian:bookworm-slim
targets=()
tags=()
options=""
trust=""
apt=""
tss_gid=$(getent group tss | cut -d : -f 3) || true
docker_gid=$(getent group docker | cut -d : -f 3) || true
arguments=()
unit_tests=1
may_stage=yes
may_build=yes
stage_dir=$script_dir

parse_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
        --base | --target | --tag | --trust | --tss-gid | --docker-gid | --apt | --network | --stage)
            [ -n "${2:-}" ] || usage_error "$1 needs a value"
            take "$1" "$2"
            shift 2
            ;;
        -D?*=*) options="$options $1" && shift ;;
        --no-unit-tests) unit_tests=0 && shift ;;
        --no-cache) arguments+=(--no-cache) && shift ;;
        --no-stage) may_stage=no && shift ;;
        --no-build) may_build=no && shift ;;
        --help | -h) usage && exit 0 ;;
        *) usage_error "unknown option: $1" ;;
        esac
    done
    [ "${#targets[@]}" -gt 0 ] || targets=(runtime)
}

take() {
    case $1 in
    --base) base=$2 ;;
    --target)
        case $2 in
        runtime | with-tools | simulator | example | build) targets+=("$2") ;;
        *) usage_error "--target $2: one of runtime, with-tools, simulator, example is needed" ;;
        esac
        ;;
    --tag)
        [ "${#targets[@]}" -gt 0 ] || targets=(runtime)
        tags[${#targets[@]} - 1]=$2
        ;;
    --trust)
        [ -s "$2" ] || usage_error "--trust $2: there is no such file"
        trust=$2
        ;;
    --tss-gid | --docker-gid)
        [[ $2 =~ ^[0-9]+$ ]] || usage_error "$1 $2: a number is needed (getent group tss)"
        if [ "$1" = --tss-gid ]; then tss_gid=$2; else docker_gid=$2; fi
        ;;
    --apt)
        [ -d "$2" ] || usage_error "--apt $2: there is no such directory"
        apt=$2
        ;;
    --network) arguments+=(--network "$2") ;;
    --stage) stage_dir=$2 ;;
    esac
}

# What can be missing is told before the build fails at it in words of its own.
check_engine() {
    command -v docker > /dev/null || die "there is no docker here" \
        "install it: sudo apt-get install docker.io docker-compose"
    docker version > /dev/null 2>&1 || die "the Docker engine does not answer" \
        "sudo systemctl start docker; is this user in the group docker?"
    if ! docker image inspect "$base" > /dev/null 2>&1; then
        say "the base image $base is not here yet"
        docker pull --quiet "$base" > /dev/null || die "and it cannot be pulled" \
            "make it on this machine: mmdebstrap --variant=minbase ${base#*:} - | docker import - $base" \
            "(with the release's name, bookworm or trixie, for ${base#*:})" \
            "or name another one that is here: $program --base IMAGE"
    fi
}

default_tag() {
    case $1 in
    runtime) echo trustedlicensing:latest ;;
    with-tools) echo trustedlicensing:with-tools ;;
    simulator) echo trustedlicensing-simulator:latest ;;
    example) echo trustedlicensing-example:latest ;;
    build) echo trustedlicensing-build:latest ;;
    esac
}

build_images() {
    local index version revision created
    version=$(sed -n 's/^project(TLLicenseManager VERSION \([0-9.]*\).*/\1/p' \
        "$source_dir/CMakeLists.txt")
    revision=$(git -C "$source_dir" rev-parse HEAD 2> /dev/null) || revision=unknown
    # Of the commit, so that one commit gives one image.
    created=$(TZ=UTC git -C "$source_dir" log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ \
        --format=%cd 2> /dev/null) || created=""
    arguments+=(--build-arg "BASE=$base" --build-arg "UNIT_TESTS=$unit_tests"
        --build-arg "OPTIONS=$options" --build-arg "TSS_GID=${tss_gid:-113}"
        --build-arg "DOCKER_GID=${docker_gid:-999}" --build-arg "VERSION=$version"
        --build-arg "REVISION=$revision" --build-arg "CREATED=$created")
    if [ -n "$apt" ]; then
        tar -C "$apt" -czf "$work/apt.tar.gz" .
        arguments+=(--secret "id=apt,src=$work/apt.tar.gz")
    fi
    if [ -n "$trust" ]; then
        arguments+=(--secret "id=trust,src=$trust"
            --build-arg "TRUST_SHA256=$(sha256sum < "$trust" | cut -c 1-64)")
    fi
    for index in "${!targets[@]}"; do
        local tag=${tags[index]:-$(default_tag "${targets[index]}")}
        say "building ${targets[index]} on $base as $tag"
        DOCKER_BUILDKIT=1 docker build --progress=plain --file "$script_dir/Dockerfile" \
            --target "${targets[index]}" --tag "$tag" "${arguments[@]}" "$source_dir" \
            > "$work/log" 2>&1 || {
            tail -n 40 "$work/log" >&2
            die "$tag was not built; see above"
        }
        say "built $tag: $(docker image inspect --format '{{.Id}} {{.Size}} bytes' "$tag")"
    done
}

# As the container's user finds them. Docker would make them, too, and they would be root's.
stage() {
    local directory directories=()
    for directory in _logs _config _persistence _token _tokend; do
        directories+=("$stage_dir/$directory")
    done
    mkdir -p "${directories[@]}"
    if [ "$(id -u)" -eq 0 ]; then
        chown 1000:1000 "${directories[@]}"
    elif [ "$(id -u)" -ne 1000 ]; then
        say "the container runs as user 1000 and you are $(id -u); let it have its directories:" \
            "sudo chown 1000:1000 ${directories[*]}"
    fi
    chmod 0750 "$stage_dir/_logs" "$stage_dir/_config" "$stage_dir/_tokend" 2> /dev/null || true
    chmod 0700 "$stage_dir/_persistence" "$stage_dir/_token" 2> /dev/null || true
    stage_environment
}

# docker-compose reads the file each time, also from a shell that knows nothing of the group. What
# somebody wrote into it stays.
stage_environment() {
    local file=$stage_dir/.env
    if [ -z "$tss_gid" ] || { [ -e "$file" ] && grep -qx "TSS_GID=$tss_gid" "$file"; }; then
        return
    fi
    if [ -e "$file" ] && grep -q '^TSS_GID=' "$file"; then
        say "$file has $(grep '^TSS_GID=' "$file" | tail -n 1), and this host's group tss is $tss_gid: left as it is"
    else
        echo "TSS_GID=$tss_gid" >> "$file"
    fi
}

parse_arguments "$@"
work=$(mktemp -d "${TMPDIR:-/tmp}/tlm-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ "$may_build" = yes ]; then
    check_engine
    build_images
fi
if [ "$may_stage" = yes ]; then
    stage
    say "staged in $stage_dir; start it: cd $script_dir && docker-compose up -d"
fi
