# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The machine again, with the TPM that it had.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

nothing_counted() {
    as_tlm tlm-token-init status --json | jq -e '.tpm.lockout.counter == 0'
}

warm_start() {
    daemon_start
    daemon_ready
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
}

nothing_made() {
    local before
    before=$(picture)
    as_tlm tlm-token-init provision
    [ "$(picture)" = "$before" ]
}

step "the kernel told the TPM of the shutdown: nothing is counted" nothing_counted
step "provisioning again changes nothing" nothing_made
step "warm start with the same fingerprint" warm_start
step "healthy" healthy
daemon_stop
steps_end
