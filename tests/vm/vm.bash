# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For bats: a virtual machine with a Debian kernel and a simulated TPM behind its own driver.
# Set by ctest: SOURCE, BUILD, VM (the directory of make-kernel and make-root).

: "${SOURCE:?the repository}" "${BUILD:?the build}" "${VM:?kernel and root}"
if [ -n "${BATS_VERSION:-}" ]; then
    bats_require_minimum_version 1.5.0
fi
# shellcheck source=scripts/swtpm.sh
. "$SOURCE/scripts/swtpm.sh"

# Boots end by themselves; one that hangs is killed after this many seconds.
boot_limit=${TLM_VM_LIMIT:-600}

# Makes a machine: its disk, written to a file of its own, and a disk of programs and steps.
vm_setup_file() {
    work=$(mktemp -d /tmp/tlm-vm.XXXXXX)
    export work
    qemu-img create -q -f qcow2 -F raw -b "$VM/root.img" "$work/root.qcow2"
    mkdir "$work/tools"
    DESTDIR=$work/stage cmake --install "$BUILD" --prefix /local --strip > "$work/install.log"
    mv "$work/stage/local" "$work/tools/local"
    cp -R "$SOURCE"/tests/vm/{init,guest} "$SOURCE"/docs/{docker,troubleshooting}.md \
        "$SOURCE/tests/docs/blocks.awk" "$work/tools/"
    mkdir "$work/tools/docker"
    cp "$SOURCE"/docker/docker-compose*.yml "$work/tools/docker/"
    mke2fs -q -t ext4 -O ^has_journal -d "$work/tools" "$work/tools.img" 64M > "$work/mke2fs.log"
}

vm_teardown_file() {
    local pid
    for pid in "$work"/*.pid; do
        [ -f "$pid" ] || continue
        pid_matches "$(cat "$pid")" "$work" && end_process "$(cat "$pid")" 5
    done
    rm -rf "$work"
}

# vm_tpm NAME [ARGUMENT]…: a TPM 2.0 of that name, its state kept from an earlier boot; qemu's end is its.
vm_tpm() {
    local name=$1
    shift
    mkdir -p "$work/tpm.$name"
    [ $# -gt 0 ] || set -- --tpm2
    swtpm socket "$@" --tpmstate "dir=$work/tpm.$name" --ctrl "type=unixio,path=$work/$name.sock" \
        --terminate --daemon --pid "file=$work/swtpm.$name.pid" < /dev/null 3>&-
}

# boot STEPS [tpm-crb|tpm-tis|none] [TPM]: runs the steps of guest/STEPS.sh, and shows them.
boot() {
    local steps=$1 device=${2:-tpm-crb} tpm=${3:-one} status=0 arguments=()
    if [ "$device" != none ]; then
        [ -S "$work/$tpm.sock" ] || vm_tpm "$tpm"
        arguments=(-chardev "socket,id=tpm,path=$work/$tpm.sock"
            -tpmdev "emulator,id=tpm0,chardev=tpm" -device "$device,tpmdev=tpm0")
    fi
    if [ -f "$work/docker.qcow2" ]; then
        arguments+=(-drive "if=virtio,format=qcow2,cache=unsafe,file=$work/docker.qcow2")
    fi
    tap=$work/tap.$steps
    timeout --kill-after=5 "$boot_limit" qemu-system-x86_64 -accel tcg -cpu max -m 768 -smp 1 \
        -nodefaults -no-reboot -display none -pidfile "$work/qemu.pid" \
        -kernel "$VM/vmlinuz" -initrd "$VM/initrd.img" -append "console=ttyS0 quiet \
panic=-1 mitigations=off apparmor=0 tlm.steps=$steps ${TLM_VM_APPEND:-}" \
        -serial "file:$work/console.$steps" -serial "file:$tap" \
        -drive "if=virtio,format=qcow2,cache=unsafe,file=$work/root.qcow2" \
        -drive "if=virtio,format=raw,readonly=on,file=$work/tools.img" \
        "${arguments[@]}" < /dev/null 3>&- || status=$?
    rm -f "$work/$tpm.sock"
    cat "$tap"
    if [ "$status" -ne 0 ] || ! grep -qx end "$tap"; then
        echo "the machine did not come to the end of its steps; qemu's status $status, its console:"
        tail -n 40 "$work/console.$steps"
        return 1
    fi
    grep -q '^ok ' "$tap"
    ! grep '^not ok ' "$tap"
}

# value NAME: what a step of the last boot said about it, one a line.
value() {
    sed -n "s/^# value $1=//p" "$tap"
}

# What doctor found in the last boot stands in the documents as it was printed.
documented() {
    local finding id page=$SOURCE/docs/troubleshooting.md
    [ -n "$(value finding)" ]
    value finding | sort -u | while read -r finding; do
        id=${finding##*[}
        id=${id%]}
        if grep -qF "[$id]" "$page"; then
            grep -qxF -- "$finding" "$page"
        else
            grep -qF "\`$id\`" "$page"
        fi || { echo "docs/troubleshooting.md has not: $finding"; return 1; }
    done
}
