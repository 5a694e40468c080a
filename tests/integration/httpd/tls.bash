# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Certificates for the tests of HTTPS, and clients that check them. After common.bash.

# make_ca NAME: $home/NAME.crt and $home/NAME.key
make_ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj "/CN=$1" -addext keyUsage=critical,keyCertSign -keyout "$home/$1.key" \
        -out "$home/$1.crt" 2> /dev/null
}

# sign_request CA REQUEST CERTIFICATE PURPOSE [DAYS]: serverAuth for this host, or clientAuth
sign_request() {
    printf 'extendedKeyUsage=%s\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n' "$4" > "$home/extensions"
    openssl x509 -req -in "$2" -CA "$home/$1.crt" -CAkey "$home/$1.key" -days "${5:-30}" \
        -extfile "$home/extensions" -out "$3" 2> /dev/null
}

# make_pair CA NAME TYPE PURPOSE: $home/NAME.crt and .key; TYPE ec, rsa or rsa:BITS
make_pair() {
    local kind=(-newkey "$3")
    [ "$3" != ec ] || kind=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1)
    openssl req -new "${kind[@]}" -nodes -subj "/CN=$2" -keyout "$home/$2.key" \
        -out "$home/$2.csr" 2> /dev/null
    chmod 600 "$home/$2.key"
    sign_request "$1" "$home/$2.csr" "$home/$2.crt" "$4"
}

# ask PATH OPTION…: over TLS, the server checked against the CA "ours" and its name.
ask() {
    local path=$1
    shift
    curl -sS -m 15 --cacert "$home/ours.crt" "$@" "$url$path"
}

# handshake OPTION…: openssl's client, which sends nothing; what it says goes to $home/said.
# shellcheck disable=SC2120 # from other files it gets some
handshake() {
    timeout 15 openssl s_client -connect "127.0.0.1:$port" -CAfile "$home/ours.crt" \
        -verify_return_error "$@" < /dev/null > "$home/said" 2>&1
}

# gets_alert OPTION…: the handshake is refused, and the peer is told so. It sends nothing: in TLS 1.3
# a client is done first, and what it sends then can make the kernel throw the alert away.
gets_alert() {
    sleep 1 | timeout 15 openssl s_client -connect "127.0.0.1:$port" "$@" > "$home/said" 2>&1 || true
    grep -q 'SSL alert number' "$home/said"
}

# session FILE OPTION…: one request on an openssl connection; keeps the session's ticket in FILE.
session() {
    local file=$1
    shift
    { printf 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' && sleep 1; } |
        timeout 15 openssl s_client -connect "127.0.0.1:$port" -CAfile "$home/ours.crt" -quiet \
            -no_ign_eof "$@" > "$file" 2>&1
}

# refused SETTING… : the program ends with status 2 before it serves, and says why in $err.
refused() {
    launch "$@"
    ended_with=0
    wait "$pid" || ended_with=$?
    pid=""
    cat "$err"
    [ "$ended_with" -eq 2 ]
}

# The serial number of the certificate that is served.
served_serial() {
    handshake
    sed -n '/-----BEGIN/,/-----END/p' "$home/said" | openssl x509 -noout -serial
}

# The module itself and its PIN, as for any HSM.
use_module() {
    store=$home/persistence/token
    (umask 077 && "$BUILD/tests/support/token-secrets" "$store" "swtpm:path=$home/tpm.sock" |
        jq -jre .userPin > "$home/pin")
    export TPM2_PKCS11_STORE=$store TPM2_PKCS11_TCTI=swtpm:path=$home/tpm.sock \
        TPM2_PKCS11_BACKEND=esysdb TPM2_PKCS11_LOG_LEVEL=0 SOFTHSM2_CONF=$store/softhsm2.conf
    settings=(--no-tpm --pkcs11-module "$(jq -re .module "$store/token.json")"
        --pkcs11-pin-file "$home/pin")
}

# certify KEY: $home/KEY.crt, by the CA "ours", for the token's key
certify() {
    local words=(--persistence-dir "$home/persistence" --config-dir "$home/config")
    [ "$BACKEND" = softhsm ] || words+=(--tcti "swtpm:path=$home/tpm.sock")
    "$TOKEN_INIT" csr "${words[@]}" --key "$1" --subject CN=localhost --san DNS:localhost \
        --out "$home/$1.csr" 3>&-
    sign_request ours "$home/$1.csr" "$home/$1.crt" serverAuth
}

# start_key KEY OPTION…: the token's key with the CA's certificate of it
start_key() {
    local key=$1
    shift
    [ -e "$home/$key.crt" ] || certify "$key"
    start_ready --rest-tls-certificate "$home/$key.crt" --rest-tls-key "pkcs11:object=$key" "$@"
    [[ $url == https://* ]]
}
