#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""holdfastctl against an agent that is played here: what it sends, what it makes of answers that are
wrong, where secrets go. No guest, no driver. Prints TAP."""
import json
import os
import pty
import select
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

HF = os.path.abspath(os.environ.get("HF", "build/agent/san/holdfastctl"))
tests = 0


def ok(good, name, *more):
    global tests
    tests += 1
    print("ok" if good else "not ok", tests, "-", name, flush=True)
    for line in () if good else more:
        print("#  ", str(line).replace("\n", "\n#   "))


class Agent(threading.Thread):
    """Answers each request with the next of .answers: (status, headers, body) or a function of the socket."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.answers, self.requests = [], []

    def run(self):
        while True:
            s, _ = self.listener.accept()
            try:
                self.one(s)
            except OSError:
                pass
            s.close()

    def one(self, s):
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(65536) or b"\r\n\r\n"
        head, _, body = data.partition(b"\r\n\r\n")
        length = [int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")]
        while length and len(body) < length[0]:
            body += s.recv(65536)
        self.requests.append((head.decode(), body.decode()))
        answer = self.answers.pop(0) if self.answers else (500, [], "{}")
        if callable(answer):
            answer(s)
            return
        status, headers, text = answer
        data = text if isinstance(text, bytes) else text.encode()
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(data)}", "Connection: close"] + headers
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)


def result(obj):
    return 200, ["Content-Type: application/json"], json.dumps({"status": 200, "result": obj})


def error(status, code, headers=()):
    return status, list(headers), json.dumps({"status": status, "error": {"code": code, "message": "m-" + code}})


def main():
    tmp = tempfile.mkdtemp()
    os.chmod(tmp, 0o700)
    path = tmp + "/api.sock"
    agent = Agent(path)
    agent.start()
    env = {**os.environ, "XDG_RUNTIME_DIR": tmp}
    env.pop("HOLDFAST_TOKEN_FILE", None)
    session = tmp + "/holdfast/session"

    def ctl(*args, answers=(), text="", extra=None):
        agent.answers, agent.requests = list(answers), []
        return subprocess.run([HF, "--agent", path, *args], input=text, capture_output=True, text=True, timeout=60,
                              check=False, env={**env, **(extra or {})}, errors="replace")

    r = ctl("whoami", answers=[result({"actor": {"name": "ann", "role": "user"}})])
    ok(r.returncode == 0 and "actor.name" in r.stdout and "ann" in r.stdout, "whoami", r)
    head = agent.requests[0][0]
    ok(head.startswith("GET /v1/whoami HTTP/1.1\r\n") and "X-Holdfast: 1" in head, "the request is that of the table", head)
    ok("X-Correlation-Id: " in head and "Cookie" not in head and "Authorization" not in head,
       "with a correlation id, and no credential that there is not", head)
    ctl("user", "set", "bob", "--disabled", "true", "--uid", "1001", answers=[result({})])
    ok(agent.requests[0][0].startswith("PATCH /v1/users/bob ") and
       json.loads(agent.requests[0][1]) == {"disabled": True, "uid": 1001}, "arguments go where the table says",
       agent.requests)
    ctl("audit", "search", "--actor", "a&b=c d", "--since", "1970-01-02", answers=[result({"records": []})])
    ok("GET /v1/audit?since_ns=86400000000000&actor=a%26b%3Dc%20d " in agent.requests[0][0],
       "queries are escaped, times are UTC", agent.requests)

    for name, args in {"name": ("user", "add", "Bob", "--role", "user"), "role": ("user", "add", "b", "--role", "boss"),
                       "path": ("audit", "show", "../x"), "range": ("audit", "show", "0"),
                       "slash": ("user", "remove", "a/b"), "time": ("audit", "search", "--since", "yesterday")}.items():
        r = ctl(*args, answers=[result({})])
        ok(r.returncode == 2 and not agent.requests, f"a wrong {name} is not even sent", r, agent.requests)

    # --- answers that are wrong
    for name, answer, code, say in (
            ("no JSON", (200, [], "<html>"), 9, "no JSON"),
            ("an array", (200, [], "[]"), 9, "no JSON object"),
            ("no result", (200, [], "{}"), 9, "without a result"),
            ("a member twice", (200, [], '{"result":{},"result":{}}'), 9, "no JSON"),
            ("too long", (200, [], b" " * 300000), 9, "more than 262144 bytes"),
            ("endless headers", lambda s: [s.sendall(b"HTTP/1.1 200 x\r\n")] + [s.sendall(b"a: " + b"x" * 60000 + b"\r\n")
                                                                             for _ in range(60)], 9, "cannot be asked"),
            ("closed", lambda s: None, 9, "cannot be asked"),
            ("elsewhere", (302, ["Location: http://127.0.0.1:1/"], "{}"), 1, "whoami"),
            ("late", lambda s: time.sleep(17), 9, "cannot be asked")):
        begin = time.monotonic()
        r = ctl("whoami", answers=[answer])
        ok(r.returncode == code and say in r.stderr and time.monotonic() - begin < 16.5, f"answer: {name}", r)
    r = ctl("whoami", answers=[result({"name": "a\x1b[31mb\u0085"})])
    ok("\x1b" not in r.stdout and "\\x1b" in r.stdout and "\u0085" not in r.stdout, "control characters are shown", r.stdout)

    # --- refusals
    for answer, code, say in ((error(401, "unauthenticated"), 7, "holdfastctl login"), (error(403, "role"), 7, "m-role"),
                              (error(403, "step_up"), 10, "five minutes"), (error(404, "not_found"), 1, "m-not_found"),
                              (error(429, "limited", ["Retry-After: 7"]), 11, "again in 7 s"),
                              (error(503, "overload"), 11, "m-overload"), (error(400, "argument"), 2, "m-argument")):
        r = ctl("whoami", answers=[answer])
        ok(r.returncode == code and say in r.stderr, f"{answer[0]}: exit status {code}", r)
    r = ctl("whoami", answers=[(403, ["X-Correlation-Id: " + "ab" * 16], error(403, "role")[2])])
    ok("correlation id " + "ab" * 16 in r.stderr, "the correlation id is said", r)

    # --- the newest records may be in no checkpoint yet
    proof = result({"checkpoint": {"size": 1}, "index": 0, "proof": []})
    r = ctl("audit", "export", answers=[result({"records": [{"seq": 1}], "more": False}), error(503, "no_checkpoint"),
                                        error(503, "no_checkpoint"), proof])
    ok(r.returncode == 0 and json.loads(r.stdout)["record"] == {"seq": 1} and not r.stderr,
       "audit export waits for the checkpoint that has the record", r)
    r = ctl("audit", "export", answers=[result({"records": [{"seq": 1}, {"seq": 2}, {"seq": 3}], "more": False}),
                                        error(404, "ended_chain"), error(500, "damaged"), proof])
    lines = [json.loads(line) for line in r.stdout.splitlines()]
    ok([(line["record"]["seq"], line.get("unproved")) for line in lines] == [(1, "ended_chain"), (2, "damaged"), (3, None)] and
       lines[0]["checkpoint"] is None and r.returncode == 1 and r.stderr.count("\n") == 1 and "2 records without a proof" in r.stderr,
       "records without a proof are exported, and counted", r)
    r = ctl("audit", "export", answers=[result({"records": [{"seq": 1}, {"seq": 2}], "more": False}),
                                        error(404, "ended_chain"), lambda s: None])
    ok(r.returncode == 9 and "cannot be asked" in r.stderr, "an agent that is lost meanwhile is no such record", r)
    r = ctl("audit", "export", answers=[result({"records": [{"seq": 1}], "more": False}), error(404, "no_record")])
    ok(r.returncode == 1 and len(agent.requests) == 2, "but not for one that will not come", r)

    # --- login
    cookie = "Set-Cookie: holdfast=secret-of-session; Path=/; HttpOnly; SameSite=Strict"
    answer = result({"session": "1", "role": "user"})
    r = ctl("login", "--user", "ann", text="pass word\n", answers=[(200, [cookie], answer[2])])
    ok(r.returncode == 0 and json.loads(agent.requests[0][1]) == {"user": "ann", "password": "pass word"}, "login", r)
    ok(stat.S_IMODE(os.stat(session).st_mode) == 0o600 and stat.S_IMODE(os.stat(tmp + "/holdfast").st_mode) == 0o700,
       "the session is ours alone")
    ok("secret-of-session" not in r.stdout + r.stderr, "and not shown", r)
    ctl("whoami", answers=[result({})])
    ok("Cookie: holdfast=secret-of-session\r\n" in agent.requests[0][0] + "\r\n", "the session is used", agent.requests)
    other = Agent(tmp + "/other.sock")
    other.start()
    other.answers = [result({})]
    subprocess.run([HF, "--agent", tmp + "/other.sock", "whoami"], env=env, check=False, capture_output=True)
    ok("Cookie" not in other.requests[0][0], "but with no other agent", other.requests)
    os.chmod(session, 0o644)
    r = ctl("whoami", answers=[result({})])
    ok(r.returncode != 0 and "0600" in r.stderr and not agent.requests, "a session that others can read is refused", r)
    os.chmod(session, 0o600)
    ctl("whoami", answers=[error(401, "unauthenticated")])
    ok(not os.path.exists(session), "a session that has ended is forgotten")
    r = ctl("login", "--user", "ann", text="", answers=[result({})])
    ok(r.returncode != 0 and not agent.requests, "no password, no request", r)
    r = ctl("login", "--user", "ann", text="x" * 9000 + "\n", answers=[result({})])
    ok(r.returncode != 0 and not agent.requests, "a password without end is refused", r)

    token = tmp + "/token"
    with open(token, "w", encoding="utf-8") as f:
        f.write("a.b.c\n")
    os.chmod(token, 0o600)
    ctl("whoami", answers=[result({})], extra={"HOLDFAST_TOKEN_FILE": token})
    ok("Authorization: Bearer a.b.c\r\n" in agent.requests[0][0] + "\r\n", "a token from its file", agent.requests)
    os.chmod(token, 0o640)
    r = ctl("whoami", answers=[result({})], extra={"HOLDFAST_TOKEN_FILE": token})
    ok(r.returncode != 0 and not agent.requests, "not if others can read it", r)

    r = subprocess.run([HF, "--agent", "http://192.0.2.1:8240", "whoami"], env=env, capture_output=True, text=True, check=False)
    ok(r.returncode == 9 and "https://" in r.stderr, "no plain HTTP to other hosts", r)
    r = subprocess.run([HF, "--agent", "http://127.0.0.1.evil.example", "whoami"], env=env, capture_output=True, text=True,
                       check=False)
    ok(r.returncode == 9 and "https://" in r.stderr, "not even to names that begin like this one", r)
    ctl("secret", "set", "hook", text="two\nlines\n", answers=[result({"set": True})])
    ok(json.loads(agent.requests[0][1]) == {"value": "two\nlines\n"}, "a secret comes whole from standard input", agent.requests)
    r = ctl("token", "create", answers=[result({"token": "t.t.t", "id": "1"})])
    ok(r.stdout == "t.t.t\n", "a token alone on standard output", r)

    on_terminal(agent, path, env)
    print(f"1..{tests}")


def on_terminal(agent, path, env):
    """Step-up: the agent wants the password, holdfastctl asks without echo and tries again."""
    agent.answers = [error(403, "step_up"), error(401, "totp_needed"), result({"until_ns": 1}), result({"kid": "k"})]
    agent.requests = []
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(HF, [HF, "--agent", path, "key", "rotate"], env)
    shown, sent, end = b"", 0, time.monotonic() + 20
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data
        if sent == 0 and b"Password: " in shown:
            os.write(fd, b"hidden-one\n")
            sent = 1
        elif sent == 1 and b"factor: " in shown:
            os.write(fd, b"123456\n")
            sent = 2
    if time.monotonic() >= end:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    bodies = [b for _, b in agent.requests]
    ok(os.WEXITSTATUS(status) == 0 and len(bodies) == 4, "on a terminal the password is asked for, and the code", shown, bodies)
    ok(json.loads(bodies[2]) == {"password": "hidden-one", "totp": "123456"} if len(bodies) == 4 else False,
       "both are sent", bodies)
    ok(b"hidden-one" not in shown, "and the password is not echoed", shown)


if __name__ == "__main__":
    main()
