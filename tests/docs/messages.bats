#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The messages that docs/troubleshooting.md quotes are those of the programs.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    page=$SOURCE/docs/troubleshooting.md
    mkdir config
}

# Whether every line of standard input stands in the document; what depends on the place is an
# ellipsis there.
quoted() {
    local line bad=0
    while read -r line; do
        line=${line//"$PWD"/…}
        grep -qF -- "$line" "$page" || { echo "not in the document: $line"; bad=1; }
    done
    return "$bad"
}

# The daemon refuses these settings: message and hint without the program's name.
refused() {
    run --separate-stderr "$@"
    [ "$status" -eq 2 ]
    stderr=$(sed -e 's/^TLLicenseManager: //' -e 's,"'"$PWD"',"…,g' <<< "$stderr")
    [ -n "$stderr" ]
    head -n 1 <<< "$stderr" | sed "s,$PWD/config/,…/," | quoted
}

# A finding's first line as doctor prints it.
finding() {
    "$TOKEN_INIT" doctor --config-dir config --persistence-dir persistence "${@:2}" > report || true
    grep -F "[$1]" report | quoted
}

@test "refused settings" {
    bats_require_minimum_version 1.5.0
    refused "$DAEMON" --config-dir config --rest-prt 1
    refused "$DAEMON" --config-dir config --rest-port 70000
    refused env TLM_LOG_LEVEL=loud "$DAEMON" --config-dir config
    refused "$DAEMON" --config nofile
    echo '{"TrustedLicensing": {"REST": {"ServerPrt": 1}}}' > config/TLLicenseManager.json
    refused "$DAEMON" --config-dir "$PWD/config"
    echo '{"TrustedLicensing": {' > config/TLLicenseManager.json
    refused "$DAEMON" --config-dir "$PWD/config"
}

@test "settings of HTTPS that need each other" {
    bats_require_minimum_version 1.5.0
    run -2 --separate-stderr "$DAEMON" --config-dir config --persistence-dir persistence \
        --log-dir log --rest-port 0 --rest-tls-certificate host.pem
    grep -o 'start_failed .*' <<< "$stderr" | quoted
    grep -q start_failed <<< "$stderr"
}

@test "a misspelt name in the environment" {
    TLM_TCTII=x "$TOKEN_INIT" version 2>&1 > /dev/null | \
        grep -o 'unknown_environment name=.*' | quoted
}

@test "no interface, no token" {
    "$TOKEN_INIT" status --config-dir config --persistence-dir persistence \
        --tpm-priority device:/dev/tpm0 | grep 'passed over' | quoted
    finding not-provisioned
    # What follows differs: only inside a container it was passed as a volume.
    "$TOKEN_INIT" doctor --config-dir config --persistence-dir persistence \
        --tpm-device "$PWD/config" > report || true
    grep -F '[device-no-node]' report | grep -o 'is a directory and not a device' | quoted
}

@test "a store that others may read, and a module that is gone" {
    "$TOKEN_INIT" provision --backend softhsm --config-dir config --persistence-dir persistence
    chmod 644 persistence/token/secrets.json
    finding store-mode
    sed -i 's,"module": "[^"]*","module": "/nowhere/libsofthsm2.so",' persistence/token/token.json
    finding module-missing
}

teardown() {
    stop_daemon
}

@test "files that are gone" {
    "$TOKEN_INIT" provision --backend softhsm --config-dir config --persistence-dir persistence
    start_daemon "$PWD" --persistence-dir persistence
    stop_daemon
    rm persistence/persistence.bin persistence/vault.bin
    "$DAEMON" --config-dir config --log-dir log --rest-port 0 --persistence-dir persistence \
        --pkcs11-socket "$PWD/pkcs11.sock" > out 2> err < /dev/null 3>&- &
    # shellcheck disable=SC2034 # for stop_daemon
    daemon_pid=$!
    local tries=100
    while ! grep -q 'state=files-missing' err; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ]
        sleep 0.1
    done
    stop_daemon
    grep -o 'The token had files (persistence.bin, vault.bin), and they are gone: it is marked with storage' \
        err | head -n 1 | quoted
}
