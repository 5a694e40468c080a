#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Secrets in the TPM: sealing, policies, the recovery key, and what is said when they do not open.

load ../../support/tokens

setup() {
    tokens_setup
    key=$work/recovery.key
}

teardown() {
    tokens_teardown
}

extend() {
    tpm2_pcrextend "$1:sha256=$(printf 'update %s' "$1" | sha256sum | cut -d' ' -f1)"
}

# A store as the version before made it: the same secrets, in clear.
unseal_store() {
    (umask 077 && secrets > "$work/unsealed")
    mv "$work/unsealed" "$store/secrets.json"
    rm "$store/sealed.json"
}

assert_sealed() {
    [ -z "$(find "$store" -name 'secrets.json*')" ]
    [ "$(stat -c %a "$store/sealed.json")" = 600 ]
    status_json | jq -e --arg policy "$1" '.store.secrets.place == "sealed" and .errors == [] and
        .store.secrets.policy == $policy and .store.secrets.pcrsFit and
        .store.secrets.changedPcrs == [] and .tpm.handles[1].present and .tpm.handles[1].ours'
    run -0 "$TOKEN_INIT" doctor
    [[ $output != *"[secrets-clear]"* ]]
}

no_failed_tries() {
    [ "$(status_json | jq .tpm.lockout.counter)" -eq 0 ]
}

# kill_after SECONDS PID: a resource manager would free what it had in the TPM.
kill_after() {
    sleep "$1"
    kill -KILL "$2" 2> /dev/null || true
    wait "$2" || true
    for kind_of in -t -l -s; do
        tpm2_flushcontext "$kind_of" || true
    done
}

# found_in DIRECTORY: files in which a secret stands, as digits or as the bytes they spell. tpm2-pkcs11
# keeps TPM_AUTH in its own database (docs/security.md); anything else there counts.
found_in() {
    local file name value
    find "$1" -type f | while read -r file; do
        xxd -p "$file" | tr -d '\n' > "$work/hex"
        while read -r name value; do
            if [ "$name" = tpmAuth ] && [[ $file == */tpm2_pkcs11.sqlite3 ]]; then
                continue
            fi
            if grep -qiF "$value" "$file" || grep -qiF "$value" "$work/hex"; then
                echo "$name in $file"
            fi
        done < "$work/values"
    done
}

list_values() {
    secrets | jq -r 'del(.version) | to_entries[] | "\(.key) \(.value)"' > "$work/values"
    [ "$(wc -l < "$work/values")" -eq 4 ]
}

@test "a store with clear secrets is migrated, and nothing but the place changes" {
    provision
    [ ! -e "$store/sealed.json" ] || unseal_store
    before=$(fingerprint)
    secrets > "$work/secrets"
    run -0 "$TOKEN_INIT" doctor
    [[ $output == *"[secrets-clear]"* ]]
    [[ $output == *"tlm-token-init seal --token-store $store"* ]]
    status_json | jq -e '.store.secrets.place == "clear" and .store.secrets.policy == null'
    run -0 "$TOKEN_INIT" seal
    [[ ${lines[0]} == sealed:* ]]
    [[ $output == *"fingerprint=$before"* ]]
    assert_sealed none
    secrets | cmp - "$work/secrets"
    assert_usable
    picture "$persistence" > "$work/before"
    run -0 "$TOKEN_INIT" seal
    [[ ${lines[0]} == "already sealed:"* ]]
    picture "$persistence" | diff "$work/before" -
    no_failed_tries
}

@test "no secret in any file, argument or environment" {
    strace -f -v -s 4096 -o "$work/provision.trace" -e trace=execve,openat \
        "$TOKEN_INIT" provision --rsa-bits 2048 --vault-policy SecureBoot --recovery-key "$key" \
        --log-level trace > "$work/log" 2>&1
    run -1 grep -E 'secrets\.json.*O_(CREAT|WRONLY|RDWR)' "$work/provision.trace"
    list_values
    extend 7
    strace -f -v -s 4096 -o "$work/reseal.trace" -e trace=execve \
        "$TOKEN_INIT" reseal --recovery-key "$key" --log-level trace >> "$work/log" 2>&1
    evict_ours
    strace -f -v -s 4096 -o "$work/recover.trace" -e trace=execve \
        "$TOKEN_INIT" recover --log-level trace >> "$work/log" 2>&1
    "$TOKEN_INIT" doctor --log-level trace >> "$work/log" 2>&1
    "$TOKEN_INIT" status --json >> "$work/log" 2>&1
    sed "s/.* //" "$work/values" > "$work/only"
    cat "$key" >> "$work/only"
    run -1 grep -iFf "$work/only" "$work/log" "$work"/*.trace
    [ -z "$(found_in "$persistence")" ]
    # The search finds what is there: TPM_AUTH in the one place that is excepted, and a clear file.
    grep -qiF "$(awk '$1 == "tpmAuth" { print $2 }' "$work/values")" "$store/tpm2_pkcs11.sqlite3"
    awk '$1 == "userPin" { print $2 }' "$work/values" | xxd -r -p > "$store/raw"
    secrets > "$store/clear"
    found_in "$persistence" > "$work/found"
    grep -Fx "userPin in $store/raw" "$work/found"
    [ "$(wc -l < "$work/found")" -eq 5 ]
}

@test "both handles evicted: the same token comes back" {
    provision --vault-policy FirmwareBoot --recovery-key "$key"
    before=$(fingerprint)
    secrets > "$work/secrets"
    evict 0x810003E9
    run -0 "$TOKEN_INIT" doctor # works on, with the parent made for the moment
    [[ $output == *"[seal-handle-missing]"* ]]
    [[ $output == *"tlm-token-init recover"* ]]
    assert_usable
    evict 0x810003E8
    [ "$(handles)" = "" ]
    stop_swtpm one
    start_swtpm one
    run -0 "$TOKEN_INIT" recover
    [[ ${lines[0]} == recovered:* ]]
    [ "$(fingerprint)" = "$before" ]
    assert_sealed FirmwareBoot
    secrets | cmp - "$work/secrets"
    assert_usable
    run -0 "$TOKEN_INIT" recover
    [[ ${lines[0]} == "nothing to recover:"* ]]
    no_failed_tries
}

@test "each policy: a changed register is named, and resealing mends it" {
    provision --vault-policy SecureBoot --recovery-key "$key"
    before=$(fingerprint)
    for row in SecureBoot:7:0,2 FirmwareBoot:0,7:2 BootSequence:0,2,7: none::0,2,7; do
        IFS=: read -r policy bound free <<< "$row"
        "$TOKEN_INIT" reseal --vault-policy "$policy" --recovery-key "$key"
        assert_sealed "$policy"
        for pcr in ${free//,/ }; do
            extend "$pcr"
            assert_sealed "$policy"
        done
        for pcr in ${bound//,/ }; do
            extend "$pcr"
            run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
            [[ $output == *"PCR $pcr changed"*"(policy $policy)"*"[pcr-changed]"* ]]
            [[ $output == *"reseal --recovery-key"* ]]
            run -1 "$TOKEN_INIT" doctor
            [[ $output == *"[pcr-changed]"*"PCR $pcr changed"* ]]
            status_json | jq -e --argjson pcr "$pcr" '.store.secrets.changedPcrs == [$pcr] and
                .store.secrets.pcrsFit == false'
            "$TOKEN_INIT" status | grep -F "policy $policy, PCR $pcr CHANGED"
            run -0 "$TOKEN_INIT" reseal --recovery-key "$key"
            [[ ${lines[0]} == "sealed anew:"* ]]
            assert_sealed "$policy"
        done
    done
    [ "$(fingerprint)" = "$before" ]
    assert_usable
    no_failed_tries
}

@test "a wrong recovery key is refused, counts nothing and changes nothing" {
    provision --vault-policy SecureBoot --recovery-key "$key"
    (umask 077 && tr 0123456789abcdef 123456789abcdef0 < "$key" > "$work/wrong")
    picture "$store" > "$work/before"
    for pcr in 0 7; do # with the registers as they were, and changed
        extend "$pcr"
        for _ in 1 2 3 4 5; do
            run -1 "$TOKEN_INIT" reseal --recovery-key "$work/wrong"
            [[ $output == *"recovery key is not the one"*"[permission]"* ]]
        done
    done
    run -1 "$TOKEN_INIT" reseal --recovery-key "$work/missing"
    [[ $output == *"[pcr-changed]"*"$work/missing does not exist"* ]]
    [ ! -e "$work/missing" ]
    echo 0123 > "$work/short"
    chmod 600 "$work/short"
    run -1 "$TOKEN_INIT" reseal --recovery-key "$work/short"
    [[ $output == *"[format]"* ]]
    chmod 644 "$key"
    run -1 "$TOKEN_INIT" reseal --recovery-key "$key"
    [[ $output == *"[permission]"*"chmod"* ]]
    chmod 600 "$key"
    picture "$store" | diff "$work/before" -
    no_failed_tries
    run -0 "$TOKEN_INIT" reseal --recovery-key "$key"
    assert_usable
}

@test "a recovery key is a new file of mode 0600, or the one that fits" {
    run -2 provision --vault-policy SecureBoot
    [[ $output == *"--recovery-key"* ]]
    [ ! -e "$store/token.json" ]
    echo precious > "$key"
    chmod 600 "$key"
    run -1 provision --vault-policy SecureBoot --recovery-key "$key"
    [ "$(cat "$key")" = precious ]
    [ ! -e "$store/sealed.json" ]
    rm "$key"
    run -0 provision --vault-policy SecureBoot --recovery-key "$key"
    [[ $output == *"Move it off this machine"* ]]
    [ "$(stat -c %a "$key")" = 600 ]
    [[ $(cat "$key") =~ ^[0-9a-f]{32}$ ]]
    [ "$(stat -c %s "$key")" -eq 33 ]
    # While the registers fit, a lost key is replaced by a new one; the old one is worth nothing then.
    run -2 "$TOKEN_INIT" reseal
    run -0 "$TOKEN_INIT" reseal --recovery-key "$work/second.key"
    run -1 "$TOKEN_INIT" reseal --recovery-key "$key"
    [[ $output == *"[permission]"* ]]
    extend 7
    run -0 "$TOKEN_INIT" reseal --recovery-key "$work/second.key" --json
    echo "$output" | jq -e '.recoveryKey == null'
    run -0 "$TOKEN_INIT" reseal --vault-policy none
    assert_sealed none
    run -0 "$TOKEN_INIT" reseal --vault-policy BootSequence --recovery-key "$work/third.key" --json
    echo "$output" | jq -e --arg file "$work/third.key" '.recoveryKey == $file'
    assert_sealed BootSequence
}

@test "a policy that is not the store's is not taken for done" {
    provision --vault-policy SecureBoot --recovery-key "$key"
    run -0 provision
    run -0 provision --vault-policy SecureBoot
    [[ $output == "already provisioned:"* ]]
    for command in provision seal; do
        run -1 "$TOKEN_INIT" "$command" --vault-policy FirmwareBoot
        [[ $output == *"[exists]"*"reseal --vault-policy FirmwareBoot --recovery-key FILE"* ]]
    done
    TLM_VAULT_POLICY=none run -1 "$TOKEN_INIT" provision
    [[ $output == *"[exists]"*"reseal --vault-policy none"* ]]
    unseal_store
    run -1 "$TOKEN_INIT" provision --vault-policy SecureBoot
    [[ $output == *"in clear"*"[exists]"*"tlm-token-init seal --vault-policy SecureBoot"* ]]
    run -1 "$TOKEN_INIT" reseal --recovery-key "$key"
    [[ $output == *"[incomplete]"*"tlm-token-init seal"* ]]
    run -2 "$TOKEN_INIT" seal --vault-policy Secureboot2 --recovery-key "$work/new"
    run -2 "$TOKEN_INIT" seal --vault-policy SecureBoot
    run -0 "$TOKEN_INIT" seal --vault-policy SecureBoot --recovery-key "$work/new"
    assert_sealed SecureBoot
}

@test "another TPM is told, and nothing is changed on it" {
    provision --vault-policy SecureBoot --recovery-key "$key"
    start_swtpm two
    for command in "recover --replace" "reseal --recovery-key $key" "forget-storage --yes-forget tlm"; do
        # shellcheck disable=SC2086 # words
        run -1 "$TOKEN_INIT" $command
        [[ $output == *"sealed by another TPM"*"[foreign]"* ]]
    done
    [ "$(handles)" = "" ]
    run -1 "$TOKEN_INIT" doctor --json
    echo "$output" | jq -e '[.findings[].id] | index("foreign-tpm") and (index("handle-missing") | not)'
    # The same where the other TPM has a token, so a parent, of its own.
    "$TOKEN_INIT" provision --rsa-bits 2048 --persistence-dir "$work/other" --vault-policy SecureBoot \
        --recovery-key "$work/other.key"
    before=$(handles)
    for command in recover "reseal --recovery-key $key"; do
        # shellcheck disable=SC2086 # words
        run -1 "$TOKEN_INIT" $command
        [[ $output == *"[foreign]"* ]]
    done
    [ "$(handles)" = "$before" ]
    no_failed_tries
    use_swtpm one
    assert_sealed SecureBoot
}

@test "a changed byte is told" {
    provision --vault-policy SecureBoot --recovery-key "$key"
    cp -p "$store/sealed.json" "$work/good"
    for member in public private; do
        for place in 0 3 8 20 40; do
            jq --arg member "$member" --argjson place "$place" '.[$member] |=
                .[:$place] + (if .[$place:$place + 1] == "B" then "C" else "B" end) + .[$place + 1:]' \
                "$work/good" > "$store/sealed.json"
            run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
            [[ $output == *"[damaged]"* ]]
        done
    done
    jq '.pcrs["7"] |= (.[:63] + "1")' "$work/good" > "$store/sealed.json"
    run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
    [[ $output == *"[damaged]"* ]]
    jq '.policy = "none" | .pcrs = {}' "$work/good" > "$store/sealed.json"
    run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
    [[ $output == *"[damaged]"* ]]
    for length in 0 1 100 $(($(stat -c %s "$work/good") - 1)); do
        head -c "$length" "$work/good" > "$store/sealed.json"
        run -1 "$TOKEN_INIT" doctor
        [[ $output == *"[secrets]"*"sealed.json"* ]]
        run -0 "$TOKEN_INIT" status
    done
    jq '.version = 2' "$work/good" > "$store/sealed.json"
    run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
    [[ $output == *"[newer]"* ]]
    cp -p "$work/good" "$store/sealed.json"
    assert_usable
    no_failed_tries
}

@test "a foreign object at the parent's handle is refused, and replaced only when asked" {
    put_foreign 0x810003E9
    run -1 provision --vault-policy SecureBoot --recovery-key "$key"
    [[ $output == *"0x810003E9"*"[exists]"* ]]
    run -0 provision --vault-policy SecureBoot --recovery-key "$key" --replace
    evict 0x810003E9
    put_foreign 0x810003E9
    before=$(tpm2_readpublic -c 0x810003E9)
    for command in recover "reseal --recovery-key $key" "forget-storage --yes-forget tlm"; do
        # shellcheck disable=SC2086 # words
        run -1 "$TOKEN_INIT" $command
        [[ $output == *"0x810003E9"*"[exists]"* ]]
    done
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"[seal-handle-foreign]"*"recover --replace"* ]]
    [ "$(tpm2_readpublic -c 0x810003E9)" = "$before" ]
    run -0 "$TOKEN_INIT" recover --replace
    assert_sealed SecureBoot
    assert_usable
}

@test "an owner authorization: needed to make the parent, not to unseal" {
    (umask 077 && echo owner > "$work/owner")
    tpm2_changeauth -c o owner
    run -1 provision --vault-policy SecureBoot --recovery-key "$key"
    [[ $output == *"--owner-auth-file"* ]]
    run -0 provision --vault-policy SecureBoot --recovery-key "$key" --owner-auth-file "$work/owner"
    assert_usable
    extend 7
    run -0 "$TOKEN_INIT" reseal --recovery-key "$key"
    tpm2_evictcontrol -Q -C o -P owner -c 0x810003E9
    run -1 "$TOKEN_INIT" doctor
    [[ $output == *"recover --owner-auth-file"* ]]
    run -0 "$TOKEN_INIT" recover --owner-auth-file "$work/owner"
    assert_sealed SecureBoot
    assert_usable
}

@test "killed after each step with a policy, the next run completes it" {
    export RECOVERY_KEY=$key TLM_VAULT_POLICY=SecureBoot
    for step in record seal-parent secrets primary token complete; do
        rm -rf "$persistence" "$key"
        evict_ours
        run "$PROVISION_KILLED" "$step" tpm "$persistence" "$tcti"
        [ "$status" -eq 137 ]
        [ -z "$(find "$store" -name 'secrets.json*')" ]
        echo "after $step"
        run -0 "$TOKEN_INIT" provision --rsa-bits 2048 --recovery-key "$key"
        [ "$step" = complete ] || [[ $output == *"Move it off this machine"* ]]
        assert_sealed SecureBoot
        extend 7
        run -0 "$TOKEN_INIT" reseal --recovery-key "$key"
        assert_usable
    done
}

@test "killed at any moment while sealing and resealing" {
    provision
    secrets > "$work/secrets"
    for delay in 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1; do
        [ ! -e "$store/sealed.json" ] || unseal_store
        rm -f "$key"
        "$TOKEN_INIT" seal --vault-policy SecureBoot --recovery-key "$key" > "$work/log" 2>&1 3>&- &
        kill_after "$delay" $!
        secrets | cmp - "$work/secrets"
        [ ! -e "$key" ] || mv "$key" "$work/old.key"
        run -0 "$TOKEN_INIT" seal --vault-policy SecureBoot --recovery-key "$key"
        assert_sealed SecureBoot
        [ -e "$key" ] || cp -p "$work/old.key" "$key"
        "$TOKEN_INIT" reseal --recovery-key "$key" > "$work/log" 2>&1 3>&- &
        kill_after "$delay" $!
        extend 7
        run -0 "$TOKEN_INIT" reseal --recovery-key "$key"
        secrets | cmp - "$work/secrets"
    done
    assert_usable
}

@test "the clear file goes only after the sealed one opened" {
    provision
    [ ! -e "$store/sealed.json" ] || unseal_store
    cp -p "$store/secrets.json" "$work/clear"
    evict_ours
    run -0 "$TOKEN_INIT" recover
    put_foreign 0x810003E9
    run -1 "$TOKEN_INIT" seal
    [[ $output == *"[exists]"* ]]
    cmp "$store/secrets.json" "$work/clear"
    run -0 "$TOKEN_INIT" seal --replace
    assert_sealed none
    secrets | cmp - "$work/clear"
    # An interrupted run left both: they are compared before one goes.
    cp -p "$work/clear" "$store/secrets.json"
    cp -p "$work/clear" "$store/secrets.json.0123456789abcdef.tmp"
    run -0 "$TOKEN_INIT" seal
    assert_sealed none
    # What is in clear counts: it is what the token was used with until now.
    sed 's/"userPin":"./"userPin":"x/;s/x/0/' "$work/clear" > "$store/secrets.json"
    chmod 600 "$store/secrets.json"
    cp -p "$store/secrets.json" "$work/changed"
    run -0 "$TOKEN_INIT" seal
    secrets | cmp - "$work/changed"
}

@test "destroy takes the parent along, unless another store's root key stands there" {
    provision --vault-policy SecureBoot --recovery-key "$key"
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
    [ "$(handles)" = "" ]
    [ ! -e "$store" ]
    rm "$key"
    provision --vault-policy SecureBoot --recovery-key "$key"
    cp -a "$persistence" "$work/first"
    evict 0x810003E8
    put_foreign 0x810003E8
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
    [[ "$(handles)" == *0x810003E8*0x810003E9* ]]
    [ ! -e "$store" ]
    rm -rf "$persistence"
    cp -a "$work/first" "$persistence"
    evict_ours
    run -0 "$TOKEN_INIT" recover
    run "$PROVISION_KILLED" seal-parent tpm "$work/second" "$tcti"
    run -0 "$TOKEN_INIT" destroy --persistence-dir "$work/second" --yes-destroy tlm
    assert_sealed SecureBoot # the other store was interrupted before it had anything
    assert_usable
}

@test "a SoftHSM token has nothing to seal into" {
    kind=softhsm
    run -2 provision --vault-policy SecureBoot --recovery-key "$key"
    [[ $output == *"no TPM watches over it"* ]]
    [ ! -e "$key" ]
    run -0 provision
    for command in seal reseal; do
        run -1 "$TOKEN_INIT" "$command"
        [[ $output == *"[unsupported]"* ]]
    done
    [ -e "$store/secrets.json" ]
    status_json | jq -e '.store.secrets == {place: "clear", policy: null, pcrsFit: null, changedPcrs: []}'
}
