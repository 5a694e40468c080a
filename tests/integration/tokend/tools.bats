#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The self-test of pkcs11-tool through the socket.

load ../../support/tokens
load ../../support/tokend
load common

setup() {
    tokend_setup
    "$TOKEN_INIT" provision --backend "${kind:?}" --rsa-bits 2048 > "${work:?}/provision" 2>&1
    serve
}

teardown() {
    tokend_teardown
}

# p11-kit's remoting refuses C_GenerateRandom of no bytes, whatever serves it; nothing else may fail.
@test "pkcs11-tool --test" {
    tool --login --pin '' --test > "$work/test.out" 2>&1 || true
    cat "$work/test.out"
    [ "$(grep -ciE 'err|fail' "$work/test.out")" -eq 2 ]
    grep -qx '  ERR: C_GenerateRandom(buf1,0) failed: CKR_BUFFER_TOO_SMALL (0x150)' "$work/test.out"
    [ "$(tail -n 1 "$work/test.out")" = "1 errors" ]
    [ "$(grep -c ': OK$\|^OK$' "$work/test.out")" -ge 5 ]
    # The key that does not decrypt is left alone, the other one decrypts.
    sed -n '/^Decryption/,$p' "$work/test.out" | grep -q 'testing key [01] (tlm-srk)'
}
