# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The machine without a TPM.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

no_tpm() {
    [ ! -e /dev/tpm0 ] && [ ! -e /dev/tpmrm0 ]
    finding no-module
    evidence_has "/dev/tpmrm0 does not exist; /sys/class/tpm: empty; loaded drivers: none"
    mend
    [ ! -e /dev/tpmrm0 ]
}

degraded_and_untouched() {
    local before
    before=$(picture)
    daemon_start
    degraded token-unavailable
    curl -fs "$url/health"
    status_is '.tpmConnected == false'
    daemon_stop
    daemon_start_with --no-tpm
    degraded foreign
    daemon_stop
    [ "$(picture)" = "$before" ]
}

step "doctor: no driver, no TPM" no_tpm
step "the daemon is degraded, and changes nothing" degraded_and_untouched
steps_end
