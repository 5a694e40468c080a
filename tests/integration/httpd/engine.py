#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A container engine that knows the container whoever asks runs in.

    engine.py SOCKET|PORT DIRECTORY VECTORS [CERTIFICATES]

Answers as recorded (VECTORS: tests/vectors/engine), in the manner that DIRECTORY/manner says at the
time of each request, and writes the request lines into DIRECTORY/requests. Of the API it keeps: an
unversioned /version; 400 for versions beyond its own; 404 with a message for what it does not have.

On TCP with CERTIFICATES (ca.pem, server.pem, server-key.pem) it speaks TLS with clients of that
authority alone.

A manner is a line of words: engine=docker-28, api=1.99, least=1.44, hang, drip, huge, unknown,
readonly (a proxy), status=500.
"""
import http.server
import json
import os
import re
import socketserver
import ssl
import sys
import time

where, directory, vectors = sys.argv[1:4]
NOBODY = "0" * 64


def manner():
    with open(os.path.join(directory, "manner"), encoding="ascii") as file:
        words = file.read().split()
    return dict(word.partition("=")[::2] for word in words)


def vector(engine, what):
    with open(os.path.join(vectors, f"{engine}-{what}.json"), encoding="utf-8") as file:
        return json.load(file)


class Engine(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return where

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while True:
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def misbehave(self, words):
        """Whether the request is dealt with."""
        if "hang" in words:
            self.rfile.read(1)  # until the peer goes
        elif "drip" in words:
            self.drip()
        elif "huge" in words:
            self.answer(200, b'{"ApiVersion":"1.41"}' + b" " * 1048576)
        elif "status" in words:
            self.answer(int(words["status"]), {"message": "out of order"})
        else:
            return False
        return True

    def container(self, words, engine, which):
        document = vector(engine, "container")
        if "unknown" in words or which == NOBODY:
            self.answer(404, {"message": f"No such container: {which}"})
            return
        if re.fullmatch("[0-9a-f]{64}", which):
            document["Id"] = which
        else:
            document["Config"]["Hostname"] = which
        document["State"].update(Running=True, Status="running")
        self.answer(200, document)

    def serve(self, method):
        with open(os.path.join(directory, "requests"), "a", encoding="ascii") as file:
            file.write(f"{method} {self.path}\n")
        words = manner()
        engine = words.get("engine", "docker-20.10")
        version = vector(engine, "version")
        version["ApiVersion"] = words.get("api", version["ApiVersion"])
        version["MinAPIVersion"] = words.get("least", version["MinAPIVersion"])
        if self.misbehave(words):
            return
        if "readonly" in words and method != "GET":
            self.answer(403, b"<html><body><h1>403 Forbidden</h1></body></html>")
            return
        asked = re.fullmatch(r"/v1\.(\d+)(/.*)", self.path)
        newest = int(version["ApiVersion"].split(".")[1])
        if asked and int(asked[1]) > newest:
            self.answer(400, {"message": f"client version 1.{asked[1]} is too new"})
            return
        path = asked[2] if asked else self.path
        which = re.fullmatch(r"/containers/([A-Za-z0-9_.-]+)/(json|wait)", path)
        if path == "/version":
            self.answer(200, version)
        elif which and (which[2] == "json") == (method == "GET"):
            self.container(words, engine, which[1])
        elif re.fullmatch(r"/images/sha256:[0-9a-f]{64}/json", path):
            self.answer(200, vector(engine, "image"))
        else:
            self.answer(404, {"message": "page not found"})

    def do_GET(self):
        self.serve("GET")

    def do_POST(self):
        self.serve("POST")


class Local(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Remote(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


class Quiet:
    """A peer that goes in the middle is what is tested."""

    def handle_error(self, request, client_address):
        pass


class QuietLocal(Quiet, Local):
    pass


class QuietRemote(Quiet, Remote):
    pass


if where.isdigit():
    server = QuietRemote(("127.0.0.1", int(where)), Engine)
    if len(sys.argv) > 4:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{sys.argv[4]}/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(f"{sys.argv[4]}/server.pem", f"{sys.argv[4]}/server-key.pem")
        # The handshake is the thread's of the connection: one that goes wrong is not the server's end.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
else:
    if os.path.exists(where):
        os.unlink(where)
    server = QuietLocal(where, Engine)
    print("listening", flush=True)
server.serve_forever()
