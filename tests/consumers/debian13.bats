#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What docs/consumers.md shows for OpenSSL's provider, in a Debian 13 that shares only the socket.

load common

setup_file() {
    consumers_setup_file
    # In the test's own mount namespace, and gone with it.
    mount --bind /run/tlm "$DEBIAN13/run/tlm"
    mkdir "$work/files/13"
    mount -t tmpfs tmpfs "$DEBIAN13/tmp"
    echo "a message to be signed" > "$DEBIAN13/tmp/message"
    block provider.cnf > "$DEBIAN13/tmp/provider.cnf"
}

teardown_file() {
    consumers_teardown_file
}

# Runs a script inside.
inside() {
    env -i PATH=/usr/bin:/usr/sbin chroot "$DEBIAN13" /usr/bin/dash -euc "cd /tmp; $1"
}

@test "OpenSSL's provider signs and verifies" {
    block provider > "$work/commands"
    run -0 inside "$(cat "$work/commands")"
    echo "$output" | grep -q 'CERTIFICATE\|Certificate'
    echo "$output" | grep -q 'Signature Verified Successfully'
    p11tool --export 'pkcs11:token=tlm;object=tlm-attest;type=cert' --outfile "$work/files/host.pem"
    openssl x509 -in "$work/files/host.pem" -noout -pubkey > "$work/files/host.key"
    openssl dgst -sha256 -verify "$work/files/host.key" -signature "$DEBIAN13/tmp/message.sig" \
        "$DEBIAN13/tmp/message"
}

@test "OpenSSL's provider serves TLS 1.3 and 1.2" {
    p11tool --export 'pkcs11:token=tlm;object=tlm-attest;type=cert' --outfile "$DEBIAN13/tmp/host.pem"
    block provider-server > "$work/commands"
    (exec setsid env -i PATH=/usr/bin:/usr/sbin chroot "$DEBIAN13" /usr/bin/dash -euc \
        "cd /tmp; $(cat "$work/commands")") > "$work/server.out" 2>&1 < /dev/null 3>&- &
    server=$!
    until_true 60 port_is_open 8443
    for version in 2 3; do
        run -0 curl --silent --show-error --fail --max-time 20 -k "--tlsv1.$version" \
            --tls-max "1.$version" https://127.0.0.1:8443/
    done
    stop_block
}
