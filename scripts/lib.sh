# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Shared by the scripts: messages, packages, builds. The caller sets `program` to its own name.

source_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
child=""
signals=0
stopped_by=""

say() {
    printf '%s: %s\n' "${program:?}" "$*" >&2
}

# die MESSAGE [HINT]…
die() {
    local line
    for line in "$@"; do
        say "$line"
    done
    exit 1
}

# Waits for a command in the background, so that a signal is served at once and not after it.
# The commands get neither the lock (descriptor 9) nor the terminal's input.
run_child() {
    "$@" < /dev/null 9>&- &
    child=$!
    wait_child
}

# The status of $child, even where signals interrupt the wait.
wait_child() {
    local before status
    while :; do
        before=$signals
        status=0
        wait "$child" || status=$?
        [ "$signals" != "$before" ] || break
    done
    child=""
    return "$status"
}

on_signal() {
    signals=$((signals + 1))
    stopped_by=${stopped_by:-$1}
    if [ -n "$child" ]; then
        kill -TERM "$child" 2> /dev/null || true
    fi
}

trap_signals() {
    trap 'on_signal 1' HUP
    trap 'on_signal 2' INT
    trap 'on_signal 15' TERM
}

# Between two steps: ends where a signal has come.
check_stopped() {
    [ -z "$stopped_by" ] || exit "$((128 + stopped_by))"
}

# run_logged LOG COMMAND…: quiet; shows the log's end where the command fails.
run_logged() {
    local log=$1 status=0
    shift
    run_child "$@" >> "$log" 2>&1 || status=$?
    check_stopped
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" >&2
        die "$1 failed with status $status; the whole output is in $log"
    fi
}

packages_of() {
    local group
    for group in "$@"; do
        awk -v group="$group" '$1 == group { print $2 }' "$source_dir/scripts/packages"
    done
}

packages_missing() {
    local package choice
    packages_of "$@" | while read -r package; do
        for choice in ${package//|/ }; do
            case $(dpkg-query -W -f='${db:Status-Status}\n' "$choice" 2> /dev/null) in
            installed*) continue 2 ;;
            esac
        done
        echo "${package%%|*}"
    done
}

# install_packages yes|no GROUP…: yes where the caller may install.
install_packages() {
    local may=$1 missing log command
    shift
    if ! command -v dpkg-query > /dev/null; then
        say "this is no Debian: make sure that these are installed:" "$(packages_of "$@" | xargs)"
        return
    fi
    missing=$(packages_missing "$@" | xargs)
    [ -n "$missing" ] || return 0
    command="apt-get install --no-install-recommends $missing"
    if [ "$may" = no ]; then
        say "missing packages: $missing"
        say "going on without them, as --no-install says; they come with: sudo $command"
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        die "missing packages: $missing" "install them: sudo apt-get update && sudo $command" \
            "or try without them: $program --no-install"
    fi
    log=$(mktemp "${TMPDIR:-/tmp}/tlm-packages.XXXXXX")
    say "installing $missing (output in $log)"
    run_logged "$log" apt-get update
    # shellcheck disable=SC2086 # names of packages, one word each
    run_logged "$log" install_without_starting $missing
    rm -f "$log"
}

# Debian starts the servers that it installs; ours are for tests, which start their own. Where the
# administrator has a policy already, it counts. For run_logged, which gives it a shell of its own.
install_without_starting() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\n# of %s, while it installs packages\nexit 101\n' "$program" > "$policy"
        chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# What scripts/run builds, and the tests of it: a trial takes its vendors' keys from files.
# shellcheck disable=SC2034 # used by those who read this file
trial_options=(-DTLM_RUNTIME_TRUST=ON)

# is_configured CACHE [-DNAME=VALUE]…: whether a build has these settings.
is_configured() {
    local cache=$1 setting
    shift
    for setting; do
        setting=${setting#-D}
        grep -qx -- "${setting%%=*}:[A-Z]*=${setting#*=}" "$cache" || return 1
    done
}

# build_preset PRESET DIRECTORY [CMAKE ARGUMENT]…: configures where needed, builds; one at a time.
build_preset() {
    local preset=$1 directory=$2 log=$2/build.log
    shift 2
    mkdir -p "$directory"
    exec 8> "$directory/.lock"
    if ! flock -n 8; then
        say "waiting for another build in $directory"
        run_child flock 8
        check_stopped
    fi
    : > "$log"
    cd "$source_dir" || exit 1
    if [ ! -f "$directory/build.ninja" ] || [ CMakePresets.json -nt "$directory/build.ninja" ] ||
        ! is_configured "$directory/CMakeCache.txt" "$@"; then
        say "configuring $preset in $directory"
        run_logged "$log" cmake --preset "$preset" -B "$directory" "$@"
    fi
    say "building $preset (output in $log)"
    run_logged "$log" cmake --build "$directory"
    exec 8>&-
    cd "$OLDPWD" || exit 1
}
