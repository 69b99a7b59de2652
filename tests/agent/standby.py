#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Takeovers by a standby on the same host, each with the array emitting, in turn by each way in which whoever is
in charge can be lost. Runs in a guest as root (standby.sh). Judged by the emission ledger, the driver's epoch, the
processes that there are, and the audit log. Prints TAP.

  standby.py TAKEOVERS"""
import collections
import contextlib
import os
import signal
import subprocess
import sys

import api
from hang import hang
from kills import bail, stat_of
from kills_load import Player, Promising
from kills_witness import StatusPage, now_ns
from ledger import Ledger
from records import records
from live import ok, plan, until

HFD, SANDBOX = os.environ["HFD"], os.environ["SANDBOX"]
VERIFY = os.environ.get("HFV", "build/agent/holdfast-audit-verify")
ETC, LOG, STATE = "/etc/holdfast/holdfast.yaml", "/tmp/holdfastd.log", "/var/lib/holdfast/audit"
ROLES = {"audit", "auth", "keeper", "export", "local"}
WAIT_S = 90
DEADLINE_NS = 500_000_000	# of the keeper, the driver's default
NOISE_NS = 400_000_000		# of a guest on a machine that does other things
KILL, STOP, CONT, TERM = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM
KEEPER, READY = (1, "its keeper starts"), (2, "all its processes answer")


def processes():
    """{pid: (parent, role or None)} of all holdfastd that have not ended."""
    there = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        stat = stat_of(pid)
        if stat and b"holdfastd" in stat[3][0] and stat[0] not in "ZX":
            there[pid] = stat[1], stat[3][stat[3].index(b"-x") + 1].decode() if b"-x" in stat[3] else None
    return there


def send(sig, *pids):
    """Who is there no longer has ended by itself, without his parent."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)


# One way to lose who is in charge: @hit(parent, {role: pid}); @why: as recorded; @killed: processes that do not end by themselves.
Way = collections.namedtuple("Way", "name hit why killed keeper_hit")
WAYS = [
    Way("kill -9 of the parent", lambda p, c: send(KILL, p), "ended", 0, False),
    Way("kill -9 of all", lambda p, c: send(KILL, p, *c.values()), "ended", 0, True),
    Way("SIGSTOP of the parent", lambda p, c: send(STOP, p), "no_answer", 0, False),
    Way("SIGSTOP of keeper and parent", lambda p, c: send(STOP, p, c["keeper"]), "no_answer", 0, True),
    Way("keeper and audit hang for good, kill -9 of the parent",
        lambda p, c: (hang(c["keeper"]), hang(c["audit"]), send(KILL, p)), "ended", 2, True),
    Way("SIGTERM", lambda p, c: send(TERM, p), "ended", 0, False),
]


class Run:
    def __init__(self):
        self.log = open(LOG, "ab")
        self.ledger, self.page = Ledger("lab"), StatusPage()
        self.player, self.known, self.took = None, [], []
        self.promises, self.wrong = [], collections.defaultdict(list)

    def begin(self):
        process = subprocess.Popen([HFD, "--config", ETC, "--sandbox", SANDBOX, "--standby"], stdout=self.log, stderr=self.log)
        self.known.append(process)
        return process

    def must(self, what, fn, pause=0.1):
        def look():
            self.ledger.read()
            return fn()
        if not until(look, WAIT_S, pause):
            bail(f"{what}: not within {WAIT_S} s: {processes()} {self.status()}")

    @staticmethod
    def status():
        try:
            client = api.Client("local")
            answer = client.call("GET", "/v1/status")
            client.close()
        except (OSError, api.Closed, ValueError):
            return {}
        return answer.result if answer.status == 200 else {}

    @staticmethod
    def children(parent):
        return {role: pid for pid, (p, role) in processes().items() if role and p == parent}

    def in_charge(self, parent, standbys):
        """All its processes are ready, and are its own."""
        status = self.status()
        states = {p["role"]: p for p in status.get("processes", []) if p["state"] != "off"}
        return states.keys() == ROLES and {p["state"] for p in states.values()} == {"ready"} and status["standbys"] == standbys and \
            set(self.children(parent).values()) == {p["pid"] for p in states.values()}

    def emits(self):
        return self.ledger.emitting

    def note(self, what, good, *more):
        if not good:
            self.wrong[what].append(more)

    def play(self):
        """Somebody arms and plays. Whoever then takes over must not be armed: nobody asks for it after this."""
        self.player = Player(f"{len(self.known)}-{len(self.took)}", "/tmp/one.hfs")
        self.player.start()
        self.must("emission", self.emits)
        self.player.end = True
        self.player.join()

    def still(self):
        self.player.stop()
        self.promises += self.player.promises

    def act(self):
        who = Promising(f"act-{len(self.took)}")
        status = who.ask("user.create", "POST", "/v1/users", {"user": f"s-{len(self.took)}", "role": "user"})
        self.note("an act is answered before each", status == 200, status)
        self.promises += who.promises

    def spared(self, old):
        """The keeper alone is killed: its parent starts another one, who stands by does nothing."""
        self.play()
        keeper = self.children(old.pid)["keeper"]
        send(KILL, keeper)
        self.must("the keeper is back", lambda: self.children(old.pid).get("keeper", keeper) != keeper)
        self.still()
        self.must("all are ready", lambda: self.in_charge(old.pid, 1))
        trees = {p for p, role in processes().values() if role}
        self.note("kill -9 of the keeper alone: no takeover", trees == {old.pid}, trees)

    def takeover(self, way, old, new):
        text = f"{len(self.took)}: {way.name}"
        self.act()
        self.play()
        emitting, epoch, children = self.emits(), self.page.read().epoch, self.children(old.pid)
        hit, two = now_ns(), []
        way.hit(old.pid, children)

        def there():
            """Its keeper; meanwhile no role may be there twice."""
            roles = [role for _, role in processes().values() if role]
            if len(roles) != len(set(roles)):
                two.append(roles)
            return "keeper" in self.children(new.pid)
        self.must(f"{text}: the standby's keeper", there)
        kept = now_ns()
        self.must(f"{text}: all are ready", lambda: there() and self.in_charge(new.pid, 0))
        self.took.append((way.name, (kept - hit) / 1e9, (now_ns() - hit) / 1e9))
        send(CONT, *(children.values() & processes().keys()))
        self.still()
        self.ledger.read()
        spans = self.ledger.spans(now_ns())
        self.note("the array emitted when whoever was in charge was lost", emitting, text)
        self.note("no role is there twice at any time", not two, text, two[:1])
        self.note("the epoch is higher", self.page.read().epoch > epoch, text, epoch, self.page.read().epoch)
        self.note("of the old ones nobody is left", not (children.values() & processes().keys()), text, processes())
        late = [(b - kept) / 1e6 for _, b in spans if b > kept]
        self.note("silent before the next keeper is there, and until somebody arms", not late, text, late)
        late = [(b - hit) / 1e6 for _, b in spans if way.keeper_hit and b > hit + DEADLINE_NS + NOISE_NS]
        self.note("silent within the deadline when the keeper is hit", not late, text, late)
        status = old.wait(WAIT_S)
        self.note("it has ended as it was to", status == (0 if way.name == "SIGTERM" else -KILL), text, status)


def percent(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def figures(run):
    for name in [w.name for w in WAYS] + [""]:
        for at, what in (KEEPER, READY):
            took = [t[at] for t in run.took if name in (t[0], "")]
            if took:
                print(f"# {name or 'all'}: {what} after p50 {percent(took, 50):.2f} s, p99 {percent(took, 99):.2f} s ({len(took)})")


def judge(run, want):
    verify = subprocess.run([VERIFY, STATE], capture_output=True, text=True, check=False)
    log = list(records(STATE))
    overs = [r["detail"] for r in log if r["action"] == "agent.takeover"]
    ways = [WAYS[i % len(WAYS)] for i in range(want)]
    done = {(r["action"], r["corr"]) for r in log if r["phase"] == "outcome" and r["result"] == "ok"}
    ok(len(run.took) == want, f"the standby took over {len(run.took)} times of {want}")
    for what in ("the array emitted when whoever was in charge was lost", "no role is there twice at any time", "the epoch is higher",
                 "of the old ones nobody is left", "silent before the next keeper is there, and until somebody arms",
                 "silent within the deadline when the keeper is hit", "kill -9 of the keeper alone: no takeover",
                 "an act is answered before each", "it has ended as it was to"):
        ok(not run.wrong[what], what, *run.wrong[what])
    ok([o["why"] for o in overs] == [w.why for w in ways], "each takeover is in the audit log, with its reason", overs)
    ok(all(o["killed"] >= w.killed for o, w in zip(overs, ways)), "and how many processes had to be killed", overs)
    ok([o["from"] for o in overs] == [p.pid for p in run.known[:-1]], "and who was in charge before", overs)
    ok(verify.returncode == 0, "the audit log verifies", verify.stdout, verify.stderr)
    lost = [p for p in run.promises if p not in done]
    ok(not lost, f"of {len(run.promises)} acknowledged acts none is missing", lost)
    ok(run.ledger.lost == 0, "the ledger has no gap", run.ledger.lost)


def main():
    want, run = int(sys.argv[1]), Run()
    old = run.begin()
    run.must("the first is in charge at once", lambda: run.in_charge(old.pid, 0))
    for i in range(want):
        new = run.begin()
        run.must("it stands by", lambda o=old, n=new: run.in_charge(o.pid, 1) and not run.children(n.pid))
        if i % len(WAYS) == 0:
            run.spared(old)
        run.takeover(WAYS[i % len(WAYS)], old, new)
        old = new
        print(f"# {i + 1} takeovers, the last took {run.took[-1][1]:.1f} s, {run.took[-1][2]:.1f} s", flush=True)
    send(TERM, old.pid)
    status = old.wait(WAIT_S)
    judge(run, want)
    ok(status == 0, "the last one ends in order", status)
    figures(run)
    plan()


if __name__ == "__main__":
    main()
