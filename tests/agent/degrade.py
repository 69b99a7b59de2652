#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What still works when something does not: no arming without a durable audit log, and silence always.
Runs in a guest as root (degrade.sh), with the agent's state on a small disk of its own. Prints TAP."""
import json
import os
import pwd
import signal
import subprocess
import sys
import time

import api
from ledger import Ledger
from live import ctl, ok, plan, player, until

STATE = "/var/lib/holdfast"
FILL = STATE + "/fill"


def state():
    """As the driver says; the agent's own limits are being used up here."""
    return json.loads(ctl("status", "--json").stdout)["state"]


def arm():
    return api.Client("local").call("POST", "/v1/arrays/0/arm", {"comment": "degrade"})


def silence(via="local", **kw):
    begin = time.monotonic()
    answer = api.Client(via, **kw).call("POST", "/v1/arrays/0/silence", {})
    return answer, time.monotonic() - begin


def fill_disk():
    fd = os.open(FILL, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fd, bytes(4096)):
            pass
    except OSError:
        pass
    os.close(fd)


def play_and(name, ledger, act):
    """The array emits; act() must make it quiet."""
    p = player()
    emitting = until(lambda: ledger.read() or ledger.emitting, 10)
    ok(emitting, f"{name}: the array emits before", open("/tmp/play.log").read()[-400:])
    what = act()
    p.terminate()
    quiet = until(lambda: ledger.read() or not ledger.emitting, 2)
    p.wait()
    ok(quiet, f"{name}: the array is silent after", what)


def disk_full(ledger):
    answer = arm()
    ok(answer.status == 200, "with room on the disk: arm", answer.status, answer.body)
    silence()
    p = player()
    ok(until(lambda: ledger.read() or ledger.emitting, 10), "the array emits", open("/tmp/play.log").read()[-400:])
    fill_disk()
    quiet = until(lambda: state() == "silent", 20)
    ledger.read()
    ok(quiet and not ledger.emitting, "disk full: what emits is silenced after the grace time", state())
    p.kill()
    p.wait()
    answer = arm()
    ok(answer.status >= 400 and state() == "silent", "disk full: arming is refused", answer.status, answer.body, state())
    ok(b"audit" in answer.body, "disk full: and says that it is the audit log", answer.body)
    done = ctl("--socket", "/run/holdfast/keeper.sock", "play", "--arm", "/tmp/one.hfs")
    ok(done.returncode != 0, "disk full: no lease that could arm", done.stderr)
    answer, took = silence()
    ok(answer.status == 200 and took < 1, f"disk full: silence by the API ({took * 1e3:.0f} ms)", answer.status, answer.body)
    done = ctl("silence")
    ok(done.returncode == 0, "disk full: silence by the device", done.stderr)
    answer = api.Client("local").call("GET", "/v1/audit/stats")
    ok(answer.status == 200, "disk full: reading goes on", answer.status, answer.body)
    os.unlink(FILL)
    ok(until(lambda: arm().status == 200, 40), "room again: arm", arm().body)
    silence()


def auth_stopped(ledger):
    pid = int(subprocess.run(["pgrep", "-f", "-x", ".*holdfastd.*-x auth.*"], capture_output=True, text=True,
                             check=False).stdout.split()[0])

    def act():
        os.kill(pid, signal.SIGSTOP)
        answer, took = silence()
        ok(answer.status == 200 and took < 1, f"auth stopped: silence by the API ({took * 1e3:.0f} ms)",
           answer.status, answer.body)
        return answer.body
    play_and("auth stopped", ledger, act)
    os.kill(pid, signal.SIGCONT)
    ok(until(lambda: api.Client("local").call("GET", "/v1/whoami").status == 200, 30), "auth is back")


def breaker_open(ledger):
    """The only dependency with a breaker is where anchors go; nobody is there."""
    def anchor():
        processes = api.Client("local").call("GET", "/v1/status").json["result"]["processes"]
        stats = [p for p in processes if p["role"] == "export"][0].get("stats") or {}
        return (stats.get("anchors") or [{}])[0]
    ok(until(lambda: anchor().get("breaker") == "open", 30, pause=1), "the breaker of an anchor's place is open", anchor())

    def act():
        answer, took = silence()
        ok(answer.status == 200 and took < 1, f"breaker open: silence by the API ({took * 1e3:.0f} ms)",
           answer.status, answer.body)
        return answer.body
    play_and("breaker open", ledger, act)
    seen = {who: api.as_account(who, lambda: "stats" in json.dumps(api.Client("local").call("GET", "/v1/status").result))
            for who in ("hf-system", "hf-operator")}
    ok(seen == {"hf-system": True, "hf-operator": False}, "a tenant's operator does not see what is of all", seen)
    ok(anchor().get("breaker") in ("open", "half-open"), "it is open or probing still", anchor())


def limits_exhausted(ledger):
    for via in ("local", "net"):
        kw = {}
        if via == "net":
            made = api.as_account("hf-system", lambda: api.Client("local").call("POST", "/v1/tokens", {}).json)
            kw["bearer"] = made["result"]["token"]
        client = api.Client(via, **kw)
        limited = [client.call("GET", "/v1/whoami") for _ in range(400)]
        last = limited[-1]
        ok(last.status == 429 and int(dict(last.headers).get("retry-after", 0)) > 0,
           f"{via}: too many requests are limited, with Retry-After", last.status, last.headers)

        def act():
            answer, took = silence(via, **kw)
            ok(answer.status == 200 and took < 1, f"{via}: silence is not limited ({took * 1e3:.0f} ms)",
               answer.status, answer.body)
            return answer.body
        play_and(f"{via}: limits exhausted", ledger, act)
    held = []
    for _ in range(40):
        try:
            held.append(api.connect("net"))
        except OSError:
            break

    def act():
        answer, took = silence()
        ok(answer.status == 200 and took < 1, f"{len(held)} idle connections on TCP: silence by the unix socket",
           answer.status, answer.body)
        return answer.body
    play_and("connections exhausted", ledger, act)
    for s in held:
        s.close()


def main():
    ledger = Ledger("lab")
    answer = api.Client("local").call("POST", "/v1/users", {"user": "monitor", "role": "system",
                                                            "uid": pwd.getpwnam("hf-system").pw_uid})
    if answer.status != 200:
        sys.exit(f"Bail out! user monitor: {answer.body}")
    breaker_open(ledger)
    disk_full(ledger)
    auth_stopped(ledger)
    limits_exhausted(ledger)
    plan()


if __name__ == "__main__":
    main()
