#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The audit process in the running agent: commits under load, questions meanwhile, proofs, a disk that
fills up, retention, open intents, damage found while running and at the start, rollback. Runs in a
guest as root (audit-live.sh). Prints TAP."""
import base64
import errno
import glob
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import api
import inject
from live import ok, plan, until

HF, HFD = os.environ["HF"], os.environ["HFD"]
ETC, LOG = os.environ["ETC"], os.environ["LOG"]
VERIFY = os.environ.get("HFV", "build/agent/holdfast-audit-verify")
STATE = "/var/lib/holdfast/audit"
FILL = "/var/lib/holdfast/fill"
ANCHORS = "/tmp/anchors/lab"
DAY = 86400


class Agent:
    process = None

    def start(self):
        with open(LOG, "ab") as log:
            self.process = subprocess.Popen([HFD, "--config", ETC, "--sandbox", "kill"], stdout=log, stderr=log)
        if not until(self.ready, 30):
            sys.exit("Bail out! holdfastd is not ready")

    def ready(self):
        try:
            answer = get("/v1/status")
        except (OSError, api.Closed):
            return False
        states = [p["state"] for p in answer.result.get("processes", []) if p["state"] != "off"]
        return len(states) >= 6 and all(s == "ready" for s in states)

    def stop(self):
        self.process.terminate()
        return self.process.wait(30)

    def kill_all(self):
        """Parent first, so that nobody is started again or told."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True,
                                  check=True).stdout.split()
        os.kill(self.process.pid, signal.SIGKILL)
        for pid in children:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass	# ended because its parent did
        self.process.wait()
        until(lambda: not any(os.path.exists(f"/proc/{p}") for p in children))

    def pid(self, role):
        return int(subprocess.run(["pgrep", "-P", str(self.process.pid), "-f", "--", f"-x {role}"],
                                  capture_output=True, text=True, check=True).stdout)


agent = Agent()


def get(path):
    return api.Client("local").call("GET", path)


def post(path, body=None, corr=None):
    return api.Client("local").call("POST", path, body or {}, ["X-Correlation-Id: " + corr] if corr else [])


def stats():
    return get("/v1/audit/stats").result["stats"]


def arm():
    answer = post("/v1/arrays/0/arm", {"comment": "audit-live"})
    if answer.status == 200:
        post("/v1/arrays/0/silence")
    return answer


def verify(*args, folder=STATE):
    done = subprocess.run([VERIFY, *args, folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def search(**filters):
    return api.audit_search(get, **filters)


def closed():
    """Segments that are not written any more, oldest first."""
    return sorted(glob.glob(STATE + "/*.log"))[:-1]


def size():
    return sum(os.path.getsize(p) for p in closed())


class Load(threading.Thread):
    """Privileged acts whose answers are promises."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.random, self.acked, self.wrong, self.end = random.Random(seed), [], [], False

    def run(self):
        client = api.Client("local")
        while not self.end:
            corr = f"{self.random.getrandbits(128):032x}"
            answer = client.call("POST", "/v1/users/m-load/unlock", {}, ["X-Correlation-Id: " + corr])
            if answer.status == 200:
                self.acked.append(corr)
            else:
                self.wrong.append(answer.body)


def climb(leaf, index, size, path):
    """RFC 9162, 2.1.3.2. Return: the root, or nothing if the path does not fit."""
    fn, sn = index, size - 1
    for step in path:
        other = bytes.fromhex(step)
        if not sn:
            return None
        left = fn & 1 or fn == sn
        leaf = hashlib.sha256(b"\1" + (other + leaf if left else leaf + other)).digest()
        while left and not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    return None if sn else leaf


def proved(seq):
    record = get(f"/v1/audit/records/{seq}").result["record"]
    del record["hash"]
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    answer = get(f"/v1/audit/checkpoint?seq={seq}").result
    cp = answer["checkpoint"]
    root = climb(hashlib.sha256(b"\0" + text.encode()).digest(), answer["index"], cp["size"], answer["proof"])
    return root == base64.b64decode(cp["root"])


def sandbox(io):
    """Two filters on audit, one on the others; and what the kernel answers to these calls in the process itself."""
    audit = agent.pid("audit")

    def filters(pid):
        """Of each of its threads."""
        texts = [open(p, encoding="ascii").read() for p in glob.glob(f"/proc/{pid}/task/*/status")]
        return {int(t.split("Seccomp_filters:")[1].split()[0]) for t in texts}
    more = {n + 1 for n in filters(agent.pid("export"))}
    ok(filters(audit) == more, f"{io}: each thread of audit has one filter more than other processes", filters(audit), more)
    got = {name: inject.syscall(audit, *call) for name, call in {
        "io_uring_setup": (425, 0, 0), "io_uring_register of buffers": (427, 0, 0, 0, 0),
        "seccomp": (317, 0, 0, 0)}.items()}
    ok(all(v == -errno.EPERM for v in got.values()), f"{io}: no further ring, nothing registered, no filter: EPERM", got)
    rings = [fd for fd in os.listdir(f"/proc/{audit}/fd")
             if "io_uring" in os.readlink(f"/proc/{audit}/fd/{fd}")]
    ok(len(rings) == (io == "uring"), f"{io}: {len(rings)} rings are open", rings)
    update = inject.syscall(audit, 427, int(rings[0]) if rings else -1, 6, 0, 0)
    ok(update not in (-errno.EPERM, 0), f"{io}: exchanging the registered file is let through the filter",
       errno.errorcode.get(-update, update))


def under_load(io):
    loads = [Load(i) for i in range(4)]
    for load in loads:
        load.start()
    end, questions, bad = time.monotonic() + 4, 0, []
    chooser = random.Random(1)
    # as long as it takes to have something for retention
    while time.monotonic() < end or (size() < 1 << 20 and time.monotonic() < end + 60):
        last = stats()["durable_seq"]
        cp = get("/v1/audit/checkpoint").result["checkpoint"]["size"]
        if not proved(chooser.randint(1, min(cp, last))):
            bad.append("proof")
        page = get(f"/v1/audit?after_seq={chooser.randint(0, last)}&limit=50").result["records"]
        if [r["seq"] for r in page] != list(range(page[0]["seq"], page[0]["seq"] + len(page))) if page else False:
            bad.append("page")
        questions += 5
    for load in loads:
        load.end = True
    for load in loads:
        load.join()
    acked = [c for load in loads for c in load.acked]
    wrong = [w for load in loads for w in load.wrong]
    ok(len(acked) > 100 and not wrong, f"{io}: {len(acked)} acts under load, {questions} questions meanwhile", wrong[:3])
    ok(not bad, f"{io}: proofs and pages are right", bad[:5])
    seen = {}
    for r in search(action="user.unlock"):
        seen.setdefault(r["corr"], []).append((r["seq"], r["phase"], r["intent"]))
    lost = [c for c in acked if len(seen.get(c, ())) != 2]
    ok(not lost, f"{io}: each has its intent and its outcome", [(c, seen.get(c)) for c in lost[:3]])
    apart = [v for v in seen.values() if len(v) == 2 and v[1][2] != v[0][0]]
    ok(not apart, f"{io}: each outcome names its intent", apart[:3])
    s = stats()
    ok(s["io"] == io and s["durable"] and s["segments"] > 3 and s["open_intents"] == 0 and s["commits"] > 0,
       f"{io}: stats: {s['segments']} segments, {s['commits']} commits", s)
    ok(until(lambda: stats()["segments_checked"] >= len(closed()), 20), f"{io}: closed segments are checked", stats())
    code, text = verify()
    ok(code == 0, f"{io}: verified while it is written", text)


def anchored():
    """Records that the newest checkpoint in the file of anchors covers."""
    with open(ANCHORS, encoding="utf-8") as f:
        return max((int(line) for line in f.read().splitlines() if line.isdigit()), default=0)


def rollback(io):
    shutil.copytree(STATE, "/tmp/earlier")
    before = stats()["durable_seq"]
    for _ in range(10):
        arm()
    last = stats()["durable_seq"]
    ok(last > before and until(lambda: anchored() >= last, 15), f"{io}: export keeps what is newest in a file", anchored(), last)
    shutil.copy(ANCHORS, "/tmp/anchor")
    code, text = verify("--anchor", "/tmp/anchor")
    ok(code == 0, f"{io}: the log agrees with its anchors", text)
    code, text = verify(folder="/tmp/earlier")
    ok(code == 0, f"{io}: an earlier copy agrees with itself", text)
    code, text = verify("--anchor", "/tmp/anchor", folder="/tmp/earlier")
    ok(code == 4, f"{io}: but not with the anchors: rolled back", code, text)


def leave_free(wanted):
    """A file that leaves so many bytes of the disk."""
    with open(FILL, "ab") as f:
        have = os.statvfs(STATE)
        step = have.f_bavail * have.f_frsize - wanted
        if step > 0:
            os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, step)


def ladder(io):
    silences = []

    def silence(times):
        for _ in range(times):
            corr = f"{random.getrandbits(128):032x}"
            answer = post("/v1/arrays/0/silence", corr=corr)
            if answer.status != 200:
                return answer.body
            silences.append(corr)
        return b""
    leave_free(6 << 20)
    ok(until(lambda: stats()["space"] == "warn", 10), f"{io}: little room: warn", stats())
    answer = arm()
    ok(answer.status == 200, f"{io}: warn: arm", answer.body)
    leave_free(3 << 20)
    ok(until(lambda: stats()["space"] == "refuse", 10), f"{io}: less: refuse", stats())
    answer = arm()
    ok(answer.status == 503 and b"audit" in answer.body, f"{io}: refuse: no arming", answer.status, answer.body)
    bad = silence(10)
    ok(not bad, f"{io}: refuse: silence", bad)
    # the reserve goes with the first segment that finds no room, then that is full, too
    for _ in range(12):
        leave_free(0)
        bad = bad or silence(200)
        if stats()["space"] == "full":
            break
    ok(stats()["space"] == "full" and not os.path.exists(STATE + "/reserve"), f"{io}: nothing left: full, reserve used", stats())
    bad = bad or silence(50)
    ok(not bad, f"{io}: full: silence, {len(silences)} in all", bad)
    answer = arm()
    ok(answer.status == 503, f"{io}: full: no arming", answer.status, answer.body)
    os.unlink(FILL)
    ok(until(lambda: stats()["space"] == "ok", 20), f"{io}: room again: ok", stats())
    ok(until(lambda: arm().status == 200, 20), f"{io}: arm again", arm().body)
    have = {r["corr"] for r in search(action="array.silence")}
    lost = [i for i, c in enumerate(silences) if c not in have]
    ok(not lost, f"{io}: every silence is on record, also those of the full disk", f"{len(lost)} of {len(silences)}", lost[:9])
    levels = [r["detail"]["level"] for r in search(action="audit.space")]
    ok(levels[:2] == ["warn", "refuse"] and levels[-1] == "ok", f"{io}: the levels are on record: {' '.join(levels)}")
    code, text = verify()
    ok(code == 0, f"{io}: verifies after the full disk", text)


def retention(io):
    oldest = closed()[0]
    time.clock_settime(time.CLOCK_REALTIME, time.time() + 2 * DAY)
    ok(until(lambda: not os.path.exists(oldest), 90), f"{io}: a day later the oldest segments go", size())
    pruned = search(action="audit.pruned")
    first = int(os.path.basename(closed()[0])[6:14])
    ok(pruned and pruned[-1]["detail"]["last_segment"] == first - 1, f"{io}: and their end is on record", pruned)
    ok(anchored() >= pruned[-1]["detail"]["last_seq"] and stats()["anchored_seq"] >= pruned[-1]["detail"]["last_seq"],
       f"{io}: a place outside knows of all that went", anchored(), stats(), pruned[-1])
    ok(size() >= (1 << 20) - 2 * 65536, f"{io}: {size()} bytes stay: no more than that goes")
    code, text = verify()
    ok(code == 0, f"{io}: verifies after that", text)


def slow_act(corr):
    """An act that is announced at once and takes seconds: a password is hashed (pbkdf2_iterations of audit-live.sh)."""
    def run():
        try:
            post("/v1/users/m-load/password", {"password": "correct horse battery staple 7"}, corr)
        except (OSError, api.Closed):
            pass	# what it is for
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: any(corr.encode() in open(p, "rb").read() for p in glob.glob(STATE + "/*.log")))


def phases(corr):
    return [(r["phase"], r["result"]) for r in search(corr=corr)]


def open_intents(io):
    one, two = "1" * 32, "2" * 32
    slow_act(one)
    agent.kill_all()
    agent.start()
    intent = search(corr=one)
    unknown = [r for r in search(result="unknown") if intent and r["intent"] == intent[0]["seq"]]
    ok(len(intent) == 1 and len(unknown) == 1 and unknown[0]["phase"] == "outcome",
       f"{io}: all killed: an open intent ends as unknown", intent, unknown)
    slow_act(two)
    os.kill(agent.pid("auth"), signal.SIGKILL)
    until(agent.ready, 20)
    intent = search(corr=two)
    unknown = [r for r in search(result="unknown") if intent and r["intent"] == intent[0]["seq"]]
    ok(len(intent) == 1 and len(unknown) == 1, f"{io}: auth killed: so does its own", intent, unknown)
    ok(stats()["open_intents"] == 0, f"{io}: none is open", stats())
    code, text = verify()
    ok(code == 0, f"{io}: verifies after that", text)


def flip(path, where):
    with open(path, "r+b") as f:
        f.seek(where)
        byte = f.read(1)[0]
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte ^ 1]))


def damage(io):
    def refused(what):
        ok(until(lambda: arm().status == 503, 20), f"{io}: {what}: privileged acts are refused", arm().body, stats())
        answer = arm()
        ok(b"acknowledge" in answer.body, f"{io}: {what}: and it is said why", answer.body)
        answer = post("/v1/arrays/0/silence")
        ok(answer.status == 200, f"{io}: {what}: silence", answer.body)
        before = stats()["durable_seq"]
        answer = post("/v1/audit/acknowledge", {"comment": "seen"})
        ok(answer.status == 200, f"{io}: {what}: an Admin acknowledges", answer.body)
        ok(until(lambda: arm().status == 200, 5), f"{io}: {what}: arm", arm().body)
        ok(stats()["durable_seq"] > before, f"{io}: {what}: the log goes on")
        answer = post("/v1/audit/acknowledge", {"comment": "again"})
        ok(answer.status == 409, f"{io}: {what}: nothing more to acknowledge", answer.status, answer.body)
        code, text = verify()
        ok(code == 1, f"{io}: {what}: the verifier finds it", code, text)
    at = len(closed())
    victim = closed()[-2]
    changed = int(victim[-12:-4])
    flip(victim, os.path.getsize(victim) // 2)
    end = time.monotonic() + 60
    while len(closed()) == at and time.monotonic() < end and arm().status == 200:
        pass
    refused("a closed segment changed while running")
    agent.stop()
    last = sorted(glob.glob(STATE + "/*.log"))[-1]
    flip(last, os.path.getsize(last) - 300)	# in its last records, behind the one of the break
    agent.start()
    refused("the last segment changed while it was down")
    breaks = [r["detail"]["segment"] for r in search(action="audit.break")]
    ok(breaks == [changed, int(last[-12:-4])], f"{io}: which ones is on record", breaks, changed, last)
    chains = {open(p, "rb").read(72)[56:72] for p in glob.glob(STATE + "/*.log")}
    ok(len(chains) == 2, f"{io}: and a new chain was begun", chains)


def report(io):
    got = json.loads(subprocess.run([HF, "security", "report", "--since", "1h", "--json"], capture_output=True,
                                    text=True, check=False).stdout or "{}")
    got = got.get("report", got)
    ok(any(r["action"] == "user.unlock" and r["actor"] == "root" and r["count"] > 100
           for r in got.get("privileged", {}).get("rows", [])), f"{io}: security report: who did what", got.get("privileged"))
    stranger = api.as_account("hf-stranger", lambda: get("/v1/audit/stats").status)
    got = get("/v1/security/report?hours=1").result["report"]
    ok(stranger in (401, 403) and any(r["action"] == "audit.stats" for r in got["denied"]["rows"]),
       f"{io}: security report: who tried what", stranger, got["denied"])


def main():
    io = sys.argv[1]
    agent.start()
    answer = post("/v1/users", {"user": "m-load", "role": "user"})
    if answer.status != 200:
        sys.exit(f"Bail out! user m-load: {answer.status} {answer.body}")
    sandbox(io)
    until(lambda: get("/v1/audit/checkpoint").status == 200, 10)    # the first is a second old at most
    under_load(io)
    report(io)
    rollback(io)
    ladder(io)
    retention(io)
    open_intents(io)
    damage(io)
    ok(agent.stop() == 0, f"{io}: the end in order")
    size = max(int(line) for p in sorted(glob.glob(STATE + "/*.cp"))[-1:] for line in open(p, encoding="utf-8") if line.strip().isdigit())
    ok(open(ANCHORS, encoding="utf-8").read().splitlines()[-5] == str(size), f"{io}: the last checkpoint is anchored", size)
    plan()


if __name__ == "__main__":
    main()
