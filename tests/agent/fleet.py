#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Three hosts and their bus: partitions, kills, stops. What a reader of the stream sees is compared with each host's audit log; silence is judged
by the emission ledger of the arrays. HOLDFAST_PARTITION_S: how long a partition is; HOLDFAST_FLEET: which parts."""
import json
import os
import subprocess
import sys
import time

from fleet_bus import Middle, Nats, Server, copies, events, newest
from fleet_host import Host
from ledger import Ledger
from live import HF, ok, plan, until

MIDDLE = None	# of host0
CUT_S = int(os.environ.get("HOLDFAST_PARTITION_S", "60"))
ACTIONS = ("kernel.", "array.", "lease.", "keeper.", "agent.", "process.", "health.", "remedy.", "config.", "audit.")
SAME = ("seq", "t_ns", "action", "object", "phase", "result", "corr", "detail")
ROOM = 40	# records that are shown of a difference


# --------------------------------------------------------------------- events

def wanted(host, last=None):
    """What the stream must have: of the audit log, up to the number @last."""
    return [r for r in host.records() if r["phase"] != "intent" and (r["action"].startswith(ACTIONS) or r["action"] == "silence") and
            (last is None or r["seq"] <= last)]


def judge(hosts, when, anew=False):
    for h in hosts:
        last = wanted(h)[-1]["seq"]
        arrived = until(lambda: newest(h.name).get("seq", 0) >= last, 90, 0.5)
        got = events(h.name, anew)
        have, want = [e["seq"] for e in got], wanted(h, got[-1]["seq"] if got else None)
        ok(arrived and have == [r["seq"] for r in want], f"{when}: {h.name}: each of {len(want)} events once, in order", arrived,
           f"missing {sorted({r['seq'] for r in want} - set(have))[:ROOM]}", f"twice {sorted({n for n in have if have.count(n) > 1})[:ROOM]}",
           have[-ROOM:], h.stats())
        by_seq = {r["seq"]: r for r in want}
        other = [e["seq"] for e in got if any(e[k] != by_seq.get(e["seq"], {}).get(k) for k in SAME)]
        ok(not other and not any("gap" in e for e in got), f"{when}: {h.name}: each says what the audit log says", other[:ROOM])
        ok([e["prev"] for e in got] == [0] + have[:-1], f"{when}: {h.name}: each names the one before it")


def busy(hosts, seconds):
    """Events of all of them for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for h in hosts:
            h.silence()
        time.sleep(0.2)


def first(hosts, server):
    del server
    judge(hosts, "at first")
    bus = Nats()
    config = bus.ask("$JS.API.STREAM.INFO.holdfast")["config"]
    # Then the ids of messages are forgotten at once, and do not hide what would be stored twice.
    config["duplicate_window"] = 100000000
    answer = bus.ask("$JS.API.STREAM.UPDATE.holdfast", json.dumps(config).encode())
    ok(answer and answer.get("config", {}).get("duplicate_window") == 100000000, "the stream forgets ids of messages after 0.1 s", answer)
    bus.close()


def partition(hosts, server):
    """host1 is cut off for CUT_S; events go on everywhere."""
    del server
    h = hosts[1]
    before = [x.made for x in hosts]
    busy(hosts, 3)
    h.cut()
    busy(hosts, CUT_S / 2)
    ok(until(lambda: h.stats().get("up") is False, 60, 0.5), "the one that is cut off knows it", h.stats())
    busy(hosts, CUT_S / 2)
    far = newest(h.name)["seq"]
    waiting = sum(r["seq"] > far for r in wanted(h))
    h.mend()
    mended = time.monotonic()
    until(lambda: newest(h.name)["seq"] > far, 120, 0.1)
    back = time.monotonic()
    until(lambda: newest(h.name)["seq"] >= wanted(h)[-1]["seq"], 120, 0.1)
    print(f"# host1: back {back - mended:.1f} s after the wire, and even {time.monotonic() - back:.1f} s later")
    busy(hosts, 2)
    ok(min(x.made - n for x, n in zip(hosts, before)) >= CUT_S / 4, "there were events all the time", [x.made for x in hosts], before)
    judge(hosts, f"after a partition of {CUT_S} s")
    ok(waiting > 10, f"{waiting} events had waited for it", far)


def flapping(hosts, server):
    """Pulled again and again, for times around the deadline of a publish."""
    del server
    for k in range(6):
        hosts[1].cut()
        busy(hosts[:2], (0.5, 2.5, 6)[k % 3])
        hosts[1].mend()
        busy(hosts[:2], 0.5)
    judge(hosts, "after a wire that flaps")


def late(hosts, server):
    """Whoever is in the middle of host0 keeps what it was given until the host has connected anew, and gives it to the server then."""
    del server
    for _ in range(2):
        had = newest("host0")["seq"]
        MIDDLE.cut()
        busy(hosts[:1], 20)
        MIDDLE.mend()
        ok(until(lambda: newest("host0")["seq"] > had + 5, 60, 0.5), "host0 has connected anew, and gone on")
        MIDDLE.give()
        busy(hosts[:1], 5)
    judge(hosts, "after copies that came late")
    again = copies("host0")
    ok(again > 0, f"the server was sent {again} events of host0 twice, the second time late")


def kills(hosts, server):
    """The process fleet of one, then the server, each by SIGKILL in the middle of events; and the server while a host is cut off."""
    for _ in range(4):
        busy(hosts, 2)
        ok(hosts[2].kill("fleet"), "host2: the process fleet is killed, and there is a new one")
    for _ in range(2):
        busy(hosts, 2)
        server.kill()
        busy(hosts, 4)
        ok(server.start(), "the server is killed, and is back")
    ok(until(lambda: all(h.up() for h in hosts), 90, 0.5), "all are up again", [h.stats() for h in hosts])
    busy(hosts, 2)
    hosts[0].cut()
    busy(hosts, 4)
    server.kill()
    hosts[0].kill("fleet")
    busy(hosts, 3)
    ok(server.start(), "the server is killed while host0 is cut off and its process fleet is killed, too")
    hosts[0].mend()
    judge(hosts, "after kills")


def restart(hosts, server):
    """The whole agent, while it is cut off."""
    del server
    h = hosts[2]
    h.cut()
    busy(hosts, 3)
    ok(h.stop() == 0, "host2: the agent ends in order while it is cut off")
    h.start()
    ok(until(lambda: h.ctl("agent", "version").returncode == 0, 120, 0.3), "host2: and starts")
    busy(hosts, 3)
    h.mend()
    judge(hosts, "after the restart of an agent")


# ---------------------------------------------------------------------- stops

def play(h):
    with open(f"/tmp/play{h.i}.log", "ab") as log:
        return subprocess.Popen(["setpriv", "--reuid=hf-operator", "--regid=hf-operator", "--init-groups", HF, "play", "-d", h.array,
                                 "--socket", h.run + "/keeper.sock", "--arm", "--loop", "forever", "/tmp/one.hfs"], stdout=subprocess.DEVNULL, stderr=log)


def emits(ledger):
    ledger.read()
    return ledger.emitting


def emit_all(hosts, ledgers, players):
    """A slow machine trips arrays by itself (governor-late): then it is tried again."""
    for _ in range(15):
        for h in hosts:
            if players[h.i] is None or players[h.i].poll() is not None:
                h.ctl("reset", "-d", str(h.number()))
                players[h.i] = play(h)
        if until(lambda: all(emits(x) for x in ledgers), 5):
            return True
    return False


def by_bus(h):
    """What the bus has done, by the audit log."""
    return [r for r in h.records() if r["actor"]["name"] == "fleet"]


class Stopped:
    """What is said on the subject "stopped" from now on."""

    def __init__(self):
        self.bus = Nats()
        self.bus.subscribe("holdfast.lab.*.stopped")
        self.bus.publish("_INBOX.nobody")
        self.all = []

    def hosts(self):
        while True:
            got = self.bus.next(0.1)
            if not isinstance(got, tuple):
                return {x["host"] for x in self.all}
            self.all.append(json.loads(got[1]))


def stop_and(hosts, ledgers, name, say, quiet):
    """All emit; then @say, and those in @quiet must stop, the others go on. By the ledger. Return: what was acknowledged."""
    players = [None] * 3
    all_on = emit_all(hosts, ledgers, players)
    before = [len(by_bus(h)) for h in hosts]
    stopped = Stopped()
    ok(all_on, f"{name}: all emit before", [open(f"/tmp/play{h.i}.log").read()[-300:] for h in hosts])
    say(stopped.bus)
    ok(until(lambda: not any(emits(x) for x, q in zip(ledgers, quiet) if q), 30), f"{name}: {sum(quiet)} of 3 are silent by the ledger")
    want = {h.name for h, q in zip(hosts, quiet) if q}
    until(lambda: stopped.hosts() >= want, 20)
    time.sleep(2)
    ok(stopped.hosts() == want, f"{name}: they say so, nobody else does", stopped.all)
    ok(all(x["arrays"] and all(a["state"] in ("silent", "tripped") for a in x["arrays"]) for x in stopped.all), f"{name}: and how each array is", stopped.all)
    ok(not any(emits(x) for x, q in zip(ledgers, quiet) if q), f"{name}: and are silent 2 s later")
    # The machine may have tripped another one, by the governor; the bus has not.
    others = [(h.name, emits(x) or json.loads(h.driver())["state"] == "tripped", len(by_bus(h)) == n)
              for h, x, q, n in zip(hosts, ledgers, quiet, before) if not q]
    ok(all(a and b for _, a, b in others), f"{name}: the bus has done nothing to the others", others)
    stopped.bus.close()
    for p in players:
        p.terminate()
        p.wait()
    until(lambda: not any(emits(x) for x in ledgers), 20)
    return stopped.all


def hostile(hosts, ledgers):
    """Nothing emits, and whatever is said, nothing does; limits and leases are as they were."""
    says = (b"arm", b'{"arm":true,"latch":"no"}', b"\x00\xff" * 3000, b"[" * 100000, b'{"latch":false}' + b" " * 400000, b'{"id":"' + b"0" * 4000 + b'"}')
    look = lambda: [subprocess.run([HF, "envelope", "show", "-d", h.array, "--json"], capture_output=True, text=True, check=False).stdout for h in hosts]
    limits, before = look(), [h.stats()["stops"] for h in hosts]
    boss = Nats()
    for data in says:
        boss.publish("holdfast.lab.stop", data)
    ok(until(lambda: [h.stats().get("stops") for h in hosts] == [n + len(says) for n in before], 60, 0.5), "hostile payloads: each is counted as a stop",
       before, [h.stats().get("stops") for h in hosts])
    boss.close()
    ok(not any(emits(x) for x in ledgers), "hostile payloads: nothing emits by the ledger")
    ok(limits[0] and look() == limits, "hostile payloads: limits are as they were")
    for h in hosts:
        ok({r["action"] for r in by_bus(h)} == {"silence"}, f"{h.name}: all that the bus has ever done is silence", {r["action"] for r in by_bus(h)})
        ok(json.loads(h.driver())["state"] in ("silent", "tripped"), f"{h.name}: not armed")


def refused(user, subjects):
    """What the server does not let a user do: the configuration of docs/fleet.md."""
    bus = Nats(user)
    for subject in subjects:
        bus.publish(subject)
        got = bus.next(30)
        ok(isinstance(got, str) and "ermissions" in got, f"{user} may not publish on {subject}", got)
    bus.close()


def stops(hosts, server):
    del server
    ledgers = [Ledger(h.array) for h in hosts]
    stop_and(hosts, ledgers, "stop for one host", lambda b: b.publish("holdfast.lab.host2.stop"), [False, False, True])
    stop_and(hosts, ledgers, "garbage for all", lambda b: b.publish("holdfast.lab.stop", b'{"arm":true' + b"\x00\xff" * 3000), [True] * 3)
    stop_and(hosts, ledgers, "a flood of stops for host0", lambda b: [b.publish("holdfast.lab.host0.stop") for _ in range(300)], [True, False, False])
    hostile(hosts, ledgers)
    hosts[1].cut()
    stop_and(hosts, ledgers, "stop for all while host1 is cut off", lambda b: b.publish("holdfast.lab.stop"), [True, False, True])
    hosts[1].mend()
    ok(until(lambda: hosts[1].up(), 90, 0.3), "host1 is back", hosts[1].stats())
    before = [h.stats().get("stops") for h in hosts]
    refused("reader", ("holdfast.lab.stop",))
    refused("warden", ("holdfast.lab.host1.event", "holdfast.lab.host1.stopped", "$JS.API.STREAM.DELETE.holdfast", "$JS.API.STREAM.PURGE.holdfast"))
    refused("agent0", ("holdfast.lab.stop", "holdfast.lab.host1.stop", "holdfast.lab.host1.event", "$JS.API.STREAM.DELETE.holdfast",
                       "$JS.API.STREAM.PURGE.holdfast", "$JS.API.STREAM.MSG.GET.holdfast", "$JS.API.DIRECT.GET.holdfast.holdfast.lab.host1.event"))
    ident = "0123456789abcdef0123456789abcdef"
    acks = stop_and(hosts, ledgers, "a latched stop with an id", lambda b: b.publish("holdfast.lab.stop", json.dumps({"latch": True, "id": ident}).encode()),
                    [True] * 3)
    ok(all(x["id"] == ident and x["latch"] is True for x in acks), "the acknowledgements have its id", acks)
    ok(until(lambda: [h.stats().get("stops") for h in hosts] == [n + 1 for n in before], 20, 0.5), "and nobody else's was counted", before,
       [h.stats().get("stops") for h in hosts])
    for h in hosts:
        ok(any(r["action"] == "silence" and r["corr"] == ident for r in by_bus(h)), f"{h.name}: the audit log has the id and who it was", by_bus(h)[-3:])
        ok(json.loads(h.driver())["state"] == "tripped", f"{h.name}: latched", h.driver()[:300])
    judge(hosts, "after all stops")


# ------------------------------------------------------------ holdfastctl fleet

def creds(name, text, mode=0o600):
    path = f"/tmp/creds-{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


WARDEN = "# of the test\nserver: tls://10.77.0.1:4222\ntls_name: bus.example\nca: /tmp/pki/ca.pem\nuser: warden\npassword: w\n"


def fleet(*args, file="/tmp/creds-warden"):
    return subprocess.run([HF, "fleet", *args, "--creds", file], capture_output=True, text=True, check=False, timeout=120)


def command_refused():
    """Exit codes: 1 files that others can read, 2 without TLS, 7 no right, 9 no bus or not the right one."""
    for name, text, mode, status in (
            ("open", WARDEN, 0o644, 1), ("plain", WARDEN.replace("tls://", "nats://"), 0o600, 2), ("word", WARDEN.replace("user: ", "account: "), 0o600, 2),
            ("password", WARDEN.replace("password: w", "password: v"), 0o600, 7), ("stranger", WARDEN.replace("/ca.pem", "/other.pem"), 0o600, 9),
            ("name", WARDEN.replace("bus.example", "sub.example"), 0o600, 9), ("gone", WARDEN.replace(":4222", ":4223"), 0o600, 9)):
        done = fleet("status", file=creds(name, text, mode))
        ok(done.returncode == status and done.stderr and "password" not in done.stderr, f"fleet status, {name}: {status}", done.returncode, done.stderr)


def command_status(hosts):
    done = fleet("status")
    lines = done.stdout.splitlines()
    ok(done.returncode == 0 and [x.split()[0] for x in lines] == ["host", "host0", "host1", "host2"], "fleet status: a line for each host", done)
    done = fleet("status", "--json")
    found = {x["host"]: x for x in json.loads(done.stdout)["hosts"]} if done.stdout else {}
    ok(done.returncode == 0 and sorted(found) == ["host0", "host1", "host2"] and all(x["answers"] for x in found.values()), "fleet status --json: all answer",
       done)
    for h in hosts:
        x = found[h.name]
        ok(x["telemetry_age_s"] < 60 and x["telemetry"]["level"] == "full" and x["telemetry"]["arrays"][0]["serial"] == h.array and
           x["event"]["seq"] in {r["seq"] for r in wanted(h)}, f"{h.name}: what it says last, and how old that is", x)
    hosts[1].cut()
    time.sleep(10)
    done = fleet("status", "--json")
    found = {x["host"]: x for x in json.loads(done.stdout)["hosts"]} if done.stdout else {}
    ok(done.returncode == 1 and [found[h.name]["answers"] for h in hosts] == [True, False, True] and found["host1"]["telemetry_age_s"] >= 5,
       "fleet status: 1, host1 does not answer and what it said last gets old", done)


def command(hosts, server):
    del server
    creds("warden", WARDEN)
    ledgers = [Ledger(h.array) for h in hosts]
    command_refused()
    command_status(hosts)
    out = []
    stop_and(hosts, ledgers, "fleet silence while host1 is cut off", lambda b: out.append(fleet("silence", "--wait", "8s")), [True, False, True])
    ok(out[0].returncode == 1 and [x.split()[1] for x in out[0].stdout.splitlines()[1:]] == ["silent", "NOT", "silent"] and "2 of 3" in out[0].stderr,
       "it says that host1 has not confirmed, and gives 1", out)
    hosts[1].mend()
    ok(until(lambda: hosts[1].up(), 90, 0.3), "host1 is back", hosts[1].stats())
    done = fleet("silence", file=creds("reader", WARDEN.replace("warden", "reader").replace("password: w", "password: r")))
    ok(done.returncode == 7, "who may not stop is told: 7", done)
    stop_and(hosts, ledgers, "fleet silence --host host2", lambda b: out.append(fleet("silence", "--host", "host2")), [False, False, True])
    ok(out[1].returncode == 0 and "host2" in out[1].stdout and "host0" not in out[1].stdout, "confirmed by host2: 0", out[1])
    stop_and(hosts, ledgers, "fleet silence --latch", lambda b: out.append(fleet("silence", "--latch", "--json")), [True] * 3)
    said = json.loads(out[2].stdout or "{}")
    ok(out[2].returncode == 0 and [x["silent"] for x in said["hosts"]] == [True] * 3 and
       all(a["state"] == "tripped" for x in said["hosts"] for a in x["arrays"]), "all have confirmed, latched: 0", out[2])
    for h in hosts:
        ok(any(r["corr"] == said["id"] for r in by_bus(h)), f"{h.name}: the audit log has its id")
    judge(hosts, "after holdfastctl fleet", anew=True)


# ------------------------------------------------------------------------ all

def begin(hosts, strangers):
    """With @strangers one host does not know the bus by its certificate at first, another not its authority."""
    for h, old, new in ((hosts[1], "tls_name: bus.example", "tls_name: sub.example"), (hosts[2], "/tmp/pki/ca.pem", "/tmp/pki/other.pem")):
        if strangers:
            subprocess.run(["sed", "-i.good", f"s|{old}|{new}|", h.config], check=True)
    for h in hosts:
        ok(h.start(), f"{h.name}: has the site's limits, sealed")
    for h in hosts:
        ok(until(lambda: h.ctl("agent", "version").returncode == 0, 120, 0.3), f"{h.name}: answers", open(h.log_path).read())
        with open(f"/tmp/secret{h.i}", "w", encoding="ascii") as f:
            f.write(f"pw{h.i}")
        done = h.ctl("secret", "set", "fleet-bus", "--value-file", f.name)
        ok(done.returncode == 0, f"{h.name}: has its password", done.stderr)
    up = ok(until(lambda: hosts[0].up(), 60, 0.3), "host0: up", hosts[0].stats(), open(hosts[0].log_path).read()[-1200:])
    for h in hosts[1:] if strangers else ():
        ok(until(lambda: "SSL" in h.stats().get("last_error", ""), 60, 0.5) and not newest(h.name),
           f"{h.name}: does not talk to a bus that it cannot tell", h.stats())
        ok(h.stop() == 0, f"{h.name}: ends")
        os.rename(h.config + ".good", h.config)
        h.start()
    for h in hosts[1:]:
        up &= ok(until(lambda: h.up(), 90, 0.3), f"{h.name}: up", h.stats(), open(h.log_path).read()[-1200:])
    return up


def main():
    server = Server(3)
    hosts = [Host(i) for i in range(3)]
    global MIDDLE
    MIDDLE = Middle()
    parts = (first, partition, flapping, late, kills, restart, stops, command)
    only = os.environ.get("HOLDFAST_FLEET", "").split() or ["strangers"] + [p.__name__ for p in parts]
    if not begin(hosts, "strangers" in only):
        sys.exit(1)
    for part in parts:
        if part.__name__ in only:
            begun = time.monotonic()
            part(hosts, server)
            print(f"# {part.__name__}: {time.monotonic() - begun:.0f} s, events in the stream: {[len(events(h.name)) for h in hosts]}", flush=True)
    print("# answered as duplicates:", [h.stats().get("again") for h in hosts])
    ok([h.stop() for h in hosts] == [0, 0, 0], "all agents end in order")
    server.kill()
    plan()


main()
