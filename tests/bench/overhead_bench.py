#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the agent takes of a machine whose array it keeps: processor, memory, and a scrape beside
node_exporter's. The agent needs the driver, so this boots a User-mode Linux guest (overhead_guest.sh) in
which system calls cost several times what they do on a machine of its own. JSON on standard output.
  overhead_bench.py FOLDER [SECONDS [ROUNDS]]"""
import json
import os
import subprocess
import sys

from pipe_cost import pipe_us

SECONDS = 120		# of each part; a scrape comes every 15 s


def main():
    folder = sys.argv[1]
    seconds = int(SECONDS * float(sys.argv[2])) if len(sys.argv) > 2 else SECONDS
    env = dict(os.environ, VM_OUT=folder, HOLDFAST_OVERHEAD_S=str(max(16, seconds)))
    subprocess.run(["scripts/vm", "--kernel", "uml", "--timeout", str(300 + 10 * seconds), "--",
                    "tests/bench/overhead_guest.sh"], check=True, env=env, stdout=sys.stderr)
    with open(os.path.join(folder, "overhead.json"), encoding="utf-8") as f:
        result = json.load(f)
    result["pipe_us"] = {"this machine": pipe_us(), "its guest": result["pipe_us"]}
    result["ratios"]["system_call_in_the_guest"] = result["pipe_us"]["its guest"] / result["pipe_us"]["this machine"]
    result["commit"] = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
