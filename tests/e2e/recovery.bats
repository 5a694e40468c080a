#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What happens to a host: its TPM is another one, lost its objects, went away, or locked itself.

load helpers

setup() {
    new_state
    as=()
}

teardown() {
    take_away
}

tool() {
    "$token_init" "$@" --persistence-dir "$state/persistence" \
        --tcti "swtpm:path=$state/run/swtpm.sock"
}

tpm2() {
    local name=$1
    shift
    TPM2TOOLS_TCTI="swtpm:path=$state/run/swtpm.sock" "tpm2_$name" "$@"
}

field() {
    curl -s "$url/status" | jq -r "$1"
}

# The text of every error that the status shows.
errors() {
    field '[.errors[] | .code + ": " + .message + " " + .hint] | join("\n")'
}

names_recover() {
    errors | grep -q 'tlm-token-init recover'
}

@test "a state beside another TPM is refused, and no file is changed" {
    start --backend swtpm
    local before own=$fingerprint
    finish INT
    # Another machine: a TPM that never saw this state.
    mv "$state/swtpm" "$state/own-swtpm"
    mkdir "$state/swtpm"
    swtpm_start "$state/swtpm" "$state/run/swtpm.sock" "$state/run/swtpm.pid" 3>&-
    swtpm_stop "$state/run/swtpm.sock" "$state/run/swtpm.pid"
    before=$(picture "$state/persistence")
    start_degraded foreign --backend swtpm
    status_is "$url/health" 200
    status_is "$url/ready" 503
    status_is "$url/fingerprint" 503
    [ "$(field .tpmConnected)" != null ]
    errors | grep -qi 'another TPM'
    finish INT
    [ "$ended_with" -eq 0 ]
    [ "$before" = "$(picture "$state/persistence")" ]
    # Back on its own machine all is as it was.
    rm -rf "$state/swtpm"
    mv "$state/own-swtpm" "$state/swtpm"
    start
    [ "$fingerprint" = "$own" ]
    [ "$(field .start.kind)" = warm ]
}

@test "the primary's handle evicted: degraded, recover is named, and brings the same fingerprint" {
    start --backend swtpm
    local own=$fingerprint
    tpm2 getcap handles-persistent | grep -qi 0x810003E8
    finish INT

    swtpm_start "$state/swtpm" "$state/run/swtpm.sock" "$state/run/swtpm.pid" 3>&-
    local handle
    for handle in $(tpm2 getcap handles-persistent | grep -oi '0x[0-9a-f]*'); do
        tpm2 evictcontrol -C o -c "$handle"
    done
    run ! grep -i 0x81 <(tpm2 getcap handles-persistent)
    swtpm_stop "$state/run/swtpm.sock" "$state/run/swtpm.pid"

    launch --backend swtpm
    wait_says ' degraded ' "$err"
    url=$(grep -o 'url=http[^ ]*' "$err" | tail -n 1 | cut -d= -f2)
    status_is "$url/health" 200
    status_is "$url/ready" 503
    wait_until 60 names_recover
    # Later tries say no less than the first one.
    sleep 3
    names_recover
    [ ! -s "$out" ]

    tool recover
    wait_until 90 status_is "$url/ready" 200
    [ "$(curl -fs "$url/fingerprint" | jq -r .fingerprint)" = "$own" ]
    finish INT
    start
    [ "$fingerprint" = "$own" ]
}

@test "files without their token: nobody is told to make a new one" {
    start --backend swtpm
    finish INT
    local tcti="swtpm:path=$state/run/swtpm.sock"
    swtpm_start "$state/swtpm" "$state/run/swtpm.sock" "$state/run/swtpm.pid" 3>&-
    mv "$state/persistence/token" "$state/kept"
    : >"$state/missing"
    "$(dirname "$token_init")/../httpd/TLLicenseManager" --persistence-dir "$state/persistence" \
        --config-dir "$state/config" --log-dir "$state/log" --tcti "$tcti" --rest-port 0 \
        --pkcs11-socket "$state/run/pkcs11.sock" \
        2>>"$state/missing" 3>&- &
    local daemon=$!
    wait_until 60 grep -q ' degraded ' "$state/missing"
    kill "$daemon"
    wait "$daemon" || true
    swtpm_stop "$state/run/swtpm.sock" "$state/run/swtpm.pid"
    grep -q 'state=token-missing.*Bring the token store back' "$state/missing"
    run ! grep -q 'tlm-token-init provision' "$state/missing"
}

# Nobody is at the TPM: what the start leaves for later is done, and the keys have left its slots,
# which tlm-tokend tells at the level debug. A command between TPM2_Shutdown and the end of the
# process would count as a power cut.
tpm_is_quiet() {
    [ "$(field .licensing.state)" = ok ] && [ -z "$(tpm2 getcap handles-transient)" ] &&
        [ "$(grep -c ' token_rests' "$err")" = "$(grep -c ' token_rested' "$err")" ]
}

@test "the TPM goes away and comes back during use: degraded meanwhile, then healed" {
    TLM_LOG_LEVEL=debug start --backend swtpm
    local own=$fingerprint
    wait_until 60 tpm_is_quiet
    swtpm_stop "$state/run/swtpm.sock" "$state/run/swtpm.pid"
    wait_until 60 status_is "$url/ready" 503
    status_is "$url/health" 200
    [ "$(field .tpmConnected)" = false ]
    [ -n "$(errors)" ]
    swtpm_start "$state/swtpm" "$state/run/swtpm.sock" "$state/run/swtpm.pid" 3>&-
    wait_until 90 status_is "$url/ready" 200
    [ "$(field .tpmConnected)" = true ]
    [ "$(curl -fs "$url/fingerprint" | jq -r .fingerprint)" = "$own" ]
    [ "$(tpm2 getcap properties-variable | sed -n 's/^TPM2_PT_LOCKOUT_COUNTER: *//p')" = 0x0 ]
}

@test "lockout: shown with its end, and over with a new start once it is cleared" {
    start --backend swtpm
    local own=$fingerprint tries=0 work=$state/lock
    finish INT
    swtpm_start "$state/swtpm" "$state/run/swtpm.sock" "$state/run/swtpm.pid" 3>&-
    mkdir "$work"
    echo secret > "$work/data"
    tpm2 createprimary -Q -C o -c "$work/primary"
    tpm2 flushcontext -t
    tpm2 create -Q -C "$work/primary" -i "$work/data" -p right -u "$work/pub" -r "$work/priv"
    tpm2 flushcontext -t
    tpm2 load -Q -C "$work/primary" -u "$work/pub" -r "$work/priv" -c "$work/sealed"
    tpm2 flushcontext -t
    while [ "$tries" -lt 5 ]; do
        tpm2 unseal -Q -c "$work/sealed" -p wrong 2> /dev/null || true
        tpm2 flushcontext -t
        tries=$((tries + 1))
    done
    tpm2 getcap properties-variable | grep -q 'inLockout: *1'
    swtpm_stop "$state/run/swtpm.sock" "$state/run/swtpm.pid"

    start_degraded token-locked --backend swtpm
    status_is "$url/health" 200
    status_is "$url/ready" 503
    errors | grep -qi lockout
    tool status | grep -qi lockout
    run tool doctor
    [ "$status" -eq 1 ]
    [[ ${output,,} == *lockout* ]]
    tpm2 dictionarylockout --clear-lockout
    finish INT
    start
    [ "$fingerprint" = "$own" ]
    run tool doctor
    [ "$status" -eq 0 ]
}
