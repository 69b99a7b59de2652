#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends the published corpus (corpus/) to the running agent, its command line and the driver, and judges by effect:
an input counts as accepted when its answer is a success, and a class fails as well when anything has changed that
only who is entitled may change, or a process is another than before. Runs in a guest as root (corpus.sh), with the
agent's parent as HF_AGENT_PID. Prints TAP, one result per surface and class, and writes $VM_OUT/security.json.

    corpus_run.py [SURFACE...]"""
import collections
import hashlib
import json
import os
import re
import subprocess
import sys
import time

import api
import corpus_send as send
import matrix
from live import ok, plan
from corpus import cli, config, device, keeper, kit, netlink, web

# surface: (hostile, benign, sender)
SURFACES = {
    "http": (web.NET, [web.Class("forms", "", web.benign_forms)], send.http_net),
    "api.sock": (web.LOCAL, [], send.http_local),
    "keeper.sock": (keeper.HOSTILE, keeper.BENIGN, send.keeper),
    "config": (config.HOSTILE, config.BENIGN, send.config),
    "netlink": (netlink.HOSTILE, netlink.BENIGN, send.netlink),
    "device": (device.HOSTILE, device.BENIGN, send.device),
    "cli": (cli.HOSTILE, cli.BENIGN, send.cli),
}
SYSFS = "/sys/class/holdfast/holdfast0/"
STATE = "/var/lib/holdfast/"


# ------------------------------------------------------------- what matters

def pids():
    """{role: pid} as the kernel has it."""
    out = subprocess.run(["pgrep", "-a", "-P", os.environ["HF_AGENT_PID"]], capture_output=True, text=True, check=False).stdout
    return {m[2]: int(m[1]) for m in re.finditer(r"^(\d+) .*-x (\w+)", out, re.M)}


def digest(path):
    if not os.path.exists(path):
        return ""
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


class Watch:
    """State that no hostile input may change, and what the audit log says was done."""

    def __init__(self):
        self.client = api.Client("local")

    def get(self, path):
        answer = self.client.call("GET", path)
        if answer.status != 200:
            raise SystemExit(f"Bail out! {path}: {answer.status} {answer.body}")
        return answer.result

    def state(self):
        listed = {what: self.get("/v1/" + what)[what] for what in ("users", "sessions", "tokens", "secrets", "tenants")}
        for tenant in listed["tenants"]:
            del tenant["quota"]["since_s"]      # time goes on
        for user in listed["users"]:
            for count in ("failures", "locked_until_ns"):       # of wrong passwords: that is their purpose
                del user[count]
        leases = self.get("/v1/arrays/0/leases")["leases"]
        for lease in leases:
            del lease["left_ms"]
        out = {
            "users": listed["users"], "secrets": listed["secrets"], "tenants": listed["tenants"],
            "sessions": {s["session"]: s["expires_ns"] for s in listed["sessions"]}, "tokens": {t["id"]: t["expires_ns"] for t in listed["tokens"]},
            "versions": self.get("/v1/config/history")["versions"], "configuration": digest("/etc/holdfast/holdfast.yaml"),
            "limits": self.get("/v1/arrays/0/limits"), "leases": leases,
            "keys": [digest(STATE + "auth/" + name) for name in ("signing-keys", "secrets")], "processes": pids(),
            "arrays": sorted(os.listdir("/sys/class/holdfast")), "backups": sorted(os.listdir(STATE + "backup"))
            if os.path.isdir(STATE + "backup") else [],
        }
        for name in ("state", "sealed", "epoch", "instance", "trip_cause"):
            with open(SYSFS + name, encoding="ascii") as f:
                out["array " + name] = f.read().strip()
        return out

    def seq(self):
        return self.get("/v1/audit?newest=true&limit=1")["records"][0]["seq"]

    def done_since(self, seq):
        """Records of something privileged that was done, and by whom."""
        done = []
        while True:
            page = self.get(f"/v1/audit?after_seq={seq}&limit=200&result=ok")
            done += [r for r in page["records"] if not r["action"].startswith(("kernel.", "agent.", "process.", "health.", "remedy."))]
            if not page["more"] or not page["records"]:
                return done
            seq = page["records"][-1]["seq"]


def same(what, before, after):
    if what not in ("sessions", "tokens"):
        return before == after
    gone = [i for i, expires_ns in before.items() if i not in after and expires_ns > time.time_ns()]
    return not gone and not set(after) - set(before)


def changes(before, after):
    """What is different and had not to end by itself: the corpus takes longer than a token lives."""
    return {k: (before[k], after[k]) for k in before if not same(k, before[k], after[k])}


def told(answer):
    """The one word of an answer that says most: an errno, a status, an exit code."""
    for form in (r"^\[?\b(\d{3})\b", r"\b(E[A-Z]{3,})\b", r"^(\w+)"):
        found = re.search(form, answer)
        if found:
            return found[1]
    return "nothing"


# --------------------------------------------------------------- the people

class World:
    """Everybody's credentials."""

    def __init__(self):
        self.people = matrix.People(matrix.table())
        self.words = {}
        for role in ("user", "operator", "admin", "system"):
            self.words[f"{role}-token"] = self.people.token(role)
        self.words["admin-session"] = self.people.login("admin", "net").cookie
        for name, bad in matrix.Forge(self.words["admin-token"]).all().items():
            self.words["forged " + name] = bad
        self.held = {}
        self.lease = send.lease_fd("hf-operator")

    def good(self):
        """Are session and tokens accepted?"""
        clients = {name: api.Client("net", bearer=word) for name, word in self.words.items() if name.endswith("-token")}
        clients["admin-session"] = api.Client("net", cookie=self.words["admin-session"])
        self.held = {name: client.call("GET", "/v1/whoami").status for name, client in clients.items()}
        return set(self.held.values()) == {200}

    def forged(self, _):
        """Tokens wrong in one thing, by who has the agent's own key: they cannot be published, how they are made is."""
        for name in self.words:
            if name.startswith("forged "):
                for method, target in web.TARGETS:
                    yield "", web.request(method, target, web.body_of(method, target),
                                          head=b"Authorization: Bearer @" + name.encode() + b"@\r\n")


# ------------------------------------------------------------------ judging

class Surface:
    def __init__(self, name, watch, world):
        self.name, self.watch, self.world = name, watch, world
        self.hostile, self.benign, self.sender = SURFACES[name]
        self.numbers = {"hostile": 0, "accepted": 0, "benign": 0, "refused": 0, "crashes": 0, "classes": {}}

    def send(self, cls):
        made = kit.inputs(self.name, cls)
        begin = time.monotonic()
        answers = self.sender(made, self.world)
        assert len(answers) == len(made), (self.name, cls.name, len(answers), len(made))
        return made, answers, time.monotonic() - begin

    def attack(self, cls):
        before, seq = self.watch.state(), self.watch.seq()
        made, answers, seconds = self.send(cls)
        after, done = self.watch.state(), self.watch.done_since(seq)
        accepted = [(i, a) for i, (good, a) in enumerate(answers) if good]
        crashed = [a for _, a in answers if a.startswith("crash")]
        changed = changes(before, after)
        lost = sum(1 for role, pid in before["processes"].items() if after["processes"].get(role) != pid)
        n = self.numbers
        n["hostile"] += len(made)
        n["accepted"] += len(accepted)
        n["crashes"] += len(crashed) + lost
        n["classes"][cls.name] = {"attack": cls.attack, "hostile": len(made), "accepted": len(accepted),
                                  "answers": dict(collections.Counter(told(a) for _, a in answers).most_common())}
        ok(not accepted and not crashed and not changed and not done and made,
           f"{self.name}: {cls.name}: {len(made)} hostile, {len(accepted)} accepted ({seconds:.1f} s)",
           *(f"accepted: {a}: {made[i]!r}" for i, a in accepted[:12]), *(f"changed: {k}: {v}" for k, v in changed.items()),
           *(f"done: {r}" for r in done[:6]), *crashed[:5])

    def please(self, cls):
        made, answers, seconds = self.send(cls)
        refused = [(i, a) for i, (good, a) in enumerate(answers) if not good]
        self.numbers["benign"] += len(made)
        self.numbers["refused"] += len(refused)
        ok(not refused, f"{self.name}: benign {cls.name}: {len(made)} sent, {len(refused)} refused ({seconds:.1f} s)",
           *(f"refused: {a}: {made[i]!r}" for i, a in refused[:12]))

    def run(self):
        for cls in self.benign:
            self.please(cls)
        for cls in self.hostile:
            self.attack(cls)
        if self.name == "http":
            self.attack(web.Class("forged-tokens", "tokens wrong in one thing, signed with the agent's own key", self.world.forged))
        if self.name == "http":     # else other checks than those in question have refused
            ok(self.world.good(), f"{self.name}: the credentials that were used still hold", self.world.held)
        n = self.numbers
        ok(n["hostile"] >= 1000, f"{self.name}: at least 1000 hostile inputs", n["hostile"])
        least = 20 if self.name == "netlink" else 100       # there is not more to ask for
        ok(n["benign"] >= least, f"{self.name}: at least {least} benign inputs", n["benign"])
        n["wilson95"] = kit.wilson95(n["accepted"], n["hostile"])
        n["benign_wilson95"] = kit.wilson95(n["refused"], n["benign"])
        return n


def steps(surface):
    """The benign operations over api.sock, each with what the answers before have told."""
    made = list(web.benign_steps(None))
    answers = send.steps(made)
    refused = [(m, a) for m, (good, a) in zip(made, answers) if not good]
    surface.numbers["benign"] += len(made)
    surface.numbers["refused"] += len(refused)
    ok(not refused, f"api.sock: benign operations: {len(made)} sent, {len(refused)} refused", *refused[:12])


def main():
    wanted = sys.argv[1:] or list(SURFACES)
    watch = Watch()
    surfaces = {name: Surface(name, watch, None) for name in wanted}
    if "api.sock" in surfaces:
        steps(surfaces["api.sock"])     # first: the first admin is made by them
    world = World()
    out = {}
    for name, surface in surfaces.items():
        surface.world = world
        out[name] = surface.run()
        with open(os.path.join(os.environ["VM_OUT"], "security.json"), "w", encoding="utf-8") as f:
            json.dump(out, f, indent=1)
    plan()


if __name__ == "__main__":
    main()
