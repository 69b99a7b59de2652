# SPDX-License-Identifier: GPL-2.0
"""Events of the fleet: partitions and kills. What a reader of the stream sees is compared with each host's audit log. HOLDFAST_PARTITION_S: how
long a partition is."""
import json
import os
import time

from fleet_bus import Nats, copies, events, newest
from live import ok, until

CUT_S = int(os.environ.get("HOLDFAST_PARTITION_S", "60"))
ACTIONS = ("kernel.", "array.", "lease.", "keeper.", "agent.", "process.", "health.", "remedy.", "config.", "audit.")
SAME = ("seq", "t_ns", "action", "object", "phase", "result", "corr", "detail")
ROOM = 40	# records that are shown of a difference


def of_fleet(records, last=None):
    """What the stream must have: of an audit log, up to the number @last."""
    return [r for r in records if r["phase"] != "intent" and (r["action"].startswith(ACTIONS) or r["action"] == "silence") and
            (last is None or r["seq"] <= last)]


def wanted(host, last=None):
    return of_fleet(host.records(), last)


def compare(got, want):
    """[(it is right, what that is, ...)] of events that the stream has, and the records of the log up to the last of them."""
    have, by_seq = [e["seq"] for e in got], {r["seq"]: r for r in want}
    other = [e["seq"] for e in got if any(e[k] != by_seq.get(e["seq"], {}).get(k) for k in SAME)]
    return [(have == [r["seq"] for r in want], f"each of {len(want)} events once, in order",
             f"missing {sorted({r['seq'] for r in want} - set(have))[:ROOM]}", f"twice {sorted({n for n in have if have.count(n) > 1})[:ROOM]}",
             have[-ROOM:]),
            (not other and not any("gap" in e for e in got), "each says what the audit log says", other[:ROOM]),
            ([e["prev"] for e in got] == [0] + have[:-1], "each names the one before it", have[-ROOM:])]


def judge(hosts, when, anew=False):
    for h in hosts:
        last = wanted(h)[-1]["seq"]
        arrived = until(lambda: newest(h.name).get("seq", 0) >= last, 90, 0.5)
        got = events(h.name, anew)
        for good, what, *more in compare(got, wanted(h, got[-1]["seq"] if got else None)):
            ok(good and arrived, f"{when}: {h.name}: {what}", arrived, *more, h.stats())


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
    for _ in range(2):
        had = newest("host0")["seq"]
        server.middle.cut()
        busy(hosts[:1], 20)
        server.middle.mend()
        ok(until(lambda: newest("host0")["seq"] > had + 5, 60, 0.5), "host0 has connected anew, and gone on")
        server.middle.give()
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
