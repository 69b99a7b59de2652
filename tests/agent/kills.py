#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""kill -9 of each process of the agent at random moments under load, some while it is starting. Runs in
a guest as root (kills.sh). Judged by witnesses that the agent does not have in hand: the emission
ledger, the driver's status page (kills_witness.py), and the audit log with what was promised to clients
(kills_load.py).

  kills.py KILLS SEED GRACE_MS     (prints TAP)

Every round kills each process twice or more and the parent last: a new parent starts the others without
the waits that the old one had come to."""
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import api
from kills_load import LEASE, Load, Player
from kills_witness import Judge, Witness, length, now_ns, without
from ledger import Ledger
from records import records

HFD = os.environ.get("HFD", "build/agent/holdfastd")
VERIFY = os.environ.get("HFV", "build/agent/holdfast-audit-verify")
ETC, LOG, STATE = "/etc/holdfast/holdfast.yaml", "/tmp/holdfastd.log", "/var/lib/holdfast/audit"
ROLES = ["audit", "auth", "keeper", "export", "local", "front"]
DEADLINE_NS = 500_000_000	# of the keeper, the driver's default
LOADS = 3
YOUNG_S = 0.3
YOUNG_SHARE = 0.3		# of the kills are followed by one of the same process as soon as it is there again
QUIET_SHARE = 0.5		# of the kills wait until the one before has been got over
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def bail(why):
    tail = subprocess.run(["tail", "-n", "30", LOG], capture_output=True, text=True, check=False).stdout
    print("# " + tail.replace("\n", "\n# "))
    sys.exit(f"Bail out! {why}")


def stat_of(pid):
    """(state, parent, age in s, command line), or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
            fields = f.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            args = f.read().split(b"\0")
    except OSError:
        return None
    return fields[0], int(fields[1]), time.monotonic() - int(fields[19]) * TICK_S, args


class Agent:
    def __init__(self, roles=tuple(ROLES)):
        self.process, self.known, self.roles = None, {}, roles	# known: pid -> role, of children of this parent
        self.log = open(LOG, "ab")

    def start(self):
        self.known = {}
        self.process = subprocess.Popen([HFD, "--config", ETC, "--sandbox", "kill"], stdout=self.log, stderr=self.log)

    def look(self):
        """Only whoever is new is asked who it is: that takes long here."""
        there = {int(n) for n in os.listdir("/proc") if n.isdigit()}
        self.known = {p: r for p, r in self.known.items() if p in there}
        for pid in there - self.known.keys() - {self.process.pid}:
            stat = stat_of(pid)
            if stat and stat[1] == self.process.pid and b"-x" in stat[3]:
                self.known[pid] = stat[3][stat[3].index(b"-x") + 1].decode()

    def pid(self, role, but=None):
        """Of a process that lives; None."""
        self.look()
        for pid, known in self.known.items():
            stat = stat_of(pid) if known == role and pid != but else None
            if stat and stat[0] != "Z":
                return pid
        return None

    def ready(self):
        try:
            client = api.Client("local")
            answer = client.call("GET", "/v1/status")
            client.close()
        except (OSError, api.Closed):
            return False
        states = [p.get("state") for p in answer.result.get("processes", []) if p.get("state") != "off"]
        return len(states) == len(self.roles) and set(states) == {"ready"}


class Run:
    def __init__(self, kills, seed):
        self.want, self.random = kills, random.Random(seed)
        self.agent, self.ledger = Agent(), Ledger("lab")
        self.kills, self.pids = [], []	# kills: (before, after, role)
        self.killed, self.young, self.emitting, self.waited = (collections.Counter() for _ in range(4))

    def wait(self, what, fn, seconds, pause=0.01):
        """Return: what fn() said; None: it never was true."""
        begin = time.monotonic()
        value = fn()
        while not value and time.monotonic() < begin + seconds:
            self.ledger.read()
            time.sleep(pause)
            value = fn()
        self.waited[what] += time.monotonic() - begin
        return value

    def must(self, what, fn, seconds=90, pause=0.1):
        return self.wait(what, fn, seconds, pause) or bail(f"{what}: not within {seconds} s")

    @property
    def done(self):
        return len(self.kills) >= self.want

    def kill(self, role, pid):
        age = stat_of(pid)
        self.ledger.read()
        emitting, before = self.ledger.emitting, now_ns()
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills.append((before, now_ns(), role))
        self.pids.append((role, pid))
        self.killed[role] += 1
        self.emitting[role] += emitting
        self.young[role] += bool(age) and age[2] <= YOUNG_S

    def young_s(self):
        """Every other time at once: a start may take no more than a few ms. Else up to YOUNG_S."""
        return 0 if self.random.random() < 0.5 else self.random.uniform(0, YOUNG_S)

    def again(self, role, old):
        """Waits for the next process of @role and kills it while it is starting."""
        pid = self.must("a process comes back", lambda: self.agent.pid(role, old), pause=0.001)
        time.sleep(self.young_s())
        self.kill(role, pid)

    def child(self, role):
        if self.random.random() < QUIET_SHARE:
            self.wait("emission", self.emits, 8)
        time.sleep(self.random.uniform(0, 0.4))
        pid = self.agent.pid(role)
        if not pid:
            return self.again(role, None)
        self.kill(role, pid)
        if self.random.random() < YOUNG_SHARE and not self.done:
            self.again(role, pid)

    def emits(self):
        self.ledger.read()
        return self.ledger.emitting

    def parent(self):
        self.wait("emission", self.emits, 8)
        self.kill("parent", self.agent.process.pid)
        self.agent.process.wait()
        while True:
            self.must("the children of a dead parent end", self.nobody, pause=0.02)
            self.agent.start()
            if self.random.random() >= YOUNG_SHARE or self.done:
                break
            time.sleep(self.young_s())
            self.kill("parent", self.agent.process.pid)
            self.agent.process.wait()
        self.must("holdfastd starts", self.agent.ready)

    @staticmethod
    def nobody():
        return not any(b"-x" in (stat_of(int(n)) or (0, 0, 0, []))[3] for n in os.listdir("/proc") if n.isdigit())

    def round(self):
        roles = ROLES + ROLES
        self.random.shuffle(roles)
        for role in roles:
            if self.done:
                return
            self.child(role)
        if not self.done:
            self.parent()


def read_log(promises):
    """Return: promises that were broken, and when records were written."""
    intents, acts, closed, times = {}, set(), set(), []
    for r in records(STATE):
        times.append(r["mono_ns"])
        if r["phase"] == "intent":
            intents[r["seq"]] = r["action"], r["detail"].get("label") if r["action"] == LEASE else r["corr"]
        elif r["phase"] == "outcome" and r["intent"] in intents:
            closed.add(intents[r["intent"]])
            if r["result"] == "ok" and (r["action"], r["corr"]) == intents[r["intent"]]:
                acts.add((r["action"], r["corr"]))
    # a lease is handed over as soon as its intent is durable: its outcome may be "unknown"
    return [p for p in promises if p not in (closed if p[0] == LEASE else acts)], times


def unready(pids):
    """How many of each role had not said that they were ready when they were killed."""
    ready = set(re.findall(r'"event":"process.ready".*"message":"(\w+) \(pid (\d+)\)', open(LOG, encoding="utf-8").read()))
    return collections.Counter(role for role, pid in pids if role != "parent" and (role, str(pid)) not in ready)


def plan(tests):
    for i, (good, name, more) in enumerate(tests, 1):
        print("ok" if good else "not ok", i, "-", name)
        for line in more[:20] if not good else []:
            print("#  ", str(line).replace("\n", "\n#   "))
    print(f"1..{len(tests)}")


def counts(counter):
    return ", ".join(f"{k} {n}" for k, n in sorted(counter.items()))


def main():
    run, seed, grace_ns = Run(int(sys.argv[1]), int(sys.argv[2])), int(sys.argv[2]), int(sys.argv[3]) * 1_000_000
    witness = Witness("/tmp/witness")
    run.agent.start()
    run.must("holdfastd starts", run.agent.ready)
    answer = api.Client("local").call("POST", "/v1/users", {"user": "m-load", "role": "user"})
    if answer.status != 200:
        bail(f"user m-load: {answer.status} {answer.body}")
    loads, player = [Load(seed, i) for i in range(LOADS)], Player(seed, "/tmp/one.hfs")
    begin = time.monotonic()
    for thread in loads + [player]:
        thread.start()
    while not run.done:
        run.round()
        print(f"# {len(run.kills)} kills in {time.monotonic() - begin:.0f} s", flush=True)
    took = time.monotonic() - begin
    run.must("all processes are ready after the last kill", run.agent.ready)
    lives = run.wait("emission", run.emits, 60)
    player.stop()
    for load in loads:
        load.end = True
    for load in loads:
        load.join()
    run.kills.append((now_ns(), now_ns(), "parent"))	# in order, but its keeper ends as well
    run.agent.process.terminate()
    status = run.agent.process.wait(30)
    run.ledger.read()
    samples = witness.stop()
    if not samples:
        bail("the witness ended")
    judge = Judge(samples, run.ledger.spans(now_ns()), run.kills, DEADLINE_NS)
    verify = subprocess.run([VERIFY, STATE], capture_output=True, text=True, check=False)
    promises = [p for thread in loads + [player] for p in thread.promises]
    broken, times = read_log(promises)
    kept = collections.Counter(action for action, _ in promises)
    dark, outlived, (lost, excused) = judge.unsupervised(), judge.outlived(), judge.lost_keepers()
    audit, judged = judge.without_audit(times, grace_ns)
    each = ROLES + ["parent"]
    enough = run.want >= 20 * len(each)	# then chance no longer explains that one never happened
    trips = collections.Counter(s.cause for last, s in zip(samples, samples[1:]) if s.trips != last.trips)
    starting, emission = unready(run.pids), length(judge.emission)
    judged_ns = length(without(judge.emission, judge.stalls))
    plan([
        (not dark, f"{sum(run.killed.values())} kills: no emission that no keeper supervised within the deadline", dark),
        (not outlived, "silent within the deadline after each death of the keeper or the parent", outlived),
        (not lost, "a keeper has let go only when it or the parent was killed, and never missed its deadline "
         f"({excused} times after the guest stood still)", lost),
        (not audit and judged, f"{judged} losses of audit beyond the grace time while emitting: silent then",
         audit or ["none"]),
        (all(run.emitting[r] for r in each) if enough else sum(run.emitting.values()),
         f"the array was emitting at the kill of: {counts(run.emitting)}", [open("/tmp/play.log").read()[-600:]]),
        (run.ledger.lost == 0, "the ledger has no gap", [run.ledger.lost]),
(2 * judged_ns > emission if enough else judged_ns > 0, f"{judged_ns / 1e9:.0f} s of {emission / 1e9:.0f} s of emission were judged: "
         f"the guest stood still for {length(judge.stalls) / 1e9:.0f} s of {took:.0f} s", []),
        (verify.returncode == 0, "the audit log verifies", [verify.stdout, verify.stderr]),
        (not broken and len(kept) >= 6, f"of {len(promises)} acknowledged acts none is missing: {counts(kept)}", broken),
        (lives, "the array emits again after the last kill", []),
        (status == 0, "after all that it ends in order", [status]),
        (all(run.killed[r] for r in each), f"each process was killed: {counts(run.killed)}", []),
        (all(starting[r] for r in ROLES) and run.young["parent"] if enough else sum(starting.values()),
         f"before it was ready: {counts(starting)}; within {YOUNG_S * 1000:.0f} ms of its start: {counts(run.young)}", []),
    ])
    if os.environ.get("VM_OUT"):
        with open(os.path.join(os.environ["VM_OUT"], "kills.json"), "w", encoding="utf-8") as f:
            json.dump({"kills": run.killed, "young": run.young, "unready": starting, "emitting_at_kill": run.emitting, "seed": seed,
                       "seconds": round(took, 1), "acknowledged": kept, "lost": len(broken),
                       "tried": sum(t.tried for t in loads + [player]), "unsupervised": len(dark), "late": len(outlived),
                       "keepers_lost": len(lost), "keepers_excused": excused, "grace_judged": judged, "grace_late": len(audit), "trips": trips,
                       "emission_s": round(emission / 1e9, 1), "judged_s": round(judged_ns / 1e9, 1),
                       "stalled_s": round(length(judge.stalls) / 1e9, 1), "records": len(times),
                       "waited_s": {what: round(s, 1) for what, s in run.waited.items()}}, f, indent=1)


if __name__ == "__main__":
    main()
