#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The image by itself: what the entry point makes and what it leaves alone, signals, health.

load project

setup_file() {
    project_setup_file
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir config persistence log
    chown 1000:1000 config persistence log
}

teardown() {
    docker rm -f tl-license-manager > /dev/null 2>&1 || true
}

# start [DOCKER ARGUMENT]… -- [ARGUMENT]…
start() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    docker run -d --name tl-license-manager -p 52014:52014 --cap-drop ALL --read-only \
        --security-opt no-new-privileges --tmpfs /run:uid=1000,gid=1000,mode=0755 \
        --health-interval 1s -v "$PWD/config:/etc/asperion/trustedLicensing/config" \
        -v "$PWD/persistence:/etc/asperion/trustedLicensing/persistence" \
        -v "$PWD/log:/var/log/asperion/trustedLicensing" "${options[@]}" trustedlicensing:latest "$@"
}

answers() {
    curl -s -o /dev/null "$url/health"
}

says() {
    docker logs tl-license-manager 2>&1 | grep -q -- "$1"
}

@test "without a TPM it comes up, says what is wrong, and makes nothing" {
    start -e TLM_PROVISION_WAIT=1 --
    wait_until 90 answers
    says 'the TPM cannot be reached'
    wait_until 60 is_state not-provisioned
    curl -s $url/ready | jq -e '.code == "not-provisioned" and .hint != ""'
    wait_health tl-license-manager unhealthy
    [ ! -e persistence/persistence.bin ]
    [ ! -e persistence/token/token.json ]
    # The entry point's own name is not passed on, as the programs warn of names they do not know.
    run ! says unknown_environment
}

@test "over files that a token is missing to, none is made" {
    touch persistence/persistence.bin
    chown 1000:1000 persistence/persistence.bin
    start --
    wait_until 90 answers
    says 'there are persistence files but no token'
    run ! says 'cold start'
    wait_until 60 is_state token-missing
    [ ! -e persistence/token ]
}

@test "over a store without its head none is made" {
    mkdir persistence/token
    touch persistence/token/tpm2_pkcs11.sqlite3
    chown -R 1000:1000 persistence/token
    start --
    wait_until 90 answers
    says 'not making one over it'
    [ "$(ls persistence/token)" = tpm2_pkcs11.sqlite3 ]
}

@test "a signal ends it while it waits for a TPM" {
    start -e TLM_PROVISION_WAIT=300 --
    wait_until 60 says 'cold start'
    local begin=$SECONDS
    docker stop --time 60 tl-license-manager
    [ $((SECONDS - begin)) -lt 20 ]
    [ "$(docker inspect --format '{{.State.ExitCode}}' tl-license-manager)" = 143 ]
}

@test "what only prints makes no token, and other programs are run as they are" {
    run -0 --separate-stderr docker run --rm trustedlicensing:latest --help
    [[ $output == *"Usage: TLLicenseManager"* ]]
    [ -z "$stderr" ]
    run -0 --separate-stderr docker run --rm trustedlicensing:latest TLLicenseManager --check-config
    [[ $output == *'REST.ServerPort = 52014'* && -z $stderr ]]
    run -0 docker run --rm trustedlicensing:latest ls /usr/sbin/TLLicenseManager
    run -2 docker run --rm trustedlicensing:latest --rest-prt 1
    [[ $output == *"--rest-port"* && $output != *"cold start"* ]]
}

@test "without a TPM on purpose it is healthy, and port and settings may come from a file" {
    echo '{"TrustedLicensing": {"TPM": {"Enabled": false}, "LicenseManager": {"LogLevel": "debug"}}}' \
        > config/TLLicenseManager.json
    start --
    wait_health tl-license-manager healthy
    run ! says 'cold start'
    curl -s $url/fingerprint | jq -e '.type == "fallback" and .hardwareBound == false'
    grep -q DEBUG log/TLLicenseManager.log
}

@test "with HTTPS it is asked on the administrators' socket" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout config/host.key \
        -out config/host.pem -days 2 -subj /CN=localhost 2> /dev/null
    chown 1000:1000 config/*
    chmod 600 config/host.key
    start -e TPM_ENABLED=false -e TLM_REST_TLS_CERTIFICATE=/etc/asperion/trustedLicensing/config/host.pem \
        -e TLM_REST_TLS_KEY=/etc/asperion/trustedLicensing/config/host.key --
    wait_health tl-license-manager healthy
    run ! curl -fs "$url/health"
    curl -fs --cacert config/host.pem https://localhost:52014/health | jq -e '.status == "ok"'
}

@test "the health check tells a wrong port, a wrong word, and what is not there" {
    start -e TPM_ENABLED=false --
    wait_health tl-license-manager healthy
    run -0 docker exec tl-license-manager tlm-health /health
    [[ $output == '200 {'* ]]
    run -1 docker exec tl-license-manager tlm-health /nothing
    [[ $output == '404 '* ]]
    run -2 docker exec -e TLM_REST_PORT=x tl-license-manager tlm-health
    run -2 docker exec tl-license-manager tlm-health one two three
    run -1 docker exec tl-license-manager tlm-health --connect /run/tlm/none.sock
    [[ $output == *"/run/tlm/none.sock: No such file"* ]]
    run -0 docker exec tl-license-manager tlm-health --connect /run/tlm/admin.sock
}
