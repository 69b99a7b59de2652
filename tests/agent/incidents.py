#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Faults of a real agent with a simulated array become incidents; people see to them; they outlive their process; the
outside is told by each kind of channel. Runs in a guest as root (incidents.sh). Prints TAP."""
import collections
import contextlib
import glob
import hashlib
import hmac
import http.server
import json
import os
import pwd
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time
import urllib.request

import api
from ledger import Ledger
from live import child, ctl, ok, plan, player, sim, until

AGENT = int(os.environ["AGENT_PID"])
FOLDER = "/var/lib/holdfast/export/"
KEY = "what only the receiver knows"
heard = []      # (Idempotency-Key, body, signature holds)
lines = []      # of syslog
tries = [0]
answer = [200]


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        tries[0] += 1
        while answer[0] is None:
            time.sleep(0.1)
        want = hmac.new(KEY.encode(), self.headers["X-Holdfast-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
        good = hmac.compare_digest("sha256=" + want, self.headers.get("X-Holdfast-Signature", "")) and \
            abs(time.time() - int(self.headers["X-Holdfast-Timestamp"])) < 120
        if answer[0] == 200:
            heard.append((self.headers["Idempotency-Key"], json.loads(body), good))
        self.send_response(answer[0] or 500)
        self.end_headers()

    def log_message(self, *_):
        pass


def syslog(server):
    while True:
        c, _ = server.accept()
        with c:
            data = b""
            while (more := c.recv(65536)):
                data += more
        length, _, text = data.partition(b" ")
        lines.append((int(length) == len(text), text.decode()))


def receivers():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 9099), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/holdfast/hook.pem", "/tmp/hook.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=syslog, args=(socket.create_server(("127.0.0.1", 6514)),), daemon=True).start()
    silent = socket.create_server(("127.0.0.1", 9098), backlog=64)    # takes connections, never answers
    with open("/tmp/alertmanager.yml", "w", encoding="ascii") as f:
        f.write("route: { receiver: nobody }\nreceivers: [ { name: nobody } ]\n")
    with open("/tmp/alertmanager.log", "wb") as f:
        manager = subprocess.Popen(["prometheus-alertmanager", "--config.file=/tmp/alertmanager.yml", "--storage.path=/tmp/alertmanager",
                                    "--cluster.listen-address=", "--web.listen-address=127.0.0.1:9093"], stdout=f, stderr=f)
    until(lambda: managed() is not None, 60)
    ok(api.Client("local").call("PUT", "/v1/secrets/export-hook", {"value": KEY}).status == 200, "the receiver's secret is kept")
    return silent, manager


def managed():
    """Keys of the active alerts, as Alertmanager has them; None: it does not answer."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:9093/api/v2/alerts?active=true", timeout=10) as r:
            return {a["labels"]["key"]: a["labels"] for a in json.load(r) if a["labels"]["alertname"] == "HoldfastIncident"}
    except OSError:
        return None


def told(key, state):
    """What the hook has heard last of @key is @state."""
    mine = [b for _, b, _ in heard if b["incident"]["key"] == key]
    return mine and mine[-1]["incident"]["state"] == state


def channel(name):
    return next((c for c in export_stats().get("channels", []) if c["name"] == name), {})


def export_stats():
    status = json.loads(ctl("agent", "status", "--json").stdout or '{"processes": []}')
    return next((p.get("stats", {}) for p in status["processes"] if p["role"] == "export"), {})


def get(path, account=None):
    def ask():
        a = api.Client("local").call("GET", path)
        return [a.status, a.result]
    try:
        return api.as_account(account, ask) if account else ask()
    except (OSError, api.Closed):
        return [0, {}]


def post(path, body, account=None):
    def ask():
        a = api.Client("local").call("POST", path, body)
        return [a.status, a.code]
    return api.as_account(account, ask) if account else ask()


def incidents(account=None, query=""):
    return get("/v1/incidents" + query, account)[1].get("incidents", [])


def one(key):
    """The newest about @key."""
    return next((i for i in reversed(incidents()) if i["key"] == key), {})


def state(key, *states, seconds=30):
    return until(lambda: one(key).get("state") in states, seconds)


def kill(role):
    pid = child(AGENT, role)
    if pid:
        os.kill(pid, signal.SIGKILL)
    return pid


def records(action):
    return get("/v1/audit?newest=true&action=" + action)[1].get("records", [])


def reset():
    return until(lambda: ctl("reset").returncode == 0, 30)


def trips():
    sim("fault_temp0", "set:95000")
    if not ok(state("trip/array0", "open"), "a trip opens an incident", incidents(), ctl("status").stdout):
        return
    i = one("trip/array0")
    ok(i["severity"] == "critical" and i["standing"] and "temp-" in i["title"], "it is critical and says why", i)
    ok(stat.S_IMODE(os.stat(f"{FOLDER}incident-{i['id']}.json").st_mode) == 0o600, "it is in a file of its own")
    report = get(f"/v1/incidents/{i['id']}/report")[1]["report"]
    trip = get("/v1/arrays/0/trip")[1]["trip"]
    ok(report["evidence"]["trip"]["seq"] == trip["seq"], "the report has the record of the trip", report["evidence"]["trip"], trip)
    box = report["evidence"]["blackbox"]
    ok(box["entries"] and box["entries"][-1]["kind"] in ("trip", "sample", "state"), f"and {len(box['entries'])} entries of the black box", box["entries"][-2:])
    text = ctl("incident", "report", str(i["id"]))
    ok(text.returncode == 0 and "# Incident" in text.stdout and "## Black box" in text.stdout, "for people, too", text.stdout[:600], text.stderr)
    ok(ctl("incident", "list").stdout.count("trip") >= 1, "the list for people has it", ctl("incident", "list").stdout)
    outside()
    people(i["id"])
    failing()
    survive(i["id"])
    sim("fault_temp0", "none")
    ok(until(lambda: ctl("self-test").returncode == 0, 60), "an emergency: a self-test passes first", ctl("self-test").stderr)
    ok(reset(), "the trip is reset", ctl("reset").stderr)
    ok(state("trip/array0", "resolved"), "which resolves it", one("trip/array0"))
    ok(until(lambda: told("trip/array0", "resolved"), 60), "the webhook hears of that", heard[-1:], channel("hook"))
    ok(until(lambda: "trip/array0" not in (managed() or {"trip/array0": 0}), 60), "and Alertmanager")
    ok(any('state="resolved"' in text and text.startswith("<117>1 ") for _, text in lines), "and syslog", lines[-2:])
    ctl("silence", "--latch")
    ok(state("trip/array0", "open"), "tripped again within ten minutes", one("trip/array0"))
    again = one("trip/array0")
    ok(again["id"] == i["id"] and again["reopened"] == 1 and again["repeats"] == 1, "it is the same one, opened again", again)
    ok(again["severity"] == "warning", "somebody has asked for this trip: a warning", again)
    ok(len(get(f"/v1/incidents/{i['id']}/report")[1]["report"]["evidence"]["blackbox"]["entries"]) == len(box["entries"]), "what was kept first is still there")
    reset()
    ok(state("trip/array0", "resolved"), "and resolved again")


def outside():
    ok(until(lambda: told("trip/array0", "open"), 60), "the webhook hears of it, over TLS", heard, export_stats())
    ok(heard and all(good for _, _, good in heard), "signed with the secret, at this time", heard)
    ok(until(lambda: "trip/array0" in (managed() or {}), 60) and managed()["trip/array0"]["severity"] == "critical", "a real Alertmanager shows it", managed())
    form = re.compile(r'<114>1 \d{4}-\d\d-\d\dT[0-9:.]+Z \S+ holdfastd - incident \[holdfast@32473 id="\d+" change="\d+" key="trip/array0" '
                      r'severity="critical" state="open"\] array 0 \(lab\) tripped: .+')
    ok(until(lambda: any(form.fullmatch(text) and whole for whole, text in lines), 60), "syslog hears of it, as RFC 5424 has it", lines)
    ok(until(lambda: channel("hang").get("failed", 0) > 0, 90), "one that never answers meets its deadline", channel("hang"))
    begun = time.monotonic()
    ok(ctl("silence").returncode == 0 and api.Client("local").call("POST", "/v1/silence", {}).status == 200,
       f"silence does not wait for it ({time.monotonic() - begun:.1f} s)")


def failing():
    """The hook fails for a while: the breaker opens, tries are few, the newest state is told afterwards."""
    before = tries[0]
    begun = time.monotonic()
    ok(until(lambda: channel("hook").get("breaker") == "open", 120), "a receiver that fails opens its breaker", channel("hook"))
    most = 4 + (time.monotonic() - begun) / 5
    ok(tries[0] - before <= most, f"{tries[0] - before} tries, at most {most:.0f}")
    answer[0] = 200
    ok(until(lambda: told("trip/array0", "acknowledged"), 180), "and hears the newest state when it is back", heard[-2:], channel("hook"))
    ok(until(lambda: channel("hook").get("breaker") == "closed" and not channel("hook").get("waiting"), 60), "nothing waits any more", channel("hook"))


def people(number):
    path = f"/v1/incidents/{number}"
    ok(post(path + "/resolve", {}) == [409, "still_wrong"], "what is wrong still is not resolved by hand", post(path + "/resolve", {}))
    answer[0] = 503
    ok(post(path + "/acknowledge", {"comment": "mine"}, "hf-operator") == [200, ""], "an operator of its tenant acknowledges it")
    ok(post(path + "/acknowledge", {}) == [409, "not_open"], "once")
    ok(post(path + "/annotate", {"text": "looked at the fan"}, "hf-operator") == [200, ""], "and annotates it")
    ok(post(path + "/acknowledge", {}, "hf-system")[0] == 403 and post(path + "/annotate", {"text": "x"}, "hf-user")[0] == 403, "services and users may not")
    shown = get(path)[1]["incident"]
    ok(shown["state"] == "acknowledged" and [n["text"] for n in shown["notes"]] == ["looked at the fan"] and shown["notes"][0]["who"] == "peer-operator",
       "both are in it, with who", shown)
    ok("looked at the fan" in ctl("incident", "show", str(number)).stdout, "and for people", ctl("incident", "show", str(number)).stdout)
    for action in ("incident.acknowledge", "incident.annotate", "incident.resolve"):
        r = records(action)
        ok(any(x["phase"] == "intent" and x["object"] == f"incident/{number}" for x in r) and any(x["phase"] == "outcome" for x in r),
           f"{action} is in the audit log", r)
    intents = [x for x in records("incident.annotate") if x["phase"] == "intent"]
    ok(intents and intents[-1]["actor"]["name"] == "peer-operator", "with who did it", intents)
    line = next(t for t in shown["timeline"] if t["what"] == "acknowledged")
    ok(any(x["corr"] == line["corr"] for x in records("incident.acknowledge")), "the timeline's correlation id leads there", line)
    ok([i["key"] for i in incidents("hf-operator")] == ["trip/array0"] and not incidents("hf-guest") and get(path, "hf-guest")[0] == 404,
       "tenants see their own only", incidents("hf-operator"), incidents("hf-guest"))
    ok(state("health/temperature", "open") and any(i["key"] == "health/temperature" for i in incidents("hf-system")), "services without a tenant see the health, too")
    ok([i["key"] for i in incidents("hf-operator")] == ["trip/array0"], "who belongs to a tenant does not")


def survive(number):
    before = get(f"/v1/incidents/{number}")[1]["incident"]
    with open(FOLDER + "incident-77.json", "w", encoding="ascii") as f:
        f.write('{"id": 77, "key": "torn')
    os.chmod(FOLDER + "incident-77.json", 0o600)
    os.chown(FOLDER + "incident-77.json", os.stat(FOLDER).st_uid, os.stat(FOLDER).st_gid)
    old = kill("export")
    ok(until(lambda: child(AGENT, "export") not in (0, old) and get(f"/v1/incidents/{number}")[0] == 200, 60), "export is killed and comes back")
    ok(until(lambda: one("trip/array0").get("standing"), 30), "the keeper tells it again that the array is tripped", one("trip/array0"))
    after = get(f"/v1/incidents/{number}")[1]["incident"]
    ok(all(after[k] == before[k] for k in ("id", "state", "opened_ns", "notes", "repeats", "reopened", "timeline", "change")), "the incident is as it was", before, after)
    ok(os.path.exists(FOLDER + "incident-77.json.damaged") and not os.path.exists(FOLDER + "incident-77.json"), "a torn file is put aside", glob.glob(FOLDER + "*"))
    keeper = kill("keeper")
    ok(until(lambda: child(AGENT, "keeper") not in (0, keeper) and len(get("/v1/arrays")[1].get("arrays", [])) == 1, 60), "the keeper is killed and comes back")
    ok(until(lambda: one("trip/array0").get("standing"), 30) and one("trip/array0")["id"] == number, "and tells the same trip: no second incident", one("trip/array0"))


def health():
    sim("fault_temp0", "nan")
    ok(state("health/sensors", "open"), "a check that fails opens an incident", incidents())
    i = one("health/sensors")
    ok(i.get("severity") == "warning" and i.get("detail"), "with what it has found", i)
    ok(i["id"] > 77, "no number is used twice, a damaged one's neither", i)
    sim("fault_temp0", "none")
    ok(state("health/sensors", "resolved"), "and is resolved when it is well", one("health/sensors"))
    ok(one("health/trips") == {}, "a tripped array has one incident, not two", incidents())


def array_gone():
    ctl("silence", "--latch")
    state("trip/array0", "open")
    sim("live", "0")
    ok(until(lambda: not one("trip/array0").get("standing", True), 30), "of an array that has gone nobody knows", one("trip/array0"))
    ok(post(f"/v1/incidents/{one('trip/array0')['id']}/resolve", {"comment": "unplugged"})[0] == 200, "so it can be resolved by hand", one("trip/array0"))
    ok(one("trip/array0")["state"] == "resolved", "and is")


class Stream:
    """GET /v1/incidents/stream over the unix socket, read by a thread."""

    def __init__(self, last=None, bearer=None):
        self.events, self.status, self.over, self.comments, self.s = [], 0, False, 0, api.connect("local")
        self.s.sendall(("GET /v1/incidents/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                        + (f"Authorization: Bearer {bearer}\r\n" if bearer else "")
                        + (f"Last-Event-ID: {last}\r\n" if last is not None else "") + "\r\n").encode())
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        data = b""
        try:
            while (more := self.s.recv(65536)):
                data += more
                self.parse(data)
        except OSError:
            pass
        self.over = True

    def parse(self, data):
        head, _, body = data.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])
        text, rest = b"", body
        while (size := rest.partition(b"\r\n"))[1] and len(size[2]) >= (n := int(size[0], 16)) + 2:
            text += size[2][:n]
            rest = size[2][n + 2:]
            if not n:
                self.over = True
                break
        blocks = text.decode().split("\n\n")[:-1]
        self.comments = sum(b.startswith(":") for b in blocks)
        self.events = [dict(line.split(": ", 1) for line in b.split("\n")) for b in blocks if "data: " in b]

    def close(self):
        with contextlib.suppress(OSError):  # the server was first
            self.s.shutdown(socket.SHUT_RDWR)   # close() alone would wait for the thread's recv()
        self.s.close()

    def states(self, key):
        return [i["state"] for i in (json.loads(e["data"]) for e in self.events if e["event"] == "incident") if i["key"] == key]


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def streams():
    s = Stream()
    ok(until(lambda: s.status == 200 and s.states("trip/array0"), 30), "a stream begins with what is kept", s.status, s.events)
    ids = [int(e["id"]) for e in s.events]
    ok(ids == sorted(ids), "the oldest change first", ids)
    ctl("silence", "--latch")
    ok(until(lambda: s.states("trip/array0")[-1] == "open", 30), "and tells the next change", s.events[-1:])
    last = s.events[-1]["id"]
    ok(until(lambda: s.comments > 0, 60), "without any it says that it lives", s.comments)
    s.close()
    reset()
    ok(state("trip/array0", "resolved"), "while nobody listens it is resolved")
    s = Stream(last)
    ok(until(lambda: s.states("trip/array0"), 30) and s.states("trip/array0")[-1] == "resolved" and all(int(e["id"]) > int(last) for e in s.events),
       "who comes again with the id hears of that, and not of what he has heard", s.events)
    bad = api.Client("local").call("GET", "/v1/incidents/stream", headers=["Last-Event-ID: x"])
    ok(bad.status == 400, "an id that is none is refused", bad.status)
    crowd = [Stream(last) for _ in range(4)]
    ok(until(lambda: 503 in [c.status for c in crowd], 30), "of one source four at most", [c.status for c in crowd])
    for c in crowd:
        c.close()
    again = Stream(last)
    ok(until(lambda: again.status, 30) and again.status == 200, "who has closed has no place any more", again.status)
    again.close()
    with open("/tmp/watch.log", "wb") as out:
        watch = subprocess.Popen([os.environ["HF"], "incident", "watch"], stdout=out)
    time.sleep(2)
    ctl("silence", "--latch")
    ok(until(lambda: re.search(r" open, warning: array 0 .*tripped", lines_of("/tmp/watch.log")), 30), "incident watch prints the next change", lines_of("/tmp/watch.log"))
    watch.kill()
    watch.wait()
    reset()
    revoked()


def revoked():
    """A stream lasts as long as the token it was asked for with, and not a question longer."""
    account = {"user": "listener", "role": "system", "uid": pwd.getpwnam("hf-system").pw_uid}
    ok(api.Client("local").call("POST", "/v1/users", account).status == 200, "a service account")
    made = api.as_account("hf-system", lambda: api.Client("local").call("POST", "/v1/tokens", {}).json).get("result", {})
    ok("token" in made, "and its token", made)
    s = Stream(bearer=made.get("token"))
    ok(until(lambda: s.status == 200 and s.events, 30) and not s.over, "a program listens with a token", made, s.status, s.events)
    gone = api.Client("local").call("DELETE", f"/v1/tokens/{made.get('id')}")
    ok(gone.status == 200, "the token is revoked", gone.status, gone.json)
    ok(until(lambda: s.over, 20), "its stream ends", s.events[-1:])
    ok(s.events[-1:] == [{"event": "end", "data": "unauthenticated"}], "and says why", s.events[-1:])
    anew = Stream(bearer=made.get("token"))
    ok(until(lambda: anew.status, 20) and anew.status == 401, "and there is no other with it", anew.status)
    anew.close()
    state("trip/array0", "resolved")
    old = kill("local")
    ok(until(lambda: s.over, 30) and until(lambda: child(AGENT, "local") not in (0, old) and get("/v1/status")[0] == 200, 60), "a killed process ends it")


def hanging():
    """Receivers hang while the array plays: silence does not notice."""
    ledger = Ledger("lab")
    answer[0] = None
    ctl("silence", "--latch")
    state("trip/array0", "open")
    reset()
    ok(until(lambda: channel("hook").get("waiting"), 60), "the webhook hangs, and messages wait for it", channel("hook"))
    p = player()
    ok(until(lambda: ledger.read() or ledger.emitting, 30), "the array plays", lines_of("/tmp/play.log")[-400:])
    begun = time.monotonic()
    status = api.Client("local").call("POST", "/v1/arrays/0/silence", {}).status
    took = time.monotonic() - begun
    p.kill()
    p.wait()
    ledger.read()
    waited = channel("hook")
    ok(status == 200 and not ledger.emitting, f"silence meanwhile: {took * 1e3:.0f} ms", status)
    ok(waited["waiting"] and took < 10, "and they still wait", waited)
    answer[0] = 200
    ok(until(lambda: not channel("hook").get("waiting"), 180), "the webhook hears the rest when it is back", channel("hook"))


def new_key():
    """Another secret: messages are signed with it, without a restart."""
    global KEY
    heard.clear()
    KEY = "another one"
    ok(api.Client("local").call("PUT", "/v1/secrets/export-hook", {"value": KEY}).status == 200, "the secret is changed")

    def again():
        ctl("silence", "--latch")
        state("trip/array0", "open", seconds=10)
        reset()
        state("trip/array0", "resolved", seconds=10)
        return heard and heard[-1][2]
    ok(until(again, 150, 10), "and used with the messages after a minute", [good for _, _, good in heard], channel("hook"))


def main():
    held = receivers()
    trips()
    streams()
    health()
    times = collections.Counter(k for k, b, _ in heard)
    ok(max(times.values()) <= 2, "no message was told more than once again", times)
    bodies = {}
    ok(all(bodies.setdefault(k, b["incident"]["state"]) == b["incident"]["state"] for k, b, _ in heard), "and what has the same key says the same")
    ok(all(good for _, _, good in heard), f"all {len(heard)} were signed")
    mine = export_stats()["incidents"]
    ok(mine["unsaved"] == 0 and mine["refused"] == 0, "nothing was lost", mine)
    hanging()
    new_key()
    array_gone()
    held[1].kill()
    plan()


main()
