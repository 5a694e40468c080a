#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A daemon as far as clients see it, with faults to order.

    fake.py DIRECTORY [--port N] [--socket PATH] [--seats N] [--ttl SECONDS] [--tls PEM]

Writes DIRECTORY/url when it listens, DIRECTORY/host.jwks with its keys, and a line for each request
to DIRECTORY/log. DIRECTORY/fault names what happens to requests whose line in the log the words
behind it begin: "hang", "reset", "reset-after" (answered inside, the connection broken), "garbage",
"oversize", "html", "other-nonce", "other-key", "other-feature", "other-memory", "longer", "unsigned",
"problem STATUS CODE". An empty file is none. Statements are made here with Python's own tools, so that
two implementations meet.
"""
import argparse
import base64
import hashlib
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import uuid

from jwcrypto import jwk, jws


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()


def instant(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds)) + '.000Z'


class Host:
    """Keys that outlive a restart, as those of a token do."""

    def __init__(self, directory):
        path = os.path.join(directory, 'keys.json')
        if os.path.exists(path):
            with open(path) as file:
                kept = json.load(file)
            self.attest = jwk.JWK(**kept['attest'])
            self.srk = jwk.JWK(**kept['srk'])
        else:
            self.attest = jwk.JWK.generate(kty='EC', crv='P-256')
            self.srk = jwk.JWK.generate(kty='RSA', size=2048)
            with open(path, 'w') as file:
                json.dump({'attest': self.attest.export(as_dict=True),
                           'srk': self.srk.export(as_dict=True)}, file)
        self.other = jwk.JWK.generate(kty='EC', crv='P-256')
        self.kid = self.attest.thumbprint()
        srk = base64.urlsafe_b64decode(self.srk.thumbprint() + '=')
        self.fingerprint = srk.hex()

    def jwks(self):
        signing = self.attest.export_public(as_dict=True)
        signing.update(kid=self.kid, use='sig', alg='ES256')
        sealing = self.srk.export_public(as_dict=True)
        sealing.update(kid=self.srk.thumbprint(), use='enc', alg='RSA-OAEP-256')
        return {'keys': [signing, sealing]}

    def prove(self, statement, fault=''):
        """A batch of two: the statement and another leaf beside it."""
        now = int(time.time())
        statement = dict(statement, fingerprint=self.fingerprint, iat=now)
        leaf = hashlib.sha256(b'\0' + canonical(statement)).digest()
        beside = hashlib.sha256(b'\0' + os.urandom(8)).digest()
        root = hashlib.sha256(b'\1' + leaf + beside).digest()
        claims = {'root': encode(root), 'size': 2, 'iat': now, 'fingerprint': self.fingerprint}
        signed = jws.JWS(canonical(claims))
        key = self.other if fault == 'other-key' else self.attest
        signed.add_signature(key, protected=json.dumps(
            {'alg': 'ES256', 'kid': self.kid, 'typ': 'tlm-root+jwt'}, separators=(',', ':')))
        return {'statement': statement, 'index': 0, 'path': [encode(beside)],
                'root': signed.serialize(compact=True)}


class Daemon:
    def __init__(self, arguments):
        self.arguments = arguments
        self.host = Host(arguments.directory)
        self.lock = threading.Lock()
        self.leases = {}
        self.uses = {}
        self.used = 0
        self.queue = []
        self.fence = int(time.time() * 1e6)
        self.license = '0b8ff9dc-6aa1-4a1f-b8ea-0d2e4a1e2f30'

    def path(self, name):
        return os.path.join(self.arguments.directory, name)

    def note(self, line):
        with open(self.path('log'), 'a') as file:
            file.write(line + '\n')

    def fault(self, line):
        try:
            with open(self.path('fault')) as file:
                orders = file.read().splitlines()
        except FileNotFoundError:
            return ''
        for order in orders:
            words = order.split(' for ', 1)
            if len(words) == 1 or line.startswith(words[1]):
                return words[0]
        return ''

    def forget_old(self):
        now = time.monotonic()
        self.leases = {id: one for id, one in self.leases.items() if one['until'] > now}

    def grant(self, lease, nonce, fault):
        left = int(lease['until'] - time.monotonic() + 0.999)
        now = int(time.time())
        answer = {
            'lease': lease['id'], 'feature': lease['feature'], 'client': lease['client'],
            'units': lease['units'], 'vendor': 'ACME', 'product': 'suite', 'license': self.license,
            'model': 'perpetual', 'granted': instant(lease['granted']), 'expires': instant(now + left),
            'ttl': left, 'renewAfter': max(1, left // 3), 'fence': lease['fence'],
            'memory': {'level': 3, 'text': 'größe'}, 'used': None, 'remaining': None,
            'borrowed': 'jkt' in lease}
        if nonce is not None and fault != 'unsigned':
            statement = {name: answer[name] for name in (
                'lease', 'feature', 'client', 'units', 'vendor', 'product', 'license', 'model', 'fence')}
            statement.update(type='lease', nonce=nonce, granted=lease['granted'], exp=now + left,
                             memory=json.dumps(answer['memory'], ensure_ascii=False))
            if 'jkt' in lease:
                statement['jkt'] = lease['jkt']
            if fault == 'other-nonce':
                statement['nonce'] = 'x' + nonce[1:]
            answer.update(self.host.prove(statement, fault))
        if fault == 'other-feature':
            answer['feature'] = 'everything'
        if fault == 'other-memory':
            answer['memory'] = {'level': 9}
        if fault == 'longer':
            answer['ttl'] += 3600
        return answer

    def acquire(self, body, fault):
        self.forget_old()
        units = body.get('units', 1)
        key = (body['feature'], body['client'])
        for lease in self.leases.values():
            if (lease['feature'], lease['client']) == key:
                lease['until'] = time.monotonic() + lease['ttl']
                return 200, self.grant(lease, body.get('nonce'), fault)
        if body['feature'] == 'missing':
            return 404, problem(404, 'unlicensed', 'no license in force has the feature missing')
        taken = sum(lease['units'] for lease in self.leases.values())
        if taken + units > self.arguments.seats:
            if body['client'] not in self.queue:
                self.queue.append(body['client'])
            return 409, dict(problem(409, 'seats-exhausted', 'every seat is taken'),
                             position=self.queue.index(body['client']) + 1)
        if body['client'] in self.queue:
            self.queue.remove(body['client'])
        self.fence += 1
        ttl = body.get('ttl', self.arguments.ttl)
        lease = {'id': str(uuid.uuid4()), 'feature': body['feature'], 'client': body['client'],
                 'units': units, 'ttl': ttl, 'until': time.monotonic() + ttl,
                 'granted': int(time.time()), 'fence': self.fence}
        if 'borrow' in body:
            lease['ttl'] = body['borrow']['seconds']
            lease['until'] = time.monotonic() + lease['ttl']
            lease['key'] = jwk.JWK(**body['borrow']['key'])
            lease['jkt'] = lease['key'].thumbprint()
        self.leases[lease['id']] = lease
        return 201, self.grant(lease, body.get('nonce'), fault)

    def one_lease(self, method, id, query, body, fault):
        self.forget_old()
        lease = self.leases.get(id)
        if lease is None:
            return 404, problem(404, 'not-found', 'there is no such lease')
        if method == 'PUT':
            lease['ttl'] = body.get('ttl', lease['ttl'])
            lease['until'] = time.monotonic() + lease['ttl']
        if method == 'DELETE':
            if 'jkt' in lease and 'force=true' not in query and not self.returns(lease, body):
                return 403, problem(403, 'permission', 'the lease is borrowed')
            del self.leases[id]
            return 200, {'lease': id, 'returned': True}
        return 200, self.grant(lease, (body or {}).get('nonce'), fault)

    def returns(self, lease, body):
        proof = jws.JWS()
        proof.deserialize((body or {}).get('proof', ''))
        proof.verify(lease['key'], alg='ES256')
        claims = json.loads(proof.payload)
        header = json.loads(base64.urlsafe_b64decode(body['proof'].split('.')[0] + '=='))
        return (claims['lease'] == lease['id'] and abs(claims['iat'] - time.time()) < 300 and
                header['typ'] == 'tlm-return+jwt')

    def use(self, body, fault):
        repeated = body['request'] in self.uses
        if not repeated:
            self.used += body.get('units', 1) * (-1 if body.get('action') == 'return' else 1)
            self.uses[body['request']] = self.used
            self.note('COUNTED ' + body['request'])
        answer = {'feature': body['feature'], 'client': body['client'], 'license': self.license,
                  'vendor': 'ACME', 'product': 'suite', 'model': 'counter',
                  'units': body.get('units', 1), 'request': body['request'],
                  'used': self.uses[body['request']], 'remaining': None, 'repeated': repeated}
        if 'nonce' in body:
            statement = {name: answer[name] for name in (
                'feature', 'client', 'license', 'vendor', 'product', 'request', 'units', 'used')}
            answer.update(self.host.prove(dict(statement, type='usage', nonce=body['nonce']), fault))
        return 200, answer

    def check(self, body, fault):
        answer = {'feature': body['feature'], 'vendor': 'ACME', 'product': 'suite',
                  'license': self.license, 'model': 'perpetual', 'expires': None, 'memory': None,
                  'used': None, 'remaining': None}
        if 'nonce' in body:
            statement = {name: answer[name] for name in (
                'feature', 'vendor', 'product', 'license', 'model')}
            answer.update(self.host.prove(dict(statement, type='check', nonce=body['nonce']), fault))
        return 200, answer

    def fixed(self, path):
        fingerprint = {'fingerprint': self.host.fingerprint, 'kid': self.host.srk.thumbprint(),
                       'type': 'token', 'hardwareBound': False, 'publicKey': 'PEM', 'jwk': {}}
        return {
            '/status': {'version': '1', 'tpmConnected': True, 'licensing': {'state': 'fine'},
                        'evil': 'a\x1b[31mb'},
            '/fingerprint': fingerprint,
            '/fingerprint/fallback': dict(fingerprint, type='fallback', components=[]),
            '/api/v1/keys': self.host.jwks(),
            '/api/v1/state': {'state': 'fine', 'since': instant(0), 'policy': 'strict'},
            '/api/v1/revocations': {'revocations': []},
            '/api/v1/licenses': {'licenses': [
                {'license': self.license, 'vendor': 'ACME', 'customer': 'C', 'state': 'active',
                 'product': {'id': 'suite', 'name': 'Suite', 'version': '1'}, 'expires': None,
                 'features': [
                     {'id': 'pro', 'seats': 3, 'inUse': len(self.leases),
                      'model': {'type': 'perpetual'}, 'used': None, 'remaining': None},
                     {'id': 'lone', 'seats': 0, 'inUse': 0, 'model': {'type': 'trial', 'days': 9},
                      'used': 1, 'remaining': 8, 'ends': '2030-01-01T00:00:00Z'}]}]},
        }.get(path)

    def audit(self, query):
        after = int(dict(part.split('=') for part in query.split('&')).get('after', 0))
        entries = []
        before = '0' * 64
        for number in range(1, 2502):
            entry = {'seq': number, 'at': '2026-01-31T12:00:00.000Z', 'event': 'activated',
                     'license': self.license, 'prev': before}
            entry['hash'] = before = hashlib.sha256(canonical(entry)).hexdigest()
            if after < number <= after + 1000:
                entries.append(entry)
        return 200, {'entries': entries, 'last': 2501}

    def answer(self, method, path, query, text, headers):
        fault = self.fault(method + ' ' + path)
        if fault.startswith('problem'):
            _, status, code = fault.split()
            return int(status), problem(int(status), code, 'as ordered')
        if path.startswith('/api/v1/licenses') and method == 'POST':
            if not self.is_administrator(headers):
                return 401, problem(401, 'unauthorized', 'an administrator is needed')
            return 201, {'package': 'p', 'issuer': 'I', 'licenses': [
                {'license': self.license, 'vendor': 'ACME', 'result': 'activated'}]}
        body = json.loads(text) if text else None
        with self.lock:
            if path == '/api/v1/leases' and method == 'POST':
                return self.acquire(body, fault)
            if path == '/api/v1/leases':
                self.forget_old()
                return 200, {'leases': [self.grant(one, None, '') for one in self.leases.values()]}
            if path.startswith('/api/v1/leases/'):
                return self.one_lease(method, path.rsplit('/', 1)[1], query, body, fault)
            if path == '/api/v1/usage':
                return self.use(body, fault)
            if path == '/api/v1/check':
                return self.check(body, fault)
            if path == '/api/v1/attest':
                return 200, self.host.prove({'type': 'attestation', 'nonce': body['nonce'],
                                             'state': 'fine'}, fault)
            if path == '/api/v1/audit':
                return self.audit(query)
            if path == '/api/v1/state/accept':
                return 200, {'state': 'fine', 'reason': body.get('reason')}
            if path.startswith('/api/v1/licenses/'):
                return 200, self.fixed('/api/v1/licenses')['licenses'][0]
            fixed = self.fixed(path)
            return (200, fixed) if fixed else (404, problem(404, 'not-found', 'nothing here'))

    def is_administrator(self, headers):
        return self.arguments.socket or headers.get('Authorization') == 'Bearer secret-of-admin'


def problem(status, code, detail):
    return {'type': 'about:blank', 'title': 'x', 'status': status, 'code': code, 'detail': detail,
            'hint': 'do something'}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def address_string(self):
        return 'peer'

    def break_off(self):
        """A reset, not an end."""
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        except OSError:
            pass
        self.close_connection = True
        self.connection.close()

    def handle_one(self):
        daemon = self.server.daemon
        size = int(self.headers.get('Content-Length') or 0)
        text = self.rfile.read(size).decode()
        path, _, query = self.path.partition('?')
        line = f'{self.command} {path}'
        daemon.note(f'{line} {query} {self.headers.get("Content-Type", "-")} {text}'.rstrip())
        fault = daemon.fault(line)
        if fault == 'hang':
            time.sleep(30)
        if fault == 'reset':
            self.break_off()
            return
        status, answer = daemon.answer(self.command, path, query, text, self.headers)
        data = json.dumps(answer).encode()
        if fault == 'reset-after':
            self.break_off()
            return
        if fault == 'garbage':
            data = b'\x00\xff{"lease":' + os.urandom(64)
        if fault == 'html':
            data = b'<html>Bad gateway</html>'
            status = 502
        if fault == 'oversize':
            data = b'{"a":"' + b'a' * 2000000 + b'"}'
        try:
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(data)))
            if status in (409, 503):
                self.send_header('Retry-After', '1')
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = handle_one


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name = 'fake'

    def handle_error(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('directory')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--socket')
    parser.add_argument('--seats', type=int, default=3)
    parser.add_argument('--ttl', type=int, default=3)
    parser.add_argument('--tls')
    arguments = parser.parse_args()
    if arguments.socket:
        Server.address_family = socket.AF_UNIX
        server = Server(arguments.socket, Handler)
        url = 'unix:' + arguments.socket
    else:
        Handler.disable_nagle_algorithm = True
        server = Server(('127.0.0.1', arguments.port), Handler)
        scheme = 'https' if arguments.tls else 'http'
        url = f'{scheme}://127.0.0.1:{server.server_address[1]}'
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon = Daemon(arguments)
    with open(server.daemon.path('host.jwks'), 'w') as file:
        json.dump(server.daemon.host.jwks(), file)
    with open(server.daemon.path('kid'), 'w') as file:
        file.write(server.daemon.host.kid)
    with open(server.daemon.path('url.new'), 'w') as file:
        file.write(url)
    os.rename(server.daemon.path('url.new'), server.daemon.path('url'))
    server.serve_forever(poll_interval=0.05)


sys.exit(main())
