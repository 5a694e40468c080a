#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Flags, environment and file: what is accepted, what wins, and what a mistake is told.

load common

setup() {
    new_home
}

teardown() {
    take_away
}

# refused TEXT… -- ARGUMENT…: exit status 2, nothing on standard output, each text in the message.
refused() {
    local texts=() text
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    run --separate-stderr -2 "$DAEMON" --config-dir "$home/config" "$@"
    echo "$stderr"
    [ -z "$output" ]
    for text in "${texts[@]}"; do
        [[ $stderr == *"$text"* ]] || {
            echo "not named: $text"
            return 1
        }
    done
}

@test "--version names version, build, TPM support and FASTCRYPT" {
    run -0 "$DAEMON" --version
    [[ ${lines[0]} =~ ^TLLicenseManager\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    [[ $output == *"build: "* ]]
    [[ $output == *"TPM support: "* ]]
    [[ $output == *"FASTCRYPT: "* ]]
}

@test "--help names every flag of --check-config, in 80 columns" {
    run -0 "$DAEMON" --help
    for flag in help version config rest-port log-level no-tpm tpm-host tpm-port check-config; do
        [[ $output == *"--$flag"* ]]
    done
    [ -z "$(printf '%s\n' "$output" | grep -E '.{81,}')" ]
}

@test "output that cannot be written is a failure" {
    run -1 bash -c '"$1" --version > /dev/full' - "$DAEMON"
    run -1 bash -c '"$1" --help > /dev/full' - "$DAEMON"
}

@test "an unknown flag is named with the nearest" {
    refused --rest-prot --rest-port -- --rest-prot 1
    refused --verison --version -- --verison
    refused --xyzzy -- --xyzzy
}

@test "a word that is no flag is named" {
    refused surplus -- surplus
    refused surplus -- --rest-port 0 surplus
}

@test "a flag without its value is named" {
    refused --rest-port -- --rest-port
    refused --log-level -- --log-level --no-tpm
    refused --no-tpm -- --no-tpm=yes
}

@test "every wrong value names flag and value" {
    local case
    for case in "--rest-port 65536" "--rest-port -1" "--rest-port 1x" "--rest-port 0x10" \
        "--rest-port 99999999999999999999" "--log-level loud" "--log-format xml" \
        "--log-max-size 15" "--log-keep 101" "--rest-connections 7" "--rest-timeout 0" \
        "--rest-deadline 0" "--rest-deadline 301" "--tpm-port 0" "--tpm-port 65535"; do
        # shellcheck disable=SC2086 # a flag and its value
        refused "${case% *}" "${case#* }" -- $case
    done
    refused --log-level info -- --log-level imfo
}

@test "an address that is none is named with its origin" {
    for address in nohost 1.2.3 127.0.0.1:80 '[::1'; do
        launch --rest-host "$address"
        ended_with=0
        wait "$pid" || ended_with=$?
        [ "$ended_with" -eq 2 ]
        grep -F -- "--rest-host" "$err" | grep -qF -- "$address"
    done
    launch_with_environment TLM_REST_HOST=nohost
    [ "$ended_with" -eq 2 ]
    grep -q TLM_REST_HOST "$err"
}

launch_with_environment() {
    ended_with=0
    env "$1" "$DAEMON" --config-dir "$home/config" --persistence-dir "$home/persistence" \
        --log-dir "$home/log" --rest-port 0 "${settings[@]}" > "$out" 2> "$err" || ended_with=$?
}

@test "wrong environment values name the variable" {
    local case
    for case in TLM_REST_PORT=port TLM_LOG_LEVEL=loud TPM_ENABLED=perhaps TLM_LOG_KEEP=-1; do
        run --separate-stderr -2 env "$case" "$DAEMON" --config-dir "$home/config" --check-config
        [[ $stderr == *"${case%=*}"* ]]
        [[ $stderr == *"${case#*=}"* ]]
    done
}

# file_refused JSON TEXT…
file_refused() {
    printf '%s' "$1" > "$home/config/TLLicenseManager.json"
    shift
    refused "$@" TLLicenseManager.json -- --check-config
}

@test "mistakes in the file name file, key and the nearest one" {
    file_refused '{"TrustedLicensing":{"REST":{"ServerProt":1}}}' ServerProt ServerPort
    file_refused '{"TrustedLicensing":{"RESTT":{}}}' RESTT REST
    file_refused '{"TrustedLicensing":{"REST":{"ServerPort":"x"}}}' ServerPort
    file_refused '{"TrustedLicensing":{"REST":{"ServerPort":70000}}}' ServerPort 70000
    file_refused '{"TrustedLicensing":{"LicenseManager":{"LogLevel":"loud"}}}' LogLevel loud
    file_refused '{"TrustedLicensing":'
    file_refused '[]'
}

@test "a file that was named must be there" {
    refused /nowhere/x.json -- --config /nowhere/x.json
}

# effective KEY: its value and origin in --check-config.
effective() {
    "$DAEMON" --config-dir "$home/config" "${@:2}" --check-config | grep -F -- "$1"
}

@test "command line over environment over file over default" {
    effective REST.ServerPort | grep -q 52014
    printf '{"TrustedLicensing":{"REST":{"ServerPort":1111}}}' > "$home/config/TLLicenseManager.json"
    effective REST.ServerPort | grep -q 1111
    TLM_REST_PORT=2222 effective REST.ServerPort | grep -q 2222
    TLM_REST_PORT=2222 effective REST.ServerPort --rest-port 3333 | grep -q 3333
}

@test "the environment reaches the running program" {
    export TLM_LOG_LEVEL=DEBUG TPM_ENABLED=false TLM_LOG_FORMAT=json
    settings=()
    launch
    wait_says '"event":"listening"' "$err"
    port=$(jq -r 'select(.event == "listening") | .url' "$err")
    curl -fs "$port/health"
    wait_says '"level":"debug"' "$err"
}

@test "it links no tpm2-tss" {
    run -0 ldd "$DAEMON"
    [[ $output == *libmicrohttpd* ]]
    [[ $output != *libtss2* ]]
}
