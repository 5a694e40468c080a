#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What the doctor finds on the way to a TPM and in the files of a store.

load ../../support/tokens

setup() {
    tokens_setup
    # Root may open everything: those cases are looked at by somebody else.
    as=()
    if [ "$(id -u)" -eq 0 ]; then
        as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    fi
}

teardown() {
    chmod -R u+rwx "$work"
    tokens_teardown
}

# A character device that the one who looks may not open, with its owner, group and mode.
closed_device() {
    if [ "$(id -u)" -eq 0 ]; then
        mknod "$work/tpmrm0" c 10 225
        chown "0:$1" "$work/tpmrm0"
        chmod "$2" "$work/tpmrm0"
        echo "$work/tpmrm0"
    else
        find /dev -maxdepth 1 -type c ! -readable -print -quit | grep .
    fi
}

# says ID HOST CONTAINER: the finding's command, by where this test runs.
says() {
    local wanted=$2
    if echo "$output" | jq -e .container; then
        wanted=$3
    fi
    finding "$1" | jq -e --arg wanted "$wanted" '.command | contains($wanted)'
}

finding() {
    echo "$output" | jq -ec --arg id "$1" '.findings[] | select(.id == $id)'
}

@test "no device: cause, evidence and command" {
    run -1 "$TOKEN_INIT" doctor --json --tpm-device "$work/none"
    echo "$output" | jq -e '.healthy == false'
    [ "$(finding no-module || finding no-device)" != "" ]
    echo "$output" | jq -e --arg path "$work/none" '.findings[] | select(.id | test("^no-")) |
        .severity == "problem" and (.evidence | contains($path)) and (.command | length > 0) and
        (.evidence | contains("loaded drivers"))'
}

@test "a file and a directory in the place of the device" {
    touch "$work/file"
    mkdir "$work/directory"
    for node in file directory; do
        run -1 "$TOKEN_INIT" doctor --json --tpm-device "$work/$node"
        finding device-no-node | grep -F "$work/$node"
        run -0 status_json --tpm-device "$work/$node"
        echo "$output" | jq -e '.tpm.connected == false'
    done
}

@test "a device of another group: the numbers and the command" {
    device=$(closed_device 65000 660)
    run -1 "${as[@]}" "$TOKEN_INIT" doctor --json --tpm-device "$device"
    finding device-permission | grep -F "$(stat -c 'uid %u, gid %g, mode 0%a' "$device")"
    finding device-permission | grep -E "this process: uid [0-9]+, gids [0-9]+"
    if [ "$(id -u)" -eq 0 ]; then
        name=tss # or another name, where this machine has such a group already
        ! getent group tss > /dev/null || name=tpm
        says device-permission "groupadd -g 65000 $name && usermod -aG $name" \
            "docker run --group-add 65000 "
    fi
}

@test "a device as the kernel makes it, before any rule: nobody is sent into group root" {
    [ "$(id -u)" -eq 0 ] || return 0 # makes a device
    device=$(closed_device 0 600)
    run -1 "${as[@]}" "$TOKEN_INIT" doctor --json --tpm-device "$device"
    wanted="apt install tpm-udev"
    ! getent group tss > /dev/null || wanted="chgrp tss $device && chmod 0660 $device"
    says device-permission "$wanted" "chmod g+rw $device"
    [[ $output != *"usermod -aG root"* ]]
}

@test "a device of a known group, and one without rights for its group" {
    [ "$(id -u)" -eq 0 ] || {
        device=$(closed_device x x)
        run -1 "$TOKEN_INIT" doctor --tpm-device "$device"
        [[ $output == *"[device-permission]"* ]]
        return
    }
    device=$(closed_device 4 660)
    run -1 "${as[@]}" "$TOKEN_INIT" doctor --json --tpm-device "$device"
    says device-permission "usermod -aG $(getent group 4 | cut -d: -f1) " \
        "docker run --group-add 4 "
    chmod 000 "$device"
    run -1 "${as[@]}" "$TOKEN_INIT" doctor --json --tpm-device "$device"
    finding device-permission | grep -F "chmod g+rw $device"
}

@test "a device that is no TPM, and a socket that is not there" {
    run -1 "$TOKEN_INIT" doctor --json --tpm-device /dev/null
    finding tpm-unreachable
    run -1 "$TOKEN_INIT" doctor --json --tcti "swtpm:path=$work/nothing"
    finding tpm-unreachable | grep -F "$work/nothing"
    run -1 "$TOKEN_INIT" doctor --json --tcti "nonsense:"
    finding tpm-unreachable
}

@test "only what was named is tried" {
    run -0 status_json --tpm-device "$work/none"
    echo "$output" | jq -e '(.tcti.passedOver | length) == 1'
    echo "$output" | jq -e --arg conf "device:$work/none" '.tcti.passedOver[0].conf == $conf'
    run -0 status_json --tpm-priority "device:$work/a,device:$work/b"
    echo "$output" | jq -e --arg work "$work" '[.tcti.passedOver[].conf] ==
        ["device:\($work)/a", "device:\($work)/b"]'
}

@test "a SoftHSM token is healthy, and said not to be hardware-bound" {
    provision
    run -0 "$TOKEN_INIT" doctor --json
    echo "$output" | jq -e '.healthy and ([.findings[].id] == ["softhsm"]) and
        .findings[0].severity == "info"'
    run -0 "$TOKEN_INIT" doctor
    [ "${lines[-1]}" = healthy ]
}

@test "secrets that others may read" {
    provision
    chmod 640 "$store/secrets.json"
    run -1 "$TOKEN_INIT" doctor --json
    finding store-mode | grep -F "chmod 0600 $store/secrets.json"
    chmod 600 "$store/secrets.json"
    chmod 755 "$store"
    run -1 "$TOKEN_INIT" doctor --json
    finding store-mode | grep -F "chmod 0700 $store\""
}

@test "secrets that are gone, torn or of a newer version" {
    provision
    cp -p "$store/secrets.json" "$work/good"
    rm "$store/secrets.json"
    run -1 "$TOKEN_INIT" doctor --json
    finding secrets
    head -c 40 "$work/good" > "$store/secrets.json"
    chmod 600 "$store/secrets.json"
    run -1 "$TOKEN_INIT" doctor --json
    finding secrets
    run -1 "$TOKEN_INIT" forget-storage --yes-forget tlm
    cp -p "$work/good" "$store/secrets.json"
    run -0 "$TOKEN_INIT" doctor
}

@test "a record that is torn, and one of a newer version" {
    provision
    cp -p "$store/token.json" "$work/good"
    size=$(stat -c %s "$work/good")
    for length in 0 1 20 $((size - 10)); do
        head -c "$length" "$work/good" > "$store/token.json"
        run -1 "$TOKEN_INIT" doctor --json
        finding store-unreadable
        run -1 provision
        run -0 status_json
    done
    jq '.version = 99' "$work/good" > "$store/token.json"
    run -1 "$TOKEN_INIT" provision
    [[ $output == *"[newer]"* ]]
    run -1 "$TOKEN_INIT" destroy --yes-destroy tlm
    cp -p "$work/good" "$store/token.json"
    run -0 "$TOKEN_INIT" doctor
}

@test "a store of another owner" {
    provision
    if [ "$(id -u)" -eq 0 ]; then
        chmod 755 "$persistence" "$store"
        chmod 644 "$store/token.json"
    else
        chmod 500 "$store"
    fi
    run -1 "${as[@]}" "$TOKEN_INIT" doctor --json
    me=$("${as[@]}" id -u):$("${as[@]}" id -g)
    says store-owner "chown -R $me $store" "on the host: chown -R $me PERSISTENCE"
    picture "$persistence" > "$work/before"
    run -1 "${as[@]}" "$TOKEN_INIT" destroy --yes-destroy tlm
    picture "$persistence" | diff "$work/before" -
}

@test "a store that cannot be reached" {
    provision
    chmod 000 "$persistence"
    run -1 "${as[@]}" "$TOKEN_INIT" doctor --json
    finding store-unreachable | grep -F "namei -l $store"
}

@test "a store where nothing may be made" {
    mkdir "$persistence"
    chmod 555 "$persistence"
    run -1 "${as[@]}" "$TOKEN_INIT" provision --backend softhsm
    [[ $output == *"[permission]"* ]]
    [ -z "$(ls -A "$persistence")" ]
}

@test "an interrupted run" {
    provision
    jq '.complete = false' "$store/token.json" > "$work/record"
    cat "$work/record" > "$store/token.json"
    run -1 "$TOKEN_INIT" doctor --json
    finding store-incomplete | grep -F "tlm-token-init provision --token-store $store"
    run -0 provision
    run -0 "$TOKEN_INIT" doctor
}

@test "a lock file left behind, and one that is held" {
    provision
    touch "$store/tpm2_pkcs11.sqlite3.lock"
    run -0 "$TOKEN_INIT" doctor --json
    finding store-lock-stale | grep -F "rm $store/tpm2_pkcs11.sqlite3.lock"
    (
        exec 9> "$store/tpm2_pkcs11.sqlite3.lock" 3>&-
        flock 9
        exec sleep 20
    ) &
    holder=$!
    tries=50
    while flock -n "$store/tpm2_pkcs11.sqlite3.lock" true && [ "$tries" -gt 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    run -0 "$TOKEN_INIT" doctor --json
    finding store-lock-held
    kill "$holder"
    wait "$holder" || true
}

@test "a module that is not there" {
    provision
    jq '.module = "/nowhere/libsofthsm2.so"' "$store/token.json" > "$work/record"
    cat "$work/record" > "$store/token.json"
    run -1 "$TOKEN_INIT" doctor --json
    says module-missing "apt install softhsm2" "add to the image: apt-get install -y softhsm2"
}
