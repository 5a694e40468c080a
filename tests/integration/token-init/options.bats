#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The command line: every subcommand and option in the help and the manual, every bad one refused.

load ../../support/tokens

setup() {
    tokens_setup
}

teardown() {
    tokens_teardown
}

subcommands() {
    "$TOKEN_INIT" help | awk '/^Subcommands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'
}

# refused WORD…: status 2, nothing made, the message holds the last word of `wants`.
refused() {
    run -2 "$TOKEN_INIT" "$@"
    echo "$output"
    [[ $output == *"[setting]"* ]]
    [ ! -e "$persistence" ]
}

@test "help of the program and of each subcommand" {
    run -0 "$TOKEN_INIT" --help
    [[ $output == *"provision "* && $output == *"--token-store"* ]]
    [ "$(subcommands | wc -l)" -eq 14 ]
    for command in $(subcommands); do
        run -0 "$TOKEN_INIT" help "$command"
        [[ $output == *"usage: tlm-token-init $command"* ]]
        given=$output
        run -0 "$TOKEN_INIT" "$command" --help
        [ "$output" = "$given" ]
        [ "$(echo "$output" | awk 'length > 80' | wc -l)" -eq 0 ]
    done
    run -2 "$TOKEN_INIT" help nothing
}

@test "version" {
    run -0 "$TOKEN_INIT" version
    [[ ${lines[0]} =~ ^tlm-token-init\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    given=$output
    run -0 "$TOKEN_INIT" --version
    [ "$output" = "$given" ]
}

@test "every option of the help stands in the manual, and the other way round" {
    manual=$BUILD/token-init/man/tlm-token-init.8
    mandoc -T lint -W warning "$manual"
    mandoc -T ascii "$manual" | col -bx | sed 's/‐/-/g' > "$work/manual"
    {
        for command in $(subcommands); do
            "$TOKEN_INIT" help "$command"
        done
    } | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u > "$work/options"
    [ "$(wc -l < "$work/options")" -gt 15 ]
    while read -r option; do
        grep -qE -- "^ +(-[a-zA-Z], )?$option( |\$)" "$work/manual" || {
            echo "the manual lacks $option"
            return 1
        }
    done < "$work/options"
    grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' "$work/manual" | grep -oE -- '--[a-z-]+' | sort -u |
        diff - "$work/options"
    for command in $(subcommands); do
        grep -qE "^ +$command( |\$)" "$work/manual"
    done
}

@test "every finding of the doctor stands in the manual" {
    grep -hoE 'tlm_exam_add\([^;]*;' -z "$SOURCE"/token-init/src/doctor*.c | tr '\0\n' '  ' |
        grep -oE '"[a-z]+(-[a-z]+)*"' | tr -d '"' | sort -u > "$work/ids"
    [ "$(wc -l < "$work/ids")" -gt 20 ]
    while read -r id; do
        grep -qE "^\.It $id Ta " "$SOURCE/token-init/man/tlm-token-init.8.in" || {
            echo "the manual lacks $id"
            return 1
        }
    done < "$work/ids"
}

@test "bad subcommands and options, each with the nearest good one" {
    run -2 "$TOKEN_INIT"
    [[ $output == *"a subcommand is missing"* ]]
    refused provisoin
    [[ $output == *"did you mean 'provision'"* ]]
    refused provision --bakend softhsm
    [[ $output == *"did you mean --backend"* ]]
    refused status --backend softhsm
    [[ $output == *"status has no option '--backend'"* ]]
    refused provision extra
    [[ $output == *"provision has no option 'extra'"* ]]
    refused provision -x
    refused provision --backend
    [[ $output == *"--backend needs a value"* ]]
    refused provision --backend=
    refused provision --backend hsm
    [[ $output == *"there is no back end 'hsm'"* ]]
    refused provision --backend TPM
    refused provision --backend softhsm --rsa-bits 1024
    [[ $output == *"'1024' bits"* ]]
    refused provision --backend softhsm --rsa-bits 2048x
    refused provision --backend softhsm --replace=yes
    refused provision --yes-destroy tlm
    refused recover --backend tpm
    refused doctor --replace
    refused help provision status
    refused provision --backend softhsm --log-level loud
    refused provision --backend softhsm --tpm-port 99999
    refused provision --backend softhsm --persistence-dir
}

@test "options may stand before and behind the subcommand, with and without =" {
    run -0 "$TOKEN_INIT" --token-label=one provision --backend=softhsm --persistence-dir "$work/q"
    [[ $output == *"token 'one'"* ]]
    run -0 "$TOKEN_INIT" status --json --token-store "$work/q/token"
    echo "$output" | jq -e '.store.label == "one"'
}

@test "a relative store" {
    cd "$work"
    run -0 "$TOKEN_INIT" provision --backend softhsm --token-store here/it
    status_json --token-store here/it | jq -e --arg want "$work/here/it" '.store.directory == $want'
    run -0 "$TOKEN_INIT" doctor --token-store here/it
}

@test "effective settings are shown" {
    run -0 "$TOKEN_INIT" --check-config
    [[ $output == *"$persistence"* ]]
}
