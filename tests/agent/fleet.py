#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Three agents, one nats-server -js. Each link can be cut so that bytes on it wait, and come late when it is mended: what a partition does.
Then each stream of events is compared with that agent's audit log. HOLDFAST_PARTITION_S: how long, 60 for the record."""
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

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
      "$JS.API.STREAM.INFO.holdfast", "$JS.API.STREAM.CREATE.holdfast", "$JS.API.DIRECT.GET.holdfast.>", "$JS.API.DIRECT.GET.holdfast"] },
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

    def stats(self, role="fleet"):
        out = self.ctl("agent", "status", "--json").stdout
        for p in json.loads(out)["processes"] if out else []:
            if p["role"] == role:
                return p.get("stats") or {}
        return {}

    def array(self):
        out = self.ctl("agent", "status", "--json").stdout
        return json.loads(out) if out else {}

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
        import base64
        found.append(json.loads(base64.b64decode(answer["message"]["data"])))
        seq = answer["message"]["seq"] + 1


def judge(agents, when):
    for a in agents:
        last = a.log()[-1]["seq"]
        until(lambda: a.stats().get("behind_s", 99) < 3 and a.stats().get("up"), 120, 0.5)
        until(lambda: (events(a.name) or [{"seq": 0}])[-1]["seq"] >= wanted(a, last)[-1], 60, 0.5)
        have = [e["seq"] for e in events(a.name)]
        want = wanted(a, have[-1] if have else 0)
        ok(have == want, f"{when}: {a.name}: each of {len(want)} events once, in order", sorted(set(want) - set(have)), have[-40:], want[-40:])
        prevs = [e["prev"] for e in events(a.name)]
        ok(prevs == [0] + have[:-1], f"{when}: {a.name}: each names the one before it")


def wanted(a, last):
    return [r["seq"] for r in a.log() if r["seq"] <= last and r["phase"] != "intent" and r["action"].startswith(ACTIONS)]


def make_events(agents, n):
    for k in range(n):
        for a in agents:
            a.ctl("silence" if k % 2 else "health", *(["-d", "0"] if False else []))


def silence(a):
    return subprocess.run(["curl", "-sS", "--unix-socket", f"/run/hf{a.i}/api.sock", "-X", "POST", "-H", "Content-Type: application/json", "-d", "{}",
                           "http://localhost/v1/silence"], capture_output=True, text=True, check=False)


def main():
    with open("/tmp/nats.conf", "w", encoding="utf-8") as f:
        f.write(CONF % "\n".join(AGENT % ((i,) * 7) for i in range(3)))
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
    plan()


main()
