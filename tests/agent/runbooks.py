#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Are the runbooks and the alerts about what there is? Every cause of a trip and every alert has its section and no other
has; every command, metric and limit that is named exists; the rules are sound and fire when they should (promtool).
Prints TAP."""
import glob
import json
import re
import subprocess
import sys
import tempfile

import yaml

HF = "build/agent/holdfastctl"
RULES = "scripts/packaging/prometheus/holdfast.rules.yml"
SLO = "scripts/packaging/prometheus/holdfast.slo.yml"
tests = failures = 0


def ok(good, name, *more):
    global tests, failures
    tests += 1
    failures += not good
    print("ok" if good else "not ok", tests, "-", name)
    for line in () if good else more:
        print("#  ", line)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def causes():
    """Words of the library, which are held against the kernel's by other tests."""
    words = set(re.findall(r'\[HOLDFAST_CAUSE_\w+\] = "([\w-]+)"', read("agent/lib/words.c"))) - {"none"}
    told = re.findall(r"^### ([\w-]+)$", read("docs/runbooks/trips.md"), re.M)
    ok(len(words) >= 30 and words == set(told) and len(told) == len(set(told)), f"{len(words)} causes of trips, a section each",
       f"missing {sorted(words - set(told))}, unknown {sorted(set(told) - words)}")


def checks():
    names = set(re.findall(r'\tCHECK\(\w+, "(\w+)"', read("agent/daemon/checks.c")))
    told = re.findall(r"^### (\w+)$", read("docs/runbooks/health.md"), re.M)
    ok(len(names) >= 16 and names == set(told) and len(told) == len(set(told)), f"{len(names)} checks of health, a section each",
       sorted(names ^ set(told)))
    remedies = set(re.findall(r'\.check = "\w+", \.name = "(\w+)"', read("agent/daemon/remedies.c")))
    for what, there in (("Remedies", remedies), ("Level", set(re.findall(r'"(\w+)"', read("agent/common/degrade.c").split("words[] =")[1].split(";")[0])))):
        told = set(re.findall(r"^\| `(\w+)` \|", read("docs/health.md").split(f"## {what}\n")[1].split("\n## ")[0], re.M))
        ok(there and there == told, f"{what.lower()}: {len(there)} are described", sorted(there ^ told))


def alerts(path, book, test):
    """Each has its section, points to what is there, and is seen firing."""
    rules = [r for g in yaml.safe_load(read(path))["groups"] for r in g["rules"] if "alert" in r]
    told = re.findall(r"^### (\w+)$", read(book), re.M)
    ok({r["alert"] for r in rules} == set(told) and len(rules) == len(set(told)), f"{path}: {len(rules)} alerts, a section each",
       {r["alert"] for r in rules} ^ set(told))
    bad = []
    for r in rules:
        target, _, anchor = r["annotations"]["runbook"].partition("#")
        heads = [h.lower() for h in re.findall(r"^#+ (\S+)$", read(target), re.M)]
        if anchor and anchor not in heads:
            bad.append(r["annotations"]["runbook"])
    ok(not bad, f"{path}: each names a section that is there", *bad)
    for command in (["check", "rules", path], ["test", "rules", test]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        ok(done.returncode == 0, "promtool " + " ".join(command), done.stdout, done.stderr)
    tested = read(test)
    untested = [r["alert"] for r in rules if f'alertname="{r["alert"]}"' not in tested]
    ok(not untested, f"{path}: each is seen firing", *untested)
    metrics(path, read(path))
    metrics(test, tested)


def dashboard():
    """What it shows exists, and can be asked for."""
    done = subprocess.run(["scripts/gen-dashboard", "--check"], capture_output=True, text=True, check=False)
    ok(done.returncode == 0, "the dashboard is what its table says", done.stderr)
    board = json.loads(read("scripts/packaging/grafana/holdfast.json"))
    panels = board["panels"]
    exprs = [t["expr"] for p in panels for t in p.get("targets", [])] + [a["expr"] for a in board["annotations"]["list"]]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    ok(len(exprs) > 20 and len({p["id"] for p in panels}) == len(panels) == len(set(places)), f"{len(panels)} panels, {len(exprs)} expressions")
    metrics("the dashboard", "\n".join(exprs))
    rules = [{"record": f"dashboard:{i}", "expr": re.sub(r"\$__\w+", "1m", e)} for i, e in enumerate(exprs)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, f)
        f.flush()
        done = subprocess.run(["promtool", "check", "rules", f.name], capture_output=True, text=True, check=False)
    ok(done.returncode == 0, "promtool reads each", done.stdout, done.stderr)
    for command in (["amtool", "check-config", "scripts/packaging/prometheus/alertmanager.yml"],
                    ["promtool", "check", "config", "--syntax-only", "scripts/packaging/prometheus/prometheus.yml"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        ok(done.returncode == 0, " ".join(command), done.stdout, done.stderr)


def commands(name, text):
    bad = []
    for line in sorted(set(re.findall(r"`holdfastctl ([^`]*)`", text.replace("\n", " ")))):
        words = line.split()
        command = [w for w in words if re.fullmatch(r"[a-z-]+", w) and not w.startswith("-")][:2]
        options = [w for w in words if w.startswith("--")]
        helps = [subprocess.run([HF, *command[:n], "--help"], capture_output=True, text=True, check=False) for n in (2, 1)]
        good = [h.stdout for h in helps if h.returncode == 0]
        if not good or any(o not in good[0] for o in options):
            bad.append(line)
    ok(not bad, f"{name}: commands exist", *bad)


def metrics(name, text, pattern=r"\b(holdfast_\w+)"):
    known = set(re.findall(r"^\| `(holdfast_\w+)`", read("docs/metrics.md"), re.M))
    known |= {h + "_bucket" for h in re.findall(r"^\| `(holdfast_\w+)` \| histogram", read("docs/metrics.md"), re.M)}
    named = set(re.findall(pattern, text))
    ok(named <= known, f"{name}: {len(named)} metrics exist", *sorted(named - known))


def limits(name, text):
    known = set(re.findall(r"X\(\w+,\s*(\w+),", read("kmod/rules/limits.h")))
    keys = set(re.findall(r"`([a-z]+\.[a-z_]+)`", text))
    config = read("docs/configuration.md")
    missing = [k for k in keys if f"`{k}`" not in config]
    named = {w for w in re.findall(r"`([a-z]+(?:_[a-z]+)*)`", text) if not w.startswith("holdfast_") and ("_" in w or w in known)}
    ok(len(known) > 30 and named <= known and not missing, f"{name}: {len(named)} limits and {len(keys)} settings exist",
       *sorted(named - known), *missing)


def main():
    causes()
    checks()
    alerts(RULES, "docs/runbooks/alerts.md", "tests/agent/rules_test.yml")
    alerts(SLO, "docs/runbooks/slo.md", "tests/agent/slo_test.yml")
    dashboard()
    for path in sorted(glob.glob("docs/runbooks/*.md")):
        text = read(path)
        commands(path, text)
        metrics(path, text, r"`(holdfast_\w+)")
        limits(path, text)
    print(f"1..{tests}")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
