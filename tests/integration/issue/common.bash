# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For bats: keys in PEM, hosts whose keys are known, and what another JOSE implementation makes of
# what tlm-issue writes. Set by ctest: SOURCE, ISSUE and PYTHON.

: "${SOURCE:?the repository}" "${ISSUE:?tlm-issue}" "${PYTHON:?with jwcrypto}"
bats_require_minimum_version 1.5.0

issue() {
    "$ISSUE" "$@"
}

# refused STATUS CODE TEXT ARGUMENT…: the first line of the message has text and code.
refused() {
    run --separate-stderr "-$1" "$ISSUE" "${@:4}"
    echo "$stderr"
    [[ $(grep '^tlm-issue: ' <<< "$stderr" | grep -v ': warning: ' | head -n 1) == "tlm-issue: "*"$3"*" [$2]" ]]
    [ -z "$output" ]
}

# keys: vendor.pem and issuer.pem with their public halves, and trust.jwks of both.
keys() {
    issue keygen --key vendor.pem --public vendor.pub > /dev/null 2>&1
    issue keygen --key issuer.pem --alg "${1:-ES256}" --public issuer.pub > /dev/null 2>&1
    issue jwks --vendor ACME=vendor.pub --issuer issuer.pub --out trust.jwks
}

# host NAME [TYPE]: NAME.key, and NAME.json as GET /fingerprint answers.
host() {
    local n sha
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" 2> /dev/null
    openssl pkey -in "$1.key" -pubout -out "$1.pub"
    n=$(openssl rsa -pubin -in "$1.pub" -noout -modulus | cut -d= -f2 |
        basenc --base16 -d | basenc --base64url -w0 | tr -d =)
    sha=$(printf '{"e":"AQAB","kty":"RSA","n":"%s"}' "$n" | sha256sum | cut -d' ' -f1)
    jq -n --arg sha "$sha" --arg type "${2:-token}" --rawfile pem "$1.pub" --arg kid \
        "$(basenc -d --base16 <<< "${sha^^}" | basenc --base64url -w0 | tr -d =)" \
        '{fingerprint: $sha, kid: $kid, type: $type, hardwareBound: false, publicKey: $pem}' > "$1.json"
}

# fallback NAME: NAME.json becomes a fallback of no component.
fallback() {
    local sha
    sha=$(jq -r .fingerprint "$1.json" | tr a-f A-F | basenc -d --base16 | sha256sum | cut -d' ' -f1)
    jq --arg sha "$sha" '.type = "fallback" | .fingerprint = $sha | .components = []' "$1.json" > "$1.new"
    mv "$1.new" "$1.json"
}

# description [LINE]…: license.yaml, with further lines at its top.
description() {
    {
        [ $# -eq 0 ] || printf '%s\n' "$@"
        cat << 'YAML'
vendor: ACME
customer: Example Ltd
product: {id: cad, name: CAD, version: "2.10"}
features:
  - id: render
    seats: 5
    model: perpetual
    memory: {quality: high}
  - id: export
    model: {type: counter, direction: down, limit: 1000}
YAML
    } > license.yaml
}

# The claims of a signed text as JSON; jwcrypto verifies it with the key of that kid in the JWKS $1.
foreign_verify() {
    "$PYTHON" - "$1" "$2" << 'PYTHON'
import json, sys
from jwcrypto import jwk, jws
keys = jwk.JWKSet.from_json(open(sys.argv[1]).read())
token = jws.JWS()
token.deserialize(open(sys.argv[2]).read().strip())
token.verify(keys.get_key(token.jose_header["kid"]), alg=token.jose_header["alg"])
print(json.dumps({"header": token.jose_header, "claims": json.loads(token.payload)}))
PYTHON
}

# What is in an encrypted package, by jwcrypto with the host's private key $1.
foreign_open() {
    "$PYTHON" - "$1" "$2" << 'PYTHON'
import sys
from jwcrypto import jwe, jwk
key = jwk.JWK.from_pem(open(sys.argv[1], "rb").read())
token = jwe.JWE(algs=["RSA-OAEP-256", "A256GCM"])
token.deserialize(open(sys.argv[2]).read().strip(), key=key)
assert token.jose_header["cty"] == "JWT", token.jose_header
assert token.jose_header["kid"] == key.thumbprint(), token.jose_header
print(token.payload.decode())
PYTHON
}
