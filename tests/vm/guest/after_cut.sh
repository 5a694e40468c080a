# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# After a power cut.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

counted() {
    finding lockout-counter
    evidence_has "1 of 3 tries used"
    mend
    refute finding lockout-counter
}

warm_start() {
    daemon_start
    daemon_ready
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
}

step "the TPM has counted it, and doctor says so" counted
step "warm start with the same fingerprint" warm_start
daemon_stop
steps_end
