#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Our validator and python3-jsonschema judge the same descriptions alike.

    agree.py SCHEMA VERDICTS

Good descriptions with every model, and what becomes of them when each value in turn is removed,
replaced, or joined by another.
"""

import copy
import json
import subprocess
import sys

import jsonschema

FINGERPRINT = "0123456789abcdef" * 4
UUID = "3f1d9b5e-0c6a-4b0e-9a9e-5b1a3c2d4e5f"
MODELS = [
    "perpetual",
    {"type": "perpetual"},
    {"type": "period", "notAfter": "2026-12-31"},
    {"type": "period", "notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-12-31T00:00:00+01:00"},
    {"type": "trial", "days": 30},
    {"type": "activation", "days": 1},
    {"type": "usageTime", "seconds": 3600},
    {"type": "usageTime", "seconds": "36h"},
    {"type": "counter", "direction": "down", "limit": 10},
    {"type": "counter", "direction": "up", "limit": 9007199254740991},
    {"type": "counter", "direction": "up"},
    {"type": "tokens", "amount": 5},
    {"type": "list", "max": 3},
]
VALUES = [
    None, True, False, 0, 1, -1, 64, 65, 1.0, 1.5, 3650, 3651, 3650000, 3650001, 9007199254740991,
    9007199254740992, 1e300, "", "a", "ä" * 256, "ä" * 257, "tpm", "fallback", "perpetual",
    "trial", "up", "down", "2026-12-31", "2026-12-31T00:00:00Z", "26-12-31", "5m", "0m", "1y",
    FINGERPRINT, FINGERPRINT[1:], FINGERPRINT.upper(), UUID, UUID.upper(), [], {}, ["a"],
    {"type": "trial"}, {"type": "trial", "days": 1}, {"type": "counter", "direction": "down"},
]
NAMES = ["id", "name", "type", "days", "limit", "minComponents", "notBefore", "unknown", "memory"]


def description(features, **more):
    return {"vendor": "ACME", "customer": "Example", "product": {"id": "cad"},
            "features": features, **more}


def feature(model, **more):
    return {"id": "a", "model": model, **more}


def good():
    yield description([feature(m) for m in MODELS])
    for model in MODELS:
        yield description([feature(model, name="A", seats=5, memory={"x": [1]}, borrowDays=7)])
    yield description([feature("perpetual")], id=UUID, issued="2026-01-01",
                      notBefore="2026-01-01", expires="2026-12-31T23:59:59-11:30",
                      product={"id": "c", "name": "C", "version": "1.10"},
                      binding={"type": "tpm", "fingerprint": FINGERPRINT})
    yield description([feature("perpetual")], binding={"type": "fallback", "minComponents": 2})
    yield description([feature("perpetual")], binding={})


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else []
    for key, item in items:
        yield from paths(item, path + (key,))


def changed(root, path, change):
    """A copy in which `change` was done to the container and key of the path."""
    made = copy.deepcopy(root)
    at = made
    for key in path[:-1]:
        at = at[key]
    change(at, path[-1])
    return made


def variants(root):
    for path in paths(root):
        if not path:
            yield from VALUES
            continue
        yield changed(root, path, lambda at, key: at.pop(key))
        for value in VALUES:
            yield changed(root, path, lambda at, key: at.__setitem__(key, value))
    for path in paths(root):
        at = root
        for key in path:
            at = at[key]
        if isinstance(at, dict):
            for name in NAMES:
                for value in (1, "a"):
                    yield changed(root, path + (name,), lambda at, key: at.__setitem__(key, value))


def main():
    schema_file, verdicts = sys.argv[1:]
    with open(schema_file, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    cases = [(d, True) for d in good()]
    for root in list(good()):
        cases += [(v, None) for v in variants(root)]
    texts = [json.dumps(case, ensure_ascii=False) for case, _ in cases]
    answer = subprocess.run([verdicts], input="\n".join(texts) + "\n", capture_output=True,
                            encoding="utf-8", check=True).stdout.splitlines()
    assert len(answer) == len(cases), f"{len(answer)} verdicts of {len(cases)}"
    wrong = 0
    fits = 0
    for (case, expected), text, verdict in zip(cases, texts, answer):
        theirs = validator.is_valid(case)
        ours = verdict == "good"
        fits += theirs
        if ours != theirs or (expected is not None and ours != expected):
            wrong += 1
            print(f"jsonschema: {theirs}, ours: {verdict}\n  {text}")
    print(f"{len(cases)} descriptions, {fits} of them good, {wrong} judged differently")
    assert len(cases) > 5000 and fits > 500 and len(cases) - fits > 3000
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
