#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Hours of chaos: faults of all kinds come at random, several at a time, while an array emits and people
work. Runs as root in a guest whose time is simulated (chaos.sh), so that an hour of it takes minutes.
Judged by witnesses that the agent does not have in hand: the emission ledger, the driver's status page
(kills_witness.py), the audit log with what was promised to clients (kills_load.py), and the receiver of
anchors, who counts how often it is bothered.

  chaos.py SECONDS SEED GRACE_MS     (prints TAP)"""
import collections
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import api
from chaos_bus import Bus
import kills
from kills import Agent, Run, DEADLINE_NS, STATE, VERIFY, bail, counts, plan, read_log
import kills_load
from kills_load import Load, Player
from kills_witness import Judge, Witness, length, now_ns
from ledger import Ledger
from live import until

EVERY_S, PORT = 5, 6010		# of chaos.sh's configuration: between two anchors, and where they go
RETRIES = 5			# that the budget of agent/export/target.c gives from full
SHARE = 0.2			# of a retry that each success gives back
FILL = "/var/lib/holdfast/fill"
ROLES = kills.ROLES + ["fleet"]
GAP_S = 8			# between the beginnings of two faults, on average
LONGEST_S = 40
RECOVERY_S = 900		# breakers are open for five minutes at most


class Receiver(threading.Thread):
    """Takes anchors by TCP, or behaves badly."""

    def __init__(self):
        super().__init__(daemon=True)
        self.mode, self.came, self.taken, self.listener = "up", collections.Counter(), [], None

    def accept(self):
        self.listener.settimeout(0.5)
        try:
            peer = self.listener.accept()[0]
        except socket.timeout:
            return
        self.came[self.mode] += 1
        if self.mode == "slow":
            threading.Timer(60, peer.close).start()
            return
        if self.mode == "flapping" and self.came["flapping"] % 2:
            peer.close()
            return
        peer.settimeout(20)
        try:
            while peer.recv(8192):
                pass
            self.taken.append(time.monotonic())
        except OSError:
            pass
        peer.close()

    def run(self):
        while True:
            if self.mode == "down" and self.listener:
                self.listener.close()
                self.listener = None
            elif self.mode != "down" and not self.listener:
                self.listener = socket.create_server(("127.0.0.1", PORT))
            if self.listener:
                self.accept()
            else:
                time.sleep(0.1)


class Tries:
    """When export began a TCP connection: the kernel counts, whether it came about or not. Nobody else on this host
    does, but for what the bus knows of (@others)."""

    def __init__(self, others):
        self.others = others
        self.seen, self.times = self.opens() - others(), []

    @staticmethod
    def opens():
        names, values = [line.split() for line in open("/proc/net/snmp", encoding="ascii") if line.startswith("Tcp:")]
        return int(values[names.index("ActiveOpens")])

    def look(self):
        now = self.opens() - self.others()
        self.times += [time.monotonic()] * (now - self.seen)
        self.seen = max(now, self.seen)	# the one counts a moment before the other

    def storms(self, taken, starts):
        """Minutes with more tries than the interval, the budget, and fresh budgets of new processes give."""
        out = []
        for i, t in enumerate(self.times):
            new = sum(t - 60 < s < t + 60 for s in starts)
            most = 60 / EVERY_S + 1 + (1 + RETRIES) * (1 + new) + SHARE * sum(t - 60 < u < t + 60 for u in taken)
            n = sum(u < t + 60 for u in self.times[i:i + 300])
            if n > most:
                out.append(f"{n} in the minute from {t:.0f} s on, where {most:.0f} are allowed")
        return out


class Chaos:
    def __init__(self, seed):
        self.random, self.agent, self.ledger = random.Random(seed), Agent(ROLES), Ledger("lab")
        self.receiver, self.bus = Receiver(), Bus()
        self.tries = Tries(self.bus.opens)
        self.kills, self.hangs, self.happened, self.emitting = [], [], collections.Counter(), collections.Counter()
        self.active, self.next, self.parent_dead = {}, [], False	# active: kind -> (until, undo)
        self.roles = {"kill": [], "hang": []}
        self.kinds = {"kill": self.kill, "kill parent": self.kill_parent, "hang": self.hang, "hang parent": self.hang_parent,
                      "receiver down": lambda: self.receive("down"), "receiver slow": lambda: self.receive("slow"),
                      "receiver flapping": lambda: self.receive("flapping"), "disk full": self.fill, "clock": self.clock,
                      "bus cut": self.bus.cut, "bus killed": self.bus.kill}

    # Each begins a fault. Return: how it is ended, None: by itself, False: it could not be.

    def signalled(self, role, pid, what):
        before = now_ns()
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            return False
        # a parent that stands still takes nothing away from the array
        if role != "parent" or what == signal.SIGKILL:
            self.kills.append((before, now_ns(), role))
        if role == "keeper" and what == signal.SIGSTOP:
            self.hangs.append(before)
        return True

    def victim(self, what):
        """(role, pid or None): each in turn, the keeper first, and that while the array emits if it does at all."""
        if not self.roles[what]:
            self.roles[what] = self.random.sample([r for r in ROLES if r != "keeper"], len(ROLES) - 1) + ["keeper"]
        role = self.roles[what].pop()
        emitting = role == "keeper" and until(lambda: emits(self.ledger), 5)
        pid = self.agent.pid(role)
        self.happened[f"{what} {role}"] += bool(pid)
        self.emitting[f"{what} {role}"] += bool(pid) and emitting
        return role, pid

    def kill(self):
        role, pid = self.victim("kill")
        return None if pid and self.signalled(role, pid, signal.SIGKILL) else False

    def start(self):
        until(Run.nobody, 60)
        self.agent.start()
        self.parent_dead = False

    def kill_parent(self):
        if self.parent_dead or "hang parent" in self.active:
            return False
        self.parent_dead = True
        self.signalled("parent", self.agent.process.pid, signal.SIGKILL)
        self.agent.process.wait()
        return self.start

    @staticmethod
    def go_on(pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass	# the parent killed it, or it was another fault

    def hang(self):
        role, pid = self.victim("hang")
        if not pid or not self.signalled(role, pid, signal.SIGSTOP):
            return False
        return lambda: self.go_on(pid)

    def hang_parent(self):
        if self.parent_dead:
            return False
        pid = self.agent.process.pid
        self.signalled("parent", pid, signal.SIGSTOP)
        return lambda: self.go_on(pid)

    def receive(self, mode):
        if self.receiver.mode != "up":
            return False
        self.receiver.mode = mode

        def well():
            self.receiver.mode = "up"
        return well

    @staticmethod
    def fill():
        with open(FILL, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass	# that was the last page
        return lambda: os.unlink(FILL)

    def clock(self):
        """Forth or back by up to an hour, and the other way later."""
        step = self.random.choice([-1, 1]) * self.random.randint(1, 3600)
        time.clock_settime(time.CLOCK_REALTIME, time.time() + step)
        return lambda: time.clock_settime(time.CLOCK_REALTIME, time.time() - step)

    def end_those_due(self, all_of_them=False):
        now = time.monotonic()
        for kind, (end, undo) in list(self.active.items()):
            if all_of_them or end <= now:
                del self.active[kind]
                undo()

    def begin_one(self):
        if not self.next:
            self.next = self.random.sample(list(self.kinds), len(self.kinds))
        kind = self.next.pop()
        if kind in self.active:
            return
        self.ledger.read()
        emitting = self.ledger.emitting
        undo = self.kinds[kind]()
        if undo is False:
            return
        self.happened[kind] += 1
        self.emitting[kind] += emitting
        if undo:
            self.active[kind] = time.monotonic() + self.random.uniform(1, LONGEST_S), undo

    def run(self, seconds):
        begin = time.monotonic()
        due, told = begin + self.random.expovariate(1 / GAP_S), begin
        wanted = [*self.kinds, "kill keeper", "hang keeper"]
        while time.monotonic() < begin + seconds or not all(self.happened[k] for k in wanted):
            self.end_those_due()
            self.ledger.read()
            self.tries.look()
            if time.monotonic() >= due:
                self.begin_one()
                due = time.monotonic() + self.random.expovariate(1 / GAP_S)
            if time.monotonic() > told + 300:
                told = time.monotonic()
                print(f"# {told - begin:.0f} s: {counts(self.happened)}", flush=True)
            time.sleep(0.1)
        while self.active:
            self.end_those_due(True)


def emits(ledger):
    ledger.read()
    return ledger.emitting


def level():
    try:
        return api.Client("local").call("GET", "/v1/status").result.get("level")
    except (OSError, api.Closed):
        return None


def main():
    seconds, seed, grace_ns = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) * 1_000_000
    kills_load.PAUSE_S = 3	# an hour of records is read at each start of audit
    chaos, witness = Chaos(seed), Witness("/tmp/witness")
    chaos.receiver.start()
    chaos.agent.start()
    if not until(chaos.agent.ready, 60):
        bail("holdfastd does not start")
    answer = api.Client("local").call("POST", "/v1/users", {"user": "m-load", "role": "user"})
    if answer.status != 200:
        bail(f"user m-load: {answer.status} {answer.body}")
    loads, player = [Load(seed, i) for i in range(2)], Player(seed, "/tmp/one.hfs")
    for thread in loads + [player]:
        thread.start()
    begin = time.monotonic()
    chaos.run(seconds)
    took = time.monotonic() - begin
    well = until(chaos.agent.ready, RECOVERY_S, 1) and until(lambda: level() == "full", RECOVERY_S, 1)
    lives = until(lambda: emits(chaos.ledger), 120)
    anchored = len(chaos.receiver.taken)
    anchors = until(lambda: len(chaos.receiver.taken) > anchored, RECOVERY_S, 1)
    player.stop()
    for load in loads:
        load.end = True
    for load in loads:
        load.join()
    even = chaos.bus.even(STATE)
    chaos.kills.append((now_ns(), now_ns(), "parent"))	# in order, but its keeper ends as well
    chaos.agent.process.terminate()
    status = chaos.agent.process.wait(60)
    chaos.ledger.read()
    published = chaos.bus.judged(STATE)
    chaos.bus.end()
    samples = witness.stop()
    if not samples:
        bail("the witness ended")
    judge = Judge(samples, chaos.ledger.spans(now_ns()), chaos.kills, DEADLINE_NS, chaos.hangs)
    verify = subprocess.run([VERIFY, STATE], capture_output=True, text=True, check=False)
    promises = [p for thread in loads + [player] for p in thread.promises]
    broken, times = read_log(promises)
    dark, outlived, (lost, _) = judge.unsupervised(), judge.outlived(), judge.lost_keepers()
    starts = [after / 1e9 for _, after, role in chaos.kills if role in ("export", "parent")]
    bothered = chaos.bus.storms([after / 1e9 for _, after, role in chaos.kills if role in ("fleet", "parent")])
    storms, kept = chaos.tries.storms(chaos.receiver.taken, starts), collections.Counter(action for action, _ in promises)
    tried, taken = len(chaos.tries.times), len(chaos.receiver.taken)
    emitted = length(judge.emission) / 1e9
    plan([
        (not dark, f"{sum(chaos.happened[k] for k in chaos.kinds)} faults in {took:.0f} s: no emission that no keeper supervised within the deadline", dark),
        (not outlived, "silent within the deadline after the end of each keeper and parent, and when a keeper hangs", outlived),
        (not lost, "no keeper was lost that was not killed or hung", lost),
        (emitted > took / 10, f"the array emitted for {emitted:.0f} s", [open("/tmp/play.log").read()[-600:]]),
        (chaos.ledger.lost == 0, "the ledger has no gap", [chaos.ledger.lost]),
        (verify.returncode == 0, "the audit log verifies", [verify.stdout, verify.stderr]),
        (not broken and len(kept) >= 6, f"of {len(promises)} acknowledged acts none is missing: {counts(kept)}", broken),
        (not storms, f"anchors tried {tried} times, {taken} taken ({counts(chaos.receiver.came)}): never more tries in a minute than "
         "the interval and the budget give", storms[:5]),
        (well, "when all is over the agent is whole again by itself", [level()]),
        (lives, "the array emits again", []),
        (anchors, "anchors arrive again", [chaos.receiver.mode]),
        (even, "the bus has all that the audit log has", []),
        *((good, "the bus: " + what, more) for good, what, *more in published),
        (not bothered, f"fleet came to the bus {len(chaos.bus.middle.accepted)} times: never more in a minute than its breaker gives", bothered[:5]),
        (status == 0, "after all that it ends in order", [status]),
        (sum(chaos.emitting.values()) > len(chaos.kinds) and chaos.emitting["kill keeper"] and chaos.emitting["hang keeper"], f"what happened: {counts(chaos.happened)}; while emitting: {counts(chaos.emitting)}", []),
    ])
    if os.environ.get("VM_OUT"):
        with open(os.path.join(os.environ["VM_OUT"], "chaos.json"), "w", encoding="utf-8") as f:
            json.dump({"seed": seed, "seconds": round(took, 1), "happened": chaos.happened, "while_emitting": chaos.emitting,
                       "emission_s": round(emitted, 1), "acknowledged": kept, "lost": len(broken), "unsupervised": len(dark),
                       "late": len(outlived), "keepers_lost": len(lost), "anchors": {"tried": tried, "taken": taken, "connected": chaos.receiver.came},
                       "storms": len(storms),
                       "bus": {"came": len(chaos.bus.middle.accepted), "storms": len(bothered)}, "records": len(times)}, f, indent=1)


if __name__ == "__main__":
    main()
