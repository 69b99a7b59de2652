#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The power of a whole guest is cut at random moments under load, and the disk under its state loses
what was not flushed (volatile_disk.py). After each cut the next boot looks: the audit log must verify
(or have a torn tail, which the start cuts off), and nothing may be missing that was acknowledged to
this host before the cut. A kernel with block devices is needed: 6.12 under QEMU.

No array emits meanwhile: a simulated one loses its power together with the guest and nobody is left to
look, and what silences a real one then is not the agent but its own dead-man (docs/safety.md).

  powercut.py CUTS SEED      (prints TAP)"""
import glob
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from volatile_disk import VolatileDisk

DISK_BYTES = 48 << 20
LOAD_S = (0.2, 4.0)	# when the power goes, after the load began
BOOT_S = 300


def empty_disk(folder):
    path = folder + "/image"
    with open(path, "wb") as f:
        f.truncate(DISK_BYTES)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", path], check=True)
    with open(path, "rb") as f:
        return f.read()


def emulator_of(pid):
    """The process of QEMU below @pid."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = open(path, encoding="latin-1").read()
        except OSError:
            continue
        name, rest = re.match(r"\d+ \((.*)\) (.*)", text, re.S).groups()
        parents[int(path.split("/")[2])] = (int(rest.split()[1]), name)
    for child, (parent, name) in parents.items():
        while parent in parents and parent != pid:
            parent = parents[parent][0]
        if parent == pid and name.startswith("qemu-system"):
            return child
    return None


class Boot:
    """One life of the guest."""

    def __init__(self, disk, folder, what):
        self.found, self.acked, self.other, self.loading = {}, [], [], threading.Event()
        disk.power_on()
        self.vm = subprocess.Popen(
            ["scripts/vm", "--kernel", "6.12", "--mem", "1024", "--timeout", str(BOOT_S), "--disk", disk.path, "--",
             "tests/agent/powercut-guest.sh", what], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=dict(os.environ, VM_OUT=folder))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.vm.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "ack":
                self.acked.append(rest)
            elif word == "found":
                name, _, value = rest.partition(" ")
                self.found[name] = value
            elif word == "load":
                self.loading.set()
            else:
                self.other.append(line.strip())
        self.loading.set()

    def cut(self, disk, rng):
        self.loading.wait(BOOT_S)
        time.sleep(rng.uniform(*LOAD_S))
        emulator = emulator_of(self.vm.pid)
        disk.power_cut(rng, rng.randint(1, 12))
        if emulator:
            os.kill(emulator, signal.SIGKILL)
        self.end()
        return emulator is not None

    def end(self):
        self.reader.join(BOOT_S)
        return self.vm.wait(BOOT_S)


def judge(boot, name, wrong):
    verdict = boot.found.get("verify", "nothing said")
    if verdict[:2] not in ("0 ", "2 "):
        wrong.append(f"{name}: verify: {verdict}")
    if boot.found.get("missing", "?").split()[0] != "0":
        wrong.append(f"{name}: missing: {boot.found.get('missing')}")
    if boot.found.get("state") != "silent":
        wrong.append(f"{name}: the array is {boot.found.get('state')}")
    if boot.found.get("user") != "409":
        wrong.append(f"{name}: the user who was there before: {boot.found.get('user')}")
    return verdict[:1]


def main():
    cuts, seed = int(sys.argv[1]), int(sys.argv[2])
    rng, wrong, promised, verdicts, idle = random.Random(seed), [], [], [], 0
    with tempfile.TemporaryDirectory(prefix="holdfast-powercut.") as folder:
        disk = VolatileDisk(empty_disk(folder), folder + "/disk")
        open(folder + "/promised", "w", encoding="ascii").close()
        for cut in range(cuts):
            boot = Boot(disk, folder, "load")
            alive = boot.cut(disk, rng)
            if not alive or not boot.acked or "refused" in boot.found:
                wrong.append(f"cut {cut + 1}: {boot.found} {len(boot.acked)} acknowledged {boot.other[-12:]}")
                idle += 1
            if cut and alive:
                verdicts.append(judge(boot, f"after cut {cut}", wrong))
            print(f"# cut {cut + 1}: {len(boot.acked)} acknowledged, {disk.dropped} sectors lost so far", flush=True)
            promised += boot.acked
            with open(folder + "/promised", "w", encoding="ascii") as f:
                f.write("\n".join(promised))
            if idle:
                break
        boot = Boot(disk, folder, "last")
        status = boot.end()
        verdicts.append(judge(boot, f"after cut {cuts}", wrong))
    found = boot.found
    tests = [
        (not wrong and idle == 0, f"{cuts} cuts: found {verdicts.count('0')} times whole, {verdicts.count('2')} times torn", wrong),
        (len(promised) > 0 and found.get("missing-after") == "0",
         f"of {len(promised)} acknowledged acts none is missing", [found]),
        (disk.dropped > 0 and disk.flushes > 0, f"the disk has lost {disk.dropped} sectors, kept {disk.kept} that it need not, "
         f"and flushed {disk.flushes} times", []),
        (found.get("after", "")[:2] == "0 ", "after the last start the log verifies", [found, boot.other[-12:]]),
        (found.get("breaks", "?").split()[0] == "0", "no cut was taken for damage", [found]),
        (status == 0, "the last boot ends in order", [status, boot.other[-12:]]),
    ]
    for i, (good, name, more) in enumerate(tests, 1):
        print("ok" if good else "not ok", i, "-", name)
        for line in more if not good else []:
            print("#  ", str(line).replace("\n", "\n#   "))
    print(f"1..{len(tests)}")


if __name__ == "__main__":
    main()
