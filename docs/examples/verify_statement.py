#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Verifies a statement of a licensed host with nothing but the host's public keys.

    verify_statement.py ANSWER KEYS [NONCE]

ANSWER is an answer with statement, index, path and root; KEYS is what GET /api/v1/keys gave, kept from a
moment when the host was known to be the right one; NONCE is the one that was asked with.
"""
import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decode(text), "big")


def canonical(value):
    """RFC 8785, for what statements have: texts and whole numbers, ASCII names."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def climb(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2: the root that a leaf and its path lead to."""
    place, last = index, size - 1
    if index >= size:
        raise ValueError("there is no such place in the tree")
    for sibling in path:
        if last == 0:
            raise ValueError("the path is too long")
        if place % 2 == 1 or place == last:
            leaf = node(sibling, leaf)
            while place % 2 == 0 and place != 0:
                place, last = place // 2, last // 2
        else:
            leaf = node(leaf, sibling)
        place, last = place // 2, last // 2
    if last != 0:
        raise ValueError("the path is too short")
    return leaf


def claims_of(root, keys):
    """The claims of the signed root (RFC 7515), once its signature was verified."""
    header, payload, signature = root.split(".")
    head = json.loads(decode(header))
    if head.get("alg") != "ES256" or head.get("typ") != "tlm-root+jwt":
        raise ValueError("the root is not signed as tlm-root+jwt with ES256")
    key = next((k for k in keys["keys"] if k.get("kid") == head["kid"]), None)
    raw = decode(signature)
    if key is None or key.get("crv") != "P-256" or len(raw) != 64:
        raise ValueError("the root is not signed with a key of this host")
    public = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), ec.SECP256R1()).public_key()
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(der, f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    return json.loads(decode(payload))


def verify(answer, keys, nonce=None):
    statement = answer["statement"]
    claims = claims_of(answer["root"], keys)
    leaf = hashlib.sha256(b"\x00" + canonical(statement)).digest()
    path = [decode(sibling) for sibling in answer["path"]]
    if climb(leaf, answer["index"], claims["size"], path) != decode(claims["root"]):
        raise ValueError("the path does not lead to the signed root")
    if statement["fingerprint"] != claims["fingerprint"]:
        raise ValueError("the statement is another host's")
    if nonce is not None and statement.get("nonce") != nonce:
        raise ValueError("the statement does not answer this nonce")
    return statement


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as answer, open(sys.argv[2], encoding="utf-8") as keys:
            said = verify(json.load(answer), json.load(keys), *sys.argv[3:4])
    except (InvalidSignature, ValueError, KeyError) as error:
        sys.exit(f"not proven: {error or 'the signature does not verify'}")
    print(json.dumps(said, sort_keys=True))
