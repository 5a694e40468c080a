#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the seeds of the fuzz targets jws, license, package, revocation and trust.

Run by hand; what it makes is kept in the repository, as keys and signatures differ from run to run.
The public keys are formats_trust.jwks, which the targets trust; the private ones are not kept.
"""

import json
import os
import sys

from jwcrypto import jwe, jwk, jws

HERE = os.path.dirname(os.path.abspath(__file__))
JTI = "6f1c2a7e-3b4d-4c5e-8f60-718293a4b5c6"
FINGERPRINT = "00112233445566778899aabbccddeeff" * 2
CEK = bytes(range(32))


def put(target, name, text):
    directory = os.path.join(HERE, "corpus", target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "w", encoding="latin-1") as file:
        file.write(text)


def sign(key, typ, claims, **more):
    token = jws.JWS(claims if isinstance(claims, str) else json.dumps(claims))
    header = {"alg": key["alg"], "kid": key["kid"], "typ": typ, **more}
    token.add_signature(key, None, json.dumps(header))
    return token.serialize(compact=True)


def license_claims(**more):
    return {
        "iss": "ACME", "sub": "Customer", "jti": JTI, "iat": 1700000000, "exp": 1800000000,
        "product": {"id": "editor", "name": "Editor", "version": "4.2"},
        "binding": {"type": "fallback", "fingerprint": FINGERPRINT, "minComponents": 3},
        "features": [
            {"id": "a", "seats": 5, "name": "A", "model": {"type": "perpetual"}, "borrowDays": 3},
            {"id": "b", "seats": 0, "model": {"type": "period", "notBefore": 1, "notAfter": 2}},
            {"id": "c", "seats": 1, "model": {"type": "trial", "days": 30}},
            {"id": "d", "seats": 1, "model": {"type": "usageTime", "seconds": 9007199254740991}},
            {"id": "e", "seats": 1, "model": {"type": "counter", "direction": "down", "limit": 1}},
            {"id": "f", "seats": 1, "model": {"type": "counter", "direction": "up"}},
            {"id": "g", "seats": 1, "model": {"type": "tokens", "amount": 7}},
            {"id": "h", "seats": 1, "model": {"type": "list", "max": 7}, "memory": {"x": [1.5]}},
        ],
        **more,
    }


def main():
    keys = {}
    for alg in ["ES256", "ES384", "RS256", "PS256"]:
        kind = {"kty": "EC", "crv": "P-" + alg[2:]} if alg[0] == "E" else {"kty": "RSA", "size": 2048}
        keys[alg] = jwk.JWK.generate(kid=alg, alg=alg, **kind)
    issuer = jwk.JWK.generate(kty="EC", crv="P-256", kid="issuer", alg="ES256")
    entries = [
        {**json.loads(key.export_public()), "tlm:use": "vendor", "tlm:iss": "ACME"}
        for key in keys.values()
    ] + [{**json.loads(issuer.export_public()), "tlm:use": "issuer"}]
    jwks = json.dumps({"keys": entries})
    with open(os.path.join(HERE, "formats_trust.jwks"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"keys": entries}, indent=1) + "\n")

    put("trust", "all", jwks)
    put("trust", "empty", '{"keys":[]}')
    put("trust", "private", json.dumps({"keys": [json.loads(keys["ES256"].export_private())]}))
    put("trust", "repeated", '{"keys":[],"keys":[]}')
    put("trust", "same_kid", json.dumps({"keys": [entries[0], {**entries[4], "kid": "ES256"}]}))
    put("trust", "off_curve", json.dumps({"keys": [{**entries[0], "y": entries[0]["x"]}]}))
    put("trust", "small", json.dumps({"keys": [{**entries[2], "n": "_" * 170}]}))

    for alg, key in keys.items():
        put("jws", alg, sign(key, "t", {"iss": "ACME"}))
        put("license", alg, sign(key, "tlm-license+jwt", license_claims()))
        put("revocation", alg, sign(key, "tlm-revocation+jwt", {
            "iss": "ACME", "iat": 1700000000, "serial": 3, "revoked": [JTI, JTI.upper()]}))
    put("jws", "jwk", sign(keys["ES256"], "t", {}, jwk=json.loads(keys["ES256"].export_public())))
    put("jws", "none", "eyJhbGciOiJub25lIiwia2lkIjoiayIsInR5cCI6InQifQ.e30.")
    put("jws", "dots", "...")
    put("jws", "deep", sign(keys["ES256"], "t", '{"a":' + "[" * 40 + "]" * 40 + "}"))
    put("jws", "number", sign(keys["ES256"], "t", '{"a":1e999}'))
    put("jws", "repeated", sign(keys["ES256"], "t", '{"a":1,"a":2}'))
    put("revocation", "claims", json.dumps({
        "iss": "ACME", "iat": 1700000000, "serial": 3, "revoked": [JTI]}))
    put("license", "claims", json.dumps(license_claims()))
    put("license", "model", json.dumps(license_claims(features=[
        {"id": "a", "seats": 1, "model": {"type": "trial", "days": 3, "more": 1}}])))
    put("license", "typ", sign(keys["ES256"], "tlm-package+jwt", license_claims()))
    put("revocation", "empty", sign(keys["ES256"], "tlm-revocation+jwt", {
        "iss": "ACME", "iat": 0, "serial": 0, "revoked": []}))

    container = sign(keys["ES256"], "tlm-license+jwt", license_claims())
    package = {"iss": "Issuer", "jti": JTI, "iat": 1700000000, "dest": {"fingerprint": FINGERPRINT},
               "containers": [container]}
    signed = sign(issuer, "tlm-package+jwt", package)
    put("package", "signed", signed)
    put("package", "claims", json.dumps(package))
    put("package", "vendor", sign(keys["ES256"], "tlm-package+jwt", package))
    put("package", "twice", sign(issuer, "tlm-package+jwt",
                                 {**package, "containers": [container, container]}))
    host = jwk.JWK.generate(kty="RSA", size=2048)
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": host.thumbprint()}
    for name, more in {"jwe": {}, "zip": {"zip": "DEF"}}.items():
        token = jwe.JWE(signed.encode(), json.dumps({**header, **more}))
        token.cek = CEK
        token.add_recipient(host)
        put("package", name, token.serialize(compact=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
