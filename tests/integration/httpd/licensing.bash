# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A vendor that the daemon trusts, its packages, and requests below /api/v1. After common.bash.

json_type='Content-Type: application/json'
jose_type='Content-Type: application/jose'
license=0190f3a1-2b4c-7d5e-8f60-718293a4b5c6

# trust_vendor: keys of a vendor and an issuer, which the daemon is told to trust.
trust_vendor() {
    mkdir -p "$home/vendor"
    mkdir -m 700 "$home/config/trust"
    vendor keys "$home/vendor"
    install -m 644 "$home/vendor/trust.jwks" "$home/config/trust/vendor.jwks"
}

# Debian's jwcrypto is for Debian's python, whatever the PATH has.
vendor() {
    /usr/bin/python3 "$SOURCE/tests/integration/httpd/vendor.py" "$@"
}

# make_package FILE CLAIMS…: a package for this host, each of the claims a license
make_package() {
    local file=$1
    shift
    curl -s "${tls[@]}" "$url/fingerprint" > "$home/fingerprint.json"
    printf '%s\n' "$@" | jq -s '{licenses: .}' |
        vendor package "$home/vendor" "$home/fingerprint.json" "$file"
}

# feature ID SEATS MODEL [MEMORY]: of a license, as JSON
feature() {
    jq -cn --arg id "$1" --argjson seats "$2" --argjson model "$3" --argjson memory "${4:-null}" \
        '{id: $id, seats: $seats, model: $model} + if $memory == null then {} else {memory: $memory} end'
}

# claims JTI FEATURE…: of a license
claims() {
    local id=$1
    shift
    printf '%s\n' "$@" | jq -cs --arg id "$id" '{jti: $id, features: .}'
}

find_tokens() {
    admin="Authorization: Bearer $(cat "$home/persistence/admin.token")"
    application="Authorization: Bearer $(cat "$home/persistence/client.token")"
}

# call STATUS METHOD PATH [CURL OPTION…]: the answer in $home/answer, its head in $home/head.
tls=()
call() {
    local wanted=$1 method=$2 path=$3 got
    shift 3
    got=$(curl -s -m 20 -o "$home/answer" -D "$home/head" -w '%{http_code}' "${tls[@]}" \
        -X "$method" "$@" "$url$path")
    [ "$got" = "$wanted" ] || {
        echo "$method $path gave $got"
        cat "$home/answer"
        return 1
    }
}

# says FILTER: what of the last answer
says() {
    jq -re "$1" "$home/answer"
}

# send STATUS METHOD PATH JSON [CURL OPTION…]
send() {
    local wanted=$1 method=$2 path=$3 body=$4
    shift 4
    call "$wanted" "$method" "$path" -H "$json_type" -d "$body" "$@"
}

# activate STATUS FILE [CURL OPTION…]
activate() {
    local wanted=$1 file=$2
    shift 2
    call "$wanted" POST /api/v1/licenses -H "$jose_type" --data-binary "@$file" "$@"
}

# activate_usual: what most tests lease
activate_usual() {
    make_package "$home/usual.tlmpkg" "$(claims "$license" \
        "$(feature pro 2 '{"type":"perpetual"}' '{"color":"blue"}')" \
        "$(feature solo 0 '{"type":"perpetual"}')" \
        "$(feature pages 5 '{"type":"counter","direction":"down","limit":10}')" \
        "$(feature coins 5 '{"type":"tokens","amount":4}')")"
    activate 201 "$home/usual.tlmpkg" -H "$admin"
}
