#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Licenses for the host of fake.py, signed by Python's own tools: license.py DIRECTORY."""
import json
import os
import sys
import time

from jwcrypto import jwk, jws

directory = sys.argv[1]


def write(name, text):
    with open(os.path.join(directory, name), 'w') as file:
        file.write(text)


def sign(key, kid, claims):
    token = jws.JWS(json.dumps(claims))
    token.add_signature(key, protected=json.dumps(
        {'alg': 'ES256', 'kid': kid, 'typ': 'tlm-license+jwt'}))
    return token.serialize(compact=True)


with open(os.path.join(directory, 'host.jwks')) as file:
    srk = [key for key in json.load(file)['keys'] if key['kty'] == 'RSA'][0]
fingerprint = bytes.hex(__import__('base64').urlsafe_b64decode(jwk.JWK(
    kty='RSA', n=srk['n'], e=srk['e']).thumbprint() + '='))
vendor = jwk.JWK.generate(kty='EC', crv='P-256')
other = jwk.JWK.generate(kty='EC', crv='P-256')
public = vendor.export_public(as_dict=True)
public.update({'kid': 'acme-1', 'alg': 'ES256', 'tlm:use': 'vendor', 'tlm:iss': 'ACME'})
write('vendor.jwks', json.dumps({'keys': [public]}))

now = int(time.time())
claims = {
    'iss': 'ACME', 'sub': 'C', 'jti': '0b8ff9dc-6aa1-4a1f-b8ea-0d2e4a1e2f30', 'iat': now - 60,
    'product': {'id': 'suite', 'name': 'Suite', 'version': '1'},
    'binding': {'type': 'token', 'fingerprint': fingerprint},
    'features': [
        {'id': 'lone', 'seats': 0, 'model': {'type': 'perpetual'}},
        {'id': 'pro', 'seats': 3, 'model': {'type': 'perpetual'}},
        {'id': 'trial', 'seats': 0, 'model': {'type': 'trial', 'days': 3}},
        {'id': 'over', 'seats': 0, 'model': {'type': 'period', 'notAfter': now - 5}}]}
write('good.jws', sign(vendor, 'acme-1', claims) + '\n')
write('foreign.jws', sign(vendor, 'acme-1', dict(claims, binding={
    'type': 'token', 'fingerprint': 'ab' * 32})))
write('expired.jws', sign(vendor, 'acme-1', dict(claims, exp=now - 1)))
write('forged.jws', sign(other, 'acme-1', claims))
write('unknown.jws', sign(other, 'acme-2', claims))
