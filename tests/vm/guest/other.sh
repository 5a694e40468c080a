# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The machine's disk beside another TPM, as a clone has it.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

refused() {
    local before
    before=$(picture)
    daemon_start
    degraded foreign
    daemon_stop
    [ "$(picture)" = "$before" ]
    finding foreign-tpm
}

# The owner hierarchy of this one has a password, which a file tells.
new_identity() {
    tpm2_changeauth -Q -c owner topsecret
    mv "$persistence" "$persistence.first"
    install -d -o tlm -g tlm -m 700 "$persistence"
    refute as_tlm tlm-token-init provision > /tmp/out 2>&1
    grep -F -e --owner-auth-file /tmp/out
    (umask 077 && echo topsecret > /tmp/FILE)
    chown tlm: /tmp/FILE
    install -d -o tlm -g tlm -m 700 "$kept/recovery"
    as_tlm tlm-token-init provision --owner-auth-file /tmp/FILE --vault-policy SecureBoot \
        --recovery-key "$kept/recovery/key"
    healthy
    as_tlm tlm-token-init status --json | jq -re .store.thumbprint > "$kept/second"
    refute cmp "$kept/second" "$kept/fingerprint"
}

boot_state_changed() {
    daemon_start
    daemon_ready
    daemon_stop
    tpm2_pcrextend 7:sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    finding pcr-changed
    daemon_start
    degraded token-unavailable
    mend_as_tlm
    daemon_ready
    daemon_stop
    [ "$(fingerprint_of_store)" = "$(cat "$kept/second")" ]
}

step "another TPM is refused, and nothing is changed" refused
step "a new identity beside a password of the owner hierarchy" new_identity
step "a changed boot state keeps the secrets closed until reseal" boot_state_changed
steps_end
