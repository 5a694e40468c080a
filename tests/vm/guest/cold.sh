# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A new machine: its TPM, the user's way to it, the token, the first start.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

device_nodes() {
    ls -l /dev/tpm*
    [ "$(stat -c '%U:%G %a' /dev/tpm0)" = "tss:root 660" ]
    [ "$(stat -c '%U:%G %a' /dev/tpmrm0)" = "tss:tss 660" ]
}

not_in_group() {
    finding device-permission
    evidence_has "gid $(getent group tss | cut -d: -f3), mode 0660"
    evidence_has "this process: uid $(id -u tlm), gids $(id -g tlm)"
    mend
    finding not-provisioned
    jq -e '[.findings[].id] - ["simulated"] == ["not-provisioned"]' /tmp/doctor.json
}

# The daemon says the same and makes nothing; it goes on by itself once there is a token.
not_provisioned() {
    daemon_start
    degraded not-provisioned
    [ "$(find "$persistence" -name '*.bin' -o -name token)" = "" ]
    finding not-provisioned
    mend_as_tlm
    daemon_ready
    daemon_stop
    rm -rf "${persistence:?}"/*
    as_tlm tpm2_evictcontrol -Q -C o -c 0x810003E8
}

provision() {
    as_tlm tlm-token-init provision
    healthy
    as_tlm tlm-token-init status --json > /tmp/status
    jq -e '.tcti.conf == "device:/dev/tpmrm0" and .tpm.connected and .store.thumbprint != null' /tmp/status
}

first_start() {
    daemon_start
    daemon_ready
    status_is '.tpmConnected and .start.kind == "cold" and .token.provider.supervised and .errors == []'
    fingerprint > "$kept/fingerprint"
    value fingerprint "$(cat "$kept/fingerprint")"
    [ "$(wc -c < "$kept/fingerprint")" -eq 65 ]
}

# No capabilities, nothing but the shared device, and that one in tlm-tokend alone.
only_what_is_needed() {
    local daemon tokend
    daemon=$(pgrep -x TLLicenseManage)
    tokend=$(pgrep -x tlm-tokend)
    for pid in "$daemon" "$tokend"; do
        [ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = "$(id -u tlm)" ]
        [ "$(awk '/^CapEff:/ { print $2 }' "/proc/$pid/status")" = 0000000000000000 ]
    done
    [ "$(find "/proc/$tokend/fd" -lname '/dev/tpm*' -printf '%l\n' | sort -u)" = /dev/tpmrm0 ]
    [ "$(find "/proc/$daemon/fd" -lname '/dev/tpm*')" = "" ]
}

# Somebody has the exclusive node for itself: the shared one goes on, and the other is told.
exclusive_node_held() {
    exec 7<> /dev/tpm0
    finding device-busy env TLM_TCTI=device:/dev/tpm0
    fuser -v /dev/tpm0
    as_tlm tlm-token-init status | grep -F "device:/dev/tpmrm0"
    daemon_start
    daemon_ready
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
    exec 7>&-
    finding device-permission as_tlm env TLM_TCTI=device:/dev/tpm0
    command_has /dev/tpmrm0
}

stops_in_time() {
    local begun
    begun=$(milliseconds)
    daemon_stop
    [ $(($(milliseconds) - begun)) -lt 10000 ]
}

step "the nodes belong to whom udev's rule says" device_nodes
install -d -o tlm -g tlm -m 700 "$persistence"
step "doctor: not in the device's group, with the numbers and the command" not_in_group
step "without a token the daemon says so, and goes on once there is one" not_provisioned
step "provision on /dev/tpmrm0 as the service's user" provision
step "cold start" first_start
step "no capabilities, and the device in tlm-tokend alone" only_what_is_needed
step "stops within 10 s" stops_in_time
step "somebody holds /dev/tpm0: /dev/tpmrm0 goes on" exclusive_node_held
daemon_stop
steps_end
