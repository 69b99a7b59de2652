# SPDX-License-Identifier: GPL-2.0
"""What tests of the running agent share: results in TAP, waiting, the command line, the simulated array of guest.sh."""
import os
import subprocess
import sys
import time

HF = os.environ.get("HF", "build/agent/holdfastctl")
SIM = "/sys/kernel/config/holdfast_sim/lab/"
PATIENCE = 3	# times what a quiet machine needs; who waits for what comes does not wait so long
tests = 0


def ok(good, name, *more):
    """One result; @more is printed if it is not good. Returns @good."""
    global tests
    tests += 1
    print("ok" if good else "not ok", tests, "-", name)
    for line in () if good else more:
        print("#  ", str(line)[:1500].replace("\n", "\n#   "))
    sys.stdout.flush()
    return good


def plan():
    print(f"1..{tests}")


def until(fn, seconds=15, pause=0.05):
    end = time.monotonic() + PATIENCE * seconds
    while time.monotonic() < end:
        if fn():
            return True
        time.sleep(pause)
    return False


def ctl(*args, timeout=30):
    return subprocess.run([HF, *args], capture_output=True, text=True, check=False, timeout=timeout)


def sim(name, value):
    with open(SIM + name, "w", encoding="ascii") as f:
        f.write(value)


def child(parent, role):
    """Process number of a role of the agent whose parent is @parent; 0: it is not there."""
    out = subprocess.run(["pgrep", "-P", str(parent), "-f", "--", f"-x {role}"], capture_output=True, text=True, check=False).stdout.split()
    return int(out[0]) if out else 0


def player(account="hf-operator"):
    """Plays /tmp/one.hfs without end; what it says is in /tmp/play.log."""
    with open("/tmp/play.log", "ab") as log:
        return subprocess.Popen(["setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups", HF, "play", "--arm", "--loop", "forever",
                                 "/tmp/one.hfs"], stdout=subprocess.DEVNULL, stderr=log)
