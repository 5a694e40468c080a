#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The scripts' own command lines: every wrong word is named.

load helpers

setup() {
    new_state
}

teardown() {
    take_away
}

refused() {
    local wanted=$1
    shift
    run "$SOURCE/scripts/run" "$@"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"$wanted"* ]]
    [[ $output == *"scripts/run --help"* ]]
}

@test "wrong options and values are named" {
    refused 'unknown option: --prot' --prot 1
    refused 'unknown option: start' start
    refused '--port needs a value' --port
    refused '--state needs a value' --state ''
    refused '--backend needs a value' --backend=
    refused '--port 65536:' --port 65536
    refused '--port 080:' --port 080
    refused '--port -1:' --port -1
    refused '--port 1e3:' --port=1e3
    refused '--backend TPM:' --backend TPM
}

@test "--help lists every option, on standard output, and starts nothing" {
    run --separate-stderr "$SOURCE/scripts/run" --help
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    for option in --port --state --backend --no-install auto tpm swtpm softhsm; do
        [[ $output == *"$option"* ]]
    done
    for script in test fuzz; do
        run "$SOURCE/scripts/$script" --help
        [ "$status" -eq 0 ]
        [[ $output == *"Usage: scripts/$script"* ]]
    done
}

@test "scripts/test knows its presets" {
    run "$SOURCE/scripts/test" --preset nothing
    [ "$status" -eq 1 ]
    [[ $output == *"there is no preset nothing"* ]]
    run "$SOURCE/scripts/test" --preset
    [ "$status" -eq 1 ]
}

@test "a state that cannot be written is refused with the way out" {
    mkdir -p "$state"
    chmod 0755 "${state%/state}"
    : > "$state/run"
    run "$SOURCE/scripts/run" --state "$state"
    [ "$status" -eq 1 ]
    [[ $output == *"--state DIR"* ]]
}

# A dpkg-query that knows of nothing, for who is not allowed to install.
without_packages() {
    mkdir -p "$state/bin"
    printf '#!/bin/sh\nexit 1\n' > "$state/bin/dpkg-query"
    printf '#!/bin/sh\necho 1000\n' > "$state/bin/id"
    chmod 0755 "$state/bin/dpkg-query" "$state/bin/id"
    PATH=$state/bin:$PATH
}

@test "an ordinary user is told the packages and the command that installs them" {
    without_packages
    run "$SOURCE/scripts/run" --state "$state" --port 0
    [ "$status" -eq 1 ]
    echo "$output"
    [[ $output == *"missing packages: "*cmake*swtpm* ]]
    [[ $output == *"sudo apt-get update && sudo apt-get install --no-install-recommends "*cmake* ]]
    [[ $output == *"--no-install"* ]]
    [[ $output != *valgrind* ]]
}

@test "every package in scripts/packages has a group that a script asks for" {
    run awk '!/^#/ && $1 !~ /^(build|run|test|bench)$/' "$SOURCE/scripts/packages"
    [ -z "$output" ]
    run awk 'NF != 2 && !/^#/' "$SOURCE/scripts/packages"
    [ -z "$output" ]
    [ "$(grep -c '^run ' "$SOURCE/scripts/packages")" -ge 5 ]
}
