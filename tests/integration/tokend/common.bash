# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Shared by the tests of tlm-tokend, beside tokens.bash and tokend.bash.

tokend_setup() {
    tokens_setup
    client=$(p11_kit_client)
    socket=$work/run/pkcs11.sock
    export P11_KIT_SERVER_ADDRESS=unix:path=$socket
    holders=()
    # p11-kit asks for what a peer's message announces; a sanitizer's malloc would end the program.
    export ASAN_OPTIONS=${ASAN_OPTIONS:-}:allocator_may_return_null=1
    export TSAN_OPTIONS=${TSAN_OPTIONS:-}:allocator_may_return_null=1
}

tokend_teardown() {
    local pid
    for pid in "${holders[@]}"; do
        kill -KILL "$pid" 2> /dev/null || true
    done
    tokend_stop
    tokens_teardown
}

# launch ARGUMENT…: tlm-tokend in the background, without waiting for the token. Sets tokend_pid.
launch() {
    "$TOKEND" --pkcs11-socket "$socket" --log-dir "$work/log" "$@" \
        > "$work/tokend.out" 2>&1 < /dev/null 3>&- &
    tokend_pid=$!
    echo "$tokend_pid" > "$work/tokend.pid"
    until_true 60 grep -q '^serving ' "$work/tokend.out"
}

serve() {
    tokend_start "$@"
    tokend_pid=$(cat "$work/tokend.pid")
}

# ends_with STATUS: it is over within 6 seconds, with this exit status.
ends_with() {
    local tries=120 status=0
    while kill -0 "$tokend_pid" 2> /dev/null && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.05
    done
    [ "$tries" -gt 0 ]
    wait "$tokend_pid" || status=$?
    [ "$status" -eq "$1" ] || { echo "status $status"; cat "$work/tokend.out"; return 1; }
}

state() {
    jq -r ".$1" "$work/run/tokend.json"
}

state_is() {
    [ "$(state state 2> /dev/null)" = "$1" ]
}

tool() {
    timeout 30 pkcs11-tool --module "$client" "$@" 3>&-
}

# sign NAME: by tlm-attest, into $work/NAME.sig, without a PIN; verified with its public key.
sign() {
    head -c 32 /dev/urandom > "$work/$1.digest"
    tool --login --pin '' --sign -m ECDSA --id 02 --signature-format openssl \
        -i "$work/$1.digest" -o "$work/$1.sig" > "$work/$1.log" 2>&1 || { cat "$work/$1.log"; return 1; }
    openssl pkeyutl -verify -pubin -inkey "$work/attest.pem" -in "$work/$1.digest" \
        -sigfile "$work/$1.sig" > "$work/$1.log" 2>&1 || { cat "$work/$1.log"; return 1; }
}

# The public key that `sign` verifies with, read through the socket.
read_public() {
    tool --read-object --type pubkey --id 02 -o "$work/attest.der"
    openssl pkey -pubin -inform DER -in "$work/attest.der" -out "$work/attest.pem"
}

decrypts() {
    head -c 32 /dev/urandom > "$work/plain"
    openssl pkeyutl -encrypt -pubin -inkey "$store/srk.pem" -in "$work/plain" \
        -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -out "$work/cipher"
    tool --login --pin '' --decrypt -m RSA-PKCS-OAEP --hash-algorithm SHA256 \
        --mgf MGF1-SHA256 --id 01 -i "$work/cipher" -o "$work/again"
    cmp "$work/plain" "$work/again"
}

peer() {
    python3 "$SOURCE/tests/integration/tokend/peer.py" "$socket" "$@" 3>&-
}

# hold COMMAND…: in the background, with a standard input that does not end; waits for its line of
# output, which becomes $held.
hold() {
    local pipe=$work/pipe.${#holders[@]}
    mkfifo "$pipe"
    sleep 1000 > "$pipe" 3>&- &
    holders+=("$!")
    "$@" < "$pipe" > "$pipe.out" 3>&- &
    holders+=("$!")
    until_true 60 test -s "$pipe.out"
    held=$(cat "$pipe.out")
}
