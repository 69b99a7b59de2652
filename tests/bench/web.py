# SPDX-License-Identifier: GPL-2.0
"""What the benchmarks over HTTP share: nginx with a static file, node_exporter, wrk, and rounds in which
everything is measured after each other. Nothing about Holdfast."""
import json
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import time

CONNECTIONS = 16

NGINX = """
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
user {user};
events {{ worker_connections 1024; }}
http {{
	access_log off;
	sendfile on;
	tcp_nopush on;
	default_type application/json;
	keepalive_requests 1000000;
	server {{ listen 127.0.0.1:{port}; root {dir}/www; }}
}}
"""

# A refused or broken request is no figure: it ends the benchmark.
DONE = """
done = function(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'RESULT {"requests_per_s": %.0f, "p50_us": %.0f, "p99_us": %.0f, "max_us": %.0f, "bad": %d}\\n',
		summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
		latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise SystemExit(f"{p} is missing (scripts/deps bench)")


def arguments():
    """FOLDER [SECONDS [ROUNDS]]; the tree becomes the working folder."""
    folder = os.path.abspath(sys.argv[1])
    seconds, rounds = sys.argv[2:] + ["3", "5"][len(sys.argv) - 2:]
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    return folder, max(1, round(float(seconds))), int(rounds)   # wrk: whole seconds


def until(fn, what, seconds=30):
    end = time.monotonic() + seconds
    while not fn():
        if time.monotonic() > end:
            raise SystemExit(what)
        time.sleep(0.05)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Nginx:
    """Serves body as /file, by one process, while the block runs."""

    def __init__(self, folder, port, body):
        self.url, self.port = f"http://127.0.0.1:{port}/file", port
        self.dir = os.path.join(folder, "nginx")
        os.makedirs(os.path.join(self.dir, "www"))
        with open(os.path.join(self.dir, "www", "file"), "wb") as f:
            f.write(body)
        with open(os.path.join(self.dir, "nginx.conf"), "w", encoding="utf-8") as f:
            f.write(NGINX.format(dir=self.dir, port=port, user=pwd.getpwuid(os.geteuid()).pw_name))

    def __enter__(self):
        # -e: what it says before it has read where to log
        self.process = subprocess.Popen(["nginx", "-e", self.dir + "/nginx.log", "-c", self.dir + "/nginx.conf"])
        until(lambda: listens(self.port), "nginx does not listen")
        return self

    def __exit__(self, *why):
        self.process.terminate()
        self.process.wait()


class NodeExporter:
    """With the collectors that it has by default, while the block runs."""

    def __init__(self, folder, port):
        self.url, self.port, self.log = f"http://127.0.0.1:{port}/metrics", port, os.path.join(folder, "node_exporter.log")

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.port}"], stderr=log)
        until(lambda: listens(self.port), "node_exporter does not listen")
        return self

    def __exit__(self, *why):
        self.process.terminate()
        self.process.wait()


class Target:
    """One thing to ask for: how often can it be had? beside: name of the target it is compared with."""

    def __init__(self, name, url, headers=(), connections=CONNECTIONS, beside=None):
        self.name, self.url, self.headers, self.connections, self.beside = name, url, headers, connections, beside


def wrk(target, seconds, script):
    command = ["wrk", "-t1", f"-c{target.connections}", f"-d{seconds}s", "--timeout", "20s", "-s", script]
    for header in target.headers:
        command += ["-H", header]
    run = subprocess.run(command + [target.url], capture_output=True, text=True, check=False)
    lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    result = json.loads(lines[0][7:]) if lines else {"bad": "no result"}
    if result.pop("bad") or not result["requests_per_s"]:
        raise SystemExit(f"{target.name}: requests failed\n{run.stdout}{run.stderr}")
    return result


def middle(rounds):
    """The median of every figure."""
    return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def ratio(a, b, key):
    """The median of what the ratio was in each round: a neighbour on the machine is in both sides."""
    return round(statistics.median(x[key] / y[key] for x, y in zip(a, b)), 3)


def measure(targets, folder, seconds, rounds, also=lambda: None):
    """Asks for each target in turn, as many rounds; also() is called once a round."""
    script = os.path.join(folder, "done.lua")
    with open(script, "w", encoding="utf-8") as f:
        f.write(DONE)
    found = {t.name: [] for t in targets}
    for _ in range(rounds):
        for t in targets:
            found[t.name].append(wrk(t, seconds, script))
        also()
    ratios = {}
    for t in targets:
        # Many connections keep the server busy: how much does it do? One: how long does it take?
        first = "requests_per_s" if t.connections > 1 else "p50_us"
        for key in (first, "p99_us") if t.beside else ():
            word = key.removesuffix("_us").removesuffix("_per_s")
            ratios[f"{t.name}_vs_{t.beside}_{word}"] = ratio(found[t.name], found[t.beside], key)
    return {
        "processors": os.cpu_count(), "seconds": seconds, "rounds": rounds,
        "requests": {t.name: {"connections": t.connections, **middle(found[t.name])} for t in targets},
        "ratios": ratios,
    }
