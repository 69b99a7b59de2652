# SPDX-License-Identifier: GPL-2.0
"""holdfastctl fleet: what it shows, whom it silences, and what it says when it cannot."""
import json
import os
import subprocess
import time

from fleet_events import judge, wanted
from fleet_stops import back, by_bus, stop_and
from ledger import Ledger
from live import HF, ok


def creds(name, text, mode=0o600):
    path = f"/tmp/creds-{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


WARDEN = "# of the test\nserver: tls://10.77.0.1:4222\ntls_name: bus.example\nca: /tmp/pki/ca.pem\nuser: warden\npassword: w\n"


def fleet(*args, file="/tmp/creds-warden"):
    return subprocess.run([HF, "fleet", *args, "--creds", file], capture_output=True, text=True, check=False, timeout=120)


def command_refused():
    """Exit codes: 1 files that others can read, 2 without TLS, 7 no right, 9 no bus or not the right one."""
    for name, text, mode, status in (
            ("open", WARDEN, 0o644, 1), ("plain", WARDEN.replace("tls://", "nats://"), 0o600, 2), ("word", WARDEN.replace("user: ", "account: "), 0o600, 2),
            ("password", WARDEN.replace("password: w", "password: v"), 0o600, 7), ("stranger", WARDEN.replace("/ca.pem", "/other.pem"), 0o600, 9),
            ("name", WARDEN.replace("bus.example", "sub.example"), 0o600, 9), ("gone", WARDEN.replace(":4222", ":4223"), 0o600, 9)):
        done = fleet("status", file=creds(name, text, mode))
        ok(done.returncode == status and done.stderr and "password" not in done.stderr, f"fleet status, {name}: {status}", done.returncode, done.stderr)


def command_status(hosts):
    done = fleet("status")
    lines = done.stdout.splitlines()
    ok(done.returncode == 0 and [x.split()[0] for x in lines] == ["host", "host0", "host1", "host2"], "fleet status: a line for each host", done)
    done = fleet("status", "--json")
    found = {x["host"]: x for x in json.loads(done.stdout)["hosts"]} if done.stdout else {}
    ok(done.returncode == 0 and sorted(found) == ["host0", "host1", "host2"] and all(x["answers"] for x in found.values()), "fleet status --json: all answer",
       done)
    for h in hosts:
        x = found[h.name]
        ok(x["telemetry_age_s"] < 60 and x["telemetry"]["level"] == "full" and x["telemetry"]["arrays"][0]["serial"] == h.array and
           x["event"]["seq"] in {r["seq"] for r in wanted(h)}, f"{h.name}: what it says last, and how old that is", x)
    hosts[1].cut()
    time.sleep(10)
    done = fleet("status", "--json")
    found = {x["host"]: x for x in json.loads(done.stdout)["hosts"]} if done.stdout else {}
    ok(done.returncode == 1 and [found[h.name]["answers"] for h in hosts] == [True, False, True] and found["host1"]["telemetry_age_s"] >= 5,
       "fleet status: 1, host1 does not answer and what it said last gets old", done)


def command(hosts, server):
    del server
    creds("warden", WARDEN)
    ledgers = [Ledger(h.array) for h in hosts]
    command_refused()
    command_status(hosts)
    out = []
    stop_and(hosts, ledgers, "fleet silence while host1 is cut off", lambda b: out.append(fleet("silence", "--wait", "8s")), [True, False, True])
    ok(out[0].returncode == 1 and [x.split()[1] for x in out[0].stdout.splitlines()[1:]] == ["silent", "NOT", "silent"] and "2 of 3" in out[0].stderr,
       "it says that host1 has not confirmed, and gives 1", out)
    back(hosts[1])
    done = fleet("silence", file=creds("reader", WARDEN.replace("warden", "reader").replace("password: w", "password: r")))
    ok(done.returncode == 7, "who may not stop is told: 7", done)
    stop_and(hosts, ledgers, "fleet silence --host host2", lambda b: out.append(fleet("silence", "--host", "host2")), [False, False, True])
    ok(out[1].returncode == 0 and "host2" in out[1].stdout and "host0" not in out[1].stdout, "confirmed by host2: 0", out[1])
    stop_and(hosts, ledgers, "fleet silence --latch", lambda b: out.append(fleet("silence", "--latch", "--json")), [True] * 3)
    said = json.loads(out[2].stdout or "{}")
    ok(out[2].returncode == 0 and [x["silent"] for x in said["hosts"]] == [True] * 3 and
       all(a["state"] == "tripped" for x in said["hosts"] for a in x["arrays"]), "all have confirmed, latched: 0", out[2])
    for h in hosts:
        ok(any(r["corr"] == said["id"] for r in by_bus(h)), f"{h.name}: the audit log has its id")
    judge(hosts, "after holdfastctl fleet", anew=True)
