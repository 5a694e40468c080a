#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docs/issuing.md, typed as it stands, with a token of SoftHSM.

load common
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir bin tokens
    ln -s "$ISSUE" bin/tlm-issue
    PATH=$PWD/bin:$PATH
    printf 'directories.tokendir = %s\nobjectstore.backend = file\n' "$PWD/tokens" > softhsm2.conf
    export SOFTHSM2_CONF=$PWD/softhsm2.conf
    "$TOKEN_INIT" provision --backend softhsm --persistence-dir persistence > log
}

# Runs the blocks of that mark, which see the module's variable.
typed() {
    {
        echo 'MODULE=/usr/lib/softhsm/libsofthsm2.so'
        awk -v name="test: $1" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/issuing.md" > commands
        [ -s commands ] || echo false
        cat commands
    } > script
    bash -euo pipefail script
}

# The answer of a host's /fingerprint.
answer() {
    mkdir config log.d
    start_daemon "$PWD" --persistence-dir persistence --token-store persistence/token > /dev/null
    curl -fs "$url/fingerprint" > host.json
    stop_daemon
}

teardown() {
    stop_daemon
}

@test "from nothing to a package for a host that runs, and what comes after it" {
    answer
    typed softhsm
    typed keygen
    typed jwks
    typed description
    run -0 typed host
    [[ $output == *"fingerprint"* && $output == *"is that of its key"* ]]
    run -0 typed license
    [[ $output != *warning* ]]
    mkdir requests
    cp host.json requests/one.json
    cp host.json requests/two.json
    run -0 typed many
    [[ $output == *"2 hosts: 2 packages made, 0 present, 0 failed"* ]]
    typed revoke
    typed revoke-next
    [ "$(tlm-issue inspect acme-2.revoked --json | jq -r '.claims.serial, (.claims.revoked | length)' | xargs)" = "2 2" ]
    typed rotate
    [ "$(jq -r '.keys | length' acme-2.jwks)" = 3 ]
    run -0 typed look
    [[ $output == *"Professional"* && $output == *"encrypted to this host's key"* ]]
}

@test "the message that the document shows is the program's" {
    typed description
    sed -i 's/days: 365/days: soon/' license.yaml
    run -1 tlm-issue license license.yaml --key none.pem
    grep -qxF -- "${lines[0]}" "$SOURCE/docs/issuing.md"
}

@test "every subcommand, and every model of the schema, is in the document" {
    local word
    for word in keygen jwks license package revoke inspect verify; do
        grep -q "tlm-issue $word" "$SOURCE/docs/issuing.md"
    done
    for word in $(jq -r '."$defs".model.else.properties.type.enum[]' \
        "$SOURCE/licensing/issue/schema/license.schema.json"); do
        grep -q "$word" "$SOURCE/docs/issuing.md"
    done
    jq -r '.properties | keys[]' "$SOURCE/licensing/issue/schema/license.schema.json" > names
    in_document names "$SOURCE/docs/issuing.md"
}
