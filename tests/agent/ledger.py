# SPDX-License-Identifier: GPL-2.0
"""The emission ledger of a simulated array (uapi/holdfast_sim.h): what the transducers did, whatever
the driver or the agent say."""
import os
import struct

FRAME, OFF, POWER, DEADMAN, GONE, LOST = range(1, 7)
RECORD = struct.Struct("<IIIHHQQQ")
MAGIC = 0x31444C48


class Ledger:
    def __init__(self, serial):
        self.fd = os.open(f"/dev/holdfast_ledger-{serial}", os.O_RDONLY | os.O_NONBLOCK)
        self.changes = []	# (time_ns, on)
        self.lost = self.frames = 0

    def read(self):
        while True:
            try:
                data = os.read(self.fd, 1 << 20)
            except BlockingIOError:
                return
            if not data:
                return
            at = 0
            while at < len(data):
                magic, size, kind, _, _, _, t, value = RECORD.unpack_from(data, at)
                assert magic == MAGIC and size >= RECORD.size
                at += size
                if kind == LOST:
                    self.lost += value
                elif kind == FRAME:
                    self.frames += 1
                    if not self.changes or not self.changes[-1][1]:
                        self.changes.append((t, True))
                elif self.changes and self.changes[-1][1]:
                    self.changes.append((t, False))

    def spans(self, end_ns):
        """Emission as (begin, end), up to @end_ns."""
        out, since = [], None
        for t, on in self.changes + [(end_ns, False)]:
            if on:
                since = t
            elif since is not None:
                out.append((since, t))
                since = None
        return out

    @property
    def emitting(self):
        return bool(self.changes) and self.changes[-1][1]
