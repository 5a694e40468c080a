#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docker-compose.split.yml: tlm-tokend alone has the TPM; everybody else its socket.

load project

setup_file() {
    project_setup_file
    split
    allow '{"user": 1000, "objects": ["*"], "operations": ["use"]},
        {"user": 1000, "objects": ["tlm-storage"], "operations": ["manage"]},
        {"user": 1001, "objects": ["tlm-attest"], "operations": ["sign"]}'
    docker-compose up -d
    wait_health tl-license-manager healthy
}

setup() {
    split
}

split() {
    project split docker-compose.split.yml docker-compose.simulator.yml \
        docker-compose.split-simulator.yml
}

# Rules for tlm-tokend.
allow() {
    echo "{\"version\": 1, \"rules\": [$1]}" > _tokend/access.json
    chown 1000:1000 _tokend/access.json
}

# Through the example's socket.
tool() {
    docker exec split_example-application_1 sh -c "P11_KIT_SERVER_ADDRESS=unix:path=/run/tlm/pkcs11.sock \
        exec pkcs11-tool --module \$(find /usr/lib -name p11-kit-client.so) --login --pin none $1"
}

signed() {
    docker logs split_example-application_1 2>&1 | grep -q '^signed: .'
}

@test "the license manager works without the TPM and without the token's store" {
    curl -s $url/status | jq -e '.tpmConnected == true and .token.provider.supervised == false'
    [ -s _persistence/persistence.bin ]
    [ ! -e _persistence/token ]
    [ -s _token/token/token.json ]
    run ! docker exec tl-license-manager pgrep tlm-tokend
    docker exec tl-license-manager test ! -e /run/swtpm/none
    run ! docker exec tl-license-manager test -w /run/tlm
}

@test "the owner of the token has no network, the device alone, and no capability" {
    docker inspect tlm-tokend | jq -e '.[0].HostConfig | .NetworkMode == "none" and
        .Privileged == false and .ReadonlyRootfs and .CapDrop == ["ALL"]'
    docker exec tlm-tokend grep -qx 'CapEff:	0000000000000000' /proc/1/status
    [ "$(docker exec tlm-tokend cat /proc/1/comm)" = tlm-tokend ]
    wait_health tlm-tokend healthy
}

@test "the application signs with the key it was given, and with no other" {
    wait_until 90 signed
    run ! tool "--decrypt --mechanism RSA-PKCS-OAEP --id 01 --input-file /etc/hostname"
    run -0 tool "--list-objects --type privkey"
    [[ $output == *tlm-attest* && $output != *tlm-srk* ]]
    docker logs tlm-tokend 2>&1 | grep 'audit key_used uid=1001' | grep -q 'key=tlm-attest.*operation=sign'
}

@test "a restarted owner is found again, and the identity is the same" {
    local known
    known=$(fingerprint)
    docker restart tlm-tokend
    wait_health tlm-tokend healthy
    wait_health tl-license-manager healthy
    [ "$(fingerprint)" = "$known" ]
    run ! grep -q 'cold start' <(docker logs --since 20s tlm-tokend 2>&1)
}

@test "with the owner stopped the license manager says so" {
    docker-compose stop tlm-tokend
    wait_health tl-license-manager unhealthy
    [ "$(curl -s -o /dev/null -w '%{http_code}' $url/ready)" = 503 ]
    docker-compose start tlm-tokend
    wait_health tl-license-manager healthy
}
