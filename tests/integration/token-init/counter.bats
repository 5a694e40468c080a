#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The token's counter: made, shown, mended, removed, on both back ends. Set by ctest: BACKEND.

load ../../support/tokens

setup() {
    tokens_setup
}

teardown() {
    tokens_teardown
}

counter() {
    status_json | jq -re ".counter.$1"
}

indexes() {
    tpm2_getcap handles-nv-index | tr -d '\n'
}

# As an older version left it: a complete token without a counter.
take_counter() {
    if [ "$kind" = tpm ]; then
        tpm2_nvundefine -Q -C o 0x018003E8
    else
        rm -f "$store"/counter*
        jq 'del(.counter)' "$store/token.json" > "$work/token.json"
        cat "$work/token.json" > "$store/token.json"
    fi
}

@test "provision makes it, status shows it, looking does not count" {
    provision
    value=$(counter value)
    [ "$value" -gt 0 ]
    [ "$(counter value)" -eq "$value" ]
    status_json | jq -e '.counter.present and .counter.ours and .errors == []'
    run -0 "$TOKEN_INIT" doctor
    run -0 "$TOKEN_INIT" status
    if [ "$kind" = tpm ]; then
        [ "$(counter kind) $(counter place)" = "tpm 0x018003E8" ]
        [ "$(indexes)" = "- 0x18003E8" ]
        [[ $output == *"counter       0x018003E8: $value"* ]]
    else
        [ "$(counter kind) $(counter place)" = "file $store/counter" ]
        [ "$(stat -c '%a %s' "$store/counter")" = "600 16" ]
        [ "$((16#$(head -c 8 "$store/counter" | basenc --base16 -w0)))" -eq "$value" ]
        [[ $output == *"counter       $store/counter: $value"* ]]
    fi
}

@test "an older token gets one where provision is run again" {
    first=$(provision | tail -n 1)
    value=$(counter value)
    take_counter
    [ "$(findings | grep -cx counter-missing)" -eq 1 ]
    status_json | jq -e '.counter.present == false and .counter.value == null and
        (.errors | map(.code) | index("not-found")) != null'
    run -0 "$TOKEN_INIT" doctor # a warning: the keys can be used
    [[ $output == *"tlm-token-init provision --token-store $store"* ]]
    run -0 "$TOKEN_INIT" provision --json
    echo "$output" | jq -e '.unchanged == false'
    [ "fingerprint=$(fingerprint)" = "$first" ]
    [ "$(counter value)" -gt "$value" ]
    value=$(counter value)
    picture "$persistence" > "$work/before"
    run -0 "$TOKEN_INIT" provision --json
    echo "$output" | jq -e '.unchanged'
    picture "$persistence" | diff "$work/before" -
    [ "$(counter value)" -eq "$value" ]
    run -1 grep -x counter-missing <(findings)
    assert_usable
}

@test "destroy removes it, and the next one begins above" {
    provision
    value=$(counter value)
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
    [ ! -e "$store" ]
    [ "$kind" = softhsm ] || [ "$(indexes)" = "" ]
    provision
    [ "$(counter value)" -gt "$value" ]
}

@test "a foreign index is kept, and replaced only when asked" {
    [ "$kind" = tpm ] || return 0 # has no index
    tpm2_nvdefine -Q -C o -s 32 -a 'ownerread|ownerwrite' 0x018003E8
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"[counter-foreign]"* ]]
    [[ $output == *"tpm2_nvreadpublic 0x018003E8"* ]]
    run -1 provision
    [[ $output == *"step counter: a foreign NV index stands at 0x018003E8: data of 32 bytes"* ]]
    [[ $output == *"[foreign]"* ]]
    [[ $output == *"--replace"* ]]
    tpm2_nvreadpublic 0x018003E8 | grep "size: 32"
    run -0 provision --replace
    assert_usable
    [ "$(counter ours)" = true ]
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
    [ "$(indexes)" = "" ]
}

@test "destroy leaves a foreign index" {
    [ "$kind" = tpm ] || return 0
    provision
    take_counter
    tpm2_nvdefine -Q -C o -s 32 -a 'ownerread|ownerwrite' 0x018003E8
    [ "$(findings | grep -cx counter-foreign)" -eq 1 ]
    run -1 provision
    [[ $output == *"[foreign]"* ]]
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
    [ "$(indexes)" = "- 0x18003E8" ]
    [ ! -e "$store" ]
}

@test "a complete token beside another TPM, or none, gives that one no counter" {
    [ "$kind" = tpm ] || return 0
    provision
    stop_swtpm one
    run -0 provision
    [[ ${lines[0]} == *"already provisioned"* || ${lines[1]} == *"already provisioned"* ]]
    start_swtpm two
    run -0 provision
    [ "$(indexes)" = "" ]
}

@test "a lost or damaged file is never begun anew in silence" {
    [ "$kind" = softhsm ] || return 0 # has no file
    provision
    value=$(counter value)
    cp -p "$store/counter" "$work/good"
    for damage in lost empty torn zeroed changed; do
        case $damage in
        lost) rm "$store/counter" ;;
        empty) : > "$store/counter" ;;
        torn) head -c 9 "$work/good" > "$store/counter" ;;
        zeroed) head -c 16 /dev/zero > "$store/counter" ;;
        changed) (head -c 15 "$work/good" && printf x) > "$store/counter" ;;
        esac
        finding=counter-damaged
        [ "$damage" != lost ] || finding=counter-lost
        [ "$(findings | grep -cx "$finding")" -eq 1 ]
        run -1 "$TOKEN_INIT" doctor
        [[ $output == *"$store/counter"* ]]
        [[ $output == *"tlm-token-init provision --replace"* ]]
        run -1 provision
        [[ $output == *"$store/counter"* ]]
        [[ $output == *"--replace"* ]]
        run -0 provision --replace
        [ "$(counter value)" -gt "$value" ]
        value=$(counter value)
        run -0 "$TOKEN_INIT" doctor
    done
}
