#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients that no HTTP library would be: client.py PORT CASE [ARGUMENT]..., result on stdout."""
import resource
import select
import socket
import sys
import time

PORT = int(sys.argv[1])
PATIENCE = 30


def connect():
    peer = socket.create_connection(("127.0.0.1", PORT), PATIENCE)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def read_end(peer):
    """All bytes until the server closes; a reset counts as an end."""
    data = b""
    try:
        while True:
            more = peer.recv(65536)
            if not more:
                return data
            data += more
    except ConnectionResetError:
        return data


def read_reply(peer):
    """One reply with a Content-Length, whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(65536)
        if not more:
            return data
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    size = 0
    for line in head.split(b"\r\n")[1:]:
        name, value = line.split(b":", 1)
        if name.lower() == b"content-length":
            size = int(value)
    while len(body) < size:
        more = peer.recv(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


def status(reply):
    return reply.split(b" ", 2)[1].decode() if reply.startswith(b"HTTP/1.") else "none"


def raw(text):
    """Sends bytes (with escapes) as they are; prints the status, or none."""
    peer = connect()
    peer.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
    peer.shutdown(socket.SHUT_WR)
    print(status(read_end(peer)))


def big(where, size):
    """A request whose path, header value or number of headers is large."""
    size = int(size)
    path, headers = "/health", ""
    if where == "path":
        path = "/" + "a" * size
    elif where == "query":
        path = "/health?" + "a" * size
    elif where == "header":
        headers = "X-Big: " + "a" * size + "\r\n"
    elif where == "headers":
        headers = "".join(f"X-{i}: a\r\n" for i in range(size))
    peer = connect()
    try:
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
    except (BrokenPipeError, ConnectionResetError):
        pass
    print(status(read_end(peer) if size > 4096 or where == "headers" else read_reply(peer)))


def drip(where):
    """One byte each tenth of a second, for ever; prints the status and the seconds it took."""
    peer = connect()
    if where == "header":
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    elif where == "body":
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
    elif where in ("call", "chunked"):
        size = b"Content-Length: 15000" if where == "call" else b"Transfer-Encoding: chunked"
        peer.sendall(b"POST /api/v1/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     + size + b"\r\n\r\n" + (b"" if where == "call" else b"3fff\r\n"))
    elif where == "second":
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        read_reply(peer)
    begun = time.monotonic()
    reply = b""
    while time.monotonic() - begun < PATIENCE:
        try:
            peer.sendall(b"G")
        except (BrokenPipeError, ConnectionResetError):
            break
        if select.select([peer], [], [], 0.1)[0]:
            break
    reply = read_end(peer)
    print(status(reply), int(time.monotonic() - begun))


def idle():
    """Says nothing; prints "open", then how many seconds until the server closed."""
    peer = connect()
    print("open", flush=True)
    begun = time.monotonic()
    read_end(peer)
    print(int(time.monotonic() - begun))


def hold(count, asking):
    """Many open connections that say "open" once they are, until standard input ends."""
    count = int(count)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 64)), hard))
    peers = [connect() for _ in range(count)]
    got = {}
    if asking == "ask":
        for peer in peers:
            peer.sendall(b"GET /fingerprint HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                         b"User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n")
            answer = status(read_reply(peer))
            got[answer] = got.get(answer, 0) + 1
    print("open", " ".join(f"{key}={value}" for key, value in sorted(got.items())), flush=True)
    sys.stdin.read()


def stall(count, text):
    """Connections that send a text and no more; "open", then "closed" with how many the server
    closed and after how many seconds, then waits for the end of standard input."""
    data = text.encode().decode("unicode_escape").encode("latin-1")
    peers = [connect() for _ in range(int(count))]
    for peer in peers:
        peer.sendall(data)
    print("open", flush=True)
    begun = time.monotonic()
    closed = sum(read_end(peer) is not None for peer in peers)
    print("closed", closed, int(time.monotonic() - begun), flush=True)
    sys.stdin.read()


def begin(seconds):
    """Half a request, "begun", the rest after some seconds; prints the status of the answer."""
    peer = connect()
    peer.sendall(b"GET /health HTTP/1.1\r\nHo")
    print("begun", flush=True)
    time.sleep(float(seconds))
    try:
        peer.sendall(b"st: x\r\n\r\n")
        reply = read_end(peer)
    except (BrokenPipeError, ConnectionResetError):
        reply = b""
    print(status(reply), "close" if b"Connection: close" in reply else "keep")


def many(count):
    """Requests one after the other on one connection; prints how many were answered with 200."""
    peer = connect()
    good = 0
    for _ in range(int(count)):
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        good += status(read_reply(peer)) == "200"
    print(good)


def pipeline(count):
    """All requests in one piece; prints how many answers came."""
    count = int(count)
    peer = connect()
    peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * count)
    data = b""
    while data.count(b"HTTP/1.1 200") < count or not data.endswith(b"}"):
        more = peer.recv(65536)
        if not more:
            break
        data += more
    print(data.count(b"HTTP/1.1 200"))


def half(count):
    """Clients that close their side with their request; prints the seconds until all were closed."""
    begun = time.monotonic()
    peers = [connect() for _ in range(int(count))]
    for peer in peers:
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
    good = all(status(read_end(peer)) == "200" for peer in peers)
    print(int(time.monotonic() - begun) if good else "none")


def reset(count):
    """Connections that end with a reset, some in the middle of a request."""
    for i in range(int(count)):
        peer = connect()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"[:i % 37])
        peer.close()


CASES = {case.__name__: case for case in
         (raw, big, drip, idle, hold, stall, begin, many, pipeline, half, reset)}

if __name__ == "__main__":
    CASES[sys.argv[2]](*sys.argv[3:])
