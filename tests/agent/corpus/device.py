# SPDX-License-Identifier: GPL-2.0
"""ioctls of /dev/holdfastN by a member of group holdfast without any capability. An input is a dict: on (rw, ro: the
device; lease: a lease with the right to submit frames only), cmd, data (the structure), ptrs ({offset: where a
pointer in it shall point}), arg (where the structure itself shall be, instead of in memory that is there).
tests/vm/abi_calls.c knows each call by heart; this is breadth, and that nothing changes."""
import struct

from corpus.kit import Class

# nr: (name, size, size in the first ABI, offset of flags or None, offset of reserved or None, needs privilege)
CALLS = {
    0x00: ("INFO", 152, 152, None, None, False),
    0x01: ("GEOMETRY", 16, 16, None, None, False),
    0x02: ("LIMIT_INFO", 96, 96, None, 12, False),
    0x03: ("SENSOR_INFO", 64, 64, None, 12, False),
    0x10: ("KEEPER_CLAIM", 32, 32, 4, 20, True),
    0x11: ("BEAT", 32, 32, 4, None, True),
    0x12: ("LEASE_CREATE", 120, 104, 4, 28, True),
    0x13: ("LEASE_REVOKE", 40, 24, 4, None, True),
    0x14: ("LEASE_LIST", 24, 16, None, 20, False),
    0x15: ("QUOTA_SET", 176, 176, 4, 28, True),
    0x16: ("TENANT_LIST", 24, 24, None, 20, False),
    0x20: ("ARM", 56, 40, 4, None, True),
    0x21: ("SILENCE", 24, 8, 4, None, False),
    0x22: ("RESET", 56, 40, 4, None, True),
    0x23: ("SELF_TEST", 40, 40, 4, None, False),
    0x30: ("ENVELOPE_GET", 696, 696, None, None, False),
    0x31: ("ENVELOPE_SET", 696, 696, None, None, True),
    0x32: ("ENVELOPE_TIGHTEN", 696, 696, None, None, True),
    0x33: ("SEAL", 8, 8, 4, None, True),
    0x34: ("FENCE_GET", 48, 48, None, None, False),
    0x35: ("FENCE_SET", 48, 48, None, None, True),
    0x36: ("FENCE_ADD", 48, 48, None, None, True),
    0x37: ("SURFACE_GET", 48, 48, None, None, False),
    0x38: ("SURFACE_SET", 48, 48, None, None, True),
    0x39: ("SURFACE_ADD", 48, 48, None, None, True),
    0x40: ("SUBMIT", 40, 40, 4, 36, True),
    0x43: ("BLACKBOX", 24, 24, None, 20, False),
}
NR = {call[0]: nr for nr, call in CALLS.items()}
POINTERS = {"GEOMETRY": 8, "LEASE_LIST": 8, "TENANT_LIST": 8, "BLACKBOX": 8, "FENCE_GET": 16}
BAD = [0, 1, 4095, 0x7FFFFFFFF000, 0xFFFF800000000000, 0xFFFFFFFFFFFFFFF8, 0xFFFFFFFF81000000, 0xDEADBEEFDEADBEEF]


def cmd(nr, size, direction=3, kind=0xDF):
    return direction << 30 | (size & 0x3FFF) << 16 | kind << 8 | nr


def ask(nr, data, on="rw", **more):
    return {"cmd": cmd(nr, len(data)), "data": bytes(data), "on": on, **more}


def struct_of(nr, size=None):
    """The structure, zero but for its size and what a call asks for."""
    name, full = CALLS[nr][:2]
    data = bytearray(size or full)
    struct.pack_into("I", data, 0, size or full)
    if name in ("GEOMETRY", "LEASE_LIST", "TENANT_LIST", "BLACKBOX"):
        struct.pack_into("I", data, 4, 1)
    if name == "TENANT_LIST":
        struct.pack_into("I", data, 16, 144)    # of an entry
    if name in ("ENVELOPE_GET", "FENCE_GET"):
        struct.pack_into("I", data, 4, 3)
    if name in ("ENVELOPE_SET", "ENVELOPE_TIGHTEN", "FENCE_SET", "FENCE_ADD"):
        struct.pack_into("I", data, 4, 1)
    return data


def numbers(rng):
    for nr in range(256):
        if nr not in CALLS and nr not in (0x04, 0x41, 0x42):
            yield ask(nr, struct.pack("II", 64, 0) + bytes(56))
    for nr, (_, size, *_) in CALLS.items():
        for direction in (0, 1, 2):
            yield {**ask(nr, struct_of(nr)), "cmd": cmd(nr, size, direction)}
        for kind in (0x00, 0xDE, 0xFF, ord("T"), 0x12):
            yield {**ask(nr, struct_of(nr)), "cmd": cmd(nr, size, kind=kind)}
    for _ in range(60):
        yield {**ask(0, bytes(64)), "cmd": rng.randrange(1 << 32) & ~0xFF00 | 0xE000}


def sizes(_):
    for nr, (_, full, first, *_) in CALLS.items():
        for size in (0, 1, 3, 4, first - 1, 4097, 65536, 1 << 31, (1 << 32) - 1):
            data = struct_of(nr, None)
            struct.pack_into("I", data, 0, size)
            if size >= first:
                data += b"\xff" * 8192
            yield {**ask(nr, data), "cmd": cmd(nr, full)}
        for surplus in (1, 4, 8, 64, 1024):
            data = struct_of(nr, full + surplus)
            data[full + surplus - 1] = 1
            yield ask(nr, data)
            data = struct_of(nr, full + surplus)
            data[full] = 0x80
            yield ask(nr, data)


def reserved(_):
    for nr, (name, _, _, flags, zero, _) in CALLS.items():
        for on in ("rw", "ro"):
            for offset, allowed in ((flags, 1 if name in ("SILENCE", "QUOTA_SET") else 0), (zero, 0)):
                for bit in range(32) if offset else ():
                    if not allowed >> bit & 1:
                        data = struct_of(nr)
                        struct.pack_into("I", data, offset, 1 << bit)
                        yield ask(nr, data, on=on)


def keepers(rng):
    for nr, call in CALLS.items():
        if not call[5]:
            continue
        for on in ("rw", "ro", "lease"):
            yield ask(nr, struct_of(nr), on=on)
            for epoch in (1, 2, 3, 1 << 32, (1 << 64) - 1, rng.randrange(1 << 64)):
                data = struct_of(nr)
                if len(data) >= 16 and not call[0].startswith(("FENCE", "SURFACE", "ENVELOPE", "SUBMIT")):
                    struct.pack_into("Q", data, 8, epoch)
                yield ask(nr, data, on=on)
    for nr in (NR["ENVELOPE_SET"], NR["ENVELOPE_TIGHTEN"]):
        for limit in range(39):
            data = struct_of(nr)
            struct.pack_into("Q", data, 8, 1 << limit)
            struct.pack_into("q", data, 32 + 8 * limit, 1000)
            yield ask(nr, data)


def pointers(_):
    for nr in CALLS:
        for address in BAD[:3] + BAD[4:]:
            yield ask(nr, b"", arg=address)
    for name, offset in POINTERS.items():
        for address in BAD:
            for count in (1, 64, 1024, (1 << 32) - 1):
                if name in ("LEASE_LIST", "TENANT_LIST", "FENCE_GET") or count > 1024 and name == "BLACKBOX":
                    continue    # nothing to copy: the pointer is not used
                data = struct_of(NR[name])
                struct.pack_into("I", data, 4, count)
                struct.pack_into("Q", data, offset, address)
                yield ask(NR[name], data)


def values(rng):
    for limit in list(range(39, 64)) + [64, 255, 1 << 31, (1 << 32) - 1]:
        data = struct_of(NR["LIMIT_INFO"])
        struct.pack_into("I", data, 4, limit)
        yield ask(NR["LIMIT_INFO"], data)
    for index in [16, 17, 64, 255, 1 << 31, (1 << 32) - 1]:
        data = struct_of(NR["SENSOR_INFO"])
        struct.pack_into("I", data, 4, index)
        yield ask(NR["SENSOR_INFO"], data)
    for name in ("ENVELOPE_GET", "FENCE_GET"):
        for which in [4, 5, 255, 1 << 31, (1 << 32) - 1] + [rng.randrange(4, 1 << 32) for _ in range(15)]:
            data = struct_of(NR[name])
            struct.pack_into("I", data, 4, which)
            yield ask(NR[name], data)


HOSTILE = [
    Class("number", "calls that do not exist, or of another kind or direction", numbers),
    Class("size", "structures cut off, too long, or with something in the surplus", sizes),
    Class("reserved", "unknown flags and reserved fields", reserved),
    Class("privileged", "the keeper's and the administrator's calls, with guessed epochs, on every kind of file", keepers),
    Class("pointer", "addresses of nothing, of the kernel, beyond the end", pointers),
    Class("value", "limits, sensors and envelopes that do not exist", values),
]


def benign(_):
    for on in ("rw", "ro"):
        for name in ("INFO", "GEOMETRY", "LIMIT_INFO", "SENSOR_INFO", "LEASE_LIST", "TENANT_LIST", "ENVELOPE_GET", "FENCE_GET", "SURFACE_GET", "BLACKBOX", "SILENCE"):
            nr = NR[name]
            ptrs = {POINTERS[name]: 4096} if name in POINTERS else {}
            for surplus in (0, 1, 8, 64):
                yield ask(nr, struct_of(nr, CALLS[nr][1] + surplus), on=on, ptrs=ptrs)
            if CALLS[nr][2] < CALLS[nr][1]:
                yield ask(nr, struct_of(nr, CALLS[nr][2]), on=on, ptrs=ptrs)
        for limit in range(39):
            data = struct_of(NR["LIMIT_INFO"])
            struct.pack_into("I", data, 4, limit)
            yield ask(NR["LIMIT_INFO"], data, on=on)


BENIGN = [Class("reading", "what every file of the array may ask, from the shortest to a longer structure", benign)]
