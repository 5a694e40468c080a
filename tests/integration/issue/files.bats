#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# From keys to packages with files, and what another JOSE implementation makes of them.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

@test "a key in a file is for its owner alone, warned of, and never replaced" {
    run -0 --separate-stderr "$ISSUE" keygen --key key.pem
    [[ $stderr == *"warning: key.pem is a key in a file, for trials"* ]]
    [ "$(stat -c %a key.pem)" = 600 ]
    openssl pkey -in key.pem -noout
    sum=$(sha256sum key.pem)
    refused 1 exists "key.pem exists already" keygen --key key.pem
    [ "$(sha256sum key.pem)" = "$sum" ]
    chmod 644 key.pem
    description
    host h
    refused 1 permission key.pem license license.yaml --for h.json --key key.pem
}

@test "keys of every algorithm sign what jwcrypto verifies" {
    description
    host h
    local alg
    for alg in ES256 ES384 RS256 PS256; do
        issue keygen --key "$alg.pem" --alg "$alg" --public "$alg.pub" --json > "$alg.key" 2> err
        issue jwks --vendor "ACME=$alg.pub" --alg "$alg" --out "$alg.jwks"
        issue license license.yaml --for h.json --key "$alg.pem" --alg "$alg" --out "$alg.jws" 2> err
        foreign_verify "$alg.jwks" "$alg.jws" > claims
        [ "$(jq -r .header.alg claims)" = "$alg" ]
        [ "$(jq -r .header.typ claims)" = tlm-license+jwt ]
        [ "$(jq -r .header.kid claims)" = "$(jq -r .kid "$alg.key")" ]
        [ "$(jq -c .claims.features[0].memory claims)" = '{"quality":"high"}' ]
        [ "$(jq -r .claims.product.version claims)" = 2.10 ]
        issue verify "$alg.jws" --trust "$alg.jwks" --for h.json
    done
}

@test "the key id is the RFC 7638 thumbprint, as jwcrypto computes it, or what was asked for" {
    keys PS256
    "$PYTHON" - trust.jwks << 'PYTHON'
import json, sys
from jwcrypto import jwk
for key in json.load(open(sys.argv[1]))["keys"]:
    assert jwk.JWK(**key).thumbprint() == key["kid"], key
PYTHON
    issue jwks --vendor ACME=vendor.pub --kid one --out one.jwks
    [ "$(jq -r '.keys[0].kid' one.jwks)" = one ]
    refused 2 setting "--kid is for one key" jwks --vendor A=vendor.pub --issuer issuer.pub --kid x
}

@test "trust files are merged, and keep no private key" {
    keys
    issue keygen --key other.pem > /dev/null 2>&1
    issue jwks trust.jwks --vendor OTHER=other.pem --out more.jwks
    [ "$(jq -r '.keys | length' more.jwks)" = 3 ]
    [ "$(jq -c '[.keys[] | .d // empty]' more.jwks)" = '[]' ]
    [ "$(jq -r '.keys[2]["tlm:iss"]' more.jwks)" = OTHER ]
    issue jwks more.jwks trust.jwks --out same.jwks
    [ "$(jq -S . same.jwks)" = "$(jq -S . more.jwks)" ]
    refused 1 exists more.jwks jwks trust.jwks --out more.jwks
    issue jwks trust.jwks --out more.jwks --force
    [ "$(jq -r '.keys | length' more.jwks)" = 2 ]
    refused 2 setting "without keys" jwks
    refused 2 setting "vendor's code" jwks --vendor vendor.pub
    jq '.keys[0].d = "AA"' trust.jwks > private.jwks
    refused 1 format private jwks private.jwks
    jq '.keys[].kid = "k"' trust.jwks > twice.jwks
    refused 1 conflict k jwks twice.jwks
}

@test "a package opens with its host's key alone, in another implementation, too" {
    keys PS256
    description
    host h
    host other
    issue license license.yaml --for h.json --key vendor.pem --out license.jws 2> err
    issue package license.jws --for h.json --key issuer.pem --out h.tlmpkg 2> err
    foreign_open h.key h.tlmpkg > signed
    foreign_verify trust.jwks signed > package
    [ "$(jq -r .header.typ package)" = tlm-package+jwt ]
    [ "$(jq -r .claims.iss package)" = ACME ]
    [ "$(jq -r .claims.dest.fingerprint package)" = "$(jq -r .fingerprint h.json)" ]
    [ "$(jq -r '.claims.containers[0]' package)" = "$(cat license.jws)" ]
    run -1 foreign_open other.key h.tlmpkg
    issue verify signed --trust trust.jwks --for h.json
    issue verify h.tlmpkg --for h.json
}

@test "what jwcrypto signs, we inspect, verify and pack" {
    keys
    host h
    "$PYTHON" - vendor.pem h.json "$(jq -r '.keys[0].kid' trust.jwks)" > foreign.jws << 'PYTHON'
import json, sys, time
from jwcrypto import jwk, jws
claims = {"iss": "ACME", "sub": "S", "jti": "3F1D9B5E-0c6a-4b0e-9a9e-5b1a3c2d4e5f", "iat": int(time.time()),
          "product": {"id": "p"}, "features": [{"id": "f", "seats": 0, "model": {"type": "perpetual"}}],
          "binding": {"type": "token", "fingerprint": json.load(open(sys.argv[2]))["fingerprint"]}}
token = jws.JWS(json.dumps(claims))
token.add_signature(jwk.JWK.from_pem(open(sys.argv[1], "rb").read()), protected=json.dumps(
    {"alg": "ES256", "kid": sys.argv[3], "typ": "tlm-license+jwt"}))
print(token.serialize(compact=True))
PYTHON
    issue inspect foreign.jws | grep -q 'feature  *f: this host only, for ever'
    issue verify foreign.jws --trust trust.jwks --for h.json
    issue package foreign.jws --for h.json --key issuer.pem --trust trust.jwks --out h.tlmpkg 2> err
}

@test "verify names the check that fails" {
    keys
    description 'notBefore: 2026-01-01'
    host h
    host other
    host weak fallback
    issue license license.yaml --for h.json --key vendor.pem --out license.jws 2> err
    run -1 issue verify license.jws --trust trust.jwks --for other.json
    [[ $output == *"FAILED"*"binding: the license is bound to"*"[foreign]"* ]]
    issue jwks --vendor OTHER=vendor.pub --out other.jwks
    run -1 issue verify license.jws --trust other.jwks
    [[ $output == *"FAILED"*"signature: "*"[untrusted]"* ]]
    sed 's/.$/A/; s/^\(.*\)A$/\1Q/' license.jws > last.jws
    cut -d. -f1 license.jws | tr -d '\n' > bent.jws
    printf '.%s.%s\n' "$(cut -d. -f2 license.jws | basenc -d --base64url 2> /dev/null |
        sed s/1000/9999/ | basenc --base64url -w0 | tr -d =)" "$(cut -d. -f3 license.jws)" >> bent.jws
    run -1 issue verify bent.jws --trust trust.jwks
    [[ $output == *"FAILED"*"[signature]"* ]]
    run -1 issue verify license.jws --trust other.jwks --json
    [ "$(jq -r '.valid, .checks[0].code' <<< "$output" | xargs)" = "false untrusted" ]
    description 'expires: 2026-01-01' 'issued: 2025-01-01'
    issue license license.yaml --for h.json --key vendor.pem --out old.jws 2> err
    run -1 issue verify old.jws --trust trust.jwks
    [[ $output == *"FAILED"*"times: "*"[expired]"* ]]
    issue package license.jws --for h.json --key issuer.pem --out h.tlmpkg 2> err
    run -1 issue verify h.tlmpkg --for other.json
    [[ $output == *"FAILED"*"destination: "*"[foreign]"* ]]
    refused 2 setting "a trust file" verify license.jws
    refused 2 setting "the host's file" verify h.tlmpkg
    run -1 issue verify weak.json
    [[ $output == *"FAILED"*"fingerprint: "* ]]
}

@test "a license goes into no package that its host would refuse" {
    keys
    host h
    host other
    description
    issue license license.yaml --for h.json --key vendor.pem --out license.jws 2> err
    refused 1 foreign "is bound to" package license.jws --for other.json --key issuer.pem --out no
    description 'expires: 2026-01-01' 'issued: 2025-01-01'
    issue license license.yaml --for h.json --key vendor.pem --out old.jws 2> err
    refused 1 expired license package license.jws old.jws --for h.json --key issuer.pem --out no
    refused 1 untrusted issuer package license.jws --for h.json --key vendor.pem --trust trust.jwks --out no
    jq .type=\"tpm\" h.json > tpm.json
    description
    issue license license.yaml --for tpm.json --key vendor.pem --out tpm.jws 2> err
    refused 1 foreign "type tpm" package tpm.jws --for h.json --key issuer.pem --out no
    sed 's/^./x/' h.json > bad.json
    refused 1 format bad.json package license.jws --for bad.json --key issuer.pem --out no
    jq '.kid = "AAAA"' h.json > bent.json
    refused 1 damaged "do not belong together" package license.jws --for bent.json --key issuer.pem --out no
    refused 1 format "the container license.yaml" package license.yaml --for h.json --key issuer.pem --out no
    [ ! -e no ]
}

@test "a request carries both fingerprints, and the license's decides" {
    keys
    host h
    host local
    fallback local
    jq -n --slurpfile h h.json --slurpfile f local.json \
        '{type: "tlm-request", version: 1, created: "2026-01-31T12:00:00Z", host: $h[0], fallback: $f[0], keys: {keys: []}}' > request.json
    description 'binding: {type: fallback}'
    issue license license.yaml --for request.json --key vendor.pem --out license.jws 2> err
    issue package license.jws --for request.json --key issuer.pem --out h.tlmpkg 2> err
    foreign_open local.key h.tlmpkg > signed
    [ "$(issue inspect signed --json | jq -r .claims.dest.fingerprint)" = "$(jq -r .fingerprint local.json)" ]
    issue inspect request.json | grep -q 'request of a host'
    issue verify request.json
    description
    issue license license.yaml --for request.json --key vendor.pem --out own.jws 2> err
    issue package own.jws license.jws --for request.json --key issuer.pem --out both.tlmpkg 2> err
    foreign_open h.key both.tlmpkg > signed
    [ "$(issue inspect signed --json | jq '.claims.containers | length')" = 2 ]
}

@test "inspect explains each file of ours, and says what is none" {
    keys
    host h
    description
    issue license license.yaml --for h.json --key vendor.pem --out license.jws 2> err
    issue package license.jws --for h.json --key issuer.pem --out h.tlmpkg 2> err
    issue inspect license.jws | grep -q 'feature  *render: 5 seats, for ever'
    issue inspect license.jws | grep -q 'feature  *export: this host only, 1000 units'
    issue inspect h.tlmpkg | grep -q "for host  *$(jq -r .fingerprint h.json)"
    issue inspect trust.jwks | grep -q 'signs for  *ACME'
    issue inspect h.json | grep -q 'type  *token, not hardware-bound'
    issue inspect license.yaml | grep -q 'feature  *export: counter'
    issue inspect vendor.pub | grep -q "$(jq -r '.keys[0].kid' trust.jwks)"
    issue inspect - < license.jws | grep -q 'standard input'
    local file kind
    while read -r file kind; do
        [ "$(issue inspect "$file" --json | jq -r .kind)" = "$kind" ]
    done << 'KINDS'
license.jws license
h.tlmpkg package
trust.jwks jwks
h.json fingerprint
license.yaml description
vendor.pub public-key
vendor.pem private-key
KINDS
    printf 'hello' > text
    refused 1 format text inspect text
    : > empty
    refused 1 format "empty is empty" inspect empty
    refused 1 not-found none inspect none
    printf 'vendor: "\\e[31mA"\ncustomer: C\nproduct: {id: p}\nfeatures: [{id: f, model: perpetual}]\n' > red.yaml
    run -0 issue inspect red.yaml
    [[ $output != *$'\033'* ]]
}
