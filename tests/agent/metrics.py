#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The page of metrics of a running agent: as the formats want it, true to what the driver and the simulator say,
and only for who may. Runs in a guest as root (metrics.sh). Prints TAP."""
import json
import os
import pwd
import signal
import subprocess

import api
from live import child, ok, plan, sim, until
from metrics_check import Page

HF = os.environ["HF"]
SIM = "/sys/kernel/config/holdfast_sim/lab/"
OPEN = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def ctl(*args, user=None):
    who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
    return subprocess.run([*who, HF, *args], capture_output=True, text=True, check=False, timeout=60)


def scrape(via="local", open_metrics=False, **kw):
    answer = api.Client(via, **kw).call("GET", "/metrics", headers=[OPEN] if open_metrics else [])
    return answer, Page(answer.body.decode(), open_metrics)


def page(**kw):
    return scrape(**kw)[1]


def driver():
    return json.loads(ctl("status", "--json").stdout)


def formats():
    answer, p = scrape()
    ok(answer.status == 200 and not p.wrong, f"Prometheus text: {len(p.samples)} series", answer.status, *p.wrong[:20])
    ok(dict(answer.headers)["content-type"] == "text/plain; version=0.0.4; charset=utf-8", "its type", answer.headers)
    lint = subprocess.run(["promtool", "check", "metrics"], input=answer.body, capture_output=True, check=False)
    ok(lint.returncode == 0, "promtool finds nothing wrong with it", lint.stdout.decode(), lint.stderr.decode())
    answer, p = scrape(open_metrics=True)
    ok(answer.status == 200 and not p.wrong, "OpenMetrics", answer.status, *p.wrong[:20])
    ok(dict(answer.headers)["content-type"].startswith("application/openmetrics-text; version=1.0.0"), "its type", answer.headers)
    answer = api.Client("local").call("GET", "/metrics", headers=["Accept: application/json"])
    ok(answer.status == 406, "JSON is refused", answer.status)
    answer = api.Client("local").call("GET", "/metrics?x=1")
    ok(answer.status == 400, "and so are parameters", answer.status)
    answer = api.Client("local").call("POST", "/metrics")
    ok(answer.status == 405 and dict(answer.headers)["allow"] == "OPTIONS, GET, HEAD", "and other methods", answer.status, answer.headers)


def families(p):
    """Names and labels, without what changes while one looks."""
    return {(n, l) for n, l in p.samples if not n.startswith(("holdfast_scrape_", "holdfast_array_nearest"))}


def command():
    done = ctl("metrics")
    p, q = Page(done.stdout), page()
    ok(done.returncode == 0 and not p.wrong, "holdfastctl metrics", done.stderr, *p.wrong[:10])
    ok(families(p) == families(q), "is the same page", families(p) ^ families(q))
    done = ctl("metrics", "--openmetrics")
    ok(done.returncode == 0 and not Page(done.stdout, True).wrong, "holdfastctl metrics --openmetrics", done.stderr)
    done = ctl("metrics", "--json")
    ok(done.returncode == 0 and json.loads(done.stdout)["arrays"][0]["array"]["serial"] == "lab", "holdfastctl metrics --json", done.stderr)


def values():
    p, d = page(), driver()
    array = {"array": "lab"}
    ok(p.get("holdfast_array_state", state="silent", **array) == 1 and p.get("holdfast_array_state", state="emitting", **array) == 0,
       "state: silent")
    ok(p.get("holdfast_array_sealed", **array) == 1, "sealed")
    for kind, metric, scale in (("temp", "temperature_celsius", 1000), ("supply", "supply_volts", 1000)):
        i = [s["kind"] for s in d["sensors"]].index(kind)
        want = [v for k, v in d["sensors"][i].items() if k.startswith("value")][0] / scale
        got = p.get("holdfast_sensor_" + metric, sensor=str(i), **array)
        ok(got is not None and abs(got - want) < 1, f"{kind}: {got} where the driver has {want}")
    played = ctl("play", "--arm", "--loop", "20", "/tmp/one.hfs", user="hf-operator")
    ok(played.returncode == 0, "frames are played", played.stderr)
    p, d = page(), driver()
    for verdict in ("admitted", "rejected", "malformed"):
        want = d["frames"]["refused" if verdict == "rejected" else verdict]
        ok(p.get("holdfast_frames_total", verdict=verdict, **array) == want, f"frames {verdict}: {want}", p.get("holdfast_frames_total", verdict=verdict, **array))
    ok(p.get("holdfast_frames_total", verdict="admitted", **array) >= 20, "they were admitted")
    ok(p.get("holdfast_array_emission_seconds_total", **array) > 0, "emission took time")
    used, most = p.get("holdfast_tenant_frames", tenant="lab"), p.get("holdfast_tenant_frames_quota", tenant="lab")
    ok(used >= 20 and most == 1000, f"the tenant's frames: {used} of {most}")
    ok(p.get("holdfast_tenant_emission_quota_seconds", tenant="lab") == 600, "quota in seconds")
    point = p.get("holdfast_fence_limit_pascals", point="0", **array)
    ok(point == 500, f"fence: {point} Pa")
    limits = json.loads(ctl("envelope", "show", "--json").stdout)
    held = p.get("holdfast_limit_effective", limit="hold", **array)
    want = [limit for limit in limits["limits"] if limit["name"] == "hold"][0]["effective_ms"]
    ok(held == want, f"limit hold: {held} where the driver has {want}")
    # processes are asked every two seconds: an agent that has just started may not know them yet
    until(lambda: page().get("holdfast_process_resident_memory_bytes", process="local") is not None, 10)
    p = page()
    ok(p.get("holdfast_audit_durable") == 1 and p.get("holdfast_keeper_may_arm") == 1, "the log is durable")
    commits = p.get("holdfast_audit_commit_duration_seconds_count")
    ok(commits and commits == p.get("holdfast_audit_commits_total", result="ok"), f"{commits} commits, each with its time")
    ok(until(lambda: page().get("holdfast_breaker_state", dependency="127.0.0.1:9", state="open") == 1, 20, pause=1), "an open breaker is seen")
    for role in ("parent", "keeper", "auth", "audit", "export", "local"):
        rss, cpu = p.get("holdfast_process_resident_memory_bytes", process=role), p.get("holdfast_process_cpu_seconds_total", process=role)
        ok(rss and 1e6 < rss < 1e8 and cpu and 0 < cpu < 60, f"{role}: {rss} bytes, {cpu} s")


def counters():
    first = page()
    second = page()
    counts = [k for k in first.samples if k[0].endswith(("_total", "_count", "_bucket"))]
    less = [k for k in counts if second.samples.get(k, -1) < first.samples[k]]
    ok(len(counts) > 50 and not less, f"{len(counts)} counters only grow", less)
    ok(second.get("holdfast_governor_ticks_total", array="lab") > first.get("holdfast_governor_ticks_total", array="lab"), "the governor ticks")


def faults():
    ctl("silence")  # or a lost sensor trips
    sim("fault_temp0", "nan")
    ok(until(lambda: page().get("holdfast_sensor_valid", array="lab", sensor="0") == 0, 10, pause=0.2), "a lost sensor is not valid")
    p = page()
    ok(p.get("holdfast_sensor_temperature_celsius", array="lab", sensor="0") is None, "and has no value")
    sim("fault_temp0", "none")
    ok(until(lambda: page().get("holdfast_sensor_valid", array="lab", sensor="0") == 1, 10, pause=0.2), "it is back")
    before = page()
    done = ctl("silence", "--latch")
    ok(done.returncode == 0, "a latched stop", done.stderr)
    ok(until(lambda: page().get("holdfast_array_state", array="lab", state="tripped") == 1, 5, pause=0.2), "state: tripped")
    after = page()
    ok(after.get("holdfast_array_trips_total", array="lab") == before.get("holdfast_array_trips_total", array="lab") + 1, "one trip more")
    seen = (after.get("holdfast_array_trips_seen_total", array="lab", cause="operator") or 0) - \
        (before.get("holdfast_array_trips_seen_total", array="lab", cause="operator") or 0)
    ok(seen == 1, "and by its cause", seen)
    os.kill(child(os.environ["AGENT_PID"], "export"), signal.SIGKILL)
    ok(until(lambda: page().get("holdfast_process_restarts_total", process="export") == 1, 10, pause=0.3), "a process that was killed: one restart")


def who():
    answer, _ = scrape("net")
    ok(answer.status == 401, "without a credential: 401", answer.status)
    got = {}
    for name in ("hf-user", "hf-operator", "hf-system", "hf-guest"):
        status, text = api.as_account(name, lambda: (lambda a: (a.status, a.body.decode()))(api.Client("local").call("GET", "/metrics")))
        got[name] = (status, Page(text))
    ok(got["hf-user"][0] == 403, "a user: 403", got["hf-user"][0])
    p = got["hf-operator"][1]
    ok(got["hf-operator"][0] == 200 and not p.wrong, "a tenant's operator has a page", got["hf-operator"][0], *p.wrong[:5])
    ok(p.get("holdfast_tenant_frames", tenant="lab") is not None and p.get("holdfast_array_sealed", array="lab") == 1, "of his array and quota")
    hidden = [n for n, l in p.samples if n.startswith(("holdfast_http", "holdfast_auth", "holdfast_audit", "holdfast_breaker", "holdfast_keeper_leases", "holdfast_process_cpu", "holdfast_process_resident")) or
              dict(l).get("tenant", "lab") != "lab"]
    ok(not hidden, "and of nothing else", hidden)
    p = got["hf-guest"][1]
    ok(not [n for n, l in p.samples if dict(l).get("array")], "another tenant's sees no array that is not its own")
    made = api.as_account("hf-system", lambda: api.Client("local").call("POST", "/v1/tokens", {}).json)
    token = made["result"]["token"]
    answer, p = scrape("net", bearer=token)
    ok(answer.status == 200 and not p.wrong, "a service with its token, over TCP", answer.status, *p.wrong[:5])
    # a process's numbers are up to a second old
    ok(until(lambda: scrape("net", bearer=token)[1].get("holdfast_http_requests_total", process="front") >= 2, 10, pause=0.3), "whose requests are counted")


def hangs():
    """A page comes in time although a process does not answer (and is killed for it), and says what is missing."""
    pid = child(os.environ["AGENT_PID"], "keeper")
    os.kill(pid, signal.SIGSTOP)
    answer, p = scrape()
    ok(answer.status == 200 and not p.wrong, "keeper stopped: there is a page", answer.status, *p.wrong[:5])
    ok(p.get("holdfast_scrape_success", part="arrays") == 0 and p.get("holdfast_scrape_success", part="status") == 1, "which says what is missing")
    ok(p.get("holdfast_array_state", array="lab", state="silent") is None, "and makes nothing up")


def main():
    done = api.Client("local").call("POST", "/v1/users", {"user": "monitor", "role": "system", "uid": pwd.getpwnam("hf-system").pw_uid})
    if done.status != 200:
        raise SystemExit(f"Bail out! user monitor: {done.body}")
    formats()
    command()
    values()
    counters()
    faults()
    who()
    hangs()
    plan()


if __name__ == "__main__":
    main()
