# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The machine was booted again, with its TPM or another: the engine starts the container by itself.

# shellcheck source=tests/vm/guest/docker.sh
. "${0%/*}/docker.sh"

warm_start() {
    container_ready
    status_is '.start.kind == "warm" and .tpm.lockout.counter == 0'
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
    until_true 120 is_healthy
}

step "the engine starts" engine_start
step "warm start with the same fingerprint, nothing counted by the TPM, healthy" warm_start
step "the engine ends" engine_stop
steps_end
