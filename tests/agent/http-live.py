#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The HTTP processes from outside, over real sockets: a stage (http_stage) plays parent, auth and keeper.

    http-live.py STAGE [sandbox]

Needs a network namespace of its own (tests/agent/http-live.sh makes one). TAP on standard output.
"""
import http.client
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PORT = 8240
TOKEN = "good-token-0123456789"
OTHER = "other-token-0123456789"
COOKIE = "good-session-0123456789"
# Waiting for a slow client to have its time would take 15 s; this is room for a slow machine.
PROMPT_S = 2.0
BEARER = {"Authorization": "Bearer " + TOKEN}

results = []


def check(name, ok, why=""):
    results.append(bool(ok))
    print(f"{'ok' if ok else 'not ok'} {len(results)} - {name}", flush=True)
    if not ok:
        print(f"# {why}", flush=True)


class Stage:
    """Runs http_stage; its lines are collected by a thread."""

    def __init__(self, program, folder, config, sandbox):
        self.folder, self.config, self.lines, self.pids = folder, config, [], {}
        self.log = open(os.path.join(folder, "stderr"), "ab+")
        self.write()
        args = [program, self.path()] + (["sandbox"] if sandbox else [])
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, bufsize=1)
        threading.Thread(target=self.collect, daemon=True).start()
        self.wait(lambda: "ready" in self.lines, "ready", 30)
        for line in self.lines:
            if line.startswith("pid "):
                self.pids[line.split()[1]] = int(line.split()[2])

    def path(self):
        return os.path.join(self.folder, "holdfast.yaml")

    def write(self):
        with open(self.path(), "w") as f:
            f.write(f"paths:\n  run: {self.folder}\napi:\n")
            for key, value in self.config.items():
                if isinstance(value, list):
                    f.write(f"  {key}:\n" + "".join(f"    - {json.dumps(v)}\n" for v in value))
                else:
                    f.write(f"  {key}: {json.dumps(value)}\n")

    def collect(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait(self, condition, what, seconds=5.0):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                self.log.seek(0)
                raise RuntimeError(f"no {what}: {self.lines[-5:]} {self.log.read()[-2000:]!r}")
            time.sleep(0.01)

    def command(self, line, answer):
        before = len(self.lines)
        self.process.stdin.write(line + "\n")
        self.wait(lambda: any(x.startswith(answer) for x in self.lines[before:]), answer, 15)
        return [x for x in self.lines[before:]]

    def stats(self, role):
        line = [x for x in self.command("stats " + role, "stats ") if x.startswith("stats ")][-1]
        return json.loads(line[6:])["stats"]

    def commit(self, **changes):
        self.config.update(changes)
        self.write()
        return self.command("commit", "committed")

    def reports(self, what):
        return [x for x in self.lines if x.startswith("report ") and f'"what":"{what}"' in x]

    def end(self):
        self.process.stdin.write("quit\n")
        status = self.process.wait(30)
        self.log.seek(0)
        return status, self.log.read().decode(errors="replace")


def connect(source=None, port=PORT, host="127.0.0.1"):
    return socket.create_connection((host, port), 10, (source, 0) if source else None)


def raw(data, source=None, sock=None, wait=5.0):
    """Sends bytes and reads until the server closes or nothing comes. Returns the bytes."""
    s = sock or connect(source)
    s.settimeout(wait)
    out = b""
    try:
        s.sendall(data)
        while True:
            got = s.recv(65536)
            if not got:
                break
            out += got
    except (TimeoutError, ConnectionError):
        pass
    if not sock:
        s.close()
    return out


def statuses(data):
    return [int(x) for x in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def answer_of(r, data):
    """Probes are text, all else is JSON."""
    return data.decode() if r.headers.get_content_type() == "text/plain" else json.loads(data) if data else None


def ask(method, path, body=None, headers=None, source=None, conn=None):
    """One request. Returns (status, headers, answer, seconds)."""
    begin = time.monotonic()
    c = conn or http.client.HTTPConnection("127.0.0.1", PORT, timeout=40,
                                           source_address=(source, 0) if source else None)
    h = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        h.setdefault("Content-Type", "application/json")
    c.request(method, path, body, h)
    r = c.getresponse()
    data = r.read()
    if not conn:
        c.close()
    return r.status, r.headers, answer_of(r, data), time.monotonic() - begin


HEAD = b"Host: localhost\r\n"
AUTH = b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"


def basics(stage):
    status, h, j, _ = ask("GET", "/v1/version")
    check("version needs no credential", status == 200 and j["result"]["api"] == 1, j)
    wanted = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
              "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
              "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
              "Content-Type": "application/json"}
    check("security headers on answers", all(h[k] == v for k, v in wanted.items()), dict(h))
    _, h, _, _ = ask("GET", "/nothing")
    check("and on refusals", all(h[k] == v for k, v in wanted.items()), dict(h))
    check("no header gives away the library", not h["Server"] and not h["Access-Control-Allow-Origin"])
    corr = "0123456789abcdef0123456789abcdef"
    _, h, _, _ = ask("GET", "/v1/version", headers={"X-Correlation-Id": corr})
    check("a correlation id is taken over", h["X-Correlation-Id"] == corr)
    _, h, j, _ = ask("GET", "/nothing", headers={"X-Correlation-Id": "x" * 32})
    made = h["X-Correlation-Id"]
    check("a malformed one is replaced, and said in the error",
          re.fullmatch("[0-9a-f]{32}", made) and j["error"]["correlation_id"] == made, (made, j))
    check("an error says what it means", [j["error"][k] for k in ("severity", "retry", "who")] == ["info", "never", "caller"], j)
    status, _, j, _ = ask("GET", "/v1/arrays/3/events?after=5&limit=7", headers=BEARER)
    check("arguments from path and query reach auth with their types",
          status == 200 and j["result"]["args"] == {"array": 3, "after": 5, "limit": 7}, j)
    check("the credential and the source, too", j["result"]["cred"] == {"kind": "bearer", "secret": TOKEN} and
          j["result"]["src"] == {"via": "network", "address": "127.0.0.1"}, j)
    status, h, j, _ = ask("POST", "/v1/login", {"user": "anna", "password": "right"})
    check("a login sets the cookie and shows its secret nowhere else",
          status == 200 and h["Set-Cookie"] == "holdfast=new-session-0123456789; Path=/; HttpOnly; SameSite=Strict"
          and "cookie" not in j["result"], (dict(h), j))
    cookie = {"Cookie": "holdfast=" + COOKIE}
    check("a cookie reads", ask("GET", "/v1/whoami", headers=cookie)[0] == 200)
    check("a cookie alone changes nothing", ask("POST", "/v1/logout", headers=cookie)[0] == 403)
    status, h, _, _ = ask("POST", "/v1/logout", headers={**cookie, "X-Holdfast": "1"})
    check("with X-Holdfast it does, and logout clears it", status == 200 and "Max-Age=0" in h["Set-Cookie"])
    check("cookie and bearer together: 400", ask("GET", "/v1/whoami", headers={**cookie, **BEARER})[0] == 400)
    check("another Host: 421", ask("GET", "/v1/version", headers={"Host": "evil.example"})[0] == 421)
    status, h, j, _ = ask("POST", "/v1/keys/rotate", {}, BEARER)
    check("auth's retry_after_s becomes Retry-After", status == 503 and h["Retry-After"] == "7", dict(h))
    status, h, j, _ = ask("POST", "/v1/session/rotate", {}, BEARER)
    check("also that of a user who asks too often", status == 429 and h["Retry-After"] == "3" and
          j["error"]["code"] == "limited", (status, dict(h), j))
    status, h, _, _ = ask("PUT", "/v1/version", headers=BEARER)
    check("405 has Allow", status == 405 and h["Allow"] == "OPTIONS, GET, HEAD", dict(h))
    status, h, j, _ = ask("OPTIONS", "/v1/users/anna")
    check("OPTIONS", status == 204 and h["Allow"] == "OPTIONS, PATCH, DELETE" and j is None, dict(h))
    status, h, j, _ = ask("HEAD", "/v1/version")
    check("HEAD has a length and no body", status == 200 and int(h["Content-Length"]) > 0 and j is None)
    status, h, j, _ = ask("GET", "/v1/openapi.json")
    check("openapi.json is there for everybody", status == 200 and j["openapi"] == "3.1.0")
    check("an operation for local callers: 403", ask("GET", "/v1/secrets", headers=BEARER)[0] == 403)
    check("401 says how", ask("GET", "/v1/whoami")[1]["WWW-Authenticate"] == "Bearer")


def local(stage):
    path = os.path.join(stage.folder, "api.sock")
    status, _, j, _ = ask("GET", "/v1/whoami", conn=Unix(path))
    cred = j["result"]["cred"]
    check("over the unix socket the kernel says who it is",
          status == 200 and cred["kind"] == "peer" and cred["uid"] == os.getuid() and cred["pid"] == os.getpid(), j)
    status, _, j, _ = ask("GET", "/v1/whoami", headers=BEARER, conn=Unix(path))
    check("a token there is a token, the peer is said besides",
          j["result"]["cred"]["kind"] == "bearer" and j["result"]["cred"]["uid"] == os.getuid(), j)
    check("operations for local callers", ask("GET", "/v1/secrets", conn=Unix(path))[0] == 200)
    child = os.fork()
    if not child:
        os.setgroups([7, 8])
        os.setgid(65534)
        os.setuid(65534)
        _, _, j, _ = ask("GET", "/v1/whoami", conn=Unix(path))
        cred = j["result"]["cred"]
        os._exit(0 if cred["uid"] == 65534 and cred["gids"] == [7, 8] else 1)
    check("another user, with groups", os.waitpid(child, 0)[1] == 0)


def bodies(stage):
    text = json.dumps({"user": "anna", "password": "x" * 60000})
    for name, headers, body, status in [
            ("too large by its length: 413", {"Content-Type": "application/json"}, text, 413),
            ("no JSON: 400", {"Content-Type": "application/json"}, "{", 400),
            ("a form: 415", {"Content-Type": "application/x-www-form-urlencoded"}, "user=a", 415),
            ("no type: 415", {}, "{}", 415),
            ("unknown member: 400", {"Content-Type": "application/json"},
             '{"user":"a","password":"b","x":1}', 400)]:
        c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        c.putrequest("POST", "/v1/login")
        for k, v in {**headers, "Content-Length": str(len(body))}.items():
            c.putheader(k, v)
        c.endheaders()
        try:
            c.send(body.encode())
        except ConnectionError:
            pass
        check(name, c.getresponse().status == status)
        c.close()
    chunked = raw(b"POST /v1/login HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /v1/version HTTP/1.1\r\n" + HEAD + b"\r\n")
    check("a chunked body: 411, and nothing after it is read", statuses(chunked) == [411], chunked)
    big = raw(b"POST /v1/silence HTTP/1.1\r\n" + HEAD + AUTH + b"Content-Type: application/json\r\n"
              b"Content-Length: 57344\r\n\r\n" + b'{"latch":true' + b" " * 57330 + b"}" +
              b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
    check("a body of the greatest length, and a request behind it", statuses(big) == [200, 200], big)
    slow = connect()
    slow.sendall(b"POST /v1/silence HTTP/1.1\r\n" + HEAD + AUTH + b"Content-Type: application/json\r\n"
                 b"Expect: 100-continue\r\nContent-Length: 14\r\nConnection: close\r\n\r\n")
    time.sleep(0.2)
    for byte in b'{"latch":true}':
        slow.sendall(bytes([byte]))
        time.sleep(0.005)
    out = raw(b"", sock=slow)
    check("a body byte by byte, after 100 Continue", b"100 Continue" in out and statuses(out)[-1] == 200, out)


def smuggling(stage):
    """A doubtful request is refused, and a second one behind it gets nothing."""
    inner = b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"\r\n"
    post = b"POST /v1/silence HTTP/1.1\r\n" + HEAD + AUTH + b"Content-Type: application/json\r\n"
    probes = {
        "TE and CL": post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
        "CL and TE": post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "two lengths": post + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + inner,
        "two equal lengths": post + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + inner,
        "a list of lengths": post + b"Content-Length: 0, 44\r\n\r\n" + inner,
        "a signed length": post + b"Content-Length: +2\r\n\r\n{}" + inner,
        "a hexadecimal length": post + b"Content-Length: 0x2\r\n\r\n{}" + inner,
        "blank before the colon": post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + inner,
        "an encoding on a folded line": post + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + inner,
        "an encoding after a tab": post + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + inner,
        "an encoding in quotes": post + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + inner,
        "two encodings": post + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "an encoding of another kind": post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + inner,
        "a body where there is none": b"GET /v1/version HTTP/1.1\r\n" + HEAD +
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" + inner,
        "an upgrade": b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + inner,
        "two hosts": b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"Host: evil\r\n\r\n" + inner,
        "no host": b"GET /v1/version HTTP/1.1\r\n\r\n" + inner,
        "an absolute target": b"GET http://localhost/v1/version HTTP/1.1\r\n" + HEAD + b"\r\n" + inner,
        "HTTP/1.0": b"GET /v1/version HTTP/1.0\r\n" + HEAD + b"Connection: keep-alive\r\n\r\n" + inner,
        "HTTP/2.0": b"GET /v1/version HTTP/2.0\r\n" + HEAD + b"\r\n" + inner,
        "no version": b"GET /v1/version\r\n" + HEAD + b"\r\n" + inner,
        "a header without a name": b"GET /v1/version HTTP/1.1\r\n" + HEAD + b": x\r\n\r\n" + inner,
        "a header without a colon": b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"nonsense\r\n\r\n" + inner,
        "a folded first header": b"GET /v1/version HTTP/1.1\r\n Host: localhost\r\n\r\n" + inner,
        "a NUL in a header": b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"X: a\0b\r\n\r\n" + inner,
        "a NUL in the target": b"GET /v1/version\0/x HTTP/1.1\r\n" + HEAD + b"\r\n" + inner,
        "a bare CR in a header": b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"X: a\rTransfer-Encoding: chunked\r\n\r\n" + inner,
        "a blank in the target": b"GET /v1/version /x HTTP/1.1\r\n" + HEAD + b"\r\n" + inner,
    }
    # Some of these libmicrohttpd 0.9.75 answers itself, and then it sends the head of its answer twice.
    for name, data in probes.items():
        got = statuses(raw(data, wait=1.0))
        check(f"smuggling: {name}", len(got) <= 2 and all(400 <= x <= 599 for x in got), got)
    got = statuses(raw(inner * 50 + inner.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))
    check("51 pipelined requests are answered in order", got == [200] * 51, got)


def hostile(stage):
    """Traversal, injection and nonsense: refused, each with JSON, and the process lives."""
    words = ["..", "../", "..%2f", "%2e%2e/", "..\\", "%5c", "/etc/passwd", "....//", "%c0%ae", "%00", "'", '"',
             "<script>", "$(id)", "`id`", ";id", "|id", "{{7*7}}", "%u002e", "%25", "~root", "*", "?x=1", "&a=b",
             "%0d%0aX:y", "\x7f", "é", "[", "]", "^", "#x"]
    places = ["/{}", "/v1/{}", "/v1/arrays/{}", "/v1/arrays/0{}", "/v1/users/{}", "/v1/users/a{}/password",
              "/v1/sessions/{}", "/v1/audit/records/{}", "/v1/audit?actor={}&x", "/v1/audit?limit={}",
              "/v1/secrets/{}", "/v1/version{}", "/livez{}", "/v1/arrays/0/leases/{}"]
    tried = accepted = 0
    for place in places:
        for word in words:
            for method in ("GET", "POST", "DELETE"):
                data = f"{method} {place.format(word)} HTTP/1.1\r\n".encode() + HEAD + AUTH + b"Connection: close\r\n\r\n"
                got = statuses(raw(data, wait=2.0))
                tried += 1
                accepted += any(x < 400 for x in got)
    check(f"{tried} hostile targets, none accepted", tried >= 1000 and not accepted, accepted)
    flood = b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"".join(b"X-%d: y\r\n" % i for i in range(200)) + b"\r\n"
    check("200 headers: 431", statuses(raw(flood)) == [431], raw(flood)[:200])
    flood = b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"X: " + b"y" * 100000 + b"\r\n\r\n"
    check("a header of 100 kB: refused", all(x >= 400 for x in statuses(raw(flood, wait=1.0))))
    flood = b"GET /" + b"y" * 5000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n"
    check("a target of 5 kB: 414", statuses(raw(flood)) == [414])
    junk = os.urandom(200000)
    check("noise: refused", all(x >= 400 for x in statuses(raw(junk, wait=1.0))))
    check("still alive", ask("GET", "/livez")[0] == 200)


def crowd(stage):
    """1000 idle connections, and 1000 that send a byte now and then, keep nobody out."""
    socks = []
    for i in range(1000):
        s = connect(f"127.0.1.{1 + i % 50}")
        if i % 2:
            s.sendall(b"GET /v1/version HTTP/1.1\r\nHost: loc")
        socks.append(s)
    times = []
    for i in range(20):
        status, _, _, seconds = ask("POST", "/v1/silence", {}, BEARER, f"127.0.2.{1 + i}")
        times.append((status, seconds))
    check("1000 idle connections: silence passes at once",
          all(status == 200 and seconds < PROMPT_S for status, seconds in times), times)
    # One who asks for much and takes nothing.
    greedy = connect("127.0.7.1")
    greedy.sendall((b"GET /v1/openapi.json HTTP/1.1\r\n" + HEAD + b"\r\n") * 60)
    drip_end = time.monotonic() + 17
    while time.monotonic() < drip_end:
        for s in socks:
            try:
                s.send(b"a")
            except OSError:
                pass
        times.append(ask("GET", "/v1/version")[0::3])
        time.sleep(0.5)
    slow = [x for x in times if x[0] != 200 or x[1] > PROMPT_S]
    check("while slow senders drip: others are served", len(times) > 30 and not slow, (len(times), slow))
    alive = stage.stats("front")["connections"]
    check("after 15 s none of the slow is left, neither who sends nor who takes slowly", alive <= 1, alive)
    greedy.close()
    for s in socks:
        s.close()
    # One source takes all it can with requests under way: its own oldest idle one pays, others do not notice.
    held = [connect("127.0.3.1") for _ in range(100)]
    check("one greedy source is held to its share", stage.stats("front")["connections"] <= 33)
    check("another source is served", ask("GET", "/v1/version")[0] == 200)
    for s in held:
        s.close()


def stopped_auth(stage):
    ask("GET", "/v1/whoami", headers=BEARER)
    path = os.path.join(stage.folder, "api.sock")
    os.kill(stage.pids["auth"], signal.SIGSTOP)
    try:
        before = len([x for x in stage.lines if x.startswith("silence ")])
        # Enough calls to fill the table of those that wait.
        waiting = []
        for i in range(300):
            s = connect(f"127.0.4.{1 + i % 20}")
            s.sendall(b"GET /v1/whoami HTTP/1.1\r\n" + HEAD + AUTH + b"\r\n")
            waiting.append(s)
        time.sleep(0.3)
        status, _, j, seconds = ask("POST", "/v1/arrays/2/silence", {"latch": True}, BEARER, "127.0.5.1")
        check("auth stopped, table full: a known token silences through the keeper",
              status == 200 and seconds < PROMPT_S, (status, j, seconds))
        stage.wait(lambda: len([x for x in stage.lines if x.startswith("silence ")]) > before, "silence")
        line = json.loads([x for x in stage.lines if x.startswith("silence ")][-1][8:])
        check("which array, latched, and by whom as far as it is known",
              line["array"] == 2 and line["latch"] and line["actor"]["name"] == "known-caller" and
              line["actor"]["source"] == "127.0.5.1", line)
        status, _, _, seconds = ask("POST", "/v1/silence", {}, {"Authorization": "Bearer " + OTHER}, "127.0.5.2")
        check("a token that auth has not seen lately does not", status in (503, 504) and seconds < PROMPT_S, status)
        status, _, _, seconds = ask("POST", "/v1/silence", {}, conn=Unix(path))
        check("a local peer does", status == 200 and seconds < PROMPT_S, (status, seconds))
        line = json.loads([x for x in stage.lines if x.startswith("silence ")][-1][8:])
        check("all arrays, by the peer's uid", line["array"] == -1 and line["actor"]["name"] == f"uid:{os.getuid()}",
              line)
        status, _, j, seconds = ask("GET", "/v1/whoami", headers=BEARER, source="127.0.5.3")
        check("other calls are told so within their deadline", status in (503, 504) and seconds < 5 + PROMPT_S, (status, seconds))
        check("and livez answers meanwhile", ask("GET", "/livez")[3] < PROMPT_S)
        for s in waiting:
            s.close()
    finally:
        os.kill(stage.pids["auth"], signal.SIGCONT)
    codes = []
    while codes[-1:] != [200] and len(codes) < 30:
        codes.append(ask("GET", "/v1/whoami", headers=BEARER)[0])
        time.sleep(0.1)
    check("auth is back, and what waited for it is gone", codes[-1] == 200, codes)
    # A token that was refused is not known any more.
    status, _, _, _ = ask("POST", "/v1/logout", {}, BEARER)
    os.kill(stage.pids["auth"], signal.SIGSTOP)
    try:
        status, _, _, _ = ask("POST", "/v1/silence", {}, BEARER, "127.0.5.4")
        check("after its logout a credential is not known any more", status == 504, status)
    finally:
        os.kill(stage.pids["auth"], signal.SIGCONT)
    time.sleep(0.5)


def limits(stage):
    stage.commit(requests_per_minute=40, login_per_minute=4, block_after=20, block_s=3)
    got = [ask("GET", "/v1/version", source="127.0.6.1") for _ in range(12)]
    codes = [x[0] for x in got]
    check("a commit changes the limits at once: 5 of one endpoint, then 429 with Retry-After",
          codes == [200] * 5 + [429] * 7 and 1 <= int(got[-1][1]["Retry-After"]) <= 3, codes)
    codes = [ask("POST", "/v1/silence", {}, BEARER, "127.0.6.1")[0] for _ in range(50)]
    check("silence passes from the same address", codes == [200] * 50, codes)
    codes = [ask("POST", "/v1/login", {"user": "a", "password": "no"}, source="127.0.6.2")[0] for _ in range(3)]
    check("log-ins are rarer", codes == [401, 429, 429], codes)
    lines = stage.commit(port=PORT + 1)
    check("a commit with another port is refused, and says why",
          any(x.startswith("refused ") and "takes a restart" in x for x in lines), lines)
    check("and nothing has changed", ask("GET", "/livez", source="127.0.6.9")[0] == 200)
    stage.commit(port=PORT, requests_per_minute=1000000, login_per_minute=1000, block_after=100000, block_s=900)


def tls_context(version=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def tls_ask(method, path, source, headers=None, body=None):
    c = http.client.HTTPSConnection("192.0.2.1", PORT, timeout=10, context=tls_context(),
                                    source_address=(source, 0))
    c.connect()
    serial = ssl.DER_cert_to_PEM_cert(c.sock.getpeercert(True))
    result = ask(method, path, body, headers, conn=c)
    c.close()
    return result, serial


def make_pair(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key", "-out",
                    f"{folder}/{name}.pem"], check=True, capture_output=True)
    for kind in ("key", "pem"):
        os.chmod(f"{folder}/{name}.{kind}", 0o640)
        if READER is not None:
            os.chown(f"{folder}/{name}.{kind}", 0, READER)


READER = None


def encrypted(stage, folder):
    (answer, first) = tls_ask("GET", "/v1/version", "192.0.2.2")
    check("TLS: version", answer[0] == 200 and "max-age" in answer[1]["Strict-Transport-Security"], answer)
    (answer, _) = tls_ask("POST", "/v1/login", "192.0.2.2", body={"user": "anna", "password": "right"})
    check("TLS: the cookie is __Host- and Secure", answer[1]["Set-Cookie"].startswith("__Host-holdfast=") and
          answer[1]["Set-Cookie"].endswith("Secure"), dict(answer[1]))
    try:
        s = tls_context(ssl.TLSVersion.TLSv1_2).wrap_socket(connect("192.0.2.2", host="192.0.2.1"))
        got = s.version()
    except (ssl.SSLError, ConnectionError):
        got = None
    check("TLS 1.2 is refused", got is None, got)
    s = tls_context().wrap_socket(connect("192.0.2.2", host="192.0.2.1"))
    check("TLS 1.3 it is", s.version() == "TLSv1.3", s.version())
    s.close()
    out = raw(b"GET /v1/version HTTP/1.1\r\n" + HEAD + b"\r\n", sock=connect("192.0.2.2", host="192.0.2.1"), wait=2)
    check("plain HTTP on the TLS port gets no answer", b"HTTP/" not in out, out)

    errors, seen, stop = [], set(), threading.Event()

    def load(source):
        while not stop.is_set():
            try:
                (a, cert) = tls_ask("GET", "/v1/version", source)
                seen.add(cert)
                if a[0] != 200:
                    errors.append(a)
            except Exception as e:
                errors.append(e)

    threads = [threading.Thread(target=load, args=(f"192.0.2.{3 + i}",)) for i in range(3)]
    for t in threads:
        t.start()
    for round_ in range(5):
        make_pair(folder, f"pair{round_}")
        os.rename(f"{folder}/pair{round_}.key", f"{folder}/tls.key")
        os.rename(f"{folder}/pair{round_}.pem", f"{folder}/tls.pem")
        stage.commit(block_s=900 + round_)
        time.sleep(0.3)
    stop.set()
    for t in threads:
        t.join()
    check("five certificates, one after the other, under load: no request is lost",
          not errors and len(seen) >= 5, (errors[:3], len(seen)))
    (_, last) = tls_ask("GET", "/v1/version", "192.0.2.2")
    check("the newest certificate is served", last != first and last == open(f"{folder}/tls.pem").read())

    make_pair(folder, "next")
    os.rename(f"{folder}/next.pem", f"{folder}/tls.pem")
    time.sleep(6)
    (answer, still) = tls_ask("GET", "/v1/version", "192.0.2.2")
    check("a certificate without its key is not taken", answer[0] == 200 and still == last)
    os.rename(f"{folder}/next.key", f"{folder}/tls.key")
    time.sleep(6)
    (answer, newest) = tls_ask("GET", "/v1/version", "192.0.2.2")
    check("changed files are noticed without a signal", newest == open(f"{folder}/tls.pem").read() != last)
    open(f"{folder}/tls.pem", "w").write("nonsense")
    stage.commit(block_s=800)
    check("nonsense instead of a certificate changes nothing", tls_ask("GET", "/v1/version", "192.0.2.2")[1] == newest)


def blocks(stage):
    """From addresses that are not of this host's loopback."""
    stage.commit(requests_per_minute=100000, login_per_minute=1000, block_after=30, block_s=3)
    answers = [tls_ask("GET", f"/admin{i}.php", "192.0.2.10")[0] for i in range(35)]
    codes = [a[0] for a in answers]
    # One more than 30 if that took long enough for a score to sink.
    check("a source that looks for what is not there is blocked",
          codes[:30] == [404] * 30 and codes[32:] == [429] * 3, codes)
    (answer, _) = tls_ask("GET", "/v1/version", "192.0.2.10")
    check("from everything, with Retry-After", answer[0] == 429 and answer[2]["error"]["code"] == "blocked" and
          int(answer[1]["Retry-After"]) in (1, 2, 3), answer)
    check("other sources are not", tls_ask("GET", "/v1/version", "192.0.2.11")[0][0] == 200)
    check("and silence passes", tls_ask("POST", "/v1/silence", "192.0.2.10", BEARER, {})[0][0] == 200)
    stage.wait(lambda: stage.reports("blocked"), "report")
    report = json.loads(stage.reports("blocked")[-1][7:])
    check("auth is told, for the audit log",
          report["source"] == "192.0.2.10" and report["count"] == 3 and
          report["detail"].startswith("not found 3"), report)
    ids = [a[1]["X-Correlation-Id"] for a in answers]
    check("by the id of the request that was one too many", report["corr"] in ids[29:32], (report, ids))
    codes = [tls_ask("GET", "/v1/../../etc/passwd", "192.0.2.12")[0][0] for _ in range(5)]
    check("a few probes are enough", codes[:3] == [400] * 3 and codes[4] == 429, codes)
    codes = [tls_ask("POST", "/v1/login", "192.0.2.13", body={"user": f"u{i}", "password": "no"})[0][0]
             for i in range(10)]
    check("so are many names from one source", codes[-1] == 429 and codes[:5] == [401] * 5, codes)
    for i in range(9):
        tls_ask("POST", "/v1/login", f"192.0.2.{20 + i}", body={"user": "anna", "password": "no"})
    stage.wait(lambda: stage.reports("user_attacked"), "report")
    report = json.loads(stage.reports("user_attacked")[-1][7:])
    check("many sources at one name are reported", report["detail"] == "anna", report)
    time.sleep(4)
    check("a block ends", tls_ask("GET", "/v1/version", "192.0.2.10")[0][0] == 200)


def ended(stage, name):
    status, log = stage.end()
    bad = [x for x in log.splitlines() if "Sanitizer" in x or "runtime error" in x or "stage:" in x or
           "sandbox:" in x]
    check(f"{name}: all processes end in order, sanitizers and sandbox silent", status == 0 and not bad, (status, bad[:3]))


def main():
    global READER
    program, sandbox = sys.argv[1], "sandbox" in sys.argv[2:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    if sandbox:
        import grp
        READER = grp.getgrnam("holdfast-front").gr_gid
    with tempfile.TemporaryDirectory(prefix="hf-http-") as folder:
        os.chmod(folder, 0o755)
        stage = Stage(program, folder, {"port": PORT, "requests_per_minute": 1000000, "login_per_minute": 1000,
                                        "block_after": 100000}, sandbox)
        for part in (basics, local, bodies, smuggling, hostile, crowd, stopped_auth, limits):
            part(stage)
        ended(stage, "plain")
        make_pair(folder, "tls")
        stage = Stage(program, folder, {"listen": "192.0.2.1", "port": PORT, "tls_certificate": folder + "/tls.pem",
                                        "tls_key": folder + "/tls.key", "hosts": ["192.0.2.1"],
                                        "requests_per_minute": 1000000, "login_per_minute": 1000,
                                        "block_after": 100000}, sandbox)
        encrypted(stage, folder)
        blocks(stage)
        ended(stage, "TLS")
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
