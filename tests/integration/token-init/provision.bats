#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Making the token, on both back ends. Set by ctest: BACKEND, PROVISION_KILLED.

load ../../support/tokens

setup() {
    tokens_setup
}

teardown() {
    tokens_teardown
}

@test "a fresh token: keys, certificates, files, fingerprint" {
    run -0 provision
    [[ ${lines[-1]} =~ ^fingerprint=[0-9a-f]{64}$ ]]
    [[ ${lines[-2]} == *"not hardware-bound"* ]]
    assert_usable
    [ "fingerprint=$(standard_fingerprint "$store/srk.pem")" = "${lines[-1]}" ]
    [ "$(stat -c %a "$store")" = 700 ]
    [ -z "$(find "$store" -type f ! -name srk.pem ! -perm 600)" ]
    for id in 01 02; do
        pkcs11 --read-object --type cert --id "$id" -o "$work/$id.der"
        openssl x509 -inform DER -in "$work/$id.der" -out "$work/$id.pem"
        openssl verify -CAfile "$work/$id.pem" "$work/$id.pem"
        openssl x509 -in "$work/$id.pem" -noout -checkend $((19 * 365 * 86400))
    done
    [ "$(openssl x509 -in "$work/01.pem" -noout -pubkey)" = "$(openssl pkey -pubin -in "$store/srk.pem")" ]
    openssl x509 -in "$work/01.pem" -noout -subject | grep -F "tlm-srk $(fingerprint | head -c 16)"
}

@test "the keys have the sizes of the documentation" {
    run -0 "$TOKEN_INIT" provision --backend "$kind"
    if [ "$kind" = tpm ]; then
        openssl rsa -pubin -in "$store/srk.pem" -noout -text | grep -F "3072 bit"
    else
        openssl rsa -pubin -in "$store/srk.pem" -noout -text | grep -F "2048 bit"
    fi
    assert_usable
    pkcs11 -O | grep -E "EC_POINT 256 bits"
}

@test "a second time changes nothing" {
    first=$(provision | tail -n 1)
    picture "$persistence" > "$work/before"
    [ "$kind" = softhsm ] || handles > "$work/handles"
    for arguments in "" "--backend $kind" "--replace"; do
        # shellcheck disable=SC2086 # none, one or two words
        run -0 "$TOKEN_INIT" provision $arguments
        [[ ${lines[0]} == "already provisioned"* ]]
        [ "${lines[-1]}" = "$first" ]
    done
    picture "$persistence" | diff "$work/before" -
    [ "$kind" = softhsm ] || [ "$(handles)" = "$(cat "$work/handles")" ]
}

@test "as JSON" {
    run -0 provision --json
    echo "$output" | jq -e --arg kind "$kind" '(.fingerprint | test("^[0-9a-f]{64}$")) and
        .backend == $kind and .unchanged == false and .label == "tlm"'
    run -0 provision --json
    echo "$output" | jq -e '.unchanged == true'
}

@test "killed after each step, the next run completes it" {
    steps=$("$PROVISION_KILLED" none "$kind" "$persistence" ${tcti:+"$tcti"} 2> "$work/log")
    count=$(echo "$steps" | wc -l)
    [ "$count" -ge 11 ]
    [ "$(echo "$steps" | tail -n 1)" = complete ]
    for step in $steps; do
        rm -rf "$persistence"
        [ "$kind" = softhsm ] || evict_ours
        run "$PROVISION_KILLED" "$step" "$kind" "$persistence" ${tcti:+"$tcti"}
        [ "$status" -eq 137 ]
        if [ "$step" != complete ]; then
            [ "$(findings | grep -cx store-incomplete)" -eq 1 ]
            status_json | jq -e '.store.complete == false and
                (.errors | map(.code) | index("incomplete")) != null'
        fi
        [ ! -f "$(secrets_file)" ] || secrets > "$work/secrets.$step"
        echo "after $step"
        run -0 "$TOKEN_INIT" provision --rsa-bits 2048
        [ ! -f "$work/secrets.$step" ] || secrets | cmp - "$work/secrets.$step"
        assert_usable
    done
}

@test "killed at any moment and again, it is completed" {
    for delay in 0.006 0.013 0.03 0.06 0.12 0.3; do
        rm -rf "$persistence"
        [ "$kind" = softhsm ] || evict_ours
        for _ in 1 2; do
            "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048 > "$work/log" 2>&1 3>&- &
            pid=$!
            sleep "$delay"
            kill -KILL "$pid" 2> /dev/null || true
            wait "$pid" || true
        done
        run -0 "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048
        assert_usable
    done
}

@test "what a killed run left without a name is removed" {
    [ "$kind" = softhsm ] || return 0 # tpm2-pkcs11 writes an object in one transaction
    run "$PROVISION_KILLED" srk "$kind" "$persistence"
    [ "$status" -eq 137 ]
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER -out "$work/torn.der" 2> /dev/null
    pkcs11 --write-object "$work/torn.der" --type privkey
    pkcs11 -O > "$work/objects"
    [ "$(grep -c '^Private Key Object; ' "$work/objects")" -eq 2 ]
    run -0 "$TOKEN_INIT" provision --rsa-bits 2048
    assert_usable
}

@test "two at once: one does it, the other waits or says so" {
    provision > "$work/first" 2>&1 3>&- &
    first=$!
    provision > "$work/second" 2>&1 3>&- &
    second=$!
    one=0
    two=0
    wait "$first" || one=$?
    wait "$second" || two=$?
    cat "$work/first" "$work/second"
    [ $((one + two)) -le 1 ]
    [ "$one" -eq 0 ] || grep -F '[busy]' "$work/first"
    [ "$two" -eq 0 ] || grep -F '[busy]' "$work/second"
    [ "$(cat "$work/first" "$work/second" | grep -c '^provisioned')" -eq 1 ]
    assert_usable
}

@test "no secret in arguments, environment, output or log" {
    # The leak checker cannot work below strace.
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -v -s 4096 -o "$work/trace" \
        -e trace=execve,execveat,clone,clone3,fork,vfork \
        "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048 --log-level trace > "$work/log" 2>&1
    status_json --log-level trace >> "$work/log" 2>&1
    "$TOKEN_INIT" doctor --log-level trace >> "$work/log" 2>&1
    [ "$(grep -c execve "$work/trace")" -eq 1 ]
    grep -F step_done "$work/log"
    secrets | jq -r 'del(.version) | .[]' > "$work/secrets"
    if [ "$kind" = tpm ]; then
        [ "$(wc -l < "$work/secrets")" -eq 4 ]
    else
        [ "$(wc -l < "$work/secrets")" -eq 2 ]
    fi
    run -1 grep -iFf "$work/secrets" "$work/trace" "$work/log"
    run -1 grep -rlFf "$work/secrets" "$store" --include=*.json --include=*.conf --include=*.pem \
        --exclude=secrets.json
    [ "$(sort -u "$work/secrets" | wc -l)" -eq "$(wc -l < "$work/secrets")" ]
}

@test "the environment of the running process holds no secret" {
    provision
    "$TOKEN_INIT" forget-storage --yes-forget tlm 3>&- > "$work/log" 2>&1 &
    pid=$!
    tries=200
    : > "$work/environ"
    while kill -0 "$pid" 2> /dev/null && [ "$tries" -gt 0 ]; do
        tr '\0' '\n' < "/proc/$pid/environ" >> "$work/environ" 2> /dev/null || true
        tr '\0' '\n' < "/proc/$pid/cmdline" >> "$work/environ" 2> /dev/null || true
        tries=$((tries - 1))
    done
    wait "$pid" || true
    grep -F "$persistence" "$work/environ"
    secrets | jq -r 'del(.version) | .[]' > "$work/secrets"
    run -1 grep -iFf "$work/secrets" "$work/environ"
}

@test "a label of its own, with what needs escaping in a URI" {
    run -0 provision --token-label 'a b/ü;%&'
    [[ $output == *"token 'a b/ü;%&'"* ]]
    status_json | jq -e '.store.label == "a b/ü;%&" and (.store.objects | length >= 4)'
    run -0 "$TOKEN_INIT" doctor --token-label 'a b/ü;%&'
    run -1 "$TOKEN_INIT" provision --token-label other
    [[ $output == *"[exists]"* ]]
    [[ $output == *"holds the token 'a b/ü;%&', not 'other'"* ]]
}

@test "labels that no token can have are refused before anything is made" {
    for label in "" " x" "x " $'a\tb' "$(printf 'x%.0s' {1..33})" "$(printf 'ü%.0s' {1..17})"; do
        run -2 provision "--token-label=$label"
        [ ! -e "$persistence" ] || [ -z "$(ls -A "$persistence")" ]
    done
    longest=$(printf 'x%.0s' {1..31})
    if [ "$kind" = tpm ]; then
        run -2 provision "--token-label=${longest}x"
    else
        longest=${longest}x
    fi
    run -0 provision "--token-label=$longest"
    assert_usable
}

@test "another back end in the same store is refused" {
    provision
    picture "$persistence" > "$work/before"
    other=softhsm
    [ "$kind" = tpm ] || other=tpm
    run -1 "$TOKEN_INIT" provision --backend "$other"
    [[ $output == *"[exists]"* ]]
    picture "$persistence" | diff "$work/before" -
}

@test "parts of a token without token.json are never made over" {
    provision
    rm "$store/token.json"
    picture "$persistence" > "$work/before"
    run -1 provision
    [[ $output == *"[incomplete]"* ]]
    [[ $output == *"mv $store $store.old"* ]]
    picture "$persistence" | diff "$work/before" -
    cp -p "$store/token.json.bak" "$store/token.json"
    run -0 provision
    assert_usable
}

@test "a token whose secrets are gone is never made over" {
    run "$PROVISION_KILLED" check "$kind" "$persistence" ${tcti:+"$tcti"}
    [ "$status" -eq 137 ]
    file=$(secrets_file)
    mv "$file" "$work/"
    picture "$persistence" > "$work/before"
    run -1 provision
    [[ $output == *"[incomplete]"* ]]
    [[ $output == *"its secrets are gone"* ]]
    picture "$persistence" | diff "$work/before" -
    mv "$work/${file##*/}" "$store/"
    run -0 provision
    assert_usable
}

@test "the mark of a storage is forgotten only on purpose" {
    provision
    run -2 "$TOKEN_INIT" forget-storage
    [[ $output == *"--yes-forget tlm"* ]]
    run -1 "$TOKEN_INIT" forget-storage --yes-forget nope
    run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
    [[ $output == *"[not-found]"* ]]
    printf 'storage 1' > "$work/mark"
    pkcs11 --write-object "$work/mark" --type data --label tlm-storage --private
    pkcs11 -O | grep -F tlm-storage
    run -0 "$TOKEN_INIT" forget-storage --yes-forget tlm
    pkcs11 -O > "$work/objects"
    run -1 grep -F tlm-storage "$work/objects"
    assert_usable
}

@test "destroy needs the label" {
    provision
    picture "$persistence" > "$work/before"
    [ "$kind" = softhsm ] || handles > "$work/handles"
    run -2 "$TOKEN_INIT" destroy < /dev/null
    [[ $output == *"--yes-destroy tlm"* ]]
    run -1 "$TOKEN_INIT" destroy --yes-destroy other
    [[ $output == *"nothing was removed"* ]]
    run -1 "$TOKEN_INIT" destroy --yes-destroy TLM
    run -2 "$TOKEN_INIT" destroy --yes-destroy=
    run -1 script -qec "'$TOKEN_INIT' destroy" /dev/null <<< "wrong"
    [[ $output == *"nothing was removed"* ]]
    picture "$persistence" | diff "$work/before" -
    [ "$kind" = softhsm ] || [ "$(handles)" = "$(cat "$work/handles")" ]
}

@test "destroy takes keys, secrets and handle, and leaves what is not ours" {
    provision
    echo mine > "$store/notes"
    run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
    [ "$(ls -A "$store")" = notes ]
    [ "$kind" = softhsm ] || [ "$(handles)" = "" ]
    run -1 "$TOKEN_INIT" destroy --yes-destroy tlm
    [[ $output == *"[not-provisioned]"* ]]
    run -0 provision
    assert_usable
}

@test "destroy at a terminal asks" {
    provision
    run -0 script -qec "'$TOKEN_INIT' destroy" /dev/null <<< "tlm"
    [[ $output == *"for ever"* ]]
    [ ! -e "$store" ]
}

@test "destroy takes an interrupted token too" {
    for step in record secrets token; do
        run "$PROVISION_KILLED" "$step" "$kind" "$persistence" ${tcti:+"$tcti"}
        [ "$status" -eq 137 ]
        run -0 "$TOKEN_INIT" destroy --yes-destroy tlm
        [ ! -e "$store" ]
        [ "$kind" = softhsm ] || [ "$(handles)" = "" ]
    done
}

@test "status of no token" {
    run -0 status_json
    echo "$output" | jq -e '.store.provisioned == false and
        (.errors | map(.code) | index("not-provisioned")) != null'
    run -0 "$TOKEN_INIT" status
    run -1 "$TOKEN_INIT" doctor
    [ "$(findings | grep -cx not-provisioned)" -eq 1 ]
}

@test "status of a token: objects, no PIN used" {
    provision
    run -0 status_json
    echo "$output" | jq -e --arg store "$store" '.store.complete and .store.directory == $store and
        (.store.thumbprint | test("^[0-9a-f]{64}$")) and .errors == [] and
        ([.store.objects[] | select(.class == "certificate") | .id] | sort) == ["01", "02"] and
        ([.store.objects[] | select(.class == "public-key") | .label] | sort) ==
            ["tlm-attest", "tlm-srk"]'
    mv "$(secrets_file)" "$work/"
    run -0 status_json
    echo "$output" | jq -e '.errors == [] and (.store.objects | length >= 4)'
    run -0 "$TOKEN_INIT" status
    [[ $output == *"fingerprint   $(jq -r .thumbprint "$store/token.json")"* ]]
}
