# SPDX-License-Identifier: GPL-2.0
"""keeper.sock (agent/lib/wire.h). An input is a dict: who asks (account), data (the packet), fds (descriptors sent
along), kind (of socket). Hostile is what must not end in a lease. Accounts: hf-operator and hf-user of tenant lab,
whose array is there and whose rights are frames, raw and arm; hf-guest of a tenant whose array is not; hf-system, a
service; hf-nobody, whom the agent does not know; all of them may open the socket, hf-stranger may not."""
import struct

from corpus.kit import Class

MAGIC, VERSION, LEASE = 0x31514648, 1, 1
FRAMES, RAW, ARM, RESET = 1, 2, 4, 8
LEASE_MAX_MS = 3600 * 1000      # tenants.max_lease_s, as by default
SIZE = 56


def packet(array=0, rights=FRAMES, duration_ms=1000, label=b"corpus", magic=MAGIC, version=VERSION, op=LEASE):
    return struct.pack("<IHHIIQ32s", magic, version, op, array, rights, duration_ms, label)


def ask(data, who="hf-operator", fds=0, kind="seqpacket"):
    return {"who": who, "data": data, "fds": fds, "kind": kind}


def sizes(rng):
    good = packet()
    for n in list(range(0, SIZE)) + [SIZE + 1, SIZE + 2, SIZE + 8, 2 * SIZE, 100, 128, 255, 256, 512, 1024, 4096, 65536, 100000]:
        yield ask((good * (n // SIZE + 1))[:n])
        yield ask(bytes(n))
    for _ in range(100):
        n = rng.choice([rng.randrange(0, SIZE), rng.randrange(SIZE + 1, 400)])
        yield ask(rng.randbytes(n))


def magics(rng):
    for bit in range(32):
        yield ask(packet(magic=MAGIC ^ 1 << bit))
    for magic in (0, 0xFFFFFFFF, 0x48465131, 0x31464648):
        yield ask(packet(magic=magic))
    for _ in range(60):
        yield ask(b"\xff" + rng.randbytes(SIZE - 1))


def versions(rng):
    for version in [0, 2, 3, 255, 256, 0x100, 0x101, 0xFFFF] + [1 ^ 1 << b for b in range(16)] + rng.sample(range(4, 65536), 80):
        yield ask(packet(version=version))


def operations(rng):
    for op in [0, 2, 3, 255, 256, 0x101, 0xFFFF] + [1 ^ 1 << b for b in range(16)] + rng.sample(range(4, 65536), 80):
        yield ask(packet(op=op))


def rights(rng):
    yield ask(packet(rights=0))
    for bit in range(4, 32):
        for low in (0, FRAMES, 0xF):
            yield ask(packet(rights=low | 1 << bit))
    for _ in range(150):
        yield ask(packet(rights=rng.randrange(16, 1 << 32)))


def descriptors(_):
    for n in (1, 2, 3, 8, 64, 253):
        for data in (packet(array=63), packet(version=9), packet(op=7), packet(rights=0), packet()[:20], b"x"):
            yield ask(data, fds=n)


def arrays(_):
    for array in list(range(1, 64)) + [64, 65, 127, 128, 255, 256, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]:
        yield ask(packet(array=array))
    for array in (1, 63, 64, 0xFFFFFFFF):
        yield ask(packet(array=array), who="hf-user")


def durations(rng):
    for ms in [LEASE_MAX_MS + 1, LEASE_MAX_MS * 2, 1 << 31, 1 << 32, (1 << 32) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) // 1000000 + 1]:
        yield ask(packet(duration_ms=ms))
        yield ask(packet(duration_ms=ms), who="hf-user")
    for _ in range(40):
        yield ask(packet(duration_ms=rng.randrange(LEASE_MAX_MS + 1, 1 << 64)))


def beyond(_):
    for who in ("hf-operator", "hf-user"):
        for want in range(1, 16):
            allowed = FRAMES | RAW | (ARM if who == "hf-operator" else 0)
            if want & ~allowed:
                yield ask(packet(rights=want), who=who)


def foreigners(rng):
    for who in ("hf-guest", "hf-system", "hf-nobody", "hf-stranger"):
        for want in range(1, 16):
            yield ask(packet(rights=want, label=b"root"), who=who)
        for _ in range(15):
            yield ask(packet(rights=FRAMES, duration_ms=rng.randrange(3600000), label=rng.randbytes(32)), who=who)


def sockets(_):
    for kind in ("stream", "dgram", "raw"):
        for who in ("hf-operator", "hf-user", "hf-guest"):
            yield ask(packet(), who=who, kind=kind)
            yield ask(b"GET / HTTP/1.1\r\n\r\n", who=who, kind=kind)


HOSTILE = [
    Class("size", "packets cut off, too long, or noise of another length", sizes),
    Class("magic", "another protocol's packets", magics),
    Class("version", "versions that do not exist: a downgrade, or a field read as another", versions),
    Class("operation", "operations that do not exist", operations),
    Class("rights-bits", "no rights, or bits that mean nothing", rights),
    Class("descriptors", "descriptors attached to fill the keeper's table", descriptors),
    Class("array", "arrays that are not there, and numbers beyond any array", arrays),
    Class("duration", "leases longer than allowed, up to overflow", durations),
    Class("rights-beyond", "rights that the tenant or the role does not have", beyond),
    Class("foreigners", "another tenant, a service, unknown accounts, accounts outside of the group", foreigners),
    Class("socket", "other kinds of sockets", sockets),
]


def benign(_):
    for label in (b"", b"x", b"x" * 32, "\u00fcnic\u00f6de".encode(), b"'; DROP TABLE leases;--", b"$(id)", b"%s%n", b"../../etc/passwd", b"\xff\xfe", b"{\"a\":1}", b"a\nb"):
        for who in ("hf-operator", "hf-user"):
            for ms in (0, 1, 1000, LEASE_MAX_MS):
                yield ask(packet(label=label, duration_ms=ms), who=who)
    for want in (FRAMES, ARM, FRAMES | ARM):
        for ms in (0, 1, 60000, LEASE_MAX_MS):
            yield ask(packet(rights=want, duration_ms=ms))


BENIGN = [Class("leases", "what policy allows, with odd labels and the shortest and longest lives", benign)]
