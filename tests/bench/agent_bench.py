#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The whole holdfastd as it is shipped, with its users, sandboxes and links, over TCP: what a log-in costs
beside the bare password hash, what a token or a session costs in a request, how many requests there
are in a second beside nginx serving a static file, and a page of metrics beside node_exporter's. JSON on standard output; root only.
  agent_bench.py FOLDER [SECONDS [ROUNDS]]

It runs in namespaces of its own: users that are made there and the configuration are not this machine's, all
processes end with it, and the driver's netlink is out of its sight. The configuration names no array,
so that none of this machine's is touched."""
import contextlib
import ctypes
import json
import os
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../agent"))
sys.dont_write_bytecode = True
import api  # noqa: E402
import web  # noqa: E402

CLONE_NEWNS = 0x20000
HOLDFASTD, HASH = "build/agent/holdfastd", "build/tests/bench/auth_bench"
PORT, NGINX_PORT, NODE_PORT = 18240, 18241, 18242
URL = f"http://127.0.0.1:{PORT}"
CONFIG = f"""
paths: {{ state: /mnt/state, run: /mnt/run }}
api: {{ port: {PORT}, connections_per_source: 128, requests_per_minute: 10000000, login_per_minute: 1000 }}
"""
SECRET = "/mnt/state/auth/first-run-secret"
PASSWORD = "correct horse battery"
LOGINS = 8      # one after the other, then as many at once; of one round
# One user's tries at the same time count as guesses: those at once are of as many users.
USERS = [f"user-{n}" for n in range(LOGINS)]


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def namespaces():
    """This program again, as the first process where all end with it and the network is its own."""
    if os.getpid() != 1:
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              sys.executable, *sys.argv])


def own_mounts():
    """Here, not by whoever started this: what follows must never be mounted over this machine's /etc."""
    before = os.readlink("/proc/thread-self/ns/mnt")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise SystemExit("no mount namespace: " + os.strerror(ctypes.get_errno()))
    if os.readlink("/proc/thread-self/ns/mnt") == before:
        raise SystemExit("no mount namespace of its own")
    run("mount", "--make-rprivate", "/")


def world(folder):
    """/etc with the agent's users, and a short path to FOLDER, whose disk is what is measured."""
    own_mounts()
    etc, state = folder + "/etc", folder + "/mnt"
    os.mkdir(etc)
    os.mkdir(state)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "none", etc)
    run("cp", "-a", "/etc/.", etc)
    run("mount", "--bind", etc, "/etc")
    run("mount", "--bind", state, "/mnt")
    run("ip", "link", "set", "lo", "up")
    run("systemd-sysusers", os.path.abspath("scripts/packaging/sysusers.d/holdfast.conf"))
    os.makedirs("/etc/holdfast", exist_ok=True)
    with open("/etc/holdfast/holdfast.yaml", "w", encoding="utf-8") as f:
        f.write(CONFIG)
    api.TCP, api.SOCKET = ("127.0.0.1", PORT), "/mnt/run/api.sock"


def answers():
    return web.listens(PORT) and os.path.exists(api.SOCKET) and os.path.exists(SECRET)


@contextlib.contextmanager
def agent(folder):
    with open(folder + "/holdfastd.log", "w+", encoding="utf-8") as log:
        # its settings can come from the environment
        settings = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
        process = subprocess.Popen([HOLDFASTD], stderr=log, env=settings)
        try:
            web.until(lambda: process.poll() is not None or answers(), "holdfastd does not answer")
            yield
            process.terminate()
            if process.wait(60):
                raise SystemExit(f"holdfastd ended with {process.returncode}")
            log.seek(0)
            restarts = [line for line in log if '"process.exit"' in line]
            if restarts:
                raise SystemExit("processes of the agent ended: " + "".join(restarts))
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read())
            process.kill()
            raise


def call(client, method, path, body=None):
    answer = client.call(method, path, body)
    if answer.status != 200:
        raise SystemExit(f"{method} {path}: {answer.status} {answer.json}")
    return answer


def log_in(user):
    client = api.Client("net")
    begin = time.monotonic()
    answer = call(client, "POST", "/v1/login", {"user": user, "password": PASSWORD})
    took = time.monotonic() - begin
    client.close()
    return took, answer.cookie


def log_out(cookie):
    call(api.Client("net", cookie=cookie), "POST", "/v1/logout")


def people():
    """ann asks, the others only log in. Returns her cookie, her token, and an answer to her."""
    with open(SECRET, encoding="ascii") as f:
        secret = f.read().strip()
    call(api.Client("local"), "POST", "/v1/setup", {"secret": secret, "user": "ann", "password": PASSWORD})
    ann = api.Client("net", cookie=log_in("ann")[1])
    for user in USERS:
        call(ann, "POST", "/v1/users", {"user": user, "role": "operator", "password": PASSWORD})
    token = call(ann, "POST", "/v1/tokens", {"ttl_s": 900}).result["token"]
    return ann.cookie, token, call(ann, "GET", "/v1/whoami").body


class Logins:
    def __init__(self, folder):
        self.folder, self.rounds, self.took = folder, [], []

    def one_by_one(self):
        for user in USERS:
            took, cookie = log_in(user)
            self.took.append(took * 1e6)
            log_out(cookie)
        return statistics.median(self.took[-LOGINS:])

    def at_once_per_s(self):
        cookies = []
        threads = [threading.Thread(target=lambda user=user: cookies.append(log_in(user)[1])) for user in USERS]
        begin = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took = time.monotonic() - begin
        if len(cookies) != LOGINS:
            raise SystemExit("log-ins at the same time: not all were answered")
        for cookie in cookies:
            log_out(cookie)
        return LOGINS / took

    def hash_us(self):
        out = subprocess.run([HASH, self.folder, "1", "1", "argon2id"], check=True, capture_output=True).stdout
        return json.loads(out)["costs"]["argon2id"]["p50_ns"] / 1e3

    def round(self):
        hash_us = self.hash_us()
        self.rounds.append({"p50_us": self.one_by_one(), "at_once_per_s": self.at_once_per_s(),
                            "hash_us": hash_us, "hashes_per_s": 1e6 / hash_us})

    def figures(self):
        found = {key: round(value, 1) for key, value in web.middle(self.rounds).items()}
        return {**found, "max_us": round(max(self.took), 1), "runs": len(self.took)}

    def ratio(self, key, beside):
        return round(statistics.median(r[key] / r[beside] for r in self.rounds), 3)


def main():
    namespaces()
    folder, seconds, rounds = web.arguments()
    web.need("nginx", "prometheus-node-exporter", "wrk", "ip", "systemd-sysusers")
    world(folder)
    with agent(folder):
        cookie, token, body = people()
        token, cookie = ["Authorization: Bearer " + token], ["Cookie: " + cookie]
        logins = Logins(folder)
        with web.Nginx(folder, NGINX_PORT, body) as nginx, web.NodeExporter(folder, NODE_PORT) as node:
            found = web.measure([
                web.Target("livez", URL + "/livez", beside="nginx"),
                web.Target("version", URL + "/v1/version", beside="nginx"),
                web.Target("whoami_token", URL + "/v1/whoami", token, beside="nginx"),
                web.Target("whoami_session", URL + "/v1/whoami", cookie, beside="nginx"),
                web.Target("nginx", nginx.url),
                web.Target("version_1", URL + "/v1/version", connections=1, beside="nginx_1"),
                web.Target("whoami_token_1", URL + "/v1/whoami", token, connections=1, beside="version_1"),
                web.Target("whoami_session_1", URL + "/v1/whoami", cookie, connections=1, beside="version_1"),
                web.Target("nginx_1", nginx.url, connections=1),
                web.Target("metrics_1", URL + "/metrics", token, connections=1, beside="node_exporter_1"),
                web.Target("node_exporter_1", node.url, connections=1),
            ], folder, seconds, rounds, logins.round)
    found["login"] = logins.figures()
    found["ratios"]["login_vs_hash"] = logins.ratio("p50_us", "hash_us")
    found["ratios"]["logins_at_once_vs_hashes_of_one_processor"] = logins.ratio("at_once_per_s", "hashes_per_s")
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    sys.exit(main())
