#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""One request, one change, one attack, one lease: each followed through the whole running agent, from who
asked to the kernel, the outputs and the audit log. Runs in a guest as root (through.sh). Prints TAP."""
import base64
import hashlib
import hmac
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time

import api
from live import ok, plan, until
from ledger import Ledger

HF, ETC, LOG = os.environ["HF"], os.environ["ETC"], os.environ["LOG"]
AGENT = int(os.environ["AGENT_PID"])
STATE = "/var/lib/holdfast/audit"
PASSWORDS = ["correct horse battery staple 7", "nine quiet owls in a barn"]
NAPPING_S = 0.5		# several frames, if there were any


def get(path):
    return api.Client("local").call("GET", path)


def with_id(corr):
    return ["X-Correlation-Id: " + corr] if corr else []


def post(path, body=None, corr=None, client=None):
    return (client or api.Client("local")).call("POST", path, body or {}, with_id(corr))


def new_id():
    return os.urandom(16).hex()


def ctl(*args, user=None):
    who = []
    if user:
        account = pwd.getpwnam(user)
        who = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
    return subprocess.run([*who, HF, *args], capture_output=True, text=True, check=False, timeout=120)


def search(**filters):
    return api.audit_search(get, **filters)


def found(number=1, **filters):
    """Records that may still be on their way."""
    until(lambda: len(search(**filters)) >= number, 10)
    return search(**filters)


def phases(records):
    return [(r["action"], r["phase"], r["result"]) for r in records]


def logged(corr):
    """Which processes have said what with this id?"""
    with open(LOG, encoding="utf-8", errors="replace") as f:
        lines = [json.loads(line) for line in f if corr in line and line.startswith("{")]
    return {(line.get("process"), line.get("event")) for line in lines}


def state():
    return json.loads(ctl("status", "--json").stdout)["state"]


def arm():
    return state() == "armed" or until(lambda: post("/v1/arrays/0/arm", {"comment": "through"}).status == 200)


def reset():
    """The dwell time has to pass."""
    return until(lambda: post("/v1/arrays/0/reset").status == 200, 20)


# ------------------------------------------------------------------ correlation

def trip_has(corr, what):
    trip = get("/v1/arrays/0/trip").result["trip"]
    ok(trip.get("corr") == corr, f"{what}: the trip that the agent shows has its id", trip)
    shown = json.loads(ctl("trip", "--json").stdout)
    ok(shown["corr"] == corr and shown["event_seq"] == trip["seq"], f"{what}: so has the kernel's own", shown)
    ok(f"request        {corr}" in ctl("trip").stdout, f"{what}: and people see it", ctl("trip").stdout)
    kernel = [r for r in found(action="kernel.trip", corr=corr) if r["detail"]["seq"] == trip["seq"]]
    ok(len(kernel) == 1, f"{what}: and the record kernel.trip", kernel, search(action="kernel.trip"))
    return trip


def request_to_trip(token):
    corr = new_id()
    answer = post("/v1/arrays/0/arm", {"comment": "through"}, corr)
    ok(answer.status == 200 and dict(answer.headers).get("x-correlation-id") == corr,
       "arm: the answer has the id", answer.status, answer.headers)
    ok(sorted(phases(found(3, corr=corr))) == [("array.arm", "intent", ""), ("array.arm", "outcome", "ok"),
                                               ("kernel.state", "event", "ok")],
       "arm: intent, the kernel's event and outcome have it", phases(search(corr=corr)))
    corr = new_id()
    net = api.Client("net", bearer=token)
    until(lambda: net.call("GET", "/v1/whoami").status == 200)	# front knows it: silence passes a busy auth
    answer = post("/v1/arrays/0/silence", {"latch": True}, corr, net)
    ok(answer.status == 200 and dict(answer.headers).get("x-correlation-id") == corr,
       "silence over the network: the answer has the id", answer.status, answer.headers)
    records = found(2, corr=corr)
    ok(("array.silence", "event", "ok") in phases(records) and
       all(r["actor"]["name"] in ("monitor", "known-caller") and r["actor"]["source"] == "127.0.0.1" for r in records
           if r["action"] == "array.silence"), "silence over the network: the record has it, and who", records)
    ok(until(lambda: {("keeper", "silence"), ("keeper", "array.trip")} <= logged(corr)),
       "silence over the network: and the log", logged(corr))
    trip = trip_has(corr, "silence over the network")
    ok(trip["cause"] == "operator" and not trip.get("lease"), "silence over the network: by nobody's lease", trip)
    ok(reset(), "reset")


def refusal():
    corr = new_id()
    answer = post("/v1/arrays/0/arm", {}, corr, api.Client("net"))
    ok(answer.status == 401 and answer.json["error"]["correlation_id"] == corr and
       ("front", "http.refused") in logged(corr), "a refused request: its answer and front's log have the id",
       answer.body, logged(corr))


def lease_to_burst(ledger):
    """A burst of refused frames ends the leases of its tenant, and nothing else."""
    ok(arm(), "armed")
    before, trips = ledger_frames(ledger), len(search(action="kernel.trip"))
    done = ctl("play", "--loop", "8", "--skip-refused", "/tmp/40.hfs", user="t-tight")
    ok(done.returncode != 0 and "amp_cap" in done.stderr and "revoked" in done.stderr,
       "frames beyond a tenant's limit: refused, then its lease is over", done.returncode, done.stderr)
    ok(ledger_frames(ledger) == before, "nothing of them was emitted")
    made = [r for r in found(action="lease.create", actor="peer-tight") if r["phase"] == "outcome"][-1]
    until(lambda: any(r["detail"].get("detail") == "burst" for r in search(action="kernel.refused", corr=made["corr"])))
    burst = [r for r in search(action="kernel.refused", corr=made["corr"]) if r["detail"].get("detail") == "burst"]
    ok(len(burst) == 1 and burst[0]["detail"]["lease"] == made["detail"]["lease"],
       "burst of frames: the kernel's record has the id of the lease's request", burst,
       search(corr=made["corr"]))
    ok(state() == "armed" and len(search(action="kernel.trip")) == trips, "burst of frames: no trip", state())
    post("/v1/arrays/0/silence")
    ok(until(lambda: state() == "silent"), "silent again", state())


# ---------------------------------------------------------------- configuration

def current():
    with open(ETC, encoding="utf-8") as f:
        return f.read()


def edited(old, new):
    assert old in current(), old
    return current().replace(old, new)


def write(text):
    with open(ETC, "w", encoding="utf-8") as f:
        f.write(text)


def newest_version():
    return get("/v1/config/history").result["versions"][0]["version"]


def paths(record):
    return [c["path"] for c in record["detail"].get("diff", {}).get("changes", [])]


def hup():
    """SIGHUP by a process of its own. Return: its pid, the record."""
    before = len(search(action="config.reload"))
    sender = subprocess.Popen(["kill", "-HUP", str(AGENT)])
    sender.wait()
    until(lambda: len(search(action="config.reload")) > before, 20)
    return sender.pid, search(action="config.reload")[-1]


def configuration():
    corr = new_id()
    answer = post("/v1/config/apply", {"text": edited("block_s: 3600", "block_s: 1800"), "comment": "through"}, corr)
    ok(answer.status == 200, "config.apply", answer.body)
    records = found(4, corr=corr)
    ok([x for x in phases(records) if x[0] == "config.apply"] ==
       [("config.apply", "intent", ""), ("config.apply", "outcome", "ok")], "config.apply: intent and outcome", records)
    records = {r["action"]: r for r in records}
    for action in ("config.change", "config.reload"):
        r = records.get(action)
        ok(r and r["actor"]["name"] == "root" and r["actor"]["uid"] == 0 and r["actor"]["pid"] == os.getpid() and
           paths(r) == ["api.block_s"], f"config.apply: {action} has the id, who and what", records)
    ok(records["config.change"]["detail"]["version"] == newest_version(), "config.apply: the version is on record")
    ok(("parent", "config.reload") in logged(corr), "config.apply: the log has the id", logged(corr))

    corr = new_id()
    answer = post("/v1/config/apply", {"text": current() + "paths: { run: /run/elsewhere }\n"}, corr)
    records = found(3, corr=corr)
    ok(answer.status == 409 and sorted(phases(records)) == [
        ("config.apply", "intent", ""), ("config.apply", "outcome", "refused"), ("config.reload", "event", "refused")] and
       all(r["actor"]["name"] == "root" for r in records) and
       [paths(r) for r in records if r["action"] == "config.reload"] == [["paths.run"]],
       "config.apply that is refused: who wanted what, and the id", answer.body, records)

    before = newest_version()
    write(edited("remote_arming: never", "remote_arming: step_up"))
    pid, r = hup()
    ok(r["actor"]["uid"] == 0 and r["actor"]["pid"] == pid and r["actor"]["name"] == "uid:0",
       "SIGHUP: the record says who sent it", r, pid)
    ok(r["result"] == "ok" and paths(r) == ["auth.remote_arming"] and
       r["detail"]["version"] == newest_version() == before + 1, "SIGHUP: and what it changed", r)
    change = r["detail"]["diff"]["changes"][0]
    ok(change["old"] == "never" and change["new"] == "step_up", "SIGHUP: from what to what", change)
    ok(len(r["corr"]) == 32 and ("parent", "config.reload") in logged(r["corr"]), "SIGHUP: it has an id of its own", r)
    good = current()
    write(good + "nonsense: 1\n")
    pid, r = hup()
    ok(r["result"] == "refused" and r["actor"]["pid"] == pid and "nonsense" in r["detail"]["why"],
       "SIGHUP with a broken file: who, and why not", r)
    write(good)


# --------------------------------------------------------------- second factor

def code(secret, step):
    mac = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7fffffff) % 1000000:06d}"


class Person:
    """A session over the network."""

    def __init__(self, name):
        self.name, self.client, self.secret, self.step = name, None, None, 0

    def call(self, method, path, body=None):
        answer = self.client.call(method, path, body)
        if answer.cookie and not answer.cookie.endswith("="):
            self.client.cookie = answer.cookie
        return answer

    def login(self, password, totp=None):
        self.client = api.Client("net")
        return self.call("POST", "/v1/login", {"user": self.name, "password": password,
                                               **({"totp": totp} if totp else {})})

    def step_up(self, totp=None):
        return self.call("POST", "/v1/session/step-up", {"password": PASSWORDS[1], **({"totp": totp} if totp else {})})

    def arm(self):
        answer = self.call("POST", "/v1/arrays/0/arm", {"comment": "from afar"})
        return answer.status, answer.code

    def next_code(self):
        """One that counts: of a step that none of before was of. Waits for the clock by setting it."""
        now = int(time.time()) // 30
        if self.step > now:
            later(30 * (self.step - now))
        self.step = max(self.step, now) + 1
        return code(self.secret, self.step - 1)

    def valid(self):
        now = int(time.time()) // 30
        return [code(self.secret, step) for step in range(now - 2, now + 4)]


def later(seconds):
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)


def denied(answer, status, word):
    return answer.status == status and answer.code == word


def remote_arming():
    """With remote_arming: step_up and totp_required: true."""
    made = post("/v1/users", {"user": "remy", "role": "operator", "tenant": "lab", "password": PASSWORDS[0]})
    ok(made.status == 200, "an operator without a second factor", made.body)
    remy = Person("remy")
    answer = remy.login(PASSWORDS[0])
    ok(answer.status == 200 and remy.arm() == (403, "password_must_change"), "a first password arms nothing", answer.body)
    answer = remy.call("POST", "/v1/password", {"old": PASSWORDS[0], "new": PASSWORDS[1]})
    ok(answer.status == 200 and remy.arm() == (403, "totp_must_enrol"), "nor does a password alone", answer.body,
       remy.arm())
    remy.secret = remy.call("POST", "/v1/totp").result["secret"]
    wrong = next(c for c in (f"{i:06d}" for i in range(9)) if c not in remy.valid())
    answer = remy.call("POST", "/v1/totp/confirm", {"totp": wrong})
    ok(answer.status == 403 and remy.arm() == (403, "totp_must_enrol"), "a wrong code does not enrol", answer.body)
    answer = remy.call("POST", "/v1/totp/confirm", {"totp": remy.next_code()})
    ok(answer.status == 200, "the right code does", answer.body)
    remy.call("POST", "/v1/logout")

    ok(denied(remy.login(PASSWORDS[1]), 401, "totp_needed"), "from now on a log-in needs it")
    answer = remy.login(PASSWORDS[1], remy.next_code())
    ok(answer.status == 200, "log-in with it", answer.body)
    token = remy.call("POST", "/v1/tokens").result["token"]
    ok(remy.arm()[0] == 200, "just logged in with both: arm over the network")
    post("/v1/arrays/0/silence")
    later(61)
    ok(remy.arm() == (403, "step_up"), "a minute later: refused without step-up")
    answer = api.Client("net", bearer=token).call("POST", "/v1/arrays/0/arm", {})
    ok(denied(answer, 403, "step_up"), "a token is never stepped up", answer.body)

    ok(denied(remy.step_up(), 403, "totp_needed"), "step-up with the password alone: refused")
    wrong = next(c for c in (f"{i:06d}" for i in range(9)) if c not in remy.valid())
    answer = remy.step_up(wrong)
    ok(denied(answer, 403, "wrong_credentials"), "with a wrong code: refused", answer.body)
    old = code(remy.secret, int(time.time()) // 30 - 5)
    if old not in remy.valid():
        answer = remy.step_up(old)
        ok(denied(answer, 403, "wrong_credentials"), "with an old code: refused", answer.body)
    ok(remy.arm() == (403, "step_up"), "none of that arms")
    right = remy.next_code()
    answer = remy.step_up(right)
    ok(answer.status == 200, "with the right code: stepped up", answer.body)
    answer = remy.step_up(right)
    ok(denied(answer, 403, "wrong_credentials"), "the same code again: refused", answer.body)
    ok(remy.arm()[0] == 200, "stepped up with both: arm over the network")
    r = [r for r in found(action="array.arm", actor="remy") if r["phase"] == "intent"][-1]
    ok(r["actor"]["stepped_up"] and r["actor"]["via"] == "network" and r["actor"]["proof"] == "session",
       "which is on record", r)
    r = found(action="session.step_up", actor="remy", result="ok")[-1]
    ok(r["detail"]["totp"] is True, "as is that the second factor was proved", r)
    post("/v1/arrays/0/silence")
    done = ctl("play", "--arm", "/tmp/5.hfs", user="hf-operator")
    ok(done.returncode == 0, "on the host an operator arms by a lease, without step-up", done.stderr)
    ok(arm(), "and root by the API")
    post("/v1/arrays/0/silence")
    post("/v1/config/apply", {"text": edited("remote_arming: step_up", "remote_arming: never")})
    ok(remy.arm() == (403, "network"), "remote_arming: never: refused again, whoever it is")
    return remy.client


# ----------------------------------------------------------------------- leases

def ledger_frames(ledger):
    ledger.read()
    return ledger.frames


def used(tenant, what):
    answer = get("/v1/tenants")
    return next(t for t in answer.result["tenants"] if t["tenant"] == tenant)["quota"][what]["used"]


def dark(ledger):
    return until(lambda: ledger.read() or not ledger.emitting, 5)


def limits_of_tenants(ledger):
    for user, reason in (("t-tight", "amp_cap"), ("t-fence", "fence point 0")):
        ok(arm(), f"{user}: armed")
        before = ledger_frames(ledger)
        done = ctl("play", "/tmp/40.hfs", user=user)
        ok(done.returncode == 3 and reason in done.stderr, f"{user}: above the tenant's limit: refused by {reason}",
           done.returncode, done.stderr)
        ok(ledger_frames(ledger) == before, f"{user}: and not emitted")
        done = ctl("play", "/tmp/5.hfs", user=user)
        ok(done.returncode == 0 and ledger_frames(ledger) == before + 1, f"{user}: below it: emitted", done.stderr,
           ledger.frames - before)
        ok(dark(ledger), f"{user}: until the lease ends")
    ok(arm(), "another tenant: armed")
    before = ledger_frames(ledger)
    done = ctl("play", "/tmp/40.hfs", user="hf-operator")
    ok(done.returncode == 0 and ledger_frames(ledger) == before + 1, "another tenant's frame of that amplitude is emitted",
       done.stderr)


def quota_of_frames(ledger):
    ok(arm(), "frames: armed")
    before = ledger_frames(ledger)
    done = ctl("play", "--loop", "9", "/tmp/5.hfs", user="t-frames")
    ok(done.returncode == 1 and "Disk quota" in done.stderr and "6 frames sent" in done.stderr,
       "a quota of 5 frames: the sixth gets EDQUOT", done.returncode, done.stderr)
    ok(dark(ledger) and ledger_frames(ledger) == before + 5, "5 were emitted", ledger.frames - before)
    arm()
    done = ctl("play", "/tmp/5.hfs", user="t-frames")
    time.sleep(NAPPING_S)
    ok(done.returncode != 0 and ledger_frames(ledger) == before + 5 and not ledger.emitting,
       "a new lease gives no more", done.returncode, done.stderr)
    ok(used("frames", "frames") == 5, "5 are accounted for", used("frames", "frames"))
    answer = post("/v1/tenants/frames/reset-quota", {"comment": "through"})
    arm()
    done = ctl("play", "/tmp/5.hfs", user="t-frames")
    ok(answer.status == 200 and done.returncode == 0 and ledger_frames(ledger) == before + 6,
       "an admin gives the quota anew", answer.body, done.stderr)


def quota_of_energy(ledger):
    ok(arm(), "energy: armed")
    before = ledger_frames(ledger)
    done = ctl("play", "--loop", "forever", "/tmp/40.hfs", user="t-energy")
    ok(done.returncode == 1 and "Disk quota" in done.stderr and ledger_frames(ledger) > before,
       "a quota of energy: emits, then EDQUOT", done.returncode, done.stderr)
    ok(dark(ledger), "and is dark")
    emitted = ledger_frames(ledger)
    spent = used("energy", "energy_mj")
    ok(spent >= 100, f"{spent} mJ of 100 are accounted for")
    arm()
    done = ctl("play", "--loop", "20", "/tmp/40.hfs", user="t-energy")
    time.sleep(NAPPING_S)
    ok(done.returncode != 0 and ledger_frames(ledger) == emitted and not ledger.emitting,
       "a new lease gives no more", done.returncode, done.stderr)
    ok(state() != "tripped", "a spent quota is no trip")
    post("/v1/arrays/0/silence")


# ---------------------------------------------------------------------- attacks

def raw(source, target, more=(), body=None):
    """A request from another address of the loopback: to front another source."""
    with socket.create_connection(api.TCP, 20, source_address=(source, 0)) as s:
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{'GET' if body is None else 'POST'} {target} HTTP/1.1", "Host: localhost", "X-Holdfast: 1", *more]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + data)
        with s.makefile("rb") as f:
            return api.read_answer(f)


def attacks(token):
    prober, guesser = "127.0.0.66", "127.0.0.67"
    ids = [new_id() for _ in range(4)]
    targets = ["/v1/../../etc/passwd", "/v1/%2e%2e/%2e%2e/etc/shadow", "/..%2f..%2fetc/passwd", "/v1/%5c..%5c../x"]
    answers = [raw(prober, t, with_id(i)).status for t, i in zip(targets, ids)]
    ok(all(400 <= a < 500 for a in answers), "path traversal: refused", answers)
    probes = found(len(ids), action="http.suspicious")
    ok([r["corr"] for r in probes] == ids and all(r["actor"]["source"] == prober for r in probes),
       "path traversal: each is on record with its id and where it came from", probes)
    blocked = [r for r in found(action="http.blocked") if r["actor"]["source"] == prober]
    ok(len(blocked) == 1 and blocked[0]["corr"] == ids[-1] and blocked[0]["detail"]["detail"] == "probes 4",
       "path traversal: the fourth blocks the address", blocked)
    ok(("front", "http.report") in logged(ids[-1]), "path traversal: the log has the id", logged(ids[-1]))
    answer = raw(prober, "/v1/login", body={"user": "remy", "password": "x"})
    ok(denied(answer, 429, "blocked"), "a blocked address does not log in", answer.body)
    ok(raw("127.0.0.1", "/v1/version").status == 200, "another address is served")
    ok(until(lambda: raw(prober, "/v1/silence", ["Authorization: Bearer " + token], {}).status == 200),
       "silence passes from a blocked address")
    other = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    codes = {raw(guesser, "/v1/whoami", ["Authorization: Bearer " + other]).status for _ in range(60)}
    ok(codes == {401}, "60 wrong tokens: refused", codes)
    until(lambda: any(r["actor"]["source"] == guesser for r in search(action="http.blocked")))
    blocked = [r for r in search(action="http.blocked") if r["actor"]["source"] == guesser]
    ok(len(blocked) == 1 and blocked[0]["detail"]["detail"].startswith("not authenticated"),
       "60 wrong tokens: the address is blocked", blocked)
    answer = raw(guesser, "/v1/login", body={"user": "remy", "password": "x"})
    ok(denied(answer, 429, "blocked"), "60 wrong tokens: it does not log in", answer.body)
    report(prober, guesser)


def report_since(since, seconds=0):
    """The report, and whether it goes just so far back."""
    begin = time.time()
    shown = json.loads(ctl("security", "report", "--since", since, "--json").stdout)["report"]
    return shown, begin - 1 <= shown["since_ns"] / 1e9 + seconds <= time.time()


def report(prober, guesser):
    shown, right = report_since("1h", 3600)
    sources = {r["source"]: r for r in shown["blocked"]["rows"]}
    ok(set(sources) == {prober, guesser} and sources[prober]["detail"] == "probes 4",
       "security report: blocked addresses, and what for", shown["blocked"])
    ok(any(r["source"] == prober and r["action"] == "http.suspicious" and r["count"] == 4
           for r in shown["denied"]["rows"]), "security report: and the probes", shown["denied"])
    ok(right, "security report: an hour is an hour", shown["since_ns"])
    done = ctl("security", "report", "--since", "1h")
    ok(done.returncode == 0 and prober in done.stdout and guesser in done.stdout, "security report: people see it",
       done.stdout, done.stderr)
    shown, right = report_since("30m", 1800)
    ok(right, "security report: half an hour is half an hour", shown["since_ns"])
    later(40 * 60)
    ok(not report_since("30m")[0]["blocked"]["rows"], "security report: what was 40 minutes ago is not in the last 30")
    ok(len(report_since("1h")[0]["blocked"]["rows"]) == 2, "security report: but in the last hour")
    for wrong in ("30x", "soon", "999999999d", "-5m"):
        done = ctl("security", "report", "--since", wrong)
        ok(done.returncode == 2 and "--since" in done.stderr, f"security report: --since {wrong} is refused in words",
           done.returncode, done.stderr)


# ------------------------------------------------------------------ audit, ctl

def canonical(record):
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


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


def audit():
    done = ctl("audit", "verify", STATE)
    ok(done.returncode == 0, "audit verify: the log is good", done.stdout, done.stderr)
    shutil.copytree(STATE, "/tmp/copy")
    path = "/tmp/copy/audit-00000001.log"
    with open(path, "r+b") as f:
        text = f.read(1 << 22)
        f.seek(text.index(b'"action":"http.blocked"') + 12)
        f.write(b"X")
    done = ctl("audit", "verify", "/tmp/copy")
    ok(done.returncode == 1, "audit verify: a changed copy is found, by the verifier's status", done.returncode,
       done.stdout, done.stderr)
    ok(ctl("audit", "verify", "/tmp/none").returncode == 74, "audit verify: so is no log at all")

    post("/v1/users/remy/unlock")	# a record that no checkpoint has yet
    last = get("/v1/audit/stats").result["stats"]["durable_seq"]
    done = ctl("audit", "export", "-o", "/tmp/export.jsonl")
    ok(done.returncode == 0, "audit export", done.stderr)
    with open("/tmp/export.jsonl", encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    have = [line["record"] for line in lines]
    ok([r["seq"] for r in have] == list(range(1, len(have) + 1)) and len(have) >= last,
       f"audit export: {len(have)} records, every one", len(have), last)
    ok(have[:last] == search()[:last], "audit export: as the log has them")
    chain, wrong, size, proofs = bytes(32), [], 0, []
    for line in lines:
        r = dict(line["record"])
        claimed = r.pop("hash")
        payload = canonical(r)
        chain = hashlib.sha256(b"\0" + chain + r["seq"].to_bytes(8, "little") + payload).digest()
        if chain.hex() != claimed:
            wrong.append(r["seq"])
        cp = line["checkpoint"]
        root = climb(hashlib.sha256(b"\0" + payload).digest(), line["index"], cp["size"], line["proof"])
        if root != base64.b64decode(cp["root"]) or cp["root"] not in cp["note"]:
            proofs.append(r["seq"])
        size = max(size, cp["size"])
    ok(not wrong, "audit export: the chain of hashes holds", wrong[:5])
    ok(not proofs, "audit export: each line proves its record against its checkpoint", proofs[:5])
    ok(ctl("audit", "export", "-o", "/tmp/export.jsonl").returncode == 1, "audit export: no file is written over")


def main():
    ledger = Ledger("lab")
    answer = post("/v1/users", {"user": "monitor", "role": "system", "uid": pwd.getpwnam("hf-system").pw_uid})
    if answer.status != 200:
        sys.exit(f"Bail out! user monitor: {answer.body}")
    token = api.as_account("hf-system", lambda: post("/v1/tokens").result["token"])
    request_to_trip(token)
    refusal()
    lease_to_burst(ledger)
    configuration()
    remote_arming()
    limits_of_tenants(ledger)
    quota_of_frames(ledger)
    quota_of_energy(ledger)
    attacks(api.as_account("hf-system", lambda: post("/v1/tokens").result["token"]))
    audit()
    plan()


if __name__ == "__main__":
    main()
