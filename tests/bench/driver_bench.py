#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Frames a second and CPU time of a frame through the driver's ways in, for batches of 1 to 1024; what of
it the checks cost, by a build without them that exists only here; a broker in user space beside it; and what
memory an array takes. In User-mode Linux (native instructions, dear system calls, one processor) and a stock
6.12 under emulation. JSON on standard output.
  driver_bench.py FOLDER [SECONDS [ROUNDS]]"""
import json
import os
import re
import statistics
import subprocess
import sys

from rounds import arguments, guest, ratio, where

SECONDS = 0.45          # of each measurement
ROUNDS = 5
GUEST = "build/tests/bench/driver_guest"
BROKERS = ("broker", "broker_ahead")
RINGS = ("uring", "uring_ahead")


def build_variants(kernel):
    """The two folders of modules that exist only here."""
    subprocess.run(["tests/bench/variants/build", kernel], check=True, stdout=sys.stderr)
    refused = subprocess.run(["scripts/install-modules", f"bench/unchecked/{kernel}", "/nonexistent"], check=False, stderr=subprocess.DEVNULL)
    if refused.returncode != 2:
        sys.exit("scripts/install-modules does not refuse the build without checks")
    return [os.path.abspath(f"build/bench/{variant}/{kernel}") for variant in ("checked", "unchecked")]


def figures(lines):
    """way -> batch -> list of a round each, of frames a second and of CPU time."""
    fps, cpu = {}, {}
    for line in lines:
        if "way" not in line:
            continue
        for to, key in ((fps, "fps"), (cpu, "cpu_us")):
            to.setdefault(line["way"], {}).setdefault(line["batch"], []).append(line[key])
    return fps, cpu


def medians(table):
    return {way: {str(batch): statistics.median(v) for batch, v in rows.items()} for way, rows in table.items()}


def best(fps, ways, batch):
    """The best of some ways in each round."""
    return [max(values) for values in zip(*(fps[way][batch] for way in ways))]


def versus_broker(fps, ways):
    """The better of ours against the better of the brokers in each round."""
    return {str(b): ratio(best(fps, ways, b), best(fps, BROKERS, b)) for b in fps[ways[0]]}


def cost_of_safety(fps, way):
    """By how much of a frame's time without checks the checks make it longer, percent."""
    return {str(b): 100 * (ratio(fps[way + "_unchecked"][b], v) - 1) for b, v in fps[way].items()}


def of_kernel(lines):
    fps, cpu = figures(lines)
    checked = [way for way in fps if way + "_unchecked" in fps]
    return {"fps": medians(fps), "cpu_us": medians(cpu),
            "cost_of_safety_pct": {way: cost_of_safety(fps, way) for way in checked},
            **{f"{ways[0]}_vs_broker_fps": versus_broker(fps, ways)
               for ways in (("write",), ("writev",), ("submit",), RINGS, tuple(f"{way}_unchecked" for way in RINGS)) if ways[0] in fps}}


def traced_kib(path):
    """What was allocated and not freed again, by the trace of each."""
    live, lost = {}, 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            lost += "LOST" in line
            ptr = re.search(r" ptr=(\S+)", line)
            size = re.search(r" bytes_alloc=(\d+)", line)
            if size:
                live[ptr[1]] = int(size[1])
            elif ptr:
                live.pop(ptr[1], None)
    if lost:
        sys.exit(f"{path}: events were lost")
    return sum(live.values()) / 1024


def memory(lines, folder):
    """KiB per array, and of a lease: by what was allocated, and by what was less free afterwards."""
    said = {}
    for line in lines:
        if "memory" in line:
            allocated = line["vmalloc_kib"] + line["simulator_kib"]
            if line["trace"]:
                allocated += traced_kib(os.path.join(folder, line["trace"])) / line["arrays"]
            said[line["memory"]] = {"allocated_kib": allocated if line["trace"] else None, "less_free_kib": line["gone_kib"],
                                    "of_the_simulator_kib": line["simulator_kib"]}
    return said


def main():
    folder, factor, rounds, quick = arguments(ROUNDS)
    result = {"where": where(), "rounds": rounds, "kernels": {}}
    for kernel in ["uml"] if quick else ["uml", "6.12"]:
        lines = guest(kernel, 1500, dict(os.environ, VM_OUT=folder), GUEST, *build_variants(kernel), str(SECONDS * factor), str(rounds))
        result["kernels"][kernel] = {**of_kernel(lines), "memory": memory(lines, folder)}
    # the last kernel is the one that people have
    last = result["kernels"][kernel]
    result["kmem_per_array_kib"] = max(v for k, v in last["memory"]["array"].items() if v and k != "of_the_simulator_kib")
    for key in ("cost_of_safety_pct", "uring_vs_broker_fps"):
        found = {name: k[key] for name, k in result["kernels"].items() if key in k}
        if found:
            result[key] = found
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
