#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A vendor and an issuer, by another JOSE implementation than ours (python3-jwcrypto).

vendor.py keys DIR                      DIR/vendor.jwk, DIR/issuer.jwk and the public DIR/trust.jwks
vendor.py package DIR FINGERPRINT OUT   a package of the licenses on standard input, for the host whose
                                        GET /fingerprint answer is the file FINGERPRINT
vendor.py revoke DIR OUT SERIAL JTI…    a revocation list

Standard input of `package`: {"licenses": [claims…]}; iss, sub, iat, product and binding are filled in.
"""

import json
import sys
import time
import uuid

from jwcrypto import jwe, jwk, jws

VENDOR = "ACME"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def read_key(directory, name):
    with open(f"{directory}/{name}.jwk", encoding="ascii") as file:
        return jwk.JWK.from_json(file.read())


def keys(directory):
    public = []
    for name, use in (("vendor", {"tlm:use": "vendor", "tlm:iss": VENDOR}), ("issuer", {"tlm:use": "issuer"})):
        key = jwk.JWK.generate(kty="EC", crv="P-256", kid=f"{name}-{uuid.uuid4()}", alg="ES256")
        write(f"{directory}/{name}.jwk", key.export_private())
        public.append({**json.loads(key.export_public()), **use})
    write(f"{directory}/trust.jwks", json.dumps({"keys": public}))


def sign(key, typ, claims):
    token = jws.JWS(json.dumps(claims))
    header = {"alg": "ES256", "kid": key["kid"], "typ": typ}
    token.add_signature(key, None, json.dumps(header), None)
    return token.serialize(compact=True)


def package(directory, fingerprint, out):
    with open(fingerprint, encoding="ascii") as file:
        host = json.load(file)
    now = int(time.time())
    vendor = read_key(directory, "vendor")
    containers = []
    for claims in json.load(sys.stdin)["licenses"]:
        whole = {
            "iss": VENDOR,
            "sub": "customer",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "product": {"id": "editor", "name": "Editor", "version": "1"},
            "binding": {"type": "fallback", "fingerprint": host["fingerprint"]},
            **claims,
        }
        containers.append(sign(vendor, "tlm-license+jwt", whole))
    claims = {
        "iss": "issuer",
        "jti": str(uuid.uuid4()),
        "iat": now,
        "dest": {"fingerprint": host["fingerprint"]},
        "containers": containers,
    }
    inner = sign(read_key(directory, "issuer"), "tlm-package+jwt", claims)
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": host["kid"]}
    outer = jwe.JWE(inner.encode(), json.dumps(header))
    outer.add_recipient(jwk.JWK.from_json(json.dumps(host["jwk"])))
    write(out, outer.serialize(compact=True) + "\n")


def revoke(directory, out, serial, *ids):
    claims = {"iss": VENDOR, "iat": int(time.time()), "serial": int(serial), "revoked": list(ids)}
    write(out, sign(read_key(directory, "vendor"), "tlm-revocation+jwt", claims))


if __name__ == "__main__":
    {"keys": keys, "package": package, "revoke": revoke}[sys.argv[1]](*sys.argv[2:])
