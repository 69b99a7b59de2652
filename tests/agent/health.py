#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Each health check, flipped by a fault that is really there and back again when it is gone or mended; and what
whoever asks gets while a process hangs. Runs in a guest as root (health.sh). Prints TAP.

    health.py HOLDFASTD SANDBOX CONFIG LOG"""
import fcntl
import http.server
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import api
import corpus_send
import inject
from ledger import Ledger
from live import HF, child, ctl, ok, plan, player, sim, until

HFD, SANDBOX, CONFIG, LOG = sys.argv[1:5]
STATE = "/var/lib/holdfast"
ROLES = ("audit", "auth", "keeper", "export", "local", "front", "fleet")
SELF_TEST = 3 << 30 | 40 << 16 | 0xDF << 8 | 0x23   # HOLDFAST_IOC_SELF_TEST
MMAP, POPULATE = 9, 0x8000 | 0x22
HUNG_CALLS, ASKERS = 130, 5     # for each of eight processes: over 1000
flipped = set()


def report():
    try:
        answer = api.Client("local").call("GET", "/health/detailed")
    except (OSError, api.Closed):
        return {"health": "none", "ready": False, "checks": []}
    return answer.result if answer.status == 200 else {"health": f"{answer.status}", "ready": False, "checks": []}


def check(name):
    return next((c for c in report()["checks"] if c["name"] == name), {"health": "none", "text": ""})


def says(name, *levels, seconds=20, pause=0.05):
    return until(lambda: check(name)["health"] in levels, seconds, pause)


def levels():
    return {c["name"]: f"{c['health']} {c['text']}" for c in report()["checks"] if c["health"] != "ok"}


def probe_open(via):
    s = api.connect(via, 10)
    if via == "net":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = context.wrap_socket(s, server_hostname="localhost")
    return s, s.makefile("rb")


def probe_on(connection, path):
    s, f = connection
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer = api.read_answer(f)
    return answer.status, answer.body.decode()


def probe(path, via="local"):
    connection = probe_open(via)
    try:
        return probe_on(connection, path)
    finally:
        connection[1].close()
        connection[0].close()


def pid_of(role):
    return child(agent.pid, role)


def flip(name, wrong, fault, cure, what, seconds=20, back=25, pause=0.05):
    """@fault() makes the check say one of @wrong, @cure() makes it say ok again; asked with a @pause between."""
    ok(says(name, "ok", seconds=30), f"{name}: ok before", check(name))
    fault()
    got = says(name, *wrong, seconds=seconds, pause=pause)
    text = check(name)["text"]
    if ok(got and text, f"{name}: {what}: {'/'.join(wrong)}: {text}", check(name)):
        flipped.add(name)
    cure()
    ok(says(name, "ok", seconds=back, pause=pause), f"{name}: and ok again", check(name))
    history = check(name).get("history", [])
    ok(len(history) >= 2 and history[-1]["to"] == "ok" and history[-2]["to"] in wrong, f"{name}: both are in its history", history)


def reload():
    os.kill(agent.pid, signal.SIGHUP)


def configure(old, new):
    with open(CONFIG, encoding="utf-8") as f:
        text = f.read()
    assert old in text, old
    with open(CONFIG, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new, 1))
    reload()


def device():
    os.chown("/dev/holdfast0", 0, int(subprocess.run(["getent", "group", "holdfast"], capture_output=True, text=True, check=True).stdout.split(":")[2]))
    os.chmod("/dev/holdfast0", 0o660)


def fill(leave):
    """All but @leave bytes of the disk."""
    st = os.statvfs(STATE)
    with open(STATE + "/fill", "wb") as f:
        left = st.f_bavail * st.f_frsize - leave
        while left > 0:
            f.write(bytes(min(left, 65536)))
            left -= 65536


def empty():
    os.unlink(STATE + "/fill")


class Collector:
    """A receiver of anchors, on and off."""

    def __init__(self):
        self.s = None

    def on(self):
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("127.0.0.1", 601))
        self.s.listen(16)
        threading.Thread(target=self.take, args=(self.s,), daemon=True).start()

    @staticmethod
    def take(s):
        while True:
            try:
                c, _ = s.accept()
            except OSError:
                return
            with c:
                while c.recv(65536):
                    pass

    def off(self):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()


class Bus:
    """nats-server, where the configuration has the fleet's."""

    def on(self):
        with open("/tmp/nats.conf", "w", encoding="ascii") as f:
            f.write('listen: "127.0.0.1:4222"\njetstream { store_dir: "/tmp/nats", max_file_store: 1073741824 }\n')
        self.p = subprocess.Popen(["nats-server", "-c", "/tmp/nats.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def off(self):
        self.p.kill()
        self.p.wait()


class Hold:
    """A process, and whoever takes its place, is stopped."""

    def __init__(self, role, pause=0.2):
        self.role, self.pause, self.done, self.stopped = role, pause, threading.Event(), set()
        self.thread = threading.Thread(target=self.hold)

    def hold(self):
        while not self.done.is_set():
            pid = agent.pid if self.role == "parent" else pid_of(self.role)
            if pid and pid not in self.stopped:
                os.kill(pid, signal.SIGSTOP)
                self.stopped.add(pid)
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        for pid in self.stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


def self_test():
    fd = os.open("/dev/holdfast0", os.O_RDWR)
    try:
        fcntl.ioctl(fd, SELF_TEST, bytearray(struct.pack("I", 40)) + bytes(36))
    finally:
        os.close(fd)


# ---------------------------------------------------------------- the faults

def processes():
    """Whoever is started instead hangs, too; when that is over, the supervisor's next one is the remedy."""
    ok(says("processes", "ok", seconds=30), "processes: ok before", check("processes"))
    pid = pid_of("export")
    with Hold("export"):
        if ok(says("processes", "fail", seconds=40), f"processes: {check('processes')['text']}", check("processes")):
            flipped.add("processes")
    ok(says("processes", "ok", seconds=60), "processes: and ok again", check("processes"))
    ok(pid_of("export") not in (0, pid), "processes: another export")


def driver():
    def again():
        sim("live", "1")
        until(lambda: os.path.exists("/dev/holdfast0"), 10)
        device()
    flip("driver", ("fail",), lambda: sim("live", "0"), again, "the array is gone", 20, 40)


def node():
    flip("node", ("fail",), lambda: os.chmod("/dev/holdfast0", 0o666), lambda: os.chmod("/dev/holdfast0", 0o660), "open to everybody")


def sensors():
    ctl("silence")
    flip("sensors", ("fail",), lambda: sim("fault_temp0", "nan"), lambda: sim("fault_temp0", "none"), "one gives no number")


def temperature():
    # It trips as well if it is armed; it is not.
    flip("temperature", ("warn", "fail"), lambda: sim("fault_temp0", "set:57000"), lambda: sim("fault_temp0", "none"), "close to what trips")


def supply():
    flip("supply", ("warn", "fail"), lambda: sim("fault_supply", "set:9100"), lambda: sim("fault_supply", "none"), "close to what trips")


def trips():
    ctl("reset")
    flip("trips", ("warn", "fail"), lambda: ctl("silence", "--latch"), lambda: until(lambda: ctl("reset").returncode == 0, 20), "a latched stop")


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Listener:
    """Who is told of incidents, there and away."""
    server = None

    def on(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 9099), Sink)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def off(self):
        self.server.shutdown()
        self.server.server_close()


def alerts():
    def nobody():
        listener.off()
        ctl("silence", "--latch")

    flip("alerts", ("warn", "fail"), nobody, listener.on, "nobody is there to be told", 30, 150)
    ctl("reset")
    says("trips", "ok")


def beat():
    """Stopped for most of the deadline, but not all of it: on a busy machine that may take some tries."""
    def late():
        for _ in range(6):
            pid = pid_of("keeper")
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.68)
            os.kill(pid, signal.SIGCONT)
            if says("beat", "warn", "fail", seconds=6):
                return
            ctl("reset")
    flip("beat", ("warn", "fail"), late, lambda: None, "a beat just in time", 5, 40)
    ctl("reset")


def events():
    """More events than the buffer holds, while no audit process takes any."""
    ok(says("events", "ok", seconds=30), "events: ok before", check("events"))
    with Hold("audit", 0.02):
        for _ in range(1500):
            self_test()
    if ok(says("events", "warn", seconds=40), f"events: a flood: {check('events')['text']}", check("events")):
        flipped.add("events")
    ok(says("events", "ok", seconds=100), "events: and ok again, once a minute has passed", check("events"))


def leases():
    held = []

    def take():
        held.extend(corpus_send.lease_fd("hf-operator") for _ in range(14))

    def give():
        for fd in held:
            os.close(fd)
    flip("leases", ("warn", "fail"), take, give, "14 of 16 are given")


def limits():
    flip("limits", ("warn",), lambda: configure("power_avg: 20000000", "power_avg: 21000000"), lambda: configure("power_avg: 21000000", "power_avg: 20000000"),
         "the configuration wants a looser limit than is sealed")


def self_tests():
    def fault():
        sim("selftest_fail", "1")
        self_test()
    # Nobody tests it again but the remedy.
    flip("self_test", ("fail",), fault, lambda: sim("selftest_fail", "0"), "the hardware's own test fails", 20, 120)
    remedy = check("self_test")["remedy"]
    ok(until(lambda: check("self_test")["remedy"]["last"] == "helped", 20) and remedy["attempts"] >= 1, "self_test: the remedy has run it again, and that has helped", remedy)


def calibration():
    flip("calibration", ("warn",), lambda: configure("- match: lab\n", "- match: lab\n    calibrated: '2020-01-31'\n"),
         lambda: configure("    calibrated: '2020-01-31'\n", ""), "years ago")


def anchors():
    def work():
        ctl("envelope", "show")
        ctl("whoami")
        api.Client("local").call("POST", "/v1/keys/rotate", {"comment": "something to anchor"})
    collector.off()
    ok(says("anchors", "ok", seconds=30), "anchors: ok before", check("anchors"))
    work()
    if ok(says("anchors", "fail", seconds=30), f"anchors: nobody takes them: {check('anchors')['text']}", check("anchors")):
        flipped.add("anchors")
    ok(until(lambda: report().get("level") == "no_export", 10), "anchors: the agent is at no_export", report().get("level"))
    collector.on()
    ok(says("anchors", "ok", seconds=90), "anchors: and ok again", check("anchors"))
    ok(until(lambda: report().get("level") == "full", 40), "anchors: and at full again", report().get("level"))


def keys():
    path = STATE + "/auth/signing-keys"
    old = time.time() - 500 * 86400
    flip("keys", ("warn",), lambda: os.utime(path, (old, old)), lambda: api.Client("local").call("POST", "/v1/keys/rotate", {"comment": "due"}),
         "500 days old, and rotated")


def certificate():
    make = ["tests/agent/health.sh", "certificate"]
    flip("certificate", ("warn",), lambda: subprocess.run([*make, "5"], check=True), lambda: subprocess.run([*make, "90"], check=True), "five days left")


def clock():
    def step(s):
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + s)
    flip("clock", ("warn",), lambda: step(3600), lambda: None, "set by an hour", 20, 60)
    step(-3600)
    says("clock", "warn", seconds=10)
    says("clock", "ok", seconds=60)


def standby():
    """One is wanted: there is none, one comes, it is lost."""
    def other():
        with open(LOG, "ab") as log:
            return subprocess.Popen([HFD, "--standby", "--config", CONFIG, "--sandbox", SANDBOX], stdout=log, stderr=log)
    configure("cpu_percent: 60", "standbys: 1, cpu_percent: 60")
    ok(says("standby", "warn"), f"standby: none is there: {check('standby')['text']}", check("standby"))
    there = other()
    ok(says("standby", "ok", seconds=30), "standby: ok when one is", check("standby"))
    flip("standby", ("warn",), there.kill, lambda: configure("standbys: 1, ", ""), "it is killed")
    there.wait()


def fleet():
    flip("fleet", ("warn", "fail"), bus.off, bus.on, "the bus is gone", 60, 90, pause=0.5)


def configuration():
    with open(CONFIG, "ab") as f:
        f.write(b"# somebody was here\n")
    ok(says("configuration", "warn"), f"configuration: changed and not reloaded: {check('configuration')['text']}", check("configuration"))
    flipped.add("configuration")
    reload()
    ok(says("configuration", "ok"), "configuration: ok when it is in force", check("configuration"))


def memory():
    front = pid_of("front")
    ok(says("memory", "ok", seconds=30), "memory: ok before", check("memory"))
    got = inject.syscall(front, MMAP, 0, 220 << 20, 3, POPULATE, -1 & (1 << 64) - 1, 0)
    ok(got > 0, "220 MiB more for front", got)
    if ok(says("memory", "fail", seconds=30), f"memory: {check('memory')['text']}", check("memory")):
        flipped.add("memory")
    ok(until(lambda: pid_of("front") not in (0, front), 20), "memory: the remedy is another front", check("memory"))
    ok(says("memory", "ok", seconds=40), "memory: and ok again", check("memory"))
    ok(until(lambda: check("memory")["remedy"]["last"] == "helped", 20), "memory: it is seen to have helped", check("memory"))


def cpu():
    stop = threading.Event()

    def hammer():
        client = api.Client("local")
        while not stop.is_set():
            client.call("GET", "/v1/status")

    def fault():
        for _ in range(2):
            threading.Thread(target=hammer, daemon=True).start()
    configure("cpu_percent: 60", "cpu_percent: 20")
    # twenty questions a second would be the fault themselves on a slow machine
    flip("cpu", ("warn",), fault, stop.set, "somebody asks all the time", 90, 60, pause=3)
    configure("cpu_percent: 20", "cpu_percent: 60")


def disk():
    flip("disk", ("warn", "fail"), lambda: fill(6 << 20), empty, "little room is left", 20, 40)


def audit():
    ok(probe("/readyz")[0] == 200, "ready", probe("/readyz?verbose"))
    ok(says("audit", "ok", seconds=30), "audit: ok before", check("audit"))
    ledger = Ledger("lab")
    playing = player()
    emits = until(lambda: ledger.read() or ledger.emitting, 20)
    ok(emits, "audit: the array emits before, by the ledger", ctl("status").stdout)
    fill(0)
    got = until(lambda: (api.Client("local").call("POST", "/v1/keys/rotate", {"comment": "no room"}), check("audit")["health"] == "fail")[1], 60)
    if ok(got, f"audit: the disk is full: {check('audit')['text']}", check("audit")):
        flipped.add("audit")
    ok(until(lambda: probe("/readyz")[0] == 503, 10), "audit: not ready", probe("/readyz?verbose"))
    text = probe("/readyz?verbose")[1]
    ok("[-]audit fail" in text and "[+]driver ok" in text and text.endswith("readyz check failed\n"), "audit: the probe says which", text)
    ok(probe("/readyz?exclude=audit")[0] == 200, "audit: whoever does not care may leave it out")
    ok(probe("/livez")[0] == 200 and probe("/startupz")[0] == 200, "audit: alive and started all the same")
    ok(until(lambda: report().get("level") == "silent", 20), "audit: the keeper has silenced all, and the agent is at silent", report().get("level"))
    ledger.read()
    ok(emits and not ledger.emitting and not ledger.lost, "audit: the array emits no more, by the ledger")
    playing.kill()
    playing.wait()
    ok(ctl("silence").returncode == 0, "audit: silencing works")
    empty()
    ok(says("audit", "ok", seconds=60), "audit: and ok again", check("audit"))
    ok(until(lambda: report().get("level") == "full", 90), "audit: and at full again", report().get("level"))
    ok(until(lambda: probe("/readyz")[0] == 200, 10), "ready again")


def database():
    """A page of the file is overwritten. Last: nobody knows what else that does."""
    path = STATE + "/auth/users.db"
    with open(path, "r+b") as f:
        f.seek(4096)
        page = f.read(4096)

        def write(data):
            f.seek(4096)
            f.write(data)
            f.flush()
        flip("database", ("fail",), lambda: write(b"\x5a" * 4096), lambda: write(page), "a page is overwritten", 70, 70)


# -------------------------------------------------------------------- asking

def asked():
    r = report()
    ok(len(r["checks"]) >= 16 and r["ready"] and r["started"], f"{len(r['checks'])} checks", r)
    ok(all(set(c) >= {"name", "what", "health", "since_ns", "text", "history"} for c in r["checks"]), "each says what, since when, and what it said before")
    # a probe knows what the parent said with its last PING, up to two seconds ago
    until(lambda: probe("/readyz", "net")[0] == 200, 10)
    status, text = probe("/readyz?verbose", "net")
    ok(status == 200 and "[+]processes ok" in text and "degrees" not in text, "the network sees names and words", text)
    for path in ("/readyz?x", "/readyz?verbose&verbose", "/readyz?exclude=", "/livez?exclude=" + "x" * 30, "/startupz?verbose=1"):
        ok(probe(path)[0] == 400, f"{path}: 400", probe(path))
    c = api.as_account("hf-operator", lambda: api.Client("local").call("GET", "/health/detailed").result)["checks"]
    ok(c and all(set(one) == {"name", "health"} for one in c), "who belongs to a tenant sees levels only", c)
    answer = api.as_account("hf-user", lambda: api.Client("local").call("GET", "/health/detailed").status)
    ok(answer == 403, "a user: 403", answer)
    done = ctl("health")
    ok(done.returncode == 0 and re.search(r"^(ok|warn): \d+ checks$", done.stdout, re.M), "holdfastctl health", done.stdout + done.stderr)
    done = ctl("health", "--detailed")
    ok(done.returncode == 0 and "memory" in done.stdout and "remedy restart_largest: none" in done.stdout, "--detailed", done.stdout + done.stderr)
    done = ctl("health", "--json")
    ok(done.returncode == 0 and json.loads(done.stdout)["checks"], "--json", done.stderr)
    watch = subprocess.Popen([HF, "health", "--watch"], stdout=subprocess.PIPE, text=True)
    time.sleep(5)
    watch.send_signal(signal.SIGINT)
    ok(len(re.findall("checks", watch.communicate(timeout=10)[0])) >= 2, "--watch says it again")


def hung(role, times):
    """A process hangs all the time. Answers come within 5 s, whatever they say."""
    def ask():
        client = api.Client("local")
        secure = probe_open("net") if role == "local" else None     # it does not answer itself, of course
        for i in range(HUNG_CALLS // ASKERS):
            begin = time.monotonic()
            try:
                if secure:
                    probe_on(secure, "/readyz?verbose")
                else:
                    client.call("GET", "/health/detailed" if i % 2 else "/readyz?verbose")
            except (OSError, api.Closed):
                client.close()      # of a process that was just killed
            times.append(time.monotonic() - begin)
    before = len(times)
    askers = [threading.Thread(target=ask) for _ in range(ASKERS)]
    with Hold(role):
        for a in askers:
            a.start()
        for a in askers:
            a.join()
    mine = sorted(times[before:])
    ok(len(mine) == HUNG_CALLS, f"{role} hangs: {len(mine)} answers, the latest after {mine[-1]:.2f} s")
    ok(until(lambda: report().get("ready"), 60), f"{role}: well again", levels())


def main():
    global agent
    collector.on()
    listener.on()
    bus.on()
    with open(LOG, "ab") as log:
        agent = subprocess.Popen([HFD, "--config", CONFIG, "--sandbox", SANDBOX], stdout=log, stderr=log)
    ok(until(lambda: report()["health"] == "ok", 60), "all is well", levels())
    asked()
    for fault in (processes, driver, node, sensors, temperature, supply, trips, alerts, beat, events, leases, limits, calibration, anchors, keys, certificate,
                  configuration, standby, fleet, memory, cpu, clock, disk, audit, self_tests, database):
        fault()
    names = {c["name"] for c in report()["checks"]}
    ok(names and names == flipped, "every check was flipped", names ^ flipped)
    records = api.audit_search(lambda path: api.Client("local").call("GET", path), action="health.change")
    ok({r["object"] for r in records} >= flipped - {"audit"}, "every change is in the audit log", flipped - {r["object"] for r in records})
    ok(api.audit_search(lambda path: api.Client("local").call("GET", path), action="remedy.step"), "and the remedies are")
    steps = [(r["detail"]["from"], r["detail"]["to"]) for r in
             api.audit_search(lambda path: api.Client("local").call("GET", path), action="agent.level")]
    ok(all(before != after for before, after in steps) and all(a[1] == b[0] for a, b in zip(steps, steps[1:])) and
       ("silent", "read_only") in steps and ("read_only", "no_export") in steps and ("silent", "full") not in steps,
       "the agent's level is in it, down at once and up step by step", steps)
    times = []
    for role in ("parent", *ROLES):
        hung(role, times)
    times.sort()
    ok(len(times) >= 1000 and times[len(times) * 99 // 100] < 5, f"{len(times)} answers with each process hanging in turn: p50 {times[len(times) // 2]:.3f} s, "
       f"p99 {times[len(times) * 99 // 100]:.3f} s, latest {times[-1]:.3f} s")
    agent.terminate()
    ok(agent.wait(30) == 0, "the agent ends in order")
    bus.off()
    plan()


agent = None
listener = Listener()
collector = Collector()
bus = Bus()
main()
