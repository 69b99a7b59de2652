#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""From a fault at the simulated hardware to silence in its ledger: the driver, and a watcher in user space that
looks as often, in a stock 6.12 with two emulated processors; idle, and with both loaded. JSON on standard
output, in governor's periods of 10 ms.
  trip_bench.py FOLDER [SECONDS [ROUNDS]]"""
import json
import math
import os
import sys

from rounds import arguments, guest, where

TRIALS = 300            # of each block
ROUNDS = 4
PERIOD_US = 10_000


def percentile(ordered, share):
    """The smallest value that so many are not above."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def distribution(values_us):
    ordered = sorted(v / PERIOD_US for v in values_us)
    return {"trials": len(ordered), "p50": percentile(ordered, 0.5), "p99": percentile(ordered, 0.99),
            # the 999th of a thousand is nothing that fewer could have
            "p999": percentile(ordered, 0.999) if len(ordered) >= 1000 else None, "max": ordered[-1]}


def main():
    folder, factor, rounds, quick = arguments(ROUNDS)
    place = where()
    trials = max(10, int(TRIALS * factor))
    if quick:
        trials = 10
    kernel = "uml" if quick else "6.12"
    lines = guest(kernel, 1500, dict(os.environ, VM_OUT=folder), "build/tests/bench/trip_guest", str(trials), str(rounds))
    taken = {}
    for line in lines:
        for key in ("latency_us", "reaction_us"):
            if key in line:
                taken.setdefault(key, {}).setdefault(line["load"], {}).setdefault(line["who"], []).extend(line[key])
    latency = {load: {who: distribution(us) for who, us in row.items()} for load, row in taken["latency_us"].items()}
    reaction = {load: {who: distribution(us) for who, us in row.items()} for load, row in taken["reaction_us"].items()}

    def of(table, who):     # of fewer than a thousand: the longest
        return {load: row[who]["p999"] if row[who]["p999"] is not None else row[who]["max"] for load, row in table.items()}

    json.dump({"where": place, "kernel": kernel, "rounds": rounds, "period_us": PERIOD_US,
               "trip_latency_periods_p999": of(latency, "governor"),
               "watcher_latency_periods_p999": of(latency, "watcher"),
               "watcher_fifo_latency_periods_p999": of(latency, "watcher_fifo"),
               "trip_reaction_periods_p999": of(reaction, "governor"),
               "latency_periods": latency, "reaction_periods": reaction}, sys.stdout)


if __name__ == "__main__":
    main()
