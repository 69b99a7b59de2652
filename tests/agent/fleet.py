#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Three hosts and their bus, part by part; HOLDFAST_FLEET: which parts, by name. Prints TAP."""
import os
import subprocess
import sys
import time

from fleet_bus import Middle, Server, events, newest
from fleet_command import command
from fleet_events import first, flapping, kills, late, partition, restart
from fleet_host import Host
from fleet_mqtt import mqtt
from fleet_stops import stops
from live import ok, plan, until


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
    server.middle = Middle()
    hosts = [Host(i) for i in range(3)]
    parts = (first, partition, flapping, late, kills, restart, stops, command, mqtt)
    only = os.environ.get("HOLDFAST_FLEET", "").split()
    only = ["strangers"] + [p.__name__ for p in parts] if only in ([], ["all"]) else only
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
