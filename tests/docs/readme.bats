#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What the documents tell a reader to type works, against a daemon on a SoftHSM token.

load common

setup_file() {
    export PERSISTENCE=$BATS_FILE_TMPDIR/persistence
    "$TOKEN_INIT" provision --backend softhsm --config-dir "$BATS_FILE_TMPDIR/config" \
        --persistence-dir "$PERSISTENCE" > "$BATS_FILE_TMPDIR/provision"
    start_daemon "$BATS_FILE_TMPDIR" --persistence-dir "$PERSISTENCE"
    export daemon_pid url
    curl -fs "$url/fingerprint" > "$BATS_FILE_TMPDIR/fingerprint.json"
    curl -fs "$url/fingerprint/fallback" > "$BATS_FILE_TMPDIR/fallback.json"
}

teardown_file() {
    stop_daemon
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$BATS_FILE_TMPDIR"/*.json .
    # The documents' names and port, led to what this build made.
    mkdir bin
    ln -s "$DAEMON" bin/TLLicenseManager
    ln -s "$TOKEN_INIT" bin/tlm-token-init
    PATH=$PWD/bin:$PATH
    fingerprint=$(jq -r .fingerprint fingerprint.json)
}

# Runs the blocks of a document that are marked with this name, each line as a user would.
run_blocks() {
    awk -v name="$2" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/$1" |
        sed "s,http://127.0.0.1:52014,$url,g" > commands
    [ -s commands ]
    bash -euo pipefail commands
}

@test "the README's questions are answered" {
    run run_blocks README.md test
    [ "$status" -eq 0 ]
    echo "$output" | grep -qx "$fingerprint"
    echo "$output" | grep -qx 200
    echo "$output" | grep -q '"tpmConnected": false'
}

@test "the README's way to check the fingerprint gives the daemon's" {
    run run_blocks README.md 'test: fingerprint'
    [ "$status" -eq 0 ]
    [ "$output" = "$fingerprint  -" ]
}

@test "the README's license is issued, activated and used" {
    local state=$PWD/state
    mkdir -p state "$BATS_FILE_TMPDIR/config"
    ln -s "$BATS_FILE_TMPDIR/config" state/config
    ln -s "$BATS_FILE_TMPDIR" state/run
    ln -s "$ISSUE" bin/tlm-issue
    ln -s "$BUILD/client/tlm" bin/tlm
    export state
    export TLM_URL=$url
    run run_blocks README.md 'test: license'
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"this runs while a seat is held"* ]]
    [[ $output =~ active\ +ACME\ +editor\ +pro\ +0\ of\ 2\ +trial ]]
}

@test "the recipe for srk.pem gives the daemon's fingerprint" {
    cp "$PERSISTENCE/token/srk.pem" .
    run run_blocks docs/formats.md 'test: recipe'
    [ "$status" -eq 0 ]
    [ "$output" = "$fingerprint" ]
}

@test "the recipe fails for another key" {
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2> err |
        openssl pkey -pubout -out srk.pem
    run run_blocks docs/formats.md 'test: recipe'
    [ "$status" -eq 0 ]
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    [ "$output" != "$fingerprint" ]
}

@test "the recipe for the JWK gives the daemon's fingerprint" {
    run run_blocks docs/formats.md 'test: recipe-jwk'
    [ "$output" = "$fingerprint" ]
}

@test "the recipe for the kid gives the daemon's kid" {
    run run_blocks docs/formats.md 'test: recipe-kid'
    [ "$output" = "$(jq -r .kid fingerprint.json)" ]
}

@test "the recipe for the fallback gives the daemon's fallback fingerprint" {
    run run_blocks docs/formats.md 'test: recipe-fallback'
    [ "$output" = "$(jq -r .fingerprint fallback.json)" ]
}

@test "every member of the answers is in docs/formats.md" {
    local path
    for path in health ready status fingerprint fingerprint/fallback; do
        curl -fs "$url/$path" | member_names > names
        [ -s names ]
        in_document names "$SOURCE/docs/formats.md"
    done
}

@test "every member that tlm-token-init prints is in docs/formats.md" {
    local command
    for command in provision status doctor; do
        "$TOKEN_INIT" "$command" --json --config-dir "$BATS_FILE_TMPDIR/config" \
            --persistence-dir "$PERSISTENCE" | member_names > names
        [ -s names ]
        in_document names "$SOURCE/docs/formats.md"
    done
}

@test "every problem that a request can meet is in docs/formats.md" {
    {
        curl -s "$url/helth"
        curl -s -X DELETE "$url/health"
        curl -s -X GET --data body "$url/health"
    } | jq -r .code > names
    [ "$(sort -u names | wc -l)" -eq 3 ]
    in_document names "$SOURCE/docs/formats.md"
}

@test "token.json has the documented members and no others" {
    jq -r 'keys[]' "$PERSISTENCE/token/token.json" > members
    # shellcheck disable=SC2016 # the backticks are the document's
    awk '/^### token.json/ { on = 1 } /^### secrets.json/ { on = 0 } on' \
        "$SOURCE/docs/formats.md" | sed -n '/^```json/,/^```/p' | sed '/^```/d' |
        jq -r 'keys[]' > documented
    diff members documented
}

@test "persistence.bin and vault.bin have the documented headers" {
    local file
    for file in persistence vault; do
        cut -d. -f1 "$PERSISTENCE/$file.bin" | basenc_padded | jq -c '[.enc, .typ, .cty]' > "$file"
    done
    [ "$(cat persistence)" = '["A256GCM","tlm-persistence","json"]' ]
    [ "$(cat vault)" = '["A256GCM","tlm-vault","json"]' ]
    [ "$(cut -d. -f1 "$PERSISTENCE/persistence.bin" | basenc_padded | jq -r .kid)" = \
        "$(jq -r .kid fingerprint.json)" ]
}

@test "a log line has the documented form" {
    local value='("([^"\\]|\\.)*"|[^ "]*)' line
    line="^[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z (TRACE|DEBUG|INFO|WARNING|ERROR|FATAL) [a-z_]+ [a-z_]+"
    line="$line( [A-Za-z_]+=$value)*\$"
    grep -qE "$line" "$BATS_FILE_TMPDIR/log/TLLicenseManager.log"
    grep -vE "$line" "$BATS_FILE_TMPDIR/log/TLLicenseManager.log" > others || true
    cat others
    [ ! -s others ]
}
