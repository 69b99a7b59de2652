#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A second judge of audit logs, written from docs/audit-format.md alone.

Usage: audit_judge.py DIR [ANCHOR...]     exit status as holdfast-audit-verify: 0, 1, 2, 3, 4, 5

Reads everything into memory; knows nothing of deletion on record and of recorded breaks.
"""
import base64
import hashlib
import json
import os
import re
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEYS = ["action", "actor", "boot", "corr", "detail", "intent", "mono_ns", "object", "phase", "result",
        "seq", "t_ns"]


class Wrong(Exception):
    def __init__(self, code, why):
        super().__init__(why)
        self.code = code


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc = crc >> 8 ^ TABLE[(crc ^ b) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Tree:
    def __init__(self):
        self.size, self.peaks = 0, []

    def add(self, payload):
        node, size = sha(b"\0", payload), self.size
        while size & 1:
            node, size = sha(b"\1", self.peaks.pop(), node), size >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self):
        if not self.peaks:
            return sha()
        root = self.peaks[-1]
        for p in reversed(self.peaks[:-1]):
            root = sha(b"\1", p, root)
        return root


def read_keys(path):
    keys = {}
    for line in open(path).read().split():
        name, digest, b64 = line.split("+", 2)
        raw = base64.b64decode(b64)
        if raw[0] != 1 or sha(name.encode(), b"\n", raw)[:4].hex() != digest:
            raise Wrong(5, "key")
        keys[name] = (raw[1:], bytes.fromhex(digest))
    return keys


def read_notes(path, keys):
    text, notes = open(path, "rb").read(), []
    while text:
        m = re.match(rb"((holdfast-audit/[0-9a-f]{32}/([0-9a-f]{32}))\n(\d+)\n(\S{44})\ntime (\d+)\n)\n"
                     rb"\xe2\x80\x94 (\S+) (\S+)\n", text)
        if not m:
            raise Wrong(2 if len(text) < 640 else 5, path)
        key = keys.get(m[7].decode())
        sig = base64.b64decode(m[8], validate=True)
        try:
            if not key or sig[:4] != key[1]:
                raise InvalidSignature
            Ed25519PublicKey.from_public_bytes(key[0]).verify(sig[4:], m[1])
        except InvalidSignature:
            raise Wrong(5, path) from None
        notes.append((bytes.fromhex(m[3].decode()), int(m[4]), base64.b64decode(m[5])))
        text = text[m.end():]
    return notes


def read_header(data):
    if len(data) < 256 or data[:8] != b"HFAUDIT\n" or crc32c(data[:252]) != struct.unpack("<I", data[252:256])[0]:
        return None
    version, size, index, seq0, chain0, t_ns, reason, zero = struct.unpack("<IIQQQQII", data[8:56])
    if (version, size, zero) != (1, 256, 0) or any(data[168:252]):
        return None
    return {"index": index, "seq0": seq0, "chain0": chain0, "reason": reason, "chain": data[56:72],
            "host": data[72:88], "boot": data[88:104].hex(), "key": data[104:136], "prev": data[136:168]}


def frames(data):
    """(offset, payload, hash) of each record; ends with (offset, None, None) at what is not one."""
    at = 256
    while at < len(data):
        word = struct.unpack("<I", data[at:at + 4])[0] if at + 4 <= len(data) else 0
        n = word & 0x7FFFFFFF
        end = at + 40 + n
        if word == 0 or n > 57344 or end > len(data) or \
                crc32c(data[at:at + 4] + data[at + 8:end]) != struct.unpack("<I", data[at + 4:at + 8])[0]:
            break
        yield at, data[at + 8:at + 8 + n], data[at + 8 + n:end]
        at = end
    yield at, None, None


def canonical(payload):
    obj = json.loads(payload)
    again = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    again = re.sub(r"\\u00([01][0-9a-f])", lambda m: "\\u00" + m[1].upper(), again)
    return obj if again.encode() == payload and list(obj) == KEYS else None


def commit_follows(data, at):
    for m in re.finditer(rb'\{"action":"', data[at:]):
        p = at + m.start() - 8
        if p >= at:
            word = struct.unpack("<I", data[p:p + 4])[0]
            end = p + 40 + (word & 0x7FFFFFFF)
            if word >> 31 and end <= len(data) and \
                    crc32c(data[p:p + 4] + data[p + 8:end]) == struct.unpack("<I", data[p + 4:p + 8])[0]:
                return True
    return False


def judge(folder, anchors):
    keys = read_keys(os.path.join(folder, "checkpoint.pub"))
    index = lambda name, end: int(name[6:-len(end)]) if re.fullmatch(r"audit-\d{8,}" + re.escape(end), name) else 0
    names = os.listdir(folder)
    logs = sorted(index(n, ".log") for n in names if index(n, ".log"))
    points = {index(n, ".cp"): read_notes(os.path.join(folder, n), keys) for n in names if index(n, ".cp")}
    outside = [note for a in anchors for note in read_notes(a, keys)]
    data = {i: open(os.path.join(folder, f"audit-{i:08}.log"), "rb").read() for i in logs}
    seq, last, tree, mono, boot, torn = 0, bytes(32), Tree(), 0, "", None
    chain = None
    for k, i in enumerate(logs):
        if k and i != logs[k - 1] + 1:
            raise Wrong(3, f"segment {logs[k - 1] + 1}")
        head, signed = read_header(data[i]), max([n[1] for n in points.get(i, [])], default=0)
        if not head or head["index"] != i:
            final = i == logs[-1] and not signed and not commit_follows(data[i], 0)
            raise Wrong(2 if final else 1, f"header of {i}")
        if sha(next(iter(keys.values()))[0]) != head["key"] and all(sha(v[0]) != head["key"] for v in keys.values()):
            raise Wrong(5, f"key of {i}")
        if head["seq0"] > seq + 1:
            raise Wrong(3, f"record {seq + 1}")
        if head["seq0"] != seq + 1 or head["prev"] != last or (chain and chain != head["chain"]):
            raise Wrong(1, f"segment {i}")
        chain, first = head["chain"], True
        follower = read_header(data[logs[k + 1]]) if k + 1 < len(logs) else None
        stop = follower["seq0"] - 1 if follower and follower["reason"] == 3 else None
        for at, payload, digest in frames(data[i]):
            if seq == stop:
                break
            if payload is None:
                rest = data[i][at:]
                if not any(rest) and not first:
                    break
                final = i == logs[-1] and signed <= tree.size and not commit_follows(data[i], at)
                if not final:
                    raise Wrong(1, f"record {seq + 1}")
                torn = f"record {seq + 1}"
                break
            last = sha(b"\0", last, struct.pack("<Q", seq + 1), payload)
            obj = canonical(payload)
            if last != digest or not obj or obj["seq"] != seq + 1 or obj["boot"] != head["boot"] or \
                    (obj["boot"] == boot and obj["mono_ns"] < mono):
                raise Wrong(1, f"record {seq + 1}")
            if first != (obj["action"] == "audit.segment"):
                raise Wrong(1, f"record {seq + 1}")
            if first and (obj["detail"]["header"] != sha(data[i][:256]).hex() or
                          obj["detail"]["size"] != tree.size or
                          obj["detail"]["peaks"] != [p.hex() for p in tree.peaks]):
                raise Wrong(1, f"record {seq + 1}")
            first, seq, mono, boot = False, seq + 1, obj["mono_ns"], obj["boot"]
            tree.add(payload)
            for c, size, root in points.get(i, []):
                if size == tree.size and (c != chain or root != tree.root()):
                    raise Wrong(1, f"root at {seq}")
            for c, size, root in outside:
                if size == tree.size and (c != chain or root != tree.root()):
                    raise Wrong(4, f"root at {seq}")
        if signed > tree.size and (k + 1 == len(logs) or stop is not None):
            raise Wrong(4, f"{signed} records signed, {tree.size} here")
    for i, notes in points.items():
        if notes and i > (logs[-1] if logs else 0):
            raise Wrong(4, f"segment {i}")
    if any(size > tree.size for c, size, root in outside):
        raise Wrong(4, "anchor")
    if torn:
        raise Wrong(2, torn)
    return f"{tree.size} records"


try:
    print("as written:", judge(sys.argv[1], sys.argv[2:]))
except Wrong as w:
    print(f"wrong ({w.code}): {w}")
    sys.exit(w.code)
