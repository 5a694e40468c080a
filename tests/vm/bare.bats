#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The programs on a real kernel's /dev/tpmrm0, and what doctor says of each case of
# docs/troubleshooting.md that a machine can be brought into. Each test is a boot of the same machine;
# they build on each other.

load vm

setup_file() {
    vm_setup_file
}

teardown_file() {
    vm_teardown_file
}

@test "a new machine" {
    boot cold
    documented
}

@test "booted again" {
    boot warm
}

@test "the TPM behind the other interface" {
    boot warm tpm-tis
}

@test "a power cut" {
    boot cut
    boot after_cut
    documented
}

@test "what an operator meets, and doctor mends" {
    boot cases
    documented
}

@test "no TPM" {
    boot none none
    documented
}

@test "a TPM of version 1.2" {
    vm_tpm old --log level=1,file="$work/swtpm.log"
    boot old tpm-tis old
    documented
}

@test "another TPM" {
    boot other tpm-crb two
    documented
}
