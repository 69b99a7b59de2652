# SPDX-License-Identifier: GPL-2.0
"""A disk with a volatile write cache, served by NBD on a unix socket: what was written is safe only
after FLUSH (or with FUA). When its power is cut, of every other sector either the old or the new state
remains, by chance, and nothing is answered any more. The power is cut between requests, where it hurts:
when something is in the cache."""
import os
import socket
import struct
import threading

SECTOR = 512
NEWSTYLE, OPTION, REPLY = b"NBDMAGICIHAVEOPT", b"IHAVEOPT", 0x3E889045565A9
REQUEST, ANSWER = 0x25609513, 0x67446698
EXPORT_NAME, ABORT, INFO, GO = 1, 2, 6, 7
READ, WRITE, DISCONNECT, FLUSH = range(4)
FUA = 1
FLAGS = 1 | 4 | 8	# there are flags; FLUSH; FUA
ACK, IS_INFO, UNSUPPORTED = 1, 3, 0x80000001


class VolatileDisk:
    """@image: bytes; its size is a multiple of a sector."""

    def __init__(self, image, path):
        self.safe, self.cache = bytearray(image), {}	# cache: sector -> bytes
        self.path, self.lock, self.fuse, self.random = path, threading.Lock(), 0, None
        self.off = threading.Event()
        self.flushes = self.dropped = self.kept = 0

    def power_on(self):
        self.off.clear()
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def power_cut(self, random, requests):
        """After so many more writes, or flushes that do not take place any more. Waits for it.
        @random: random.Random"""
        with self.lock:
            self.random, self.fuse = random, requests
        if not self.off.wait(10):
            with self.lock:
                if not self.off.is_set():
                    self.lose()
        self.listener.close()

    def lose(self):
        likely = self.random.choice([0, 0.5, 0.9])
        for sector, data in self.cache.items():
            if self.random.random() < likely:
                self.safe[sector * SECTOR:(sector + 1) * SECTOR] = data
                self.kept += 1
            else:
                self.dropped += 1
        self.cache, self.random = {}, None
        self.off.set()

    def burn(self):
        """Return: the power is gone."""
        self.fuse -= self.fuse > 0
        if self.random and not self.fuse:
            self.lose()
        return self.off.is_set()

    def accept(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            with s:
                if self.agree(s):
                    while self.carry_out(s):
                        pass
        except (ConnectionError, EOFError):
            pass	# the guest is gone

    @staticmethod
    def get(s, n):
        data = bytearray()
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return bytes(data)

    def agree(self, s):
        s.sendall(NEWSTYLE + struct.pack(">H", 3))
        self.get(s, 4)
        while True:
            magic, option, length = struct.unpack(">8sII", self.get(s, 16))
            self.get(s, length)
            if magic != OPTION or option == ABORT:
                return False

            def reply(kind, data=b"", option=option):
                s.sendall(struct.pack(">QIII", REPLY, option, kind, len(data)) + data)
            if option == EXPORT_NAME:
                s.sendall(struct.pack(">QH", len(self.safe), FLAGS))
                return True
            if option in (INFO, GO):
                reply(IS_INFO, struct.pack(">HQH", 0, len(self.safe), FLAGS))
                reply(IS_INFO, struct.pack(">HIII", 3, SECTOR, 4096, 1 << 25))
                reply(ACK)
                if option == GO:
                    return True
            else:
                reply(UNSUPPORTED)

    def carry_out(self, s):
        magic, flags, kind, handle, at, length = struct.unpack(">IHHQQI", self.get(s, 28))
        data = self.get(s, length) if kind == WRITE else b""
        if magic != REQUEST or kind == DISCONNECT:
            return False
        with self.lock:
            if self.off.is_set():
                pass
            elif kind == READ:
                data = self.read(at, length)
            elif kind == WRITE:
                self.write(at, data, flags & FUA and self.fuse != 1)
                data = b""
                self.burn()
            elif kind == FLUSH and not self.burn():
                self.flush()
        if self.off.is_set():
            threading.Event().wait()	# no answer: whoever asked will be ended
        s.sendall(struct.pack(">IIQ", ANSWER, 0 if kind <= FLUSH else 22, handle) + data)
        return True

    def read(self, at, length):
        out = bytearray(self.safe[at:at + length])
        for i in range(0, length, SECTOR):
            data = self.cache.get((at + i) // SECTOR)
            if data:
                out[i:i + SECTOR] = data
        return bytes(out)

    def write(self, at, data, safe):
        for i in range(0, len(data), SECTOR):
            self.cache[(at + i) // SECTOR] = data[i:i + SECTOR]
        if safe:
            for i in range(0, len(data), SECTOR):
                self.safe[at + i:at + i + SECTOR] = self.cache.pop((at + i) // SECTOR)

    def flush(self):
        self.flushes += 1
        for sector, data in self.cache.items():
            self.safe[sector * SECTOR:(sector + 1) * SECTOR] = data
        self.cache = {}
