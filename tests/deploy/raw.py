#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sends a request as it is, and prints the status of each answer.

    raw.py SOCKET        the request on standard input; \\r\\n is written as itself, and the last one has
                         to ask for the end of the connection
"""
import re
import socket
import sys

request = sys.stdin.buffer.read().replace(b"\\r\\n", b"\r\n")
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(60)
    peer.connect(sys.argv[1])
    peer.sendall(request)
    answer = b""
    try:
        while chunk := peer.recv(65536):
            answer += chunk
    except ConnectionResetError:
        pass
statuses = re.findall(rb"HTTP/1\.[01] (\d{3})", answer)
print(b" ".join(statuses).decode() or "none")
