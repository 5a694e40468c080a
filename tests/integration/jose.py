#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Our formats and another JOSE implementation, python3-jwcrypto: each takes what the other made.

SOURCE is the source directory, FORMATS_PEER our side (tests/support/formats_peer.c).
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

from jwcrypto import jwe, jwk, jws

SOURCE = os.environ["SOURCE"]
PEER = os.environ["FORMATS_PEER"]
ALGORITHMS = ["ES256", "ES384", "RS256", "PS256"]
JTI = "6f1c2a7e-3b4d-4c5e-8f60-718293a4b5c6"
PACKAGE_JTI = "0b0e4c1e-9f2a-4d56-b7c8-d9e0f1a2b3c4"


def make_key(alg):
    if alg.startswith("ES"):
        return jwk.JWK.generate(kty="EC", crv="P-" + alg[2:])
    return jwk.JWK.generate(kty="RSA", size=2048)


def public(key, **members):
    return {**json.loads(key.export_public()), **members}


def trust_of(vendor, issuer, alg):
    return {
        "keys": [
            public(vendor, kid="v", alg=alg, **{"tlm:use": "vendor", "tlm:iss": "ACME"}),
            public(issuer, kid="i", alg=alg, **{"tlm:use": "issuer"}),
        ]
    }


def license_claims(fingerprint):
    return {
        "iss": "ACME",
        "sub": "Müller & Söhne",
        "jti": JTI,
        "iat": 1700000000,
        "exp": 4000000000,
        "product": {"id": "editor", "name": "Editor", "version": "4.2"},
        "binding": {"type": "token", "fingerprint": fingerprint},
        "features": [
            {"id": "pro", "seats": 5, "model": {"type": "perpetual"}, "memory": {"a": [1, "ü"]}},
            {"id": "trial", "seats": 0, "model": {"type": "trial", "days": 30}},
            {
                "id": "pages",
                "seats": 1,
                "model": {"type": "counter", "direction": "down", "limit": 100},
            },
        ],
    }


def package_claims(fingerprint, *containers):
    return {
        "iss": "Issuer",
        "jti": PACKAGE_JTI,
        "iat": 1700000000,
        "dest": {"fingerprint": fingerprint},
        "containers": list(containers),
    }


def sign(key, alg, kid, typ, claims, **more):
    token = jws.JWS(json.dumps(claims))
    token.add_signature(key, None, json.dumps({"alg": alg, "kid": kid, "typ": typ, **more}))
    return token.serialize(compact=True)


def encrypt(host, content, **more):
    header = {
        "alg": "RSA-OAEP-256",
        "enc": "A256GCM",
        "cty": "JWT",
        "kid": host.thumbprint(),
        **more,
    }
    token = jwe.JWE(content.encode(), json.dumps(header), recipient=host)
    return token.serialize(compact=True)


def thumbprint_in_hex(key):
    text = key.thumbprint()
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()


class Peer(unittest.TestCase):
    """Runs our side; what it refuses is a code."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tlm-jose-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.host = jwk.JWK.generate(kty="RSA", size=2048)
        self.fingerprint = thumbprint_in_hex(self.host)

    def path(self, name, content=None):
        path = os.path.join(self.directory, name)
        if content is not None:
            mode = "wb" if isinstance(content, bytes) else "w"
            with open(path, mode) as file:
                file.write(content)
        return path

    def private(self, name, key):
        return self.path(name, key.export_to_pem(private_key=True, password=None))

    def ask(self, *arguments, text):
        done = subprocess.run(
            [PEER, *arguments], input=text.encode(), capture_output=True, timeout=60, check=False
        )
        if done.returncode == 0:
            return done.stdout.decode().split()
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr.decode().split()[0]


class Theirs(Peer):
    """What python3-jwcrypto signed and encrypted is taken by us."""

    def test_every_algorithm(self):
        for alg in ALGORITHMS:
            with self.subTest(alg=alg):
                self.check(alg, make_key(alg), make_key(alg))

    def check(self, alg, vendor, issuer):
        trust = self.path("trust.jwks", json.dumps(trust_of(vendor, issuer, alg)))
        container = sign(vendor, alg, "v", "tlm-license+jwt", license_claims(self.fingerprint))
        self.assertEqual(self.ask("license", trust, text=container), [JTI])
        signed = sign(
            issuer, alg, "i", "tlm-package+jwt", package_claims(self.fingerprint, container)
        )
        package = encrypt(self.host, signed)
        host = self.private("host.pem", self.host)
        self.assertEqual(self.ask("package", trust, host, text=package), [JTI])
        revoked = sign(
            vendor,
            alg,
            "v",
            "tlm-revocation+jwt",
            {"iss": "ACME", "iat": 1700000000, "serial": 1, "revoked": [JTI]},
        )
        self.assertEqual(self.ask("revocation", trust, text=revoked), [JTI])
        # And not what came off the rails: another signature, another key, another host.
        swapped = container.rsplit(".", 1)[0] + "." + revoked.rsplit(".", 1)[1]
        self.assertEqual(self.ask("license", trust, text=swapped), "signature")
        forged = sign(issuer, alg, "v", "tlm-license+jwt", license_claims(self.fingerprint))
        self.assertEqual(self.ask("license", trust, text=forged), "signature")
        strange = sign(vendor, alg, "x", "tlm-license+jwt", license_claims(self.fingerprint))
        self.assertEqual(self.ask("license", trust, text=strange), "untrusted")
        other = self.private("other.pem", jwk.JWK.generate(kty="RSA", size=2048))
        self.assertIn(self.ask("package", trust, other, text=package), ["crypto", "damaged"])

    def test_what_they_would_sign_and_we_refuse(self):
        vendor = make_key("ES256")
        trust = self.path("trust.jwks", json.dumps(trust_of(vendor, make_key("ES256"), "ES256")))
        claims = license_claims(self.fingerprint)
        with_key = sign(
            vendor, "ES256", "v", "tlm-license+jwt", claims, jwk=json.loads(vendor.export_public())
        )
        self.assertEqual(self.ask("license", trust, text=with_key), "unsupported")
        secret = jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("="))
        symmetric = sign(secret, "HS256", "v", "tlm-license+jwt", claims)
        self.assertEqual(self.ask("license", trust, text=symmetric), "unsupported")
        p521 = jwk.JWK.generate(kty="EC", crv="P-521")
        self.assertEqual(
            self.ask("license", trust, text=sign(p521, "ES512", "v", "tlm-license+jwt", claims)),
            "unsupported",
        )

    def test_a_compressed_bomb_stays_shut(self):
        vendor = make_key("ES256")
        trust = self.path("trust.jwks", json.dumps(trust_of(vendor, vendor, "ES256")))
        host = self.private("host.pem", self.host)
        bomb = encrypt(self.host, "A" * 50_000_000, zip="DEF")
        self.assertLess(len(bomb), 1_048_576)
        self.assertEqual(self.ask("package", trust, host, text=bomb), "unsupported")


class Ours(Peer):
    """What we signed and encrypted is taken by python3-jwcrypto."""

    def test_every_algorithm(self):
        for alg in ALGORITHMS:
            with self.subTest(alg=alg):
                key = make_key(alg)
                self.check(alg, key, self.private("key.pem", key))

    def check(self, alg, key, path):
        claims = license_claims(self.fingerprint)
        (text,) = self.ask("sign", alg, "v", "tlm-license+jwt", path, text=json.dumps(claims))
        token = jws.JWS()
        token.deserialize(text, key)
        self.assertEqual(token.jose_header, {"alg": alg, "kid": "v", "typ": "tlm-license+jwt"})
        self.assertEqual(json.loads(token.payload), claims)
        with self.assertRaises(jws.InvalidJWSSignature):
            jws.JWS().deserialize(text, make_key(alg))

    def test_a_package(self):
        public_key = self.path("host.pem", self.host.export_to_pem())
        content = "header.payload.signature" * 10_000
        (text,) = self.ask("seal", public_key, text=content)
        token = jwe.JWE()
        token.deserialize(text, self.host)
        self.assertEqual(token.payload.decode(), content)
        self.assertEqual(
            token.jose_header,
            {
                "alg": "RSA-OAEP-256",
                "enc": "A256GCM",
                "cty": "JWT",
                "kid": self.host.thumbprint(),
            },
        )


class Document(Peer):
    """The example of docs/licenses.md makes what we take."""

    def test_the_example(self):
        with open(os.path.join(SOURCE, "docs", "licenses.md"), encoding="utf-8") as file:
            text = file.read()
        found = re.search(r"<!-- test: issue -->\n```python\n(.*?)```\n", text, re.DOTALL)
        self.assertIsNotNone(found)
        answer = {
            "fingerprint": self.fingerprint,
            "kid": self.host.thumbprint(),
            "type": "token",
            "jwk": public(self.host, kid=self.host.thumbprint()),
        }
        self.path("fingerprint.json", json.dumps(answer))
        subprocess.run(
            [sys.executable, "-c", found.group(1)], cwd=self.directory, timeout=60, check=True
        )
        host = self.private("host.pem", self.host)
        with open(self.path("acme.tlmpkg"), encoding="ascii") as file:
            package = file.read()
        (jti,) = self.ask("package", self.path("acme.jwks"), host, text=package)
        self.assertRegex(jti, "^[0-9a-f-]{36}$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
