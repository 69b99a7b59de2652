#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Do the eBPF tools tell what happened, all of it and nothing else?

Runs in a guest, as root; prints TAP ("brief" leaves out how tools end by themselves). Two judges: what bpf_load was told by the driver, and the
kernel's own ftrace, which records the same tracepoints without BPF. `bpf-tools.py none` is for a
kernel without BPF, `bpf-tools.py host` for what can be asked anywhere.
"""
import ctypes
import errno
import glob
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal

TOOLS = os.environ.get("HF_BPF_TOOLS", "build/agent")
MODDIR = os.environ.get("HOLDFAST_MODDIR", "")
FTRACE = "/sys/kernel/tracing/"
SIM = "/sys/kernel/config/holdfast_sim"
WORK = f"/tmp/bpf-tools-{os.getpid()}"
NAMES = ("top", "lat", "snoop", "trace")
PATIENCE = 60
tests = failures = 0


def ok(good, name, *more):
    """One result; @more is printed if it is not good. Returns @good."""
    global tests, failures
    tests += 1
    failures += not good
    print("ok" if good else "not ok", tests, "-", name)
    for line in () if good else more:
        print("#  ", str(line)[:2000].replace("\n", "\n#   "))
    sys.stdout.flush()
    return good


def same(a, b, name):
    """The tool's word and the judge's; of long lists, what only one of them has."""
    only_a, only_b = a, b
    if isinstance(a, list) and isinstance(b, list):
        only_a, only_b = [x for x in a if x not in b], [x for x in b if x not in a]
        only_a, only_b = (only_a, only_b) if only_a or only_b else (f"{len(a)} in another order", len(b))
    return ok(a == b, name, f"the tool: {only_a}", f"the judge: {only_b}")


def until(what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def without_bpf():
    """From here on bpf(2) is a call that this kernel does not have."""
    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
    no_bpf = b"".join(struct.pack("HBBI", *op) for op in (
        (0x20, 0, 0, 0),                        # the number of the call
        (0x15, 0, 1, 321),                      # bpf(2) of x86_64
        (0x06, 0, 0, 0x00050000 | errno.ENOSYS),
        (0x06, 0, 0, 0x7FFF0000)))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(Program(4, no_bpf))) == 0


def begin(name, *args, prefix=(), before=None):
    return subprocess.Popen([*prefix, f"{TOOLS}/holdfast-{name}", *args], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, preexec_fn=before)


def ended(p):
    """(exit status, standard error)"""
    err = p.communicate(timeout=PATIENCE)[1]
    return p.returncode, err


def once(*args, **more):
    """The same of a tool that is to end by itself."""
    return ended(begin(*args, **more))


def args_of(name):
    return [name, f"{WORK}/refused.json"] if name == "trace" else [name]


class Tool:
    """A tool that runs until it is told to end."""
    count = 0

    def __init__(self, name, *args):
        Tool.count += 1
        self.path = f"{WORK}/{Tool.count}-{name}"
        with open(self.path + ".out", "wb") as out, open(self.path + ".err", "wb") as err:
            self.p = subprocess.Popen([f"{TOOLS}/holdfast-{name}", *args], stdout=out, stderr=err)

    def text(self, what="out"):
        with open(f"{self.path}.{what}", encoding="utf-8") as f:
            return f.read()

    def ready(self):
        if not until(lambda: "watching" in self.text("err") or self.p.poll() is not None):
            return False
        return self.p.poll() is None

    def stop(self):
        self.p.send_signal(signal.SIGINT)
        return self.p.wait(PATIENCE)


def start(*specs):
    tools = [Tool(*spec) for spec in specs]
    ok(all([t.ready() for t in tools]), f"{len(tools)} tools watch", *[t.text("err") for t in tools])
    return tools


def stop(tools, want=0):
    codes = [t.stop() for t in tools]
    ok(codes == [want] * len(tools), f"they end with {want} when they are asked to", codes,
       *[t.text("err") for t in tools])


# ------------------------------------------------------------------- judges

class Ftrace:
    """The kernel's own record of the tracepoints."""
    LINE = re.compile(r"\s(\d+\.\d+): holdfast_(\w+): (.*)$")

    def __init__(self):
        self.write("tracing_on", "0")
        self.write("buffer_size_kb", "8192")
        self.write("trace_clock", "mono")
        self.write("trace", "")
        self.write("events/holdfast/enable", "1")
        self.write("tracing_on", "1")

    @staticmethod
    def write(name, value):
        with open(FTRACE + name, "w", encoding="ascii") as f:
            f.write(value)

    def end(self):
        """[(event, {field: text})], in order."""
        self.write("tracing_on", "0")
        self.write("events/holdfast/enable", "0")
        events = []
        with open(FTRACE + "trace", encoding="ascii", errors="replace") as f:
            for line in f:
                m = self.LINE.search(line)
                if m:
                    events.append((m[2], dict(w.split("=", 1) for w in m[3].split())))
        lost = [int(line.split()[1]) for path in glob.glob(FTRACE + "per_cpu/cpu*/stats")
                for line in open(path, encoding="ascii") if line.startswith(("overrun:", "dropped"))
                and line.split()[1].isdigit()]
        ok(events and not any(lost), "the judge itself lost nothing", lost)
        return events


class Load:
    """bpf_load: known work, and what the driver said of it."""
    runs = 0

    def __init__(self, frames, *more):
        Load.runs += 1
        self.out = f"{WORK}/load-{Load.runs}"
        self.p = subprocess.Popen(["build/tests/vm/bpf_load", self.out, str(frames), *more],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.is_ = self.said("ready")
        self.records = []

    def said(self, kind):
        line = self.p.stdout.readline()
        if not line.startswith("{"):
            print(f"Bail out! bpf_load: {line.strip()}")
            sys.exit(1)
        said = json.loads(line)
        assert said["kind"] == kind, said
        return said

    def go(self):
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        self.said("done")
        with open(self.out, encoding="utf-8") as f:
            self.records = lines(f.read())

    def end(self):
        self.p.stdin.write("\n")
        self.p.stdin.close()
        ok(self.p.wait(PATIENCE) == 0, "the work ends")
        for name in self.is_["names"]:
            with open(f"{SIM}/{name}/live", "w", encoding="ascii") as f:
                f.write("0")
            os.rmdir(f"{SIM}/{name}")

    def of(self, kind, **want):
        return [r for r in self.records
                if r["kind"] == kind and all(r[k] == v for k, v in want.items())]

    def counts(self, **want):
        """{(pid, lease): (admitted, attenuated, refused, outputs)}"""
        return {(r["pid"], r["lease"]): (r["admitted"], r["attenuated"], r["refused"],
                                         r["admitted"] + r["attenuated"])
                for r in self.of("process", **want)}


# ------------------------------------------------------ what is said where something is missing

def says(name, got, want_code, *words):
    code, err = got
    good = code == want_code and err.count("\n") == 1 and all(w in err for w in words)
    ok(good, f"{name}: {' '.join(words)}, exit status {want_code}", code, err)


def load_modules(core=None):
    for path in (core or f"{MODDIR}/holdfast.ko", f"{MODDIR}/holdfast_sim.ko"):
        subprocess.run(["insmod", path], check=True)


def unload_modules():
    for name in ("holdfast_sim", "holdfast"):
        subprocess.run(["rmmod", name], check=True)


def refcount():
    with open("/sys/module/holdfast/refcnt", encoding="ascii") as f:
        return int(f.read())


def only(*caps):
    """A prefix that runs a command with these capabilities alone."""
    return ["setpriv", "--bounding-set=" + ",".join(["-all", *("+" + c for c in caps)])]


def all_say(code, *words, **more):
    """What each tool says, at the same time."""
    for name, p in [(name, begin(*args_of(name), **more)) for name in NAMES]:
        says(name, ended(p), code, *words)


def test_missing():
    subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/kernel/btf"], check=True)
    all_say(3, "this kernel has no BTF")
    subprocess.run(["umount", "/sys/kernel/btf"], check=True)
    all_say(5, "the driver is not loaded")
    ok(not os.path.exists(f"{WORK}/refused.json"), "no file is begun for nothing")

    stripped = f"{WORK}/holdfast.ko"
    subprocess.run(["objcopy", "--remove-section=.BTF", "--remove-section=.BTF_ids",
                    f"{MODDIR}/holdfast.ko", stripped], check=True)
    load_modules(stripped)
    all_say(5, "the driver has no BTF")
    unload_modules()

    load_modules()
    all_say(4, "CAP_BPF and CAP_PERFMON", "missing", prefix=only())
    says("lat", once("lat", prefix=only("bpf")), 4, "missing: CAP_PERFMON")
    says("lat", once("lat", prefix=only("perfmon")), 4, "missing: CAP_BPF")
    code, err = once("lat", "1", "1", prefix=only("bpf", "perfmon"))
    ok(code == 0, "these two are enough", code, err)
    says("trace", once(*args_of("trace")), 1, "there is no array")
    code, err = once("trace", "-i", "0", f"{WORK}/refused.json")
    ok(code == 1 and not os.path.exists(f"{WORK}/refused.json"), "no file for an array that is not there")


def test_lockdown():
    """The last one: there is no way back."""
    with open("/sys/kernel/security/lockdown", "w", encoding="ascii") as f:
        f.write("confidentiality")
    code, err = once("lat", "1", "1")
    ok(code == 0, "a kernel that is locked down is no hindrance", code, err)


def test_host():
    """What needs no guest."""
    all_say(3, "this kernel has no BPF", before=without_bpf)
    for args in (["top", "0"], ["lat", "-i", "x"], ["snoop", "--trips", "--refusals"], ["trace"],
                 ["top", "-s", "size"], ["snoop", "-p", "0"], ["lat", "1", "1", "1"]):
        code, err = once(*args)
        ok(code == 2 and err, f"holdfast-{' '.join(args)}: bad usage, exit status 2", code, err)
    for name in NAMES:
        code, err = once(name, "--help")
        ok(code == 0 and not err, f"holdfast-{name} --help")


def test_no_bpf():
    all_say(3, "this kernel has no BPF")


# ------------------------------------------------------------------ each tool against its judges

def judge_top(tool, text, load, ftrace, queue):
    rounds = lines(tool.text())
    totals, sums, comms = {}, Counter(), {}
    for r in rounds:
        for row in r["rows"]:
            key = (row["pid"], row["lease"])
            totals[key] = tuple(row["total"][k] for k in ("admitted", "attenuated", "refused", "outputs"))
            sums.update({(key, k): row[k] for k in ("admitted", "attenuated", "refused", "outputs")})
            comms[row["pid"]] = row["comm"]
            assert row["frames"] == row["admitted"] + row["attenuated"] + row["refused"], row
            assert row["cost_max_ns"] >= row["cost_mean_ns"] and row["frames"] * row["cost_mean_ns"] >= 0
            assert bool(row["frames"]) == bool(row["cost_mean_ns"]), row
    same(totals, load.counts(), "top: totals per process and lease, by verdict")
    by_sum = {key: tuple(sums[key, k] for k in ("admitted", "attenuated", "refused", "outputs"))
              for key in totals}
    same(by_sum, load.counts(), "top: the intervals add up to them")
    same(comms, {r["pid"]: r["comm"] for r in load.of("process")}, "top: names, also of who is gone")
    ok(all(r["lost"] == {"no_room": 0, "per_cpu": {}, "missed": 0} for r in rounds), "top: nothing lost")
    same({r["queue"] for r in rounds}, {queue}, "top: says whether the driver has queues")

    fill, most = {}, {}
    for f in (f for k, f in ftrace if k == "queue"):
        key = (int(f["pid"]), int(f["lease"]))
        fill[key] = int(f["queued"]), int(f["room"])
        most[key] = max(most.get(key, 0), int(f["queued"]))
    seen = [((row["pid"], row["lease"]), row["queue"]) for r in rounds for row in r["rows"] if row["queue"]]
    same({key: (q["queued"], q["room"]) for key, q in seen}, fill, "top: how full queues are")
    same({key: max(q["queued_max"] for k, q in seen if k == key) for key, _ in seen}, most,
         "top: how full they were")

    table, shown = Counter(), re.compile(r"^ *(\d+) +(\d+) (.{15}) +(\d+) +([\d.]+) +(\d+) +(\d+) +(\d+) +(\d+) ")
    for line in text.text().splitlines():
        m = shown.match(line)
        if m:
            for i in range(4):
                table[(int(m[2]), int(m[4])), i] += int(m[6 + i])
    keys = {k for k, _ in table}
    same({k: tuple(table[k, i] for i in range(4)) for k in keys}, load.counts(index=load.is_["a"]),
         "top -i: the table for people adds up to them, of that array alone")


def slot_bounds_fit(slots):
    return all(s["count"] > 0 and s["to_ns"] >= s["from_ns"] and
               (s["from_ns"] == 0 or s["from_ns"] & (s["from_ns"] - 1) == 0) and
               (s["from_ns"] == 0 or s["to_ns"] == 2 * s["from_ns"] - 1) for s in slots)


def buckets(values):
    return Counter(v.bit_length() for v in values)


def judge_lat(tool, text, load, ftrace):
    want = {"admission_cost": [], "submit_to_emit": [], "onset_to_silence": [], "detect_to_silence": []}
    for event, f in ftrace:
        if event == "frame":
            want["admission_cost"].append(int(f["cost_ns"]))
        elif event == "output":
            want["submit_to_emit"].append(int(f["emit_ns"]) - int(f["submit_ns"]))
        elif event == "trip":
            want["onset_to_silence"].append(int(f["silence_ns"]) - int(f["onset_ns"]))
            want["detect_to_silence"].append(int(f["silence_ns"]) - int(f["detect_ns"]))
    rounds = lines(tool.text())
    for kind, values in want.items():
        got = Counter()
        for r in rounds:
            got.update({s["from_ns"].bit_length(): s["count"] for s in r[kind]["slots"]})
            assert sum(s["count"] for s in r[kind]["slots"]) == r[kind]["count"], r[kind]
            assert slot_bounds_fit(r[kind]["slots"]), r[kind]
        same(got, buckets(values), f"lat: every bucket of {kind}")
        same((sum(r[kind]["sum_ns"] for r in rounds), max(r[kind]["max_ns"] for r in rounds)),
             (sum(values), max(values)), f"lat: sum and maximum of {kind}")
    counts = [sum(c) for c in zip(*load.counts().values())]
    same((len(want["admission_cost"]), len(want["submit_to_emit"]), len(want["onset_to_silence"])),
         (sum(counts[:3]), counts[3], len(load.of("trip"))), "lat: totals are those of the work")
    shown = text.text()
    heads = [int(n) for n in re.findall(r"^[a-z].*: (\d+)(?:, mean|$)", shown, re.M)]
    bars = [sum(int(n) for n in re.findall(r"^ +\d+ -> \d+ +: (\d+) ", part, re.M))
            for part in re.split(r"^\w.*: \d+(?:, mean.*)?$", shown, flags=re.M)[1:]]
    here = [sum(c) for c in zip(*load.counts(index=load.is_["b"]).values())]
    same((heads, bars), ([sum(here[:3]), here[3], 0, 0],) * 2, "lat -i: the text, of that array alone")


def reason_of(r):
    none = r["limit"] == "none"
    return (r["limit"], None if none or r["where"] in (-1, None) else r["where"],
            None if none else r["measured"], None if none else r["bound"])


def refusals(records):
    return sorted((r["index"], r["pid"], r["comm"], r["lease"], int(r["cookie"]), *map(str, reason_of(r)))
                  for r in records)


def trips(records):
    return [(r["index"], r["cause"].replace("_", "-"), r["onset_ns"], r["detect_ns"], r["silence_ns"],
             r["pid"] or None, r["lease"] or None, r["limit"], r["limit"] != "none" and r["measured"],
             r["limit"] != "none" and r["bound"]) for r in records]


def judge_snoop(everything, alpha_text, only_trips, only_b, load):
    a, b, alpha = load.is_["a"], load.is_["b"], load.is_["alpha"]
    said = lines(everything.text())
    same(refusals([r for r in said if r["event"] == "refused"]), refusals(load.of("refused")),
         "snoop: every refusal, with who, which frame, limit, where, measured and bound")
    same(trips([r for r in said if r["event"] == "trip"]), trips(load.of("trip")),
         "snoop: every trip, with cause, times and whom the driver lays it to")
    ok({r["unit"] for r in said if r["limit"] == "amp_cap"} == {"q16"} and
       {r["unit"] for r in said if r["limit"] == "supply_min"} == {"mV"}, "snoop: units")
    ok(all((r["cause"] is None) == (r["event"] == "refused") for r in said), "snoop: refusals have no cause")
    ok(all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", r["time"]) for r in said), "snoop: times")
    times = [r["monotonic_ns"] for r in said]
    # a CPU may take its place in the ring and be interrupted before it looks at the clock
    ok(all(y - x > -1_000_000_000 for x, y in zip(times, times[1:])), "snoop: in order", times)
    rows = alpha_text.text().splitlines()[1:]
    mine = load.of("refused", pid=alpha)
    ok(len(rows) == len(mine) and all(re.search(rf" {a} refused +- +{alpha} bpf-alpha ", r) and
                                      r.rstrip().endswith(" %") for r in rows),
       f"snoop -p: a line for each of {len(mine)} refusals, with units", *rows[:3])
    same(trips(lines(only_trips.text())), trips(load.of("trip")), "snoop --trips -i: trips alone")
    same(refusals(lines(only_b.text())), refusals(load.of("refused", index=b)),
         "snoop --refusals -i: that array alone")


PHASES = {"M": set(), "X": {"dur", "cat"}, "b": {"cat", "id"}, "e": {"cat", "id"}, "C": {"cat"},
          "i": {"cat", "s"}}


def read_trace(path):
    """The file as the description of Chrome's trace event format has it; nothing of the tool's."""
    with open(path, encoding="utf-8") as f:
        t = json.load(f, parse_float=Decimal)
    assert set(t) == {"traceEvents", "displayTimeUnit", "otherData"} and t["displayTimeUnit"] == "ns"
    for e in t["traceEvents"]:
        assert set(e) - {"ph", "pid", "tid", "ts", "name", "args"} == PHASES[e["ph"]], e
        assert all(isinstance(e[k], int) and 0 <= e[k] < 2**31 for k in ("pid", "tid")), e
        assert isinstance(e["name"], str) and isinstance(e["args"], dict), e
        assert e["ts"] >= 0 and e.get("dur", 0) >= 0, e
        assert e["ph"] != "C" or all(isinstance(v, int) for v in e["args"].values()), e
        assert e["ph"] != "M" or (e["name"] in ("process_name", "thread_name") and e["args"]["name"])
    return t["traceEvents"], t["otherData"]


def run_in(part, whole):
    """Is @part a run of @whole without a gap?"""
    return any(whole[i:i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def end_of(e):
    return e["ts"] + e.get("dur", 0)


def judge_trace(path, load, ftrace, queue):
    a = load.is_["a"]
    events, other = read_trace(path)
    cats = {}
    for e in events:
        cats.setdefault(e.get("cat"), []).append(e)
    names = {(e["name"], e["pid"], e["tid"]): e["args"]["name"] for e in events if e["ph"] == "M"}
    mine = [(k, f) for k, f in ftrace if f["index"] == str(a)]

    got = Counter((e["pid"], e["args"]["lease"], e["name"]) for e in cats["frame"])
    want = Counter()
    for key, c in load.counts(index=a).items():
        want.update({(*key, v): n for v, n in zip(("admit", "attenuate", "reject"), c) if n})
    same(got, want, "trace: frames per process, lease and verdict")
    # Two leases are traced side by side, each in its own order.
    each = [(e["pid"], e["args"]["lease"], int(e["args"]["cookie"]), e["name"], int(e["dur"] * 1000))
            for e in cats["frame"]]
    same(sorted(each, key=lambda e: e[:2]),
         sorted(((int(f["pid"]), int(f["lease"]), int(f["cookie"]), f["verdict"], int(f["cost_ns"]))
                 for k, f in mine if k == "frame"), key=lambda e: e[:2]),
         "trace: each frame with its cost, those of a lease in order")
    begins = {e["id"]: e for e in cats["output"] if e["ph"] == "b"}
    ends = [e for e in cats["output"] if e["ph"] == "e"]
    same(sorted((int(begins[e["id"]]["ts"] * 1000), int(e["ts"] * 1000), e["pid"],
                 int(begins[e["id"]]["args"]["cookie"])) for e in ends),
         sorted((int(f["submit_ns"]), int(f["emit_ns"]), int(f["pid"]), int(f["cookie"]))
                for k, f in mine if k == "output"), "trace: each output, from submit to emit")
    ok(len(begins) == len(ends), "trace: every span has an end")
    same([(e["name"], int(e["ts"] * 1000), int(end_of(e) * 1000)) for e in cats["trip"]],
         [(t["cause"].replace("_", "-"), t["detect_ns"], t["silence_ns"]) for t in load.of("trip")],
         "trace: each trip, from detection to silence")
    states = [e for e in cats["state"] if "lasts" not in e["args"]]
    ok(states and run_in([(e["name"], e["args"]["then"], e["args"]["by"]) for e in states],
                         [(f["from"], f["to"], f["detail"]) for k, f in mine if k == "state"]),
       "trace: each state, as ftrace has them")
    last = [e for e in cats["state"] if "lasts" in e["args"]]
    ok(len(last) == 1 and last[0]["name"] == states[-1]["args"]["then"] and
       all(x["ts"] + x["dur"] == y["ts"] for x, y in zip(cats["state"], cats["state"][1:])),
       "trace: the states leave no gap, and the last one lasts to the end")
    ok(run_in([(e["args"]["late_ns"], int(e["dur"] * 1000)) for e in cats["tick"]],
              [(int(f["late_ns"]), int(f["cost_ns"])) for k, f in mine if k == "tick"]) and
       len(cats["tick"]) > 50, "trace: each tick, without a gap")
    readings = [(e["name"], next(iter(e["args"].values()))) for e in cats["sensor"] if e["ph"] == "C"]
    ok(run_in(readings, [(f"sensor {f['sensor']} {f['kind']}", int(f["value"]))
                         for k, f in mine if k == "sensor" and f["fault"] == "ok"]) and
       len(readings) > 50, "trace: each reading of a sensor, without a gap")
    queues = [f for k, f in mine if k == "queue"]
    same([(e["pid"], e["args"]) for e in cats.get("queue", [])],
         [(int(f["pid"]), {"queued": int(f["queued"]), "room": int(f["room"])}) for f in queues],
         "trace: each change of a queue" if queue else "trace: no queue in this driver")
    sums = {k: len(cats.get(k, [])) for k in other["events"]}
    sums.update(output=len(ends), state=len(states))
    same(sums, other["events"], "trace: its own sums are those of its entries")
    same((other["lost"], other["out_of_order"], other["not_understood"], other["ended_by"], other["array"]),
         ({"no_room": 0, "per_cpu": {}, "missed": 0}, 0, 0, "signal", a), "trace: nothing lost, none out of order")
    finished = [end_of(e) for e in events if e["ph"] not in ("M", "b") and e.get("cat") != "lost"]
    ok(all(x <= y for x, y in zip(finished, finished[1:])), "trace: entries stand in the order in which they ended")
    tracks = {}
    for e in events:
        if e["ph"] == "X":
            tracks.setdefault((e["pid"], e["tid"]), []).append((e["ts"], end_of(e)))
    ok(all(x[1] <= y[0] for t in tracks.values() for x, y in zip(sorted(t), sorted(t)[1:])),
       "trace: spans of a track do not overlap")
    ok(all(("thread_name", *k) in names and any(n == "process_name" and p == k[0] for n, p, _ in names)
           for k in tracks), "trace: every track has a name", names)
    ok(f"bpf-alpha {load.is_['alpha']}" in names.values() and f"holdfast{a}" in names.values(),
       "trace: processes and the array by their names", names)


def test_complete():
    before = refcount()
    idle = start(("top", "--json", "1"), ("lat", "--json", "2"), ("snoop", "--json"))
    judge = Ftrace()
    load = Load(300, "trips")
    a, b = str(load.is_["a"]), str(load.is_["b"])
    path = f"{WORK}/trace.json"
    tools = idle + start(("top", "-b", "-r", "0", "-i", a, "1"), ("lat", "-i", b),
                         ("snoop", "-p", str(load.is_["alpha"]), "--refusals"),
                         ("snoop", "--json", "--trips", "-i", a),
                         ("snoop", "--json", "--refusals", "-i", b), ("trace", "-i", a, path),
                         ("snoop", "--json", "--trips", "-i", b))
    load.go()
    ok(refcount() > before, "tools that watch pin the driver")
    stop(tools)
    ftrace = judge.end()
    load.end()
    same(refcount(), before, "and let it go")
    for status in load.of("status"):
        counts = [sum(c) for c in zip(*load.counts(index=status["index"]).values())]
        # "rejected" of the driver: by a limit. What came while it was tripped is refused by none.
        none = len(load.of("refused", index=status["index"], limit="none"))
        same((counts[0], counts[1], counts[2] - none),
             (status["admitted"], status["attenuated"], status["rejected"]),
             f"the work counts as array {status['index']} does")
    queue = os.path.exists(FTRACE + "events/holdfast/holdfast_queue")
    judge_top(tools[0], tools[3], load, ftrace, queue)
    judge_lat(tools[1], tools[4], load, ftrace)
    judge_snoop(tools[2], tools[5], tools[6], tools[7], load)
    judge_trace(path, load, ftrace, queue)
    same(tools[9].text(), "", "snoop --trips -i: none of an array that has none")


def test_losses():
    """A reader that stands still: what it misses is counted, and told."""
    load = Load(200)
    a = str(load.is_["a"])
    path = f"{WORK}/lossy.json"
    narrow, wide = Counter(), Counter()
    judge = Ftrace()
    tools = start(("snoop", "--json", "-b", "4"), ("trace", "-i", a, "-b", "4", path))
    begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    for t in tools:
        t.p.send_signal(signal.SIGSTOP)
    load.go()
    for t in tools:
        t.p.send_signal(signal.SIGCONT)
    end = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    stop(tools, 6)
    judge.end()
    load.end()
    with open(FTRACE + "trace", encoding="ascii") as f:
        for line in f:
            m = Ftrace.LINE.search(line)
            if m and f"index={a} " in m[3]:
                wide[m[2]] += 1
                narrow[m[2]] += begin < Decimal(m[1]) * 10**9 < end
    said = lines(tools[0].text())
    told = [r for r in said if r["event"] == "refused"]
    lost = [r["lost"] for r in said if r["event"] == "lost"]
    if not ok(lost and lost[-1]["no_room"] > 0, "snoop: some found no room", said[-1:]):
        return
    same(len(told) + lost[-1]["no_room"] + lost[-1]["missed"], len(load.of("refused")),
         "snoop: told and lost are together what there was")
    # Who was gone when the reader went on has no name, if its frames were judged in another process.
    right = {r[:2] + r[3:] for r in refusals(load.of("refused"))}
    ok({r[:2] + r[3:] for r in refusals(told)} <= right, "snoop: what is told is right", told)
    same(sum(lost[-1]["per_cpu"].values()), lost[-1]["no_room"], "snoop: losses per CPU")
    ok("lost:" in tools[0].text("err") and "lost:" in tools[1].text("err"), "both say so at the end")
    events, other = read_trace(path)
    n = other["lost"]["no_room"] + other["lost"]["missed"]
    total = sum(other["events"].values()) + n
    ok(n > 0 and sum(narrow.values()) <= total <= sum(wide.values()),
       "trace: written and lost are together what there was", other, narrow, wide)
    same(sum(e["args"]["events"] for e in events if e.get("cat") == "lost"), n,
         "trace: the file says where the losses are")
    same(sum(other["lost"]["per_cpu"].values()), other["lost"]["no_room"], "trace: losses per CPU")


def test_ends():
    """Ends of its own: a count, a duration, a size."""
    code, err = once("lat", "--json", "1", "2")
    ok(code == 0, "lat: COUNT intervals", code, err)
    load = Load(100)
    a = str(load.is_["a"])
    path = f"{WORK}/short.json"
    code, err = once("trace", "-i", a, "-d", "1", path)
    _, other = read_trace(path)
    ok(code == 0 and other["ended_by"] == "duration" and other["events"]["tick"] > 0, "trace: a duration", err)
    snoop = start(("snoop", "--json", "-c", "5"))[0]
    load.go()
    ok(snoop.p.wait(PATIENCE) == 0 and len(lines(snoop.text())) == 5, "snoop: a count of lines")
    code, err = once("trace", "-i", a, "-d", "1", "/dev/full")
    ok(code == 1 and "/dev/full" in err, "trace: a file that takes nothing is an error", code, err)
    load.end()


def main():
    os.makedirs(WORK, exist_ok=True)
    if sys.argv[1:] == ["none"]:
        test_no_bpf()
    elif sys.argv[1:] == ["host"]:
        test_host()
    else:
        if not os.path.ismount("/sys/kernel/config"):
            subprocess.run(["mount", "-t", "configfs", "none", "/sys/kernel/config"], check=True)
        all_tests = (test_missing, test_complete, test_losses, test_ends)
        for test in all_tests[:3] if sys.argv[1:] == ["brief"] else all_tests:
            begin = time.monotonic()
            test()
            print(f"# {test.__name__}: {time.monotonic() - begin:.1f} s")
        test_lockdown()
        unload_modules()
        ok(not os.path.exists("/sys/module/holdfast"), "the driver can be unloaded afterwards")
    shutil.rmtree(WORK)
    print(f"1..{tests}")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
