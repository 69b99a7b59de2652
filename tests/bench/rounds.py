# SPDX-License-Identifier: GPL-2.0
"""What benchmarks that go in rounds share: arguments, and the median of what each round said."""
import datetime
import json
import os
import statistics
import subprocess
import sys


def arguments(rounds):
    """FOLDER [SECONDS [ROUNDS]]: the folder, the factor on every duration, the rounds, and whether it is the quick form."""
    factor = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    return sys.argv[1], factor, int(sys.argv[3]) if len(sys.argv) > 3 else rounds, len(sys.argv) > 2


def where():
    """Of what, when and beside how much other work these figures are: parts are measured one by one, too."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown")
    return f"{datetime.date.today()}, commit {commit}, {os.cpu_count()} processors ({cpu}), load {os.getloadavg()[0]:.2f} when it began."


def ratio(above, below):
    """The median of the rounds' ratios; the two lists are of the same rounds."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def guest(kernel, timeout, env, *command):
    """Runs a program in a booted kernel; what it prints, a line of JSON each, as a list."""
    run = subprocess.run(["scripts/vm", "--kernel", kernel, "--timeout", str(timeout), "--", *command],
                         check=False, env=env, stdout=subprocess.PIPE, text=True)
    lines = run.stdout.splitlines()
    if run.returncode:
        sys.exit(f"{kernel}: {' '.join(command)}: status {run.returncode}\n" + "\n".join(lines[-3:]))
    return [json.loads(line) for line in lines if line.startswith("{")]
