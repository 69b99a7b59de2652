#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""One boot of powercut.py: what did the last cut leave? Then, until the power is cut, privileged acts,
each told to the host when it was acknowledged. Runs in a guest as root (powercut-guest.sh).

Lines on standard output: "found NAME VALUE" for the host to judge, "load", "ack ID"."""
import glob
import json
import os
import random
import subprocess
import sys
import threading
import time

import api

HF = os.environ.get("HF", "build/agent/holdfastctl")
VERIFY = os.environ.get("HFV", "build/agent/holdfast-audit-verify")
STATE = "/var/lib/holdfast/audit"
LOADS = 3
lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


def verify():
    done = subprocess.run([VERIFY, STATE], capture_output=True, text=True, check=False)
    return str(done.returncode), done.stdout.splitlines()[0] if done.stdout else done.stderr


def missing(promised):
    data = b"".join(open(p, "rb").read() for p in glob.glob(STATE + "/*.log"))
    return [c for c in promised if data.count(c.encode()) < 2]	# intent and outcome


def load(number):
    chooser, client = random.Random(f"{number} {time.time()}"), api.Client("local")
    while True:
        corr = f"{chooser.getrandbits(128):032x}"
        answer = client.call("POST", "/v1/users/m-load/unlock", {}, ["X-Correlation-Id: " + corr])
        if answer.status == 200:
            say("ack", corr)
        else:
            say("found refused", answer.status, answer.body)
            return


def main():
    what, begin = sys.argv[1:]
    promised = open(os.environ["VM_OUT"] + "/promised", encoding="ascii").read().split()
    if begin == "before":
        say("found verify", *verify())
        say("found missing", len(missing(promised)), *missing(promised)[:3])
        return
    state = json.loads(subprocess.run([HF, "status", "--json"], capture_output=True, text=True, check=True).stdout)
    say("found state", state["state"])
    client = api.Client("local")
    answer = client.call("POST", "/v1/users", {"user": "m-load", "role": "user"})
    say("found user", answer.status)
    if what == "last":
        say("found after", *verify())
        say("found missing-after", len(missing(promised)))
        breaks = client.call("GET", "/v1/audit?action=audit.break").result["records"]
        say("found breaks", len(breaks), *[b["detail"]["why"] for b in breaks[:3]])
        return
    say("load")
    threads = [threading.Thread(target=load, args=(i,), daemon=True) for i in range(LOADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


if __name__ == "__main__":
    main()
