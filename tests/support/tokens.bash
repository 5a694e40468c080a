# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For bats: a directory of the test's own, simulated TPMs in it, tlm-token-init on a store in it.
# Set by ctest: SOURCE, TOKEN_INIT, and BACKEND (softhsm or swtpm) where a file runs on both.

: "${SOURCE:?the repository}" "${TOKEN_INIT:?tlm-token-init}"
: "${TOKEN_SECRETS:=$BUILD/tests/support/token-secrets}"
bats_require_minimum_version 1.5.0
# shellcheck source=scripts/swtpm.sh
. "$SOURCE/scripts/swtpm.sh"

# Nothing of the caller's settings reaches the programs.
unset TLM_VAULT_POLICY TLM_TCTI TSS2_TCTI TPM_DEVICE TPM_ENABLED TLM_CONFIG TLM_LOG_LEVEL TLM_TOKEN_STORE \
    TLM_TOKEN_LABEL TPM2TOOLS_TCTI TPM2_PKCS11_STORE SOFTHSM2_CONF

# Sets work, store and persistence; with a TPM back end also starts the first TPM and sets tcti.
tokens_setup() {
    work=$(mktemp -d /tmp/tlm-tokens.XXXXXX)
    chmod 755 "$work"
    persistence=$work/p
    store=$persistence/token
    tpms=()
    tcti=""
    kind=softhsm
    export TLM_PERSISTENCE_DIR=$persistence TLM_CONFIG_DIR=$work/config
    if [ "${BACKEND:-softhsm}" = swtpm ]; then
        kind=tpm
        start_swtpm one
    fi
}

tokens_teardown() {
    local name
    for name in "${tpms[@]}"; do
        stop_swtpm "$name"
    done
    rm -rf "$work"
}

# start_swtpm NAME: a TPM of that name, its state kept from an earlier start; it becomes tcti.
start_swtpm() {
    mkdir -p "$work/$1"
    swtpm_start "$work/$1/st" "$work/$1/sock" "$work/$1/pid" 3>&- || return
    tpms+=("$1")
    use_swtpm "$1"
}

use_swtpm() {
    tcti=swtpm:path=$work/$1/sock
    export TLM_TCTI=$tcti TPM2TOOLS_TCTI=$tcti
}

stop_swtpm() {
    swtpm_stop "$work/$1/sock" "$work/$1/pid"
}

# kill_swtpm NAME: as a power cut.
kill_swtpm() {
    local pid
    pid=$(cat "$work/$1/pid")
    kill -KILL "$pid"
    while kill -0 "$pid" 2> /dev/null; do
        sleep 0.05
    done
}

# The small key keeps the tests quick; one test makes the usual one.
provision() {
    "$TOKEN_INIT" provision --backend "$kind" --rsa-bits 2048 "$@"
}

status_json() {
    "$TOKEN_INIT" status --json "$@"
}

# The findings' names, one a line.
findings() {
    "$TOKEN_INIT" doctor --json "$@" | jq -r '.findings[].id'
}

# The fingerprint that status tells.
fingerprint() {
    status_json "$@" | jq -re .store.thumbprint
}

# RFC 7638 with standard tools, from the public key alone; the command of the manual page.
standard_fingerprint() {
    local n
    n=$(openssl rsa -pubin -in "$1" -noout -modulus | cut -d= -f2 |
        basenc --base16 -d | basenc --base64url -w0 | tr -d =)
    printf '{"e":"AQAB","kty":"RSA","n":"%s"}' "$n" | sha256sum | cut -d' ' -f1
}

# Names, modes, times and contents of everything below a directory.
picture() {
    (cd "$1" && find . -printf '%p %m %u %s %T@\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

# Persistent handles of the present TPM.
handles() {
    tpm2_getcap handles-persistent | tr -d '\n'
}

# put_foreign HANDLE: another key there.
put_foreign() {
    tpm2_createprimary -Q -C o -G ecc -c "$work/foreign.ctx"
    tpm2_evictcontrol -Q -C o -c "$work/foreign.ctx" "$1"
    tpm2_flushcontext -t
}

evict() {
    tpm2_evictcontrol -Q -C o -c "$1"
}

# The secrets of the store as secrets.json has them, wherever they rest.
secrets() {
    "$TOKEN_SECRETS" "$store" "$tcti"
}

# The file they rest in.
secrets_file() {
    if [ -e "$store/sealed.json" ]; then
        echo "$store/sealed.json"
    else
        echo "$store/secrets.json"
    fi
}

# Evicts both of our objects, where they are there.
evict_ours() {
    local handle
    for handle in $(tpm2_getcap handles-persistent | grep -io '0x810003E[89]'); do
        evict "$handle"
    done
}

# pkcs11 ARGUMENT…: another program on the token of the store, with the user's login.
pkcs11() {
    PIN=$(secrets | jq -re .userPin) TPM2_PKCS11_STORE=$store TPM2_PKCS11_TCTI=$tcti \
        TPM2_PKCS11_BACKEND=esysdb SOFTHSM2_CONF=$store/softhsm2.conf TPM2_PKCS11_LOG_LEVEL=0 \
        pkcs11-tool --module "$(jq -re .module "$store/token.json")" \
        --token-label "$(jq -re .label "$store/token.json")" --login --pin env:PIN "$@"
}

# Every key and certificate is there once, and the root key decrypts through another program.
assert_usable() {
    pkcs11 -O > "$work/objects"
    [ "$(grep -c '^Private Key Object; ' "$work/objects")" -eq 2 ]
    [ "$(grep -c '^Public Key Object; ' "$work/objects")" -eq 2 ]
    [ "$(grep -c '^Certificate Object; ' "$work/objects")" -eq 2 ]
    printf 'secret of this host' > "$work/plain"
    openssl pkeyutl -encrypt -pubin -inkey "$store/srk.pem" -in "$work/plain" -out "$work/cipher"
    pkcs11 --decrypt -m RSA-PKCS --id 01 -i "$work/cipher" -o "$work/again"
    cmp "$work/plain" "$work/again"
    jq -e .complete "$store/token.json"
    [ "$(standard_fingerprint "$store/srk.pem")" = "$(jq -r .thumbprint "$store/token.json")" ]
}
