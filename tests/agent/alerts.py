#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Do faults of a real agent reach whoever is called? The shipped rules in a real Prometheus, the shipped example of an
Alertmanager, a receiver. All that is changed is how long one waits (scrapes, "for", groups). Runs in a guest as root
(alerts.sh). Prints TAP."""
import http.server
import json
import os
import pwd
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import api
from live import child, ctl, ok, plan, sim, until

PACKAGING = "scripts/packaging/prometheus/"
ETC = "/tmp/prometheus/"
heard = []      # (receiver, status, labels)


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            heard.append((self.path.strip("/"), alert["status"], alert["labels"], alert["annotations"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def write(name, text):
    with open(ETC + name, "w", encoding="utf-8") as f:
        f.write(text)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def start():
    os.makedirs(ETC, exist_ok=True)
    answer = api.Client("local").call("POST", "/v1/users", {"user": "prometheus", "role": "system", "uid": pwd.getpwnam("hf-system").pw_uid})
    ok(answer.status == 200, "a service account", answer.body)
    made = api.as_account("hf-system", lambda: api.Client("local").call("POST", "/v1/tokens", {"ttl_s": 900}).json)
    ok("result" in made, "and its token", made)
    write("holdfast.token", made["result"]["token"])
    write("holdfast.rules.yml", re.sub(r"for: \d+[mh]\b", "for: 2s", read(PACKAGING + "holdfast.rules.yml")))
    write("holdfast.slo.yml", read(PACKAGING + "holdfast.slo.yml"))
    config = read(PACKAGING + "prometheus.yml").replace("/etc/prometheus/", ETC)
    write("prometheus.yml", config.replace("scrape_interval: 15s", "scrape_interval: 2s\n  evaluation_interval: 2s"))
    config = read(PACKAGING + "alertmanager.yml")
    write("alertmanager.yml", re.sub(r"group_wait: \d+s", "group_wait: 1s", config).replace("group_interval: 5m", "group_interval: 2s"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 9099), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for command, log in ((["prometheus-alertmanager", f"--config.file={ETC}alertmanager.yml", "--storage.path=/tmp/alertmanager", "--cluster.listen-address=",
                           "--web.listen-address=127.0.0.1:9093"], "alertmanager"),
                         (["prometheus", f"--config.file={ETC}prometheus.yml", "--storage.tsdb.path=/tmp/tsdb", "--web.listen-address=127.0.0.1:9090"],
                          "prometheus")):
        with open(f"/tmp/{log}.log", "wb") as f:
            running.append(subprocess.Popen(command, stdout=f, stderr=f))


def query(expr):
    try:
        url = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": expr})
        with urllib.request.urlopen(url, timeout=10) as r:
            return json.load(r)["data"]["result"]
    except OSError:
        return []


def said(status, alert, receiver, **labels):
    return [h for h in heard if h[0] == receiver and h[1] == status and h[2]["alertname"] == alert
            and all(h[2].get(k) == v for k, v in labels.items())]


def fires(alert, receiver, fault, cure, seconds=60, **labels):
    fault()
    good = ok(until(lambda: said("firing", alert, receiver, **labels), seconds), f"{alert} reaches \"{receiver}\"",
              query(f'ALERTS{{alertname="{alert}"}}'), heard[-3:])
    if good:
        book = said("firing", alert, receiver, **labels)[0][3]["runbook"].split("#")[0]
        ok(os.path.exists(book), f"with its runbook, {book}")
    cure()
    ok(until(lambda: said("resolved", alert, receiver, **labels), 90), f"{alert} is resolved", query(f'ALERTS{{alertname="{alert}"}}'), heard[-3:])


def kill(role):
    pid = child(os.environ["AGENT_PID"], role)
    if pid:
        os.kill(pid, signal.SIGKILL)


def main():
    start()
    ok(until(lambda: query('up{job="holdfast"} == 1'), 90), "Prometheus scrapes the agent", query('up{job="holdfast"}'))
    ok(until(lambda: query("holdfast_array_state"), 20), "and sees the array")
    rules = json.load(urllib.request.urlopen("http://127.0.0.1:9090/api/v1/rules", timeout=10))["data"]["groups"]
    health = {r["name"]: r["health"] for g in rules for r in g["rules"]}
    ok(len(health) > 15, f"{len(health)} rules are loaded")
    fires("HoldfastTripped", "now", lambda: ctl("silence", "--latch"), lambda: until(lambda: ctl("reset").returncode == 0, 20), array="lab")
    ctl("silence")
    fires("HoldfastSensorInvalid", "lab", lambda: sim("fault_temp0", "nan"), lambda: sim("fault_temp0", "none"), array="lab", sensor="0")
    fires("HoldfastUnwell", "now", lambda: os.chmod("/dev/holdfast0", 0o666), lambda: os.chmod("/dev/holdfast0", 0o660), check="node")
    for _ in range(4):
        kill("export")
        time.sleep(4)
    ok(until(lambda: said("firing", "HoldfastProcessRestarts", "lab", process="export"), 60), "HoldfastProcessRestarts reaches \"lab\"",
       query("holdfast_process_restarts_total"))
    fires("HoldfastDown", "now", lambda: os.kill(int(os.environ["AGENT_PID"]), signal.SIGTERM), lambda: running.append(
        subprocess.Popen([os.environ.get("HFD", "build/agent/holdfastd"), "--config", "/etc/holdfast/holdfast.yaml"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)), 90)
    health = {r["name"]: (r["health"], r.get("lastError")) for g in json.load(urllib.request.urlopen("http://127.0.0.1:9090/api/v1/rules", timeout=10))["data"]["groups"]
              for r in g["rules"]}
    bad = {name: h for name, h in health.items() if h[0] != "ok"}
    ok(not bad, "every rule could be evaluated all the time", bad)
    for p in running:
        p.terminate()
    plan()


running = []
main()
