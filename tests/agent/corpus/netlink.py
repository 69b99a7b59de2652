# SPDX-License-Identifier: GPL-2.0
"""Generic netlink as nobody. An input is a dict: cmd, dump, body (attributes), reserved (of the generic header), raw
(a whole message instead), group (to join instead). Hostile is what the kernel must answer with an error, or not at
all; reading is allowed to everybody, and benign."""
import os
import re
import struct

from corpus.kit import Class

HEADER = os.path.join(os.path.dirname(__file__), "../../../uapi/holdfast_netlink.h")


def numbers():
    """{constant: number} of the enums of the header."""
    out = {}
    with open(HEADER, encoding="utf-8") as f:
        text = f.read()
    for body in re.findall(r"enum [a-z_]*\s*{(.*?)}", text, re.S):
        value = -1
        for name, given in re.findall(r"^\t(\w+)(?: = (\d+))?,", body, re.M):
            value = int(given) if given else value + 1
            out[name.removeprefix("HOLDFAST_")] = value
    return out


N = numbers()
ARRAY_GET, EVENT_GET, STATUS_GET, SILENCE = (N["CMD_" + c] for c in ("ARRAY_GET", "EVENT_GET", "STATUS_GET", "SILENCE"))
NOTICES = [N["CMD_" + c] for c in ("EVENT_NTF", "TELEMETRY_NTF", "AUDIT_NTF")]
INDEX, FLAGS, SINCE = N["A_ARRAY_INDEX"], N["A_ARRAY_SILENCE_FLAGS"], N["A_EVENT_SINCE_SEQ"]
NESTED = 0x8000    # NLA_F_NET_BYTEORDER (0x4000) is passed over by the kernel, whatever the family


def attr(kind, payload, length=None):
    return struct.pack("HH", 4 + len(payload) if length is None else length, kind) + payload + b"\0" * (-len(payload) % 4)


def u32(value):
    return struct.pack("I", value)


INDEX_0 = attr(INDEX, u32(0))


def ask(cmd, body=b"", dump=False, **more):
    return {"cmd": cmd, "body": body, "dump": dump, **more}


def commands(rng):
    for cmd in [0] + list(range(len(NOTICES) + 5, 256)):
        yield ask(cmd, INDEX_0)
    for cmd in rng.sample(range(20, 256), 60):
        yield ask(cmd, INDEX_0, dump=True)
    for cmd in NOTICES:
        for dump in (False, True):
            yield ask(cmd, INDEX_0, dump=dump)
    yield ask(EVENT_GET, INDEX_0)
    yield ask(STATUS_GET, INDEX_0, dump=True)
    yield ask(SILENCE, INDEX_0, dump=True)


def privileged(rng):
    for index in list(range(0, 64)) + [64, 1 << 31, (1 << 32) - 1]:
        yield ask(SILENCE, attr(INDEX, u32(index)))
        yield ask(SILENCE, attr(INDEX, u32(index)) + attr(FLAGS, u32(1)))
    for _ in range(60):
        yield ask(SILENCE, attr(INDEX, u32(0)) + attr(FLAGS, u32(rng.randrange(1 << 32))))
    yield ask(SILENCE)
    yield {"group": "audit"}


def missing(rng):
    for cmd in (ARRAY_GET, STATUS_GET):
        yield ask(cmd)
        for index in list(range(1, 64)) + [64, 65, 255, 65536, 1 << 31, (1 << 32) - 1]:
            yield ask(cmd, attr(INDEX, u32(index)))
    yield ask(EVENT_GET, dump=True)
    for index in list(range(1, 64)) + [64, 1 << 31, (1 << 32) - 1]:
        yield ask(EVENT_GET, attr(INDEX, u32(index)), dump=True)
    for _ in range(20):
        yield ask(EVENT_GET, INDEX_0 + attr(SINCE, struct.pack("Q", rng.randrange(1 << 40, 1 << 64))), dump=True)


def lengths(_):
    for cmd, dump in ((ARRAY_GET, False), (STATUS_GET, False), (EVENT_GET, True)):
        for n in list(range(0, 4)) + [5, 6, 7, 8, 12, 64, 255]:
            yield ask(cmd, attr(INDEX, bytes(n)), dump=dump)
        for length in list(range(0, 4)) + [12, 16, 64, 255, 4096, 32767, 65535]:
            yield ask(cmd, attr(INDEX, u32(0), length), dump=dump)
        for tail in (b"\0", b"\0\0", b"\0\0\0", b"\xff" * 3, b"\x04", b"x" * 5):
            yield ask(cmd, INDEX_0 + tail, dump=dump)
        for cut in range(1, 8):
            yield ask(cmd, INDEX_0[:cut], dump=dump)
    for n in list(range(0, 8)) + [9, 12, 16, 64]:
        yield ask(EVENT_GET, INDEX_0 + attr(SINCE, bytes(n)), dump=True)


def types(rng):
    for cmd, dump in ((ARRAY_GET, False), (STATUS_GET, False), (EVENT_GET, True)):
        for kind in [0, 1] + [k for k in range(3, 60) if (cmd, k) != (EVENT_GET, SINCE)] + [k for k in range(60, 120, 3)] + [255, 256, 0x3FFF]:
            yield ask(cmd, INDEX_0 + attr(kind, u32(1)), dump=dump)
        yield ask(cmd, attr(INDEX | NESTED, u32(0)), dump=dump)
        for _ in range(20):
            yield ask(cmd, attr(rng.randrange(60, 0x4000), rng.randbytes(rng.randrange(40))), dump=dump)


def nesting(_):
    for depth in (1, 2, 8, 64, 500, 2000):
        body = INDEX_0
        for _ in range(depth):
            if len(body) > 60000:
                break
            body = attr(INDEX | NESTED, body)
        for cmd, dump in ((ARRAY_GET, False), (STATUS_GET, False), (EVENT_GET, True), (SILENCE, False)):
            yield ask(cmd, body, dump=dump)


def headers(rng):
    for reserved in [1 << b for b in range(16)] + [0xFFFF]:
        for cmd, dump in ((ARRAY_GET, False), (STATUS_GET, False), (EVENT_GET, True)):
            yield ask(cmd, INDEX_0, dump=dump, reserved=reserved)
    for n in (0, 1, 4, 15, 17, 19, 4096, 65535, 1 << 31, (1 << 32) - 1):      # the length of a message lies
        yield {"raw": struct.pack("IHHII", n, 0, 5, 1, 0) + struct.pack("BBH", 1, 1, 0)}
    for n in range(1, 20):
        yield {"raw": rng.randbytes(n)}
    for _ in range(120):
        yield {"raw": struct.pack("IHHII", rng.choice([16, 20, 200, rng.randrange(1 << 32)]), 0, rng.randrange(1 << 16) | 1, 1, 0) + rng.randbytes(rng.randrange(8)) + b"\xff\xff"}


HOSTILE = [
    Class("command", "commands that do not exist, or not in this form", commands),
    Class("privileged", "silence, and joining the group that is told who, without the capability", privileged),
    Class("index", "no array, arrays that are not there, sequence numbers from the future", missing),
    Class("length", "attributes cut off, too long, or with a length that lies", lengths),
    Class("type", "attributes that the command does not take", types),
    Class("nesting", "attributes within attributes, to exhaust a parser's stack", nesting),
    Class("header", "reserved bits, and messages whose own length lies", headers),
]


def benign(_):
    yield ask(ARRAY_GET, INDEX_0)
    yield ask(ARRAY_GET, dump=True)
    yield ask(STATUS_GET, INDEX_0)
    yield ask(EVENT_GET, INDEX_0, dump=True)
    for since in range(10):
        yield ask(EVENT_GET, INDEX_0 + attr(SINCE, struct.pack("Q", since)), dump=True)
        yield ask(EVENT_GET, attr(SINCE, struct.pack("Q", since)) + INDEX_0, dump=True)
    yield {"group": "safety"}
    yield {"group": "telemetry"}


BENIGN = [Class("reading", "what everybody may read", benign)]
