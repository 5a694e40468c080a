#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Peers that no PKCS#11 module would be: peer.py SOCKET CASE [ARGUMENT]..., result on stdout."""
import os
import socket
import struct
import sys

PATH = sys.argv[1]
PATIENCE = 10
VERSION = b"\0"
# The numbers of p11-kit's protocol.
C_INITIALIZE = 1
C_GET_ATTRIBUTE_VALUE = 24
C_FIND_OBJECTS_INIT = 26
C_GENERATE_RANDOM = 64


def connect():
    peer = socket.socket(socket.AF_UNIX)
    # Blocking, with the kernel's own time limit: without blocking a full backlog is an error at once.
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE, 0))
    peer.connect(PATH)
    peer.settimeout(PATIENCE)
    return peer


def read_end(peer):
    """Whether the server closes within the patience, however much comes before."""
    try:
        while peer.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def greet():
    peer = connect()
    peer.sendall(VERSION)
    assert peer.recv(1) == VERSION
    return peer


def hold(peers):
    """Says how many there are and keeps them until standard input ends."""
    print(len(peers), flush=True)
    sys.stdin.read()


def silent(count):
    hold([connect() for _ in range(int(count))])


def half(count):
    """A header that announces a message, and a part of that."""
    peers = []
    for _ in range(int(count)):
        peer = greet()
        peer.sendall(struct.pack(">III", C_INITIALIZE, 0, 100) + b"x" * 50)
        peers.append(peer)
    hold(peers)


def admitted(count):
    """How many of so many connections at a time are greeted, and how many closed."""
    peers = [connect() for _ in range(int(count))]
    greeted = 0
    closed = 0
    for peer in peers:
        try:
            peer.sendall(VERSION)
            if peer.recv(1) == VERSION:
                greeted += 1
            else:
                closed += 1
        except (BrokenPipeError, ConnectionResetError):
            closed += 1
    print(f"greeted={greeted} closed={closed}")


def noise(seed):
    """Bytes that are no protocol; the server closes or waits, and goes on."""
    for number in range(200):
        peer = connect()
        state = (int(seed) * 1000003 + number).to_bytes(8, "big")
        data = bytes((state[i % 8] * (i + 3) + i * i) & 0xFF for i in range(number * 7))
        try:
            peer.sendall(VERSION + data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        peer.close()
    print("sent")


def request(peer, call, signature, arguments):
    """One message; its answer's body, or nothing where the server closes."""
    body = struct.pack(">II", call, len(signature)) + signature + arguments
    peer.sendall(struct.pack(">III", 1, 0, len(body)) + body)
    header = peer.recv(12, socket.MSG_WAITALL)
    if len(header) < 12:
        return b""
    options, size = struct.unpack(">4xII", header)
    return peer.recv(options + size, socket.MSG_WAITALL)


def gigabytes():
    """Small messages that ask for much: in the header, for an output, in a template."""
    closed = 0
    for size in (0x7FFFFFFF, 0xFFFFFFF0, 0x10000000, 0x00800000):
        peer = greet()
        peer.sendall(struct.pack(">III", C_INITIALIZE, 0, size))
        closed += read_end(peer)
    answered = 0
    peer = greet()
    for length in (0x7FFFFFFF, 0x20000000, 0x00800000):
        random = struct.pack(">QI", 1, length)
        template = struct.pack(">QQI", 1, 1, 4) + struct.pack(">II", 0, length) * 4
        many = struct.pack(">QI", 1, length)
        for call, signature, data in (
            (C_GENERATE_RANDOM, b"ufy", random),
            (C_GET_ATTRIBUTE_VALUE, b"uufA", template),
            (C_FIND_OBJECTS_INIT, b"uaA", many),
        ):
            answered += request(peer, call, signature, data) != b""
    print(f"closed={closed} answered={answered}")


def handed_over(program, *arguments):
    """Becomes the program with a listening socket as systemd.socket(5) hands it over."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(PATH)
    os.chmod(PATH, 0o666)
    listener.listen(8)
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = "1"
    os.execv(program, [program, *arguments])


CASES = {
    "silent": silent,
    "half": half,
    "admitted": admitted,
    "noise": noise,
    "gigabytes": gigabytes,
    "handed-over": handed_over,
}

CASES[sys.argv[2]](*sys.argv[3:])
