#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Three agents, one nats-server -js. Each link can be cut so that bytes on it wait, and come late when it is mended: what a partition does.
Then each stream of events is compared with that agent's audit log. HOLDFAST_PARTITION_S: how long, 60 for the record."""
import base64
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

from ledger import Ledger
from live import HF, child, ok, plan, until

HFD, SANDBOX = os.environ.get("HFD", "build/agent/holdfastd"), os.environ.get("SANDBOX", "kill")
CUT_S = int(os.environ.get("HOLDFAST_PARTITION_S", "20"))
ACTIONS = ("array.", "lease.", "keeper.", "agent.", "process.", "health.", "remedy.", "config.", "audit.", "silence")
CONF = """
listen: "127.0.0.1:4222"
jetstream { store_dir: "/tmp/nats" }
accounts { LAB { jetstream: enabled, users: [
  { user: boss, password: b0ss }
  { user: reader, password: r, permissions: { publish: ["_INBOX.>"], subscribe: ["holdfast.>", "_INBOX.>"] } }
  %s
] } }
"""
AGENT = """{ user: agent%d, password: "pw%d", permissions: {
    publish: { allow: ["holdfast.lab.host%d.event", "holdfast.lab.host%d.anchor", "holdfast.lab.host%d.telemetry", "holdfast.lab.host%d.stopped",
      "$JS.API.STREAM.INFO.holdfast", "$JS.API.STREAM.CREATE.holdfast", "$JS.API.DIRECT.GET.holdfast.holdfast.lab.host%d.>"] },
    subscribe: ["holdfast.lab.stop", "holdfast.lab.host%d.stop", "holdfast.lab.ping", "_INBOX.>"], allow_responses: true } }"""


class Nats:
    """As little of the protocol as a judge needs, and nothing of libnats'."""

    def __init__(self, user="boss", password="b0ss", port=4222):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.sock.makefile("rb")
        self.file.readline()
        self.n = 0
        self.send("CONNECT " + json.dumps({"verbose": False, "pedantic": False, "user": user, "pass": password, "headers": True, "lang": "py",
                                           "version": "0", "no_responders": True}) + "\r\nPING\r\n")
        while not self.line().startswith(("PONG", "-ERR")):
            pass

    def send(self, text):
        self.sock.sendall(text.encode())

    def line(self):
        text = self.file.readline().decode()
        if not text:
            raise OSError("the server has closed")
        return text.rstrip("\r\n")

    def subscribe(self, subject):
        self.n += 1
        self.send(f"SUB {subject} {self.n}\r\n")

    def publish(self, subject, data=b"", reply=""):
        self.sock.sendall(f"PUB {subject} {reply} {len(data)}\r\n".encode() + data + b"\r\n")

    def next(self, seconds):
        """(subject, data) or an error's text; None: nothing came."""
        self.sock.settimeout(seconds)
        try:
            while True:
                words = self.line().split(" ")
                if words[0] == "PING":
                    self.send("PONG\r\n")
                elif words[0] in ("MSG", "HMSG"):
                    size = int(words[-1])
                    data = self.file.read(size + 2)[:-2]
                    return words[1], data[int(words[-2]):] if words[0] == "HMSG" else data
                elif words[0] == "-ERR":
                    return " ".join(words)
        except (TimeoutError, socket.timeout):
            return None

    def ask(self, subject, data=b"", seconds=5):
        inbox = f"_INBOX.{os.getpid()}.{id(self)}.{self.n}"
        self.subscribe(inbox)
        self.publish(subject, data, inbox)
        got = self.next(seconds)
        return json.loads(got[1]) if isinstance(got, tuple) and got[1] else None

    def close(self):
        self.file.close()
        self.sock.close()


class Link(threading.Thread):
    """To the server by way of a port. Cut, it takes what comes and keeps it; new connections hear nothing."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.cut = False
        self.start()

    def run(self):
        while True:
            a, _ = self.listener.accept()
            threading.Thread(target=self.carry, args=(a,), daemon=True).start()

    def carry(self, a):
        while self.cut:
            time.sleep(0.05)
        try:
            b = socket.create_connection(("127.0.0.1", 4222), 5)
        except OSError:
            a.close()
            return
        sel = selectors.DefaultSelector()
        sel.register(a, selectors.EVENT_READ, b)
        sel.register(b, selectors.EVENT_READ, a)
        try:
            while True:
                for key, _ in sel.select(0.1):
                    data = key.fileobj.recv(65536)
                    while self.cut:
                        time.sleep(0.05)
                    if not data:
                        return
                    key.data.sendall(data)
        except OSError:
            pass
        finally:
            a.close()
            b.close()


def server_start():
    p = subprocess.Popen(["nats-server", "-c", "/tmp/nats.conf"], stdout=subprocess.DEVNULL, stderr=open("/tmp/nats.log", "ab"))
    until(lambda: not refused(), 60)
    return p


def refused():
    try:
        Nats().close()
        return False
    except OSError:
        return True


class Agent:
    def __init__(self, i):
        self.i, self.name = i, f"host{i}"
        self.link = Link(4230 + i)
        self.p = subprocess.Popen([HFD, "--config", f"/etc/holdfast/hf{i}.yaml", "--sandbox", SANDBOX], stdout=subprocess.DEVNULL,
                                  stderr=open(f"/tmp/hf{i}.log", "ab"))

    def ctl(self, *args, data=None, timeout=30):
        return subprocess.run([HF, *args, "--agent", f"/run/hf{self.i}/api.sock"], capture_output=True, text=True, check=False, timeout=timeout,
                              input=data)

    def number(self):
        out = subprocess.run([HF, "status", "-d", f"lab{self.i}", "--json"], capture_output=True, text=True, check=False).stdout
        return json.loads(out)["array"] if out else 0

    def stats(self, role="fleet"):
        out = self.ctl("agent", "status", "--json").stdout
        for p in json.loads(out)["processes"] if out else []:
            if p["role"] == role:
                return p.get("stats") or {}
        return {}

    def log(self):
        """All records of the audit log, oldest first."""
        records, after = [], 0
        while True:
            out = self.ctl("audit", "search", "--after-seq", str(after), "--limit", "200", "--json")
            page = json.loads(out.stdout)["records"] if out.returncode == 0 else []
            if not page:
                return records
            records += page
            after = page[-1]["seq"]


def events(name):
    """What the stream has of a host, oldest first, as the server gives it by sequence number."""
    bus, found, seq = Nats(), [], 1
    while True:
        answer = bus.ask("$JS.API.STREAM.MSG.GET.holdfast", json.dumps({"seq": seq, "next_by_subj": f"holdfast.lab.{name}.event"}).encode())
        if not answer or "message" not in answer:
            bus.close()
            return found
        found.append(json.loads(base64.b64decode(answer["message"]["data"])))
        seq = answer["message"]["seq"] + 1


def judge(agents, when):
    for a in agents:
        last = a.log()[-1]["seq"]
        until(lambda: a.stats().get("behind_s", 99) < 3 and a.stats().get("up"), 120, 0.5)
        until(lambda: (events(a.name) or [{"seq": 0}])[-1]["seq"] >= wanted(a, last)[-1], 60, 0.5)
        got = events(a.name)
        have = [e["seq"] for e in got]
        want = wanted(a, have[-1] if have else 0)
        ok(have == want, f"{when}: {a.name}: each of {len(want)} events once, in order", sorted(set(want) - set(have)), have[-40:], want[-40:])
        ok([e["prev"] for e in got] == [0] + have[:-1], f"{when}: {a.name}: each names the one before it")


def wanted(a, last):
    return [r["seq"] for r in a.log() if r["seq"] <= last and r["phase"] != "intent" and r["action"].startswith(ACTIONS)]


def silence(a):
    """A record in the log, and an event. Return: it was answered 200."""
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(f"/run/hf{a.i}/api.sock")
            s.sendall(b"POST /v1/silence HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            return s.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


made = [0, 0, 0]


def busy(agents, seconds):
    """Events of all agents for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for a in agents:
            made[a.i] += silence(a)
        time.sleep(0.2)


def partition(agents, server):
    """One host is cut off, another one's fleet process and then the server are killed; events go on all the time."""
    a0, a1, a2 = agents
    a1.link.cut = True
    busy(agents, CUT_S / 3)
    os.kill(child(a2.p.pid, "fleet"), signal.SIGKILL)
    busy(agents, CUT_S / 3)
    ok(until(lambda: a1.stats().get("up") is False, 60, 0.5), "the one that is cut off knows it", a1.stats())
    server.send_signal(signal.SIGKILL)
    server.wait()
    busy(agents, 3)
    server = server_start()
    busy(agents, CUT_S / 3)
    far = [len(events(a.name)) for a in agents]
    a1.link.cut = False
    busy(agents, 2)
    ok(min(made) >= 10, "there were events all the time", made)
    judge(agents, f"after a partition of {CUT_S} s")
    now = [len(events(a.name)) for a in agents]
    ok(now[1] > far[1] + 3, "what was held back has come", far, now)
    return server


def flapping(agents):
    """Cut again and again, for times around the deadline of a publish: copies come late."""
    for k in range(12):
        agents[0].link.cut = True
        busy(agents[:2], (0.5, 1.5, 2.5)[k % 3])
        agents[0].link.cut = False
        busy(agents[:2], 0.3)
    judge(agents, "after a link that flaps")


def play(a):
    with open(f"/tmp/play{a.i}.log", "ab") as log:
        return subprocess.Popen(["setpriv", "--reuid=hf-operator", "--regid=hf-operator", "--init-groups", HF, "play", "-d", f"lab{a.i}",
                                 "--socket", f"/run/hf{a.i}/keeper.sock", "--arm", "--loop", "forever", "/tmp/one.hfs"], stdout=subprocess.DEVNULL, stderr=log)


def emits(ledger):
    ledger.read()
    return ledger.emitting


def emit_all(agents, ledgers):
    """A slow machine trips arrays by itself (governor-late): then it is tried again."""
    players = [None] * 3
    for _ in range(10):
        for a in agents:
            if players[a.i] is None or players[a.i].poll() is not None:
                a.ctl("reset", "-d", str(a.number()))
                players[a.i] = play(a)
        if until(lambda: all(emits(x) for x in ledgers), 8):
            break
    return players


def hostile(agents, ledgers):
    """Nothing emits, and whatever is said, nothing does."""
    says = (b"arm", b'{"arm":true,"latch":"no"}', b"\x00\xff" * 3000, b"[" * 100000, b'{"latch":false}' + b" " * 400000, b'{"id":"' + b"0" * 4000 + b'"}')
    before = [a.stats()["stops"] for a in agents]
    boss = Nats()
    for data in says:
        boss.publish("holdfast.lab.stop", data)
    ok(until(lambda: [a.stats().get("stops") for a in agents] == [n + len(says) for n in before], 60, 0.5), "hostile payloads: each is counted as a stop",
       before, [a.stats().get("stops") for a in agents])
    boss.close()
    ok(not any(emits(x) for x in ledgers), "hostile payloads: nothing emits by the ledger")
    for a in agents:
        mine = [r for r in a.log() if r["actor"]["name"] == "fleet"]
        ok({r["action"] for r in mine} <= {"array.silence", "silence"}, f"{a.name}: all that the bus has done is silence", {r["action"] for r in mine})


def stop_and(agents, ledgers, name, say, quiet):
    """All emit; then @say, and those in @quiet must stop, the others go on. By the ledger. Return: what was acknowledged."""
    players = emit_all(agents, ledgers)
    ok(all(emits(x) for x in ledgers), f"{name}: all emit before", [open(f"/tmp/play{a.i}.log").read()[-300:] for a in agents])
    boss = Nats()
    boss.subscribe("holdfast.lab.*.stopped")
    boss.send("PING\r\n")
    say(boss)
    ok(until(lambda: not any(emits(x) for x, q in zip(ledgers, quiet) if q), 30), f"{name}: {sum(quiet)} of 3 are silent by the ledger")
    acks, end = [], time.monotonic() + 20
    while len({x["host"] for x in acks}) < sum(quiet) and time.monotonic() < end:
        got = boss.next(1)
        if isinstance(got, tuple):
            acks.append(json.loads(got[1]))
    ok({x["host"] for x in acks} == {a.name for a, q in zip(agents, quiet) if q}, f"{name}: they say so, nobody else does", acks)
    time.sleep(2)
    ok([emits(x) for x in ledgers] == [not q for q in quiet], f"{name}: and after 2 s it is still so", [emits(x) for x in ledgers])
    boss.close()
    for p in players:
        p.terminate()
        p.wait()
    until(lambda: not any(emits(x) for x in ledgers), 20)
    return acks


def stops(agents):
    ledgers = [Ledger(f"lab{a.i}") for a in agents]
    stop_and(agents, ledgers, "stop for one host", lambda b: b.publish("holdfast.lab.host2.stop"), [False, False, True])
    stop_and(agents, ledgers, "garbage for all", lambda b: b.publish("holdfast.lab.stop", b'{"arm":true' + b"\x00\xff" * 3000), [True] * 3)
    hostile(agents, ledgers)
    agents[1].link.cut = True
    stop_and(agents, ledgers, "stop for all while host1 is cut off", lambda b: b.publish("holdfast.lab.stop"), [True, False, True])
    agents[1].link.cut = False
    ok(until(lambda: agents[1].stats().get("up"), 90, 0.3), "host1 is back", agents[1].stats())
    reader = Nats("reader", "r")
    reader.publish("holdfast.lab.stop")
    got = reader.next(10)
    ok(isinstance(got, str) and "ermissions" in got, "who may not stop is refused by the server", got)
    spy = Nats("agent0", "pw0")
    for subject in ("holdfast.lab.stop", "holdfast.lab.host1.stop", "holdfast.lab.host1.event", "$JS.API.STREAM.DELETE.holdfast",
                    "$JS.API.STREAM.PURGE.holdfast", "$JS.API.STREAM.MSG.GET.holdfast",
                    "$JS.API.DIRECT.GET.holdfast.holdfast.lab.host1.event"):
        spy.publish(subject)
        got = spy.next(10)
        ok(isinstance(got, str) and "ermissions" in got, f"an agent's credential may not publish on {subject}", got)
    before = [a.stats().get("stops") for a in agents]
    ident = "0123456789abcdef0123456789abcdef"
    acks = stop_and(agents, ledgers, "a latched stop with an id", lambda b: b.publish("holdfast.lab.stop", json.dumps({"latch": True, "id": ident}).encode()),
                    [True] * 3)
    ok(all(x["id"] == ident and x["latch"] is True for x in acks), "the acknowledgements have its id", acks)
    ok([a.stats().get("stops") for a in agents] == [n + 1 for n in before], "and nobody else's was counted")
    for a in agents:
        mine = [r for r in a.log() if r.get("corr") == ident]
        ok(any(r["action"].endswith("silence") and r["actor"]["name"] == "fleet" for r in mine), f"{a.name}: the audit log has the id and who it was", mine)
        state = subprocess.run([HF, "status", "-d", f"lab{a.i}", "--json"], capture_output=True, text=True, check=False).stdout
        ok("tripped" in state.lower(), f"{a.name}: latched", state[:300])
    judge(agents, "after all stops")


def presence():
    boss = Nats()
    boss.subscribe("_INBOX.who")
    boss.publish("holdfast.lab.ping", b"", "_INBOX.who")
    found, end = {}, time.monotonic() + 15
    while len(found) < 3 and time.monotonic() < end:
        got = boss.next(1)
        if isinstance(got, tuple):
            j = json.loads(got[1])
            found[j["host"]] = j
    boss.close()
    ok(sorted(found) == ["host0", "host1", "host2"], "all three say that they are there", found)
    ok(all(len(j["arrays"] or []) == 1 and j["level"] == "full" for j in found.values()), "with their array and level", found)


def main():
    with open("/tmp/nats.conf", "w", encoding="utf-8") as f:
        f.write(CONF % "\n".join(AGENT % ((i,) * 8) for i in range(3)))
    server = server_start()
    agents = [Agent(i) for i in range(3)]
    for a in agents:
        ok(until(lambda: a.ctl("agent", "version").returncode == 0, 120), f"{a.name}: answers", open(f"/tmp/hf{a.i}.log").read())
        with open(f"/tmp/secret{a.i}", "w", encoding="ascii") as f:
            f.write(f"pw{a.i}")
        done = a.ctl("secret", "set", "fleet-bus", "--value-file", f.name)
        ok(done.returncode == 0, f"{a.name}: has its password", done.stderr)
    for a in agents:
        ok(until(lambda: a.stats().get("up"), 40, 0.3), f"{a.name}: up", a.stats(), open(f"/tmp/hf{a.i}.log").read()[-1200:], open("/tmp/nats.log").read()[-600:])
    if not all(a.stats().get("up") for a in agents):
        sys.exit(1)
    judge(agents, "at first")
    presence()
    only = os.environ.get("HOLDFAST_FLEET", "partition flapping stops").split()
    if "partition" in only:
        server = partition(agents, server)
    if "flapping" in only:
        flapping(agents)
    if "stops" in only:
        stops(agents)
    duplicates = [a.stats().get("again") for a in agents]
    print("# answered as duplicates:", duplicates)
    for a in agents:
        a.p.terminate()
    ok([a.p.wait(60) for a in agents] == [0, 0, 0], "all agents end in order")
    server.kill()
    server.wait()
    plan()


main()
