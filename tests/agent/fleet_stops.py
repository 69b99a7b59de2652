# SPDX-License-Identifier: GPL-2.0
"""Stops over the bus: who is silent is judged by the emission ledger of the arrays, and that it was the bus by the audit log."""
import json
import subprocess
import time

from fleet_bus import Nats
from fleet_events import judge
from ledger import Ledger
from live import HF, ok, until


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
    # A slow machine trips arrays by itself: that is not what has been asked for.
    ok(all(len(by_bus(h)) > n for h, q, n in zip(hosts, quiet, before) if q), f"{name}: by the audit log it was the bus")
    others = [(h.name, emits(x) or json.loads(h.driver())["state"] == "tripped", len(by_bus(h)) == n)
              for h, x, q, n in zip(hosts, ledgers, quiet, before) if not q]
    ok(all(a and b for _, a, b in others), f"{name}: the bus has done nothing to the others", others)
    stopped.bus.close()
    for p in players:
        p.terminate()
        p.wait()
    until(lambda: not any(emits(x) for x in ledgers), 20)
    return stopped.all


def back(h):
    """Mended when it has given the connection up: what was said in between does not come late any more."""
    ok(until(lambda: h.stats().get("up") is False, 60, 0.5), f"{h.name} knows that it is cut off", h.stats())
    h.mend()
    ok(until(h.up, 90, 0.3), f"{h.name} is back", h.stats())


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
    back(hosts[1])
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
