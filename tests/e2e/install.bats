#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What cmake --install puts where, and that it runs from there.

load helpers

setup_file() {
    stage=$(mktemp -d /tmp/tlm-stage.XXXXXX)
    export stage
    DESTDIR=$stage cmake --install "$SOURCE/build/release"
}

teardown_file() {
    rm -rf "$stage"
}

setup() {
    prefix=$stage/usr/local
    directory=$(mktemp -d /tmp/tlm-installed.XXXXXX)
    daemon=""
}

teardown() {
    if [ -n "$daemon" ]; then
        end_process "$daemon" 5
    fi
    rm -rf "$directory"
}

@test "programs, manuals and documents are in their places" {
    [ -x "$prefix/sbin/TLLicenseManager" ]
    [ -x "$prefix/sbin/tlm-token-init" ]
    [ -x "$prefix/bin/tlm-issue" ]
    cmp "$prefix/share/trustedLicensing/license.schema.json" "$SOURCE/licensing/issue/schema/license.schema.json"
    [ -s "$prefix/share/man/man1/tlm-issue.1" ]
    [ -s "$prefix/share/man/man8/TLLicenseManager.8" ]
    [ -s "$prefix/share/man/man8/tlm-token-init.8" ]
    [ -s "$prefix/share/man/man5/TLLicenseManager.json.5" ]
    [ -x "$prefix/bin/tlm" ]
    [ -s "$prefix/share/man/man1/tlm.1" ]
    [ -s "$prefix/share/man/man3/libtlm-client.3" ]
    [ -s "$prefix/share/bash-completion/completions/tlm" ]
    [ -s "$prefix/include/tlm-client.h" ]
    mandoc -T lint -W warning "$prefix"/share/man/man[1358]/*
    run find "$prefix" -name 'test_*'
    [ -z "$output" ]
}

@test "the programs tell the same version, the project's" {
    local version
    version=$(sed -n 's/^project(TLLicenseManager VERSION \([0-9.]*\).*/\1/p' "$SOURCE/CMakeLists.txt")
    "$prefix/sbin/TLLicenseManager" --version | grep -F "$version"
    "$prefix/sbin/tlm-token-init" --version | grep -F "$version"
    "$prefix/bin/tlm-issue" --version | grep -F "$version"
}

@test "the daemon links no TPM library" {
    run ldd "$prefix/sbin/TLLicenseManager"
    [ "$status" -eq 0 ]
    [[ $output == *libmicrohttpd* ]]
    [[ $output != *libtss2* ]]
    run ldd "$prefix/sbin/tlm-token-init"
    [[ $output == *libtss2-esys* ]]
    [[ $output != *libmicrohttpd* ]]
    run ldd "$prefix/bin/tlm-issue"
    [[ $output == *libyaml* ]]
    [[ $output != *libtss2* && $output != *libmicrohttpd* && $output != *libsqlite* ]]
}

@test "the programs are hardened: PIE, relro, bindings at once, no executable stack" {
    local file
    for file in "$prefix"/sbin/{TLLicenseManager,tlm-token-init} "$prefix"/bin/{tlm,tlm-issue}; do
        readelf -hW "$file" | grep -q 'Type: *DYN'
        readelf -lW "$file" | grep -q GNU_RELRO
        readelf -dW "$file" | grep -q BIND_NOW
        readelf -lW "$file" | grep GNU_STACK | grep -q ' RW '
        readelf -sW "$file" | grep -q __stack_chk_fail
        run grep -cE "$SOURCE/(common|pkcs11-glue|licensing|httpd|token-init|client)/" "$file"
        [ "$output" -eq 0 ]
    done
}

@test "what lies in the stage makes a token and serves it" {
    "$prefix/sbin/tlm-token-init" provision --backend softhsm --persistence-dir "$directory/p"
    "$prefix/sbin/TLLicenseManager" --no-tpm --rest-port 0 --config-dir "$directory/c" \
        --persistence-dir "$directory/p" --log-dir "$directory/l" \
        --pkcs11-socket "$directory/pkcs11.sock" \
        > "$directory/out" 2> "$directory/err" < /dev/null 3>&- &
    daemon=$!
    wait_until 60 grep -q '^ready ' "$directory/out"
    [[ $(cat "$directory/out") =~ ^ready\ (http://[0-9.:]+)\ fingerprint=([0-9a-f]{64}) ]]
    [ "$(curl -fs "${BASH_REMATCH[1]}/fingerprint" | jq -r .fingerprint)" = "${BASH_REMATCH[2]}" ]
}
