#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# tlm-tokend has taken from itself what it does not need, and works on.

load ../../support/tokens
load ../../support/tokend

setup() {
    tokens_setup
    client=$(p11_kit_client)
    export P11_KIT_SERVER_ADDRESS=unix:path=$work/run/pkcs11.sock
}

teardown() {
    tokend_stop
    tokens_teardown
}

# field PID NAME: of each of its threads.
field() {
    awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/task"/*/status
}

# all_are PID NAME VALUE: more than one thread, and all with this value.
all_are() {
    [ "$(field "$1" "$2" | wc -l)" -gt 1 ]
    [ "$(field "$1" "$2" | sort -u)" = "$3" ] || { echo "$2: $(field "$1" "$2")"; return 1; }
}

# A signature and a decryption through the socket.
works() {
    head -c 32 /dev/urandom > "$work/digest"
    pkcs11-tool --module "$client" --login --pin '' --sign -m ECDSA --id 02 \
        -i "$work/digest" -o "$work/signature"
    [ "$(stat -c %s "$work/signature")" -eq 64 ]
    openssl pkeyutl -encrypt -pubin -inkey "$store/srk.pem" -in "$work/digest" \
        -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -out "$work/cipher"
    pkcs11-tool --module "$client" --login --pin '' --decrypt -m RSA-PKCS-OAEP \
        --hash-algorithm SHA256 --mgf MGF1-SHA256 --id 01 -i "$work/cipher" -o "$work/plain"
    cmp "$work/digest" "$work/plain"
}

logged() {
    grep -qE -- "$1" "$work/tokend.out" || { cat "$work/tokend.out"; return 1; }
}

@test "no privileges, no capabilities, a filter, no core, in every thread" {
    provision
    tokend_start
    local pid
    pid=$(cat "$work/tokend.pid")
    all_are "$pid" NoNewPrivs 1
    all_are "$pid" Seccomp 2
    all_are "$pid" CapEff 0000000000000000
    all_are "$pid" CapPrm 0000000000000000
    awk '/^Max core file size/ { exit !($5 == 0 && $6 == 0) }' "/proc/$pid/limits"
    logged ' hardened step=files landlock=[0-9]+$'
    logged ' hardened step=system-calls filter=allow-some$'
    works
    # Not even a restarted module needs more.
    kill -HUP "$pid"
    until_true 60 grep -q ' reloaded ' "$work/tokend.out"
    works
    tokend_stop
    logged ' stopped$'
}

@test "a user of its own" {
    provision
    if [ "$(id -u)" -ne 0 ]; then
        run "$TOKEND" --pkcs11-socket "$work/run/pkcs11.sock" --log-dir "$work/log" --user daemon
        [ "$status" -eq 1 ]
        [[ $output == *"cannot become user daemon: only root can"* ]]
        return
    fi
    chmod 755 "$persistence"
    chown -R daemon "$store"
    if [ "$kind" = tpm ]; then
        chmod 666 "$work/one/sock" "$work/one/sock.ctrl"
    fi
    tokend_start --user daemon
    local pid
    pid=$(cat "$work/tokend.pid")
    all_are "$pid" Uid "$(id -u daemon)"
    all_are "$pid" CapEff 0000000000000000
    all_are "$pid" CapBnd 0000000000000000
    [ "$(stat -c %U "$work/run" "$work/log" "$work/run/tokend.json" | sort -u)" = daemon ]
    works
}

@test "a user that there is not" {
    run "$TOKEND" --pkcs11-socket "$work/run/pkcs11.sock" --log-dir "$work/log" --user deamon
    [ "$status" -eq 2 ]
    [[ $output == *'there is no user \"deamon\"'* ]]
    [[ $output == *'did you mean \"daemon\"?'* ]]
    [ ! -e "$work/run" ]
}

@test "a token that is provisioned later is let in" {
    "$TOKEND" --pkcs11-socket "$work/run/pkcs11.sock" --log-dir "$work/log" \
        > "$work/tokend.out" 2>&1 < /dev/null 3>&- &
    echo $! > "$work/tokend.pid"
    until_true 60 grep -q 'not-provisioned' "$work/tokend.out"
    logged ' hardened step=files'
    provision
    until_true 60 tokend_is_ready
    works
}

@test "a store that is made anew asks for a new start" {
    mkdir -p "$store"
    chmod 700 "$store"
    "$TOKEND" --pkcs11-socket "$work/run/pkcs11.sock" --log-dir "$work/log" \
        > "$work/tokend.out" 2>&1 < /dev/null 3>&- &
    local pid=$! status=0
    echo "$pid" > "$work/tokend.pid"
    until_true 60 grep -q 'not-provisioned' "$work/tokend.out"
    rmdir "$store"
    provision
    wait "$pid" || status=$?
    [ "$status" -eq 70 ]
    logged ' path_changed '
    tokend_start
    works
}
