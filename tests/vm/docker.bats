#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The container on a real kernel's /dev/tpmrm0, in Docker's own engine. Each test is a boot of the same
# machine; they build on each other. Set by ctest, too: DOCKER_DISK.

load vm

setup_file() {
    vm_setup_file
    qemu-img create -q -f qcow2 -F raw -b "${DOCKER_DISK:?of make-docker}" "$work/docker.qcow2"
}

teardown_file() {
    vm_teardown_file
}

@test "a container, as the documents start it and as people get it wrong" {
    boot docker_cold
    documented
}

@test "the machine is booted again" {
    boot docker_warm
}

@test "another TPM" {
    boot docker_other tpm-crb two
    documented
}
