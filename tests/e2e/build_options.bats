#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The build's options do what they say, and say that they are set.

load helpers

setup() {
    build=$(mktemp -d /tmp/tlm-build.XXXXXX)
    daemon_pid=""
}

teardown() {
    if [ -n "$daemon_pid" ]; then
        end_process "$daemon_pid" 5
    fi
    rm -rf "$build"
}

build_with() {
    cmake -S "$SOURCE" -B "$build" -G Ninja -DTLM_TESTS=OFF -DTLM_WERROR=ON "$@"
    cmake --build "$build" --parallel 2
}

serve() {
    "$build/httpd/TLLicenseManager" --no-tpm --rest-port 0 --config-dir "$build/c" \
        --persistence-dir "$build/p" --log-dir "$build/l" --pkcs11-socket "$build/pkcs11.sock" \
        > "$build/out" 2> "$build/err" < /dev/null 3>&- &
    daemon_pid=$!
    wait_until 60 grep -q '^ready ' "$build/out"
    url=$(grep -o 'http://[0-9.:]*' "$build/out")
}

@test "TPM_ON=OFF: no TPM library anywhere, SoftHSM as before, and a TPM is refused by name" {
    build_with -DTPM_ON=OFF
    run ldd "$build/token-init/tlm-token-init" "$build/httpd/TLLicenseManager"
    [ "$status" -eq 0 ]
    [[ $output == *libcrypto* ]]
    [[ $output != *libtss2* ]]
    run "$build/token-init/tlm-token-init" provision --backend tpm --persistence-dir "$build/p"
    [ "$status" -ne 0 ]
    [[ $output == *TPM_ON* ]]
    "$build/token-init/tlm-token-init" provision --backend softhsm --persistence-dir "$build/p"
    serve
    [ "$(curl -fs "$url/status" | jq -r .tpmConnected)" = false ]
}

@test "FASTCRYPT=ON: says so in --version, in the log and in the status" {
    build_with -DFASTCRYPT=ON
    "$build/httpd/TLLicenseManager" --version | grep -qi fastcrypt
    serve
    grep -qi fastcrypt "$build/err"
    curl -fs "$url/status" | jq -e '[.. | strings, (objects | keys[])] | any(test("fastcrypt"; "i"))'
    # And a build without it does not.
    run grep -ci fastcrypt <("$SOURCE/build/release/httpd/TLLicenseManager" --version)
    [ "$output" -eq 0 ] || "$SOURCE/build/release/httpd/TLLicenseManager" --version | grep -qi 'fastcrypt.*off'
}
