#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Events of the driver to 1, 10 and 100 subscribers on netlink, and to as many behind a process that takes them
there and sends each on over a unix socket. A lost event ends the benchmark. In User-mode Linux and in a stock
6.12 under emulation. JSON on standard output.
  fanout_bench.py FOLDER [SECONDS [ROUNDS]]"""
import json
import os
import statistics
import sys

from rounds import arguments, guest, ratio, where

SECONDS = 1.5           # of each measurement, and again for latency
ROUNDS = 5


def of_kernel(lines):
    taken = {}          # (way, subscribers): a line of each round
    for line in lines:
        taken.setdefault((line["way"], line["subscribers"]), []).append(line)
    rows, lost = {}, 0
    for (way, n), of_rounds in taken.items():
        lost += sum(r["lost"] + r["refused"] for r in of_rounds)
        rows.setdefault(way, {})[str(n)] = {key: statistics.median(r[key] for r in of_rounds)
                                            for key in ("events_per_s", "cpu_us", "p50_us", "p99_us") if key in of_rounds[0]}
    if lost:
        sys.exit(f"fanout: {lost} events were lost")

    def of(way, n, key):
        return [r[key] for r in taken[way, n]]

    sizes = sorted(n for way, n in taken if way == "netlink")
    base = of("nobody", 0, "cpu_us")
    return {
        "ways": rows, "lost": lost,
        "cpu_us_per_subscriber": {way: {str(n): statistics.median((c - b) / n for c, b in zip(of(way, n, "cpu_us"), base))
                                        for n in sizes} for way in ("netlink", "hub")},
        "netlink_vs_hub": {str(n): {key: ratio(of("netlink", n, key), of("hub", n, key))
                                    for key in ("events_per_s", "p50_us", "p99_us")} for n in sizes},
        "netlink_vs_1_subscriber": {str(n): {key: ratio(of("netlink", n, key), of("netlink", 1, key))
                                             for key in ("events_per_s", "cpu_us", "p50_us", "p99_us")} for n in sizes[1:]},
    }


def main():
    folder, factor, rounds, quick = arguments(ROUNDS)
    place = where()
    kernels = {}
    for kernel in ["uml"] if quick else ["uml", "6.12"]:
        lines = guest(kernel, 900, dict(os.environ, VM_OUT=folder), "build/tests/bench/fanout_guest", str(SECONDS * factor), str(rounds))
        kernels[kernel] = of_kernel(lines)
    json.dump({"where": place, "rounds": rounds, "kernels": kernels, "events_lost": sum(k["lost"] for k in kernels.values())}, sys.stdout)


if __name__ == "__main__":
    main()
