#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Random messages to the netlink family, as nobody, for a given time. Runs in a guest, as root, with a
simulated array of its own. The guest's kernel (--strict, best with KASAN) says whether anything broke;
this program says whether an unprivileged process changed the array's state, limits or seal. Prints TAP.

    nl-fuzz.py --seconds N [--seed S]
"""
import argparse
import os
import random
import struct
import subprocess
import sys
import time

from genl import NLA_F_NESTED, Raw, Refused, attr

SIM = "/sys/kernel/config/holdfast_sim"
NOBODY = 65534
WATCHED = ("state", "sealed", "epoch", "instance")


def array_make():
    for name in ("holdfast", "holdfast_sim"):
        subprocess.run(("insmod", f"{os.environ['HOLDFAST_MODDIR']}/{name}.ko"), check=True)
    path = f"{SIM}/fuzz"
    os.mkdir(path)
    with open(f"{path}/live", "w") as f:
        f.write("1")
    with open(f"{path}/array") as f:
        return f.read().strip()


def look(array):
    """What no unprivileged message may change."""
    base = f"/sys/class/holdfast/{array}"
    return {name: open(f"{base}/{name}").read() for name in WATCHED
            if os.path.exists(f"{base}/{name}")}


def attributes(rng, depth=0):
    """A stream of attributes: mostly well-formed, of types around those that exist."""
    out = b""
    for _ in range(rng.randrange(6)):
        kind = rng.choice((rng.randrange(40), rng.randrange(65536)))
        choice = rng.randrange(6)
        if choice == 0 and depth < 6:
            payload, kind = attributes(rng, depth + 1), kind | NLA_F_NESTED
        elif choice == 1:
            payload = struct.pack("I", rng.choice((0, 1, 2, 63, 64, 1 << 31, 0xFFFFFFFF)))
        elif choice == 2:
            payload = struct.pack("Q", rng.choice((0, 1, 1 << 63, (1 << 64) - 1)))
        else:
            payload = rng.randbytes(rng.randrange(70))
        one = attr(kind & 0xFFFF, payload)
        if rng.randrange(12) == 0:      # a length that lies
            one = struct.pack("H", rng.randrange(65536)) + one[2:]
        out += one
    return out


def child(family, seconds, seed, out):
    """Sends as nobody; tells how many were sent, taken and refused."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    rng, raw = random.Random(seed), Raw()
    sent = refused = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        body = attributes(rng)
        if rng.randrange(20) == 0:
            body = body[:rng.randrange(len(body) + 1)]
        sent += 1
        try:
            raw.ask(family, rng.choice((rng.randrange(12), rng.randrange(256))), body,
                    dump=rng.randrange(3) == 0, reserved=rng.choice((0, 0, 0, rng.randrange(65536))))
        except Refused:
            refused += 1
        except TimeoutError:
            raw = Raw()     # the kernel answers some malformed messages with nothing
    os.write(out, struct.pack("QQ", sent, refused))
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    opt = parser.parse_args()
    print(f"# seed {opt.seed}")
    array = array_make()
    family = Raw().family("holdfast").id
    before = look(array)
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(family, opt.seconds, opt.seed, w)
    os.close(w)
    sent, refused = struct.unpack("QQ", os.read(r, 16))
    status = os.waitpid(pid, 0)[1]
    after = look(array)
    print("TAP version 13")
    print(f"{'ok' if status == 0 and sent > 0 else 'not ok'} 1 - {sent} messages, {refused} refused")
    print(f"{'ok' if len(before) >= 3 and before == after else 'not ok'} 2 - array unchanged"
          f" {'' if before == after else (before, after)}")
    print("1..2")
    return status != 0 or sent == 0 or before != after


if __name__ == "__main__":
    sys.exit(main())
