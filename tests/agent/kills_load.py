# SPDX-License-Identifier: GPL-2.0
"""What kills.py kills under: privileged acts whose answers are promises, and a program that emits.

A promise is (action, key): the correlation id of an act that was answered with 200 (its OUTCOME was
durable then), or the label of a lease that was handed over (its INTENT was)."""
import array
import os
import random
import socket
import struct
import subprocess
import threading
import time

import api
from kills_witness import ARMED, EMITTING, SILENT, TRIPPED, StatusPage

HF = os.environ.get("HF", "build/agent/holdfastctl")
LEASE = "lease.create"
KEEPER = "/run/holdfast/keeper.sock"
REQUEST, REPLY = struct.Struct("<IHHIIQ32s"), struct.Struct("<IHHiIQ256s")	# agent/lib/wire.h
MAGIC, VERSION, OP_LEASE, RIGHT_FRAMES = 0x31514648, 1, 1, 1
PAUSE_S = 0.25	# between the acts of one thread, on average: the log is read whole at each start of audit


def lease(label):
    """Asks the keeper for a lease. Return: it was handed over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(5)
        s.connect(KEEPER)
        s.send(REQUEST.pack(MAGIC, VERSION, OP_LEASE, 0, RIGHT_FRAMES, 0, label.encode()))
        data, control, _, _ = s.recvmsg(REPLY.size, socket.CMSG_SPACE(4))
    fds = array.array("i")
    for _, _, passed in control:
        fds.frombytes(passed[:4])
    for fd in fds:
        os.close(fd)
    return len(data) == REPLY.size and REPLY.unpack(data)[3] == 0 and len(fds) == 1


class Promising(threading.Thread):
    """Whoever asks for privileged acts and remembers what was promised."""

    def __init__(self, name):
        super().__init__(daemon=True, name=name)
        self.random, self.client = random.Random(name), api.Client("local")
        self.promises, self.tried, self.end = [], 0, False

    def ask(self, action, method, path, body=None):
        """Return: the status of the answer; None: there was none."""
        corr = f"{self.random.getrandbits(128):032x}"
        self.tried += 1
        try:
            status = self.client.call(method, path, body, ["X-Correlation-Id: " + corr]).status
        except (OSError, api.Closed):
            self.client.close()
            return None
        if status == 200:
            self.promises.append((action, corr))
        return status

    def run(self):
        while not self.end:
            self.turn()


class Load(Promising):
    def __init__(self, seed, number):
        super().__init__(f"{seed}-{number}")
        self.number, self.users, self.user, self.secret = number, 0, None, False

    def unlock(self):
        return self.ask("user.unlock", "POST", "/v1/users/m-load/unlock", {})

    def account(self):
        if self.user:
            status = self.ask("user.remove", "DELETE", "/v1/users/" + self.user)
            self.user = None
            return status
        self.users += 1
        name = f"m-{self.number}-{self.users}"
        status = self.ask("user.create", "POST", "/v1/users", {"user": name, "role": "user"})
        self.user = name if status == 200 else None
        return status

    def keep_secret(self):
        path = f"/v1/secrets/m-{self.number}"
        if self.secret:
            status = self.ask("secret.remove", "DELETE", path)
        else:
            status = self.ask("secret.set", "PUT", path, {"value": f"{self.random.getrandbits(64):x}"})
        self.secret ^= status in (200, 404)
        return status

    def tighten(self):
        return self.ask("array.tighten", "POST", "/v1/arrays/0/tighten", {"limits": {"power_avg": 19_000_000}})

    def lease(self):
        label = f"k{self.random.getrandbits(100):025x}"
        self.tried += 1
        try:
            got = lease(label)
        except OSError:
            return None
        if got:
            self.promises.append((LEASE, label))
        return 200 if got else None

    def turn(self):
        act = self.random.choice([self.unlock, self.account, self.keep_secret, self.tighten, self.lease])
        # not at once again after a failure: whoever is missing takes a while to come back
        time.sleep(self.random.uniform(0, 2 * PAUSE_S) if act() == 200 else 0.1)


class Player(Promising):
    """Has the array emit whenever that can be. Its lease may not arm, so that it outlives the loss of audit
    for as long as the grace time."""

    def __init__(self, seed, stream):
        super().__init__(f"{seed}-player")
        self.stream, self.process, self.page = stream, None, StatusPage()

    def turn(self):
        time.sleep(0.05)
        if self.process and self.process.poll() is None:
            return
        state = self.page.read().state
        # on a machine with other work the guest's timer may be late, and the governor trips over that
        if state == TRIPPED:
            self.ask("array.reset", "POST", "/v1/arrays/0/reset", {"comment": "kills"})
        elif state == SILENT:
            self.ask("array.arm", "POST", "/v1/arrays/0/arm", {"comment": "kills"})
        if self.page.read().state in (ARMED, EMITTING):
            self.play()

    def play(self):
        with open("/tmp/play.log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--reuid=hf-operator", "--regid=hf-operator", "--init-groups", HF, "play", "--quiet", "--rate",
                 "10", "--loop", "forever", self.stream], stdout=log, stderr=log)

    def stop(self):
        self.end = True
        self.join()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
