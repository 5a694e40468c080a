#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# tlm-tokend and a TPM that goes away, comes late, or is in lockout.

load ../../support/tokens
load ../../support/tokend
load common

setup() {
    tokend_setup
    provision > "$work/provision"
}

teardown() {
    tokend_teardown
}

lockout_counter() {
    tpm2_getcap properties-variable | sed -n 's/^TPM2_PT_LOCKOUT_COUNTER: *//p'
}

slots_are_free() {
    [ -z "$(tpm2_getcap handles-transient)" ]
}

# A command between TPM2_Shutdown and the end of the process would count as a power cut, and a TPM
# that is away during tlm-tokend's rest makes the token unavailable for a while.
nobody_is_at_it() {
    slots_are_free &&
        [ "$(grep -c ' token_rests' "$work/tokend.out")" = "$(grep -c ' token_rested' "$work/tokend.out")" ]
}

@test "the TPM restarted: the next call works, and no try is spent" {
    serve --log-level debug
    read_public
    sign before
    for _ in 1 2 3; do
        until_true 60 nobody_is_at_it
        stop_swtpm one
        start_swtpm one
        sign after
    done
    [ "$(lockout_counter)" = 0x0 ]
    [ "$(state pid)" -eq "$tokend_pid" ]
}

@test "the TPM away: said so, and found again without a client's call" {
    serve --log-level debug
    read_public
    until_true 60 nobody_is_at_it
    stop_swtpm one
    run ! sign away
    until_true 60 state_is unavailable
    [ "$(state tpm.connected)" = false ]
    grep -q 'code=token-unavailable' "$work/tokend.out"
    start_swtpm one
    until_true 60 state_is ready
    [ "$(state tpm.connected)" = true ]
    sign after
    [ "$(lockout_counter)" = 0x0 ]
}

@test "started before the TPM" {
    stop_swtpm one
    launch
    until_true 60 state_is unavailable
    [ "$(state error.code)" = tpm-unavailable ]
    start_swtpm one
    until_true 60 state_is ready
    [ "$(state simulated)" = true ]
    [ "$(state hardwareBound)" = false ]
    [ "$(state tpm.lockout.inLockout)" = false ]
    [ "$(state tcti)" = "$tcti" ]
    read_public
    sign one
}

@test "its keys leave a TPM without resource manager when nobody uses them" {
    serve
    read_public
    sign one
    [ -n "$(tpm2_getcap handles-transient)" ]
    until_true 60 slots_are_free
    [ "$(lockout_counter)" = 0x0 ]
    sign two
    until_true 60 slots_are_free
    [ "$(state state)" = ready ]
    run -0 "$TOKEN_INIT" doctor --persistence-dir "$persistence" --token-store "$store" --tcti "$tcti"
}

@test "in lockout at the start: said with the seconds, no try spent, over by itself" {
    lock_tpm
    [ "$(lockout_counter)" = 0x3 ]
    launch
    until_true 60 state_is unavailable
    [ "$(state error.code)" = locked ]
    [[ "$(state error.message)" == *"the TPM is in lockout: 3 of 3 tries are used"*"within 1000 seconds"* ]]
    [[ "$(state error.hint)" == *"tpm2_dictionarylockout --clear-lockout"* ]]
    [ "$(state tpm.lockout.inLockout)" = true ]
    tool --list-slots > "$work/slots"
    run ! grep -q 'token label' "$work/slots"
    sleep 2
    [ "$(lockout_counter)" = 0x3 ]
    tpm2_dictionarylockout --clear-lockout
    until_true 60 state_is ready
    read_public
    sign one
    [ "$(lockout_counter)" = 0x0 ]
}

# Wrong authorizations until the TPM refuses all, by an object of its own.
lock_tpm() {
    tpm2_createprimary -Q -C o -p right -c "$work/guarded.ctx"
    local i
    for i in 1 2 3; do
        tpm2_create -Q -C "$work/guarded.ctx" -P wrong -u "$work/u" -r "$work/r" 2> /dev/null || true
        tpm2_flushcontext -t
    done
}
