#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""In the guest of overhead_bench.py: overhead_guest.py SECONDS OUT"""
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import api
from live import child, player, until
from ledger import Ledger
from pipe_cost import pipe_us

NODE_PORT, SCRAPE_S, POLL_HZ = 9100, 15, 10
SCRAPES = 40
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def memory(pids):
    """(resident, proportional share) in MiB."""
    rss = pss = 0
    for pid in pids:
        for line in open(f"/proc/{pid}/smaps_rollup", encoding="ascii"):
            rss += int(line.split()[1]) if line.startswith("Rss:") else 0
            pss += int(line.split()[1]) if line.startswith("Pss:") else 0
    return rss / 1024, pss / 1024


ROLES = ["audit", "auth", "keeper", "export", "local", "front"]


def agent_pids():
    """Role -> number."""
    parent = int(os.environ["AGENT_PID"])
    return {"parent": parent, **{role: child(parent, role) for role in ROLES}}


def ours():
    return api.Client("local").call("GET", "/metrics").body


def theirs():
    return urllib.request.urlopen(f"http://127.0.0.1:{NODE_PORT}/metrics", timeout=30).read()


class Poll(threading.Thread):
    """Somebody who looks at the array ten times a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.end, self.answers = False, 0

    def run(self):
        client, due = api.Client("local"), time.monotonic()
        while not self.end:
            self.answers += client.call("GET", "/v1/arrays/0").status == 200
            due = max(due + 1 / POLL_HZ, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))


def part(seconds, pids, node):
    """Return: share of a processor in %, of each process of the agent and of node_exporter, both scraped every 15 s."""
    everybody = {**pids, "node_exporter": node}
    begin, before = time.monotonic(), {role: cpu_s(pid) for role, pid in everybody.items()}
    due = begin
    while time.monotonic() < begin + seconds:
        if time.monotonic() >= due:
            ours()
            theirs()
            due += SCRAPE_S
        time.sleep(0.2)
    took = time.monotonic() - begin
    return {role: 100 * (cpu_s(pid) - before[role]) / took for role, pid in everybody.items()}


def scrapes(fn):
    took, size = [], 0
    for _ in range(SCRAPES):
        begin = time.monotonic()
        size = len(fn())
        took.append((time.monotonic() - begin) * 1e3)
    return {"p50_ms": statistics.median(took), "max_ms": max(took), "bytes": size}


def main():
    seconds, out = int(sys.argv[1]), sys.argv[2]
    node = subprocess.Popen(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{NODE_PORT}"], stderr=subprocess.DEVNULL)
    ledger = Ledger("lab")
    play = player()

    def there():
        ledger.read()
        try:
            return ledger.emitting and theirs()
        except OSError:
            return False
    if not until(there, 60):
        raise SystemExit("the array does not emit, or node_exporter does not answer")
    pids = agent_pids()
    keeps = part(seconds, pids, node.pid)
    poll = Poll()
    poll.start()
    polled = part(seconds, pids, node.pid)
    poll.end = True
    poll.join()
    frames = ledger.frames
    ledger.read()
    if ledger.frames == frames or not ledger.emitting or pids != agent_pids():
        raise SystemExit("the array did not emit all the time, or a process was started again")
    rss, pss = memory(pids.values())
    node_rss = memory([node.pid])[0]
    pages = {"holdfast": scrapes(ours), "node_exporter": scrapes(theirs)}
    play.kill()
    node.kill()
    with open(out, "w", encoding="utf-8") as f:
        json.dump({
            "pipe_us": pipe_us(), "seconds": seconds, "polls_per_s": poll.answers / seconds,
            "cpu_percent": {role: {"scraped every 15 s": keeps[role], "and asked for the array ten times a second": polled[role]} for role in keeps},
            "memory_mib": {"resident, of each process": rss, "resident, what is shared counted once": pss,
                           "node_exporter": node_rss},
            "scrapes": pages,
            "ratios": {"cpu_of_node_exporter": sum(keeps[role] for role in pids) / keeps["node_exporter"],
                       "scrape_time_of_node_exporter": pages["holdfast"]["p50_ms"] / pages["node_exporter"]["p50_ms"]}}, f)


if __name__ == "__main__":
    main()
