#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Looks for the secrets of a token store, as text and as bytes.

    find-secrets.py SECRETS_JSON [--memory PID]... PATH...

Prints "WHERE NAME FORM" for each finding: files below each PATH, and with --memory what a process
may write to. Reads as much as there is and says how much that was on standard error, so that a
search which saw nothing shows.
"""
import json
import os
import re
import sys


def needles(path):
    with open(path, encoding="ascii") as file:
        secrets = json.load(file)
    for name, digits in secrets.items():
        if name != "version":
            yield name, "text", digits.encode()
            yield name, "text", digits.upper().encode()
            yield name, "bytes", bytes.fromhex(digits)


def regular_files(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for directory, _, names in os.walk(path):
            for name in names:
                whole = os.path.join(directory, name)
                if os.path.isfile(whole) and not os.path.islink(whole):
                    yield whole


def memory(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) .w", line)
            if match:
                start, end = (int(part, 16) for part in match.groups())
                try:
                    mem.seek(start)
                    yield mem.read(end - start)
                except OSError:
                    pass  # a mapping that the kernel alone may read


def main():
    wanted = list(needles(sys.argv[1]))
    words = sys.argv[2:]
    seen = 0
    while words:
        if words[0] == "--memory":
            pid, words = words[1], words[2:]
            places = ((f"memory:{pid}", data) for data in memory(pid))
        else:
            path, words = words[0], words[1:]
            places = ((name, open(name, "rb").read()) for name in regular_files([path]))
        for where, data in places:
            seen += len(data)
            for name, form, needle in wanted:
                if needle in data:
                    print(where, name, form)
    print(f"{seen} bytes searched", file=sys.stderr)


main()
