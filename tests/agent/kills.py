#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""kill -9 of each process of the agent at random moments under load. Runs in a guest as root
(kills.sh). Judged by two witnesses that the agent does not have in hand: the emission ledger, and
holdfast-audit-verify with the correlation ids of what was acknowledged to clients.

  kills.py KILLS SEED

Each round kills every process once in random order, the parent last, so that the waits between
restarts do not grow to their end. Prints TAP."""
import glob
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import api
from ledger import Ledger

HF, HFD = os.environ.get("HF", "build/agent/holdfastctl"), os.environ.get("HFD", "build/agent/holdfastd")
VERIFY = os.environ.get("HFV", "build/agent/holdfast-audit-verify")
ETC, LOG, STATE = "/etc/holdfast/holdfast.yaml", "/tmp/holdfastd.log", "/var/lib/holdfast/audit"
ROLES = ["audit", "auth", "keeper", "export", "local", "front"]
DEADLINE_NS = 500_000_000	# of the keeper, the driver's default
NOISE_NS = 150_000_000		# of a guest on a machine that does other things
LOADS = 3


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def wait_for(what, fn, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = fn()
        if value:
            return value
        time.sleep(0.02)
    tail = subprocess.run(["tail", "-n", "30", LOG], capture_output=True, text=True, check=False).stdout
    print("# " + tail.replace("\n", "\n# "))
    sys.exit(f"Bail out! {what}: not within {seconds} s")


class Agent:
    def __init__(self):
        self.process = None
        self.log = open(LOG, "ab")

    def start(self):
        self.process = subprocess.Popen([HFD, "--config", ETC, "--sandbox", "kill"], stdout=self.log,
                                        stderr=self.log)
        wait_for("holdfastd starts", self.ready)

    def pids(self):
        pids = {"parent": self.process.pid}
        for path in glob.glob("/proc/[0-9]*"):
            try:
                stat = open(path + "/stat", encoding="latin-1").read().rpartition(")")[2].split()
                args = open(path + "/cmdline", "rb").read().split(b"\0")
            except OSError:
                continue
            if int(stat[1]) == self.process.pid and stat[0] != "Z" and b"-x" in args:
                pids[args[args.index(b"-x") + 1].decode()] = int(path[6:])
        return pids

    def status(self):
        try:
            client = api.Client("local")
            answer = client.call("GET", "/v1/status")
            client.close()
        except (OSError, api.Closed):
            return {}
        return {p.get("role"): p for p in answer.result.get("processes", [])} if answer.status == 200 else {}

    def ready(self):
        status = self.status()
        return all(status.get(r, {}).get("state") == "ready" for r in ROLES)

    def kill(self, role):
        before = self.pids().get(role)
        if not before:
            return 0
        os.kill(before, signal.SIGKILL)
        t = now_ns()
        if role == "parent":
            self.process.wait()
            wait_for("the children of a dead parent end", lambda: not subprocess.run(
                ["pgrep", "-x", "holdfastd"], capture_output=True, check=False).stdout)
            self.start()
        else:
            wait_for(f"{role} comes back", lambda: self.pids().get(role, before) != before and self.ready())
        return t


class Load(threading.Thread):
    """Privileged acts whose answers are counted as promises."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.random, self.acked, self.tried, self.end = random.Random(seed), [], 0, False

    def run(self):
        client = api.Client("local")
        while not self.end:
            corr = f"{self.random.getrandbits(128):032x}"
            self.tried += 1
            try:
                answer = client.call("POST", "/v1/users/m-load/unlock", {}, ["X-Correlation-Id: " + corr])
                if answer.status == 200:
                    self.acked.append(corr)
                else:
                    time.sleep(0.01)
            except (OSError, api.Closed):
                client.close()
                time.sleep(0.01)


class Player:
    """A program of the laboratory that plays for ever, and begins again when it was ended."""

    def __init__(self, stream):
        self.stream, self.process = stream, None

    def go_on(self):
        if self.process and self.process.poll() is None:
            return
        # on a machine with other work the guest's timer may be late, and the governor trips over that
        status = json.loads(subprocess.run([HF, "status", "--json"], capture_output=True, text=True, check=True).stdout)
        if status["state"] == "tripped":
            api.Client("local").call("POST", "/v1/arrays/0/reset", {"comment": "kills"})
        with open("/tmp/play.log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--reuid=hf-operator", "--regid=hf-operator", "--init-groups", HF, "play", "--arm", "--loop",
                 "forever", self.stream], stdout=log, stderr=log)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def segments():
    return b"".join(open(p, "rb").read() for p in sorted(glob.glob(STATE + "/*")) if os.path.isfile(p))


def main():
    kills, seed = int(sys.argv[1]), int(sys.argv[2])
    rng, wrong, done = random.Random(seed), [], {r: 0 for r in ROLES + ["parent"]}
    agent = Agent()
    agent.start()
    answer = api.Client("local").call("POST", "/v1/users", {"user": "m-load", "role": "user"})
    if answer.status != 200:
        sys.exit(f"Bail out! user m-load: {answer.status} {answer.body}")
    loads = [Load(seed + i) for i in range(LOADS)]
    for load in loads:
        load.start()
    ledger, player = Ledger("lab"), Player("/tmp/one.hfs")
    emitted = 0
    while sum(done.values()) < kills:
        for role in rng.sample(ROLES, len(ROLES)) + ["parent"]:
            if sum(done.values()) >= kills:
                break
            player.go_on()
            time.sleep(rng.uniform(0, 0.4))
            ledger.read()
            was_on = ledger.emitting
            t = agent.kill(role)
            done[role] += 1
            ledger.read()
            if role not in ("keeper", "parent"):
                continue
            # silent at the latest when the driver's deadline has passed, until somebody arms again
            player.stop()
            late = ledger.on_during(t + DEADLINE_NS + NOISE_NS, now_ns())
            emitted += was_on
            if late:
                wrong.append(f"{role} killed at {t}: {late / 1e6:.1f} ms of emission after the deadline")
    for load in loads:
        load.end = True
    for load in loads:
        load.join()
    player.stop()
    agent.process.terminate()
    status = agent.process.wait(30)
    verify = subprocess.run([VERIFY, STATE], capture_output=True, text=True, check=False)
    data = segments()
    acked = [c for load in loads for c in load.acked]
    lost = [c for c in acked if data.count(c.encode()) < 2]	# intent and outcome
    tests = [
        (not wrong, "silent within the deadline after each death of the keeper or the parent", wrong),
        (emitted > 0, f"in {emitted} of these the array was emitting", [open("/tmp/play.log").read()[-600:]]),
        (ledger.lost == 0, "the ledger has no gap", [ledger.lost]),
        (verify.returncode == 0, "the audit log verifies", [verify.stdout, verify.stderr]),
        (not lost and len(acked) > 0, f"of {len(acked)} acknowledged acts none is missing",
         [f"{c}: {data.count(c.encode())} records" for c in lost[:5]]),
        (status == 0, "after all that it ends in order", [status]),
        (not [r for r in done if not done[r]], "each process was killed: " +
         ", ".join(f"{r} {n}" for r, n in done.items()), []),
    ]
    for i, (good, name, more) in enumerate(tests, 1):
        print("ok" if good else "not ok", i, "-", name)
        for line in more if not good else []:
            print("#  ", str(line).replace("\n", "\n#   "))
    print(f"1..{len(tests)}")
    if os.environ.get("VM_OUT"):
        with open(os.path.join(os.environ["VM_OUT"], "kills.json"), "w", encoding="utf-8") as f:
            json.dump({"kills": done, "seed": seed, "acknowledged": len(acked), "lost": len(lost),
                       "tried": sum(load.tried for load in loads), "emitting_at_kill": emitted,
                       "late": len(wrong)}, f)


if __name__ == "__main__":
    main()
