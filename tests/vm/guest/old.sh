# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The machine with a TPM of version 1.2.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

old_version() {
    [ -e /dev/tpm0 ] && [ ! -e /dev/tpmrm0 ]
    finding tpm-version
    evidence_has "tpm_version_major: 1"
}

step "doctor: the version is told, and not a missing node" old_version
steps_end
