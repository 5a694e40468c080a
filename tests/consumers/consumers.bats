#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What docs/consumers.md shows, with the programs it names.

load common

setup_file() {
    consumers_setup_file
    cd "$work/files" || return 1
    echo "a message to be signed" > message
    p11tool --export 'pkcs11:token=tlm;object=tlm-attest;type=cert' --outfile host.pem
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=server.example -days 2 \
        -addext subjectAltName=DNS:server.example -keyout server.key -out server.pem 2> "$work/req.out"
}

teardown_file() {
    consumers_teardown_file
}

teardown() {
    stop_block
    [ -z "${ended:-}" ] || end_by_pid "$ended"
}

# tls VERSION: the first line of what the server on port 8443 answers over that version.
tls() {
    curl --silent --show-error --fail --max-time 20 "--tlsv1.$1" --tls-max "1.$1" \
        --cacert "$work/files/host.pem" --connect-to "::127.0.0.1:8443" -k https://host.example:8443/
}

# The server proves that it has the key of host.pem: what it shows is that certificate.
shows_host_certificate() {
    openssl s_client -connect 127.0.0.1:8443 "-tls1_$1" < /dev/null 2> "$work/s_client.out" |
        openssl x509 -outform DER | cmp - <(openssl x509 -in "$work/files/host.pem" -outform DER)
}

@test "p11tool lists, exports and signs" {
    run -0 run_block p11tool
    echo "$output" | grep -q 'Label: tlm$'
    echo "$output" | grep -q 'object=tlm-attest'
    grep -q 'BEGIN CERTIFICATE' "$work/files/host.pem"
    echo "$output" | grep -qi 'verifying.*ok'
}

@test "gnutls-serv has its key in the token" {
    start_block gnutls-serv 8443
    for version in 2 3; do
        run -0 tls "$version"
        shows_host_certificate "$version"
    done
}

@test "ssh logs in with a key of the token" {
    run_block ssh-keygen
    [ "$(grep -c '^ecdsa-sha2-nistp256 ' "$work/files/host.pub")" -eq 1 ]
    start_sshd
    run -0 run_block ssh
    [ "$output" = "logged in" ]
    : > "$work/authorized_keys"
    run -255 run_block ssh
}

@test "ssh's agent uses the token" {
    run_block ssh-keygen
    start_sshd
    eval "$(ssh-agent -s 3>&-)" > /dev/null
    printf '#!/bin/sh\necho anything\n' > "$work/askpass"
    chmod +x "$work/askpass"
    run env SSH_ASKPASS="$work/askpass" SSH_ASKPASS_REQUIRE=force \
        bash -c 'cd "$1" && . "$2"' - "$work/files" <(block ssh-agent)
    ssh-agent -k > /dev/null
    echo "$output"
    [ "$status" -eq 0 ]
    echo "$output" | grep -q 'ECDSA'
    echo "$output" | grep -qx 'logged in'
}

start_sshd() {
    ssh-keygen -q -t ed25519 -N '' -f "$work/ssh_host" <<< y > /dev/null
    cp "$work/files/host.pub" "$work/authorized_keys"
    /usr/sbin/sshd -D -e -p 2222 -f /dev/null -h "$work/ssh_host" -o ListenAddress=127.0.0.1 \
        -o PidFile="$work/sshd.pid" -o UsePAM=no -o StrictModes=no -o PermitRootLogin=yes \
        -o AuthorizedKeysFile="$work/authorized_keys" > "$work/sshd.out" 2>&1 < /dev/null 3>&- &
    ended=$work/sshd.pid
    until_true 60 port_is_open 2222
}

@test "OpenSSL's engine signs" {
    run -0 run_block engine
    echo "$output" | grep -q 'Verified OK'
    echo changed > "$work/files/changed"
    run -1 openssl dgst -sha256 -verify "$work/files/host.key" \
        -signature "$work/files/message.sig" "$work/files/changed"
}

@test "OpenSSL's engine makes a certificate request" {
    run -0 run_block engine-req
    echo "$output" | grep -q 'verify OK'
}

@test "OpenSSL's engine serves TLS" {
    start_block engine-server 8443
    for version in 2 3; do
        run -0 tls "$version"
        shows_host_certificate "$version"
    done
}

@test "curl shows a client certificate of the token" {
    (cd "$work/files" && exec setsid openssl s_server -accept 8443 -www -cert server.pem -key server.key -Verify 1 \
        -CAfile host.pem -verify_return_error) > "$work/server.out" 2>&1 < /dev/null 3>&- &
    server=$!
    until_true 60 port_is_open 8443
    run -0 run_block curl
    echo "$output" | grep -q 'Client certificate'
    run curl --silent --cacert "$work/files/server.pem" \
        --resolve server.example:8443:127.0.0.1 https://server.example:8443/
    [ "$status" -ne 0 ]
}

@test "nginx serves with the key in the token" {
    cp "$work/files/host.pem" /etc/nginx/host.pem
    {
        block nginx-engine
        printf 'user www-data;\nworker_processes 2;\nerror_log %s;\npid %s;\n' \
            "$work/nginx.out" "$work/nginx.pid"
        printf 'events {}\nhttp {\naccess_log off;\n'
        block nginx
        echo '}'
    } > /etc/nginx/nginx.conf
    nginx -c /etc/nginx/nginx.conf 3>&-
    ended=$work/nginx.pid
    until_true 60 port_is_open 8443
    for version in 2 3; do
        for _ in 1 2 3 4; do
            run -0 tls "$version"
            [ "$output" = "served with the host's key" ]
        done
        shows_host_certificate "$version"
    done
}
