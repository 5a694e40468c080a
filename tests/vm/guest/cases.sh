# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What an operator meets: each case is brought about, found by doctor, and mended by what doctor says.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

fingerprint_is_the_same() {
    [ "$(fingerprint_of_store)" = "$(cat "$kept/fingerprint")" ]
}

node_missing() {
    rm /dev/tpmrm0
    udevadm trigger --settle --subsystem-match=tpmrm
    [ ! -e /dev/tpmrm0 ]
    finding no-device
    evidence_has "/sys/class/tpm: tpm0"
    mend
    healthy
}

directory_for_node() {
    rm /dev/tpmrm0
    mkdir /dev/tpmrm0
    finding device-no-node
    mend
    healthy
}

# As the kernel makes it, before any rule.
node_of_root() {
    chown root:root /dev/tpmrm0
    chmod 0600 /dev/tpmrm0
    finding device-permission
    mend
    healthy
}

# The number of another distribution.
node_of_other_group() {
    chgrp 4113 /dev/tpmrm0
    finding device-permission
    evidence_has "gid 4113, mode 0660; this process: uid $(id -u tlm), gids"
    mend
    healthy
    chgrp tss /dev/tpmrm0
}

# Under each name that it has: a store takes it from wherever it is.
module_missing() {
    local package=libtpm2-pkcs11-1 files file
    mapfile -t files < <(dpkg-query -L "$package" | grep '/libtpm2_pkcs11')
    [ "${#files[@]}" -gt 0 ]
    for file in "${files[@]}"; do
        mv "$file" "$file.away"
    done
    finding module-missing
    command_has "apt install $package"
    for file in "${files[@]}"; do
        mv "$file.away" "$file"
    done
    healthy
}

store_for_others() {
    chmod 0644 "$store/sealed.json"
    finding store-mode
    mend
    healthy
}

store_of_root() {
    chown -R root: "$store"
    finding store-owner
    daemon_start
    degraded token-unavailable
    refute jq -e '.findings[] | select(.id == "handle-foreign")' /tmp/doctor.json
    mend
    daemon_ready
    daemon_stop
    fingerprint_is_the_same
}

# The daemon as root, once, by mistake.
files_of_root() {
    chown root: "$persistence/persistence.bin"
    daemon_start
    degraded unreadable
    chown -R tlm: /etc/asperion/trustedLicensing/persistence
    chmod -R go= /etc/asperion/trustedLicensing/persistence
    daemon_ready
    daemon_stop
}

store_read_only() {
    mount --bind "$store" "$store"
    mount -o remount,bind,ro "$store"
    finding store-read-only
    mend
    healthy
    umount "$store"
}

lockout() {
    cd /tmp
    tpm2_createprimary -Q -C o -c parent
    echo secret | tpm2_create -Q -C parent -i - -p right -c object
    for _ in 1 2 3; do
        refute tpm2_unseal -c object -p wrong
    done
    finding lockout
    evidence_has "3 of 3 tries used; one is forgotten each 1000 seconds"
    daemon_start
    degraded token-locked
    mend
    daemon_ready
    daemon_stop
    healthy
    refute finding lockout-counter
}

testing() {
    tpm2_selftest --fulltest
    healthy
}

root_key_evicted() {
    as_tlm tpm2_evictcontrol -Q -C o -c 0x810003E8
    finding handle-missing
    mend_as_tlm
    healthy
    fingerprint_is_the_same
}

foreign_root_key() {
    as_tlm tpm2_evictcontrol -Q -C o -c 0x810003E8
    put_foreign 0x810003E8
    finding handle-foreign
    mend_as_tlm
    healthy
    fingerprint_is_the_same
}

seal_parent_evicted() {
    as_tlm tpm2_evictcontrol -Q -C o -c 0x810003E9
    finding seal-handle-missing
    mend_as_tlm
    refute finding seal-handle-missing
}

foreign_seal_parent() {
    as_tlm tpm2_evictcontrol -Q -C o -c 0x810003E9
    put_foreign 0x810003E9
    finding seal-handle-foreign
    mend_as_tlm
    healthy
}

put_foreign() {
    tpm2_createprimary -Q -C o -G ecc -c /tmp/foreign
    tpm2_evictcontrol -Q -C o -c /tmp/foreign "$1"
    tpm2_getcap handles-persistent | grep -i "$1"
}

counter_removed() {
    tpm2_nvundefine -Q -C o 0x018003E8
    finding counter-missing
    mend_as_tlm
    refute finding counter-missing
}

foreign_counter() {
    tpm2_nvundefine -Q -C o 0x018003E8
    tpm2_nvdefine -Q -C o -s 8 -a "ownerread|ownerwrite|authread" 0x018003E8
    finding counter-foreign
    mend_as_tlm
    refute finding counter-foreign
    fingerprint_is_the_same
}

still_the_host() {
    daemon_start
    daemon_ready
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
    daemon_stop
}

step "the node is missing" node_missing
step "a directory in the place of the node" directory_for_node
step "the node belongs to root" node_of_root
step "the node belongs to a group without a name here" node_of_other_group
step "the PKCS#11 module is missing" module_missing
step "others may read the store" store_for_others
step "the store belongs to root" store_of_root
step "the files belong to root" files_of_root
step "the store is on a read-only file system" store_read_only
step "lockout, and the daemon that waits for its end" lockout
step "a self-test" testing
step "the root key was evicted" root_key_evicted
step "a foreign object at the root key's handle" foreign_root_key
step "the secrets' parent was evicted" seal_parent_evicted
step "a foreign object at the handle of the secrets' parent" foreign_seal_parent
step "the counter was removed" counter_removed
step "a foreign index in the counter's place" foreign_counter
step "after all of it: the same fingerprint" still_the_host
steps_end
