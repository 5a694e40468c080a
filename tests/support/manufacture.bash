# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For bats, after tokens.bash: simulated TPMs as a maker would deliver them.

# manufacture NAME CA: a TPM with an EK certificate of the local CA of that name, both below $work.
# Sets ca, the certificate of the issuer.
manufacture() {
    mkdir -p "$work/$1/st" "$work/$2"
    cat > "$work/$2/localca.conf" << CONF
statedir = $work/$2
signingkey = $work/$2/signkey.pem
issuercert = $work/$2/issuercert.pem
certserial = $work/$2/certserial
CONF
    : > "$work/$2/localca.options"
    cat > "$work/$2/setup.conf" << CONF
create_certs_tool = $(command -v swtpm_localca)
create_certs_tool_config = $work/$2/localca.conf
create_certs_tool_options = $work/$2/localca.options
active_pcr_banks = sha256
CONF
    swtpm_setup --tpm2 --tpmstate "$work/$1/st" --config "$work/$2/setup.conf" --create-ek-cert \
        --lock-nvram > "$work/$1/setup.log" 2>&1 3>&- || {
        cat "$work/$1/setup.log"
        return 1
    }
    start_swtpm "$1"
    # shellcheck disable=SC2034 # for the tests
    ca=$work/$2/issuercert.pem
}
