#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What only a TPM can do to a token: evicted keys, foreign objects, other TPMs, lockout.

load ../../support/tokens

setup() {
    tokens_setup
}

teardown() {
    tokens_teardown
}

@test "the root key is at its handle, ours, and made as documented" {
    provision
    tpm2_readpublic -c 0x810003E8 > "$work/public"
    grep -F "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt" "$work/public"
    grep -A 1 "^sym-alg" "$work/public" | grep -F aes
    grep -F "bits: 2048" "$work/public"
    run -0 status_json
    echo "$output" | jq -e '.tpm.handles[0] | .handle == "0x810003E8" and .present and .ours and
        .type == "RSA-2048 storage key"'
    echo "$output" | jq -e '.tpm.handles[1] | .handle == "0x810003E9" and .present and .ours and
        (.type | test("^ECC storage key"))'
    echo "$output" | jq -e '.tpm.connected and .tpm.simulated and .tpm.manufacturer == "IBM" and
        (.tpm.pcr.sha256 | keys) == ["0", "2", "7"] and .tpm.lockout.maxTries == 3 and
        .tpm.lockout.counter == 0 and .tcti.origin == "TLM_TCTI" and .tcti.passedOver == []'
}

@test "the PCRs shown are those of the TPM" {
    tpm2_pcrextend 7:sha256="$(printf 'boot' | sha256sum | cut -d' ' -f1)"
    want=$(tpm2_pcrread sha256:7 | grep -o '0x[0-9A-F]*' | cut -c 3- | tr A-F a-f)
    [ "$(status_json | jq -r '.tpm.pcr.sha256["7"]')" = "$want" ]
    [ "$(status_json | jq -r '.tpm.pcr.sha256["0"]')" = "$(printf '0%.0s' {1..64})" ]
}

@test "evicted and recovered: the same fingerprint, the same token" {
    provision
    before=$(fingerprint)
    picture "$store" > "$work/before"
    evict 0x810003E8
    [ "$(findings | grep -cx handle-missing)" -eq 1 ]
    status_json | jq -e '.tpm.handles[0].present == false and .tpm.handles[0].ours == false'
    run -0 "$TOKEN_INIT" recover
    [[ ${lines[0]} == recovered:* ]]
    [ "${lines[-1]}" = "fingerprint=$before" ]
    picture "$store" | diff "$work/before" -
    assert_usable
    run -0 "$TOKEN_INIT" recover --json
    echo "$output" | jq -e --arg want "$before" '.unchanged and .fingerprint == $want'
    run -0 "$TOKEN_INIT" doctor
}

@test "both handles evicted, and the TPM restarted" {
    provision
    before=$(fingerprint)
    evict_ours
    stop_swtpm one
    start_swtpm one
    run -0 "$TOKEN_INIT" recover
    [ "${lines[-1]}" = "fingerprint=$before" ]
    assert_usable
    [ "$(status_json | jq .tpm.lockout.counter)" -eq 0 ]
}

@test "recover where there is nothing to recover from" {
    run -1 "$TOKEN_INIT" recover
    [[ $output == *"[not-provisioned]"* ]]
    run "$PROVISION_KILLED" database tpm "$persistence" "$tcti"
    run -1 "$TOKEN_INIT" recover
    [[ $output == *"[incomplete]"* ]]
    [[ $output == *"tlm-token-init provision"* ]]
}

@test "a foreign object at our handle is refused, and replaced only when asked" {
    put_foreign 0x810003E8
    before=$(tpm2_readpublic -c 0x810003E8)
    run -1 provision
    [[ $output == *"[foreign]"* ]]
    [[ $output == *"ECC storage key"* ]]
    [[ $output == *"$(echo "$before" | awk '/^name:/ { print $2 }')"* ]]
    [[ $output == *"--replace"* ]]
    [ "$(tpm2_readpublic -c 0x810003E8)" = "$before" ]
    run -0 provision --replace
    assert_usable
    [ "$(tpm2_readpublic -c 0x810003E8)" != "$before" ]
}

@test "an occupied handle is told by the doctor before provisioning" {
    put_foreign 0x810003E8
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"[handle-foreign]"* ]]
    [[ $output == *"tlm-token-init provision --replace"* ]]
}

@test "a foreign object in the place of our evicted key" {
    provision
    before=$(fingerprint)
    evict 0x810003E8
    put_foreign 0x810003E8
    foreign=$(tpm2_readpublic -c 0x810003E8)
    run -1 "$TOKEN_INIT" recover
    [[ $output == *"[foreign]"* ]]
    [ "$(tpm2_readpublic -c 0x810003E8)" = "$foreign" ]
    [ "$(findings | grep -cx handle-foreign)" -eq 1 ]
    status_json | jq -e '.tpm.handles[0].present and .tpm.handles[0].ours == false'
    run -0 "$TOKEN_INIT" recover --replace
    [ "${lines[-1]}" = "fingerprint=$before" ]
    assert_usable
}

@test "objects at other handles are left alone" {
    put_foreign 0x81000001
    put_foreign 0x810003EB
    before=$(tpm2_readpublic -c 0x81000001; tpm2_readpublic -c 0x810003EB)
    provision
    evict 0x810003E8
    "$TOKEN_INIT" recover
    "$TOKEN_INIT" destroy --yes-destroy tlm
    [ "$(tpm2_readpublic -c 0x81000001; tpm2_readpublic -c 0x810003EB)" = "$before" ]
}

@test "destroy leaves a foreign object at our handle" {
    provision
    evict 0x810003E8
    put_foreign 0x810003E8
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
    # The parent of sealed secrets stays with it: whose root key that is, may need it.
    [ "$(handles)" = "- 0x810003E8- 0x810003E9" ]
    [ ! -e "$store" ]
}

@test "the store beside another TPM: refused, and no file and no handle changed" {
    provision
    stop_swtpm one
    start_swtpm two
    picture "$persistence" > "$work/before"
    for arguments in "" "--replace"; do
        # shellcheck disable=SC2086 # none or one word
        run -1 "$TOKEN_INIT" recover $arguments
        [[ $output == *"[foreign]"* ]]
        [[ $output == *"another TPM"* ]]
        [ "$(handles)" = "" ]
    done
    [ "$(findings | grep -cx foreign-tpm)" -eq 1 ]
    status_json | jq -e '.store.complete and .tpm.handles[0].present == false'
    picture "$persistence" | diff "$work/before" -
    stop_swtpm two
    start_swtpm one
    run -0 "$TOKEN_INIT" doctor
    assert_usable
}

@test "the store beside another TPM with a token of its own" {
    provision
    mv "$persistence" "$work/first"
    stop_swtpm one
    start_swtpm two
    provision
    own=$(fingerprint)
    tpm2_readpublic -c 0x810003E8 > "$work/own"
    run -1 "$TOKEN_INIT" recover --replace --persistence-dir "$work/first"
    [[ $output == *"[foreign]"* ]]
    run -1 "$TOKEN_INIT" doctor --persistence-dir "$work/first"
    [[ $output == *"[foreign-tpm]"* ]]
    tpm2_readpublic -c 0x810003E8 | diff "$work/own" -
    [ "$(fingerprint)" = "$own" ]
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm --persistence-dir "$work/first"
    tpm2_readpublic -c 0x810003E8 | diff "$work/own" -
    assert_usable
}

@test "lockout is shown, with counter and seconds, and not provoked further" {
    provision
    for _ in 1 2 3; do
        PIN=wrong TPM2_PKCS11_STORE=$store TPM2_PKCS11_TCTI=$tcti TPM2_PKCS11_BACKEND=esysdb \
            pkcs11-tool --module "$(jq -r .module "$store/token.json")" --token-label tlm --login \
            --pin env:PIN -O > "$work/log" 2>&1 || true
    done
    status_json | jq -e '.tpm.lockout.inLockout and .tpm.lockout.counter == 3 and
        .tpm.lockout.maxTries == 3 and .tpm.lockout.recoverySeconds == 1000'
    run -0 "$TOKEN_INIT" status
    [[ $output == *"IN LOCKOUT"* ]]
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"[lockout]"* ]]
    [[ $output == *"3 of 3 tries used"* ]]
    [[ $output == *"1000 seconds"* ]]
    run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
    [[ $output == *"[locked]"* ]]
    [[ $output == *"wait 1000 seconds"* ]]
    [ "$(status_json | jq .tpm.lockout.counter)" -eq 3 ]
    tpm2_dictionarylockout --clear-lockout
    run -0 "$TOKEN_INIT" doctor
    assert_usable
}

@test "a power cut is counted, and the doctor explains the counter" {
    provision
    pkcs11 -O > "$work/log"
    kill_swtpm one
    start_swtpm one
    [ "$(status_json | jq .tpm.lockout.counter)" -eq 1 ]
    run -0 "$TOKEN_INIT" doctor
    [[ $output == *"[lockout-counter]"* ]]
    assert_usable
}

@test "an authorized owner hierarchy needs its file" {
    tpm2_changeauth -Q -c owner topsecret
    run -1 provision
    [[ $output == *"[permission]"* ]]
    [[ $output == *"--owner-auth-file"* ]]
    echo topsecret > "$work/auth"
    chmod 644 "$work/auth"
    run -1 provision --owner-auth-file "$work/auth"
    [[ $output == *"chmod"* ]]
    chmod 600 "$work/auth"
    run -0 provision --owner-auth-file "$work/auth"
    assert_usable
    tpm2_evictcontrol -Q -C o -P topsecret -c 0x810003E8
    run -1 "$TOKEN_INIT" recover
    run -0 "$TOKEN_INIT" recover --owner-auth-file "$work/auth"
    assert_usable
    status_json | jq -e .tpm.ownerAuthSet
    run -1 "$TOKEN_INIT" destroy --yes-destroy tlm
    assert_usable
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm --owner-auth-file "$work/auth"
    [ "$(handles)" = "" ]
}

@test "a TPM whose object slots are taken: told, and freed only for an interrupted run" {
    for n in 1 2 3; do
        tpm2_createprimary -Q -C o -G ecc -c "$work/$n.ctx"
    done
    run -1 provision
    [[ $output == *"[no-space]"* ]]
    [[ $output == *"tpm2_flushcontext -t"* ]]
    [ "$(findings | grep -cx tpm-slots)" -eq 1 ]
    [ "$(tpm2_getcap handles-transient | wc -l)" -eq 3 ]
    run -0 provision
    assert_usable
}

@test "slots left taken by an interrupted run are freed by the next one" {
    run "$PROVISION_KILLED" record tpm "$persistence" "$tcti"
    [ "$status" -eq 137 ]
    for n in 1 2 3; do
        tpm2_createprimary -Q -C o -G ecc -c "$work/$n.ctx"
    done
    [ "$(tpm2_getcap handles-transient | wc -l)" -eq 3 ]
    run -0 provision
    [ "$(tpm2_getcap handles-transient | wc -l)" -eq 0 ]
    assert_usable
}

@test "no room for another persistent object" {
    tpm2_createprimary -Q -C o -G rsa -c "$work/f.ctx"
    tpm2_flushcontext -t
    handle=$((0x81000001))
    while tpm2_evictcontrol -Q -C o -c "$work/f.ctx" "$(printf '0x%X' "$handle")" 2> "$work/full"; do
        tpm2_flushcontext -t
        handle=$((handle + 1))
        [ "$handle" -lt $((0x81000101)) ]
    done
    tpm2_flushcontext -t
    run -1 provision
    [[ $output == *"[no-space]"* ]]
    [[ $output == *"tpm2_getcap handles-persistent"* ]]
    evict 0x81000001
    evict 0x81000002
    run -0 provision
    assert_usable
}

@test "without its TPM: status tells, the others refuse and change nothing" {
    provision
    stop_swtpm one
    picture "$persistence" > "$work/before"
    run -0 status_json
    echo "$output" | jq -e '.tpm.connected == false and .store.complete and
        (.errors[0].code == "tpm-unavailable") and (.tcti.passedOver | length) == 1'
    run -1 "$TOKEN_INIT" recover
    [[ $output == *"[tpm-unavailable]"* ]]
    run -1 "$TOKEN_INIT" destroy --yes-destroy tlm
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"[tpm-unreachable]"* ]]
    picture "$persistence" | diff "$work/before" -
    run -0 "$TOKEN_INIT" provision
    [[ $output == *"already provisioned"* ]]
    rm -rf "$persistence"
    run -1 provision
    [ ! -e "$store" ]
}

@test "one damaged row is named" {
    provision
    cp -p "$store/tpm2_pkcs11.sqlite3" "$work/good"
    for damage in "UPDATE tobjects SET attrs = 'x' WHERE id = 3" \
        "UPDATE tobjects SET attrs = substr(attrs, 1, 200) WHERE id = 1" \
        "UPDATE tokens SET config = ''" "UPDATE sealobjects SET sopriv = x''" \
        "UPDATE pobjects SET config = replace(config, 'esys-tr', 'other')"; do
        cp -p "$work/good" "$store/tpm2_pkcs11.sqlite3"
        sqlite3 "$store/tpm2_pkcs11.sqlite3" "$damage"
        run -1 "$TOKEN_INIT" doctor
        [[ $output == *"[store-damaged]"* ]]
        table=$(echo "$damage" | cut -d' ' -f2)
        [[ $output == *" of $table in $store/tpm2_pkcs11.sqlite3"* ]]
        run -0 "$TOKEN_INIT" status
    done
    cp -p "$work/good" "$store/tpm2_pkcs11.sqlite3"
    run -0 "$TOKEN_INIT" doctor
}

@test "a database of another schema, and none at all" {
    provision
    cp -p "$store/tpm2_pkcs11.sqlite3" "$work/good"
    sqlite3 "$store/tpm2_pkcs11.sqlite3" "UPDATE schema SET schema_version = 9"
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"schema version 9"* ]]
    run -1 "$TOKEN_INIT" recover
    [[ $output == *"[newer]"* ]]
    head -c 5000 /dev/zero > "$store/tpm2_pkcs11.sqlite3"
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"[store-damaged]"* ]]
    rm "$store/tpm2_pkcs11.sqlite3"
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"[store-damaged]"* ]]
    run -0 status_json
    echo "$output" | jq -e '.errors[0].code == "not-found"'
    cp -p "$work/good" "$store/tpm2_pkcs11.sqlite3"
    assert_usable
}

@test "RSA-PSS is switched on for the token" {
    provision
    pkcs11 -M | grep -F RSA-PKCS-PSS
    sqlite3 "$store/tpm2_pkcs11.sqlite3" "UPDATE tokens SET config = replace(config, 'pss-sigs-good', 'other')"
    run -0 "$TOKEN_INIT" doctor
    [[ $output == *"[pss-missing]"* ]]
}

@test "status is quick enough to be asked beside requests" {
    provision
    status_json > "$work/log"
    start=$(date +%s%N)
    for _ in 1 2 3 4 5; do
        status_json > "$work/log"
    done
    took=$((($(date +%s%N) - start) / 5000000))
    echo "$took ms"
    [ "$took" -lt 1000 ]
}
