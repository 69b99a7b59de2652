# SPDX-License-Identifier: GPL-2.0
"""HTTP of the agent for tests, without any library: what is sent is exactly what is written here."""
import json
import os
import socket

SOCKET = "/run/holdfast/api.sock"
TCP = ("127.0.0.1", 8240)


class Closed(Exception):
    """The agent closed the connection without an answer."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        try:
            self.json = json.loads(body) if body else {}
        except ValueError:
            self.json = {}

    @property
    def code(self):
        error = self.json.get("error") if isinstance(self.json, dict) else None
        return error.get("code", "") if isinstance(error, dict) else ""

    @property
    def result(self):
        return self.json.get("result", {})

    @property
    def cookie(self):
        for name, value in self.headers:
            if name == "set-cookie":
                return value.split(";")[0]
        return None


def connect(via, timeout=20):
    if via == "net":
        s = socket.create_connection(TCP, timeout)
    else:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(SOCKET)
    return s


def read_answer(f):
    line = f.readline(65537)
    if not line:
        raise Closed()
    status = int(line.split()[1])
    headers = []
    while (line := f.readline(65537).strip()):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.lower(), value.strip()))
    length = int(dict(headers).get("content-length", 0))
    return Answer(status, headers, f.read(length))


class Client:
    """One connection at a time, opened again when the agent has closed it."""

    def __init__(self, via, bearer=None, cookie=None):
        self.via, self.bearer, self.cookie, self.f, self.s = via, bearer, cookie, None, None

    def close(self):
        if self.s:
            self.f.close()
            self.s.close()
            self.s = None

    def call(self, method, path, body=None, headers=()):
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "X-Holdfast: 1"]
        if method != "GET":
            lines += ["Content-Type: application/json", f"Content-Length: {len(data) or 2}"]
            data = data or b"{}"
        if self.bearer:
            lines.append("Authorization: Bearer " + self.bearer)
        if self.cookie:
            lines.append("Cookie: " + self.cookie)
        lines += headers
        request = ("\r\n".join(lines) + "\r\n\r\n").encode() + data
        for again in (True, False):
            fresh = self.s is None
            if fresh:
                self.s = connect(self.via)
                self.f = self.s.makefile("rb")
            try:
                self.s.sendall(request)
                answer = read_answer(self.f)
                break
            except (Closed, ConnectionError, BrokenPipeError):
                self.close()
                if fresh or not again:
                    raise
        if dict(answer.headers).get("connection", "").lower() == "close":
            self.close()
        return answer


def audit_search(get, after_seq=0, **filters):
    """All records that match, page by page; get(path) asks."""
    records = []
    while True:
        query = "&".join(f"{k}={v}" for k, v in {"after_seq": after_seq, **filters}.items())
        answer = get(f"/v1/audit?{query}")
        if answer.status != 200:
            raise SystemExit(f"Bail out! audit.read: {answer.status} {answer.body}")
        records += answer.result["records"]
        if not answer.result["more"]:
            return records
        after_seq = records[-1]["seq"]


def as_account(name, fn):
    """fn() in a child that is the account, so that the kernel says so; returns its JSON result."""
    import pwd
    account = pwd.getpwnam(name)
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        try:
            os.initgroups(name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            out = json.dumps(fn()).encode()
        except BaseException as e:  # the parent must hear of everything
            out = json.dumps({"failed": repr(e)}).encode()
        with os.fdopen(w, "wb") as f:
            f.write(out)
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        data = f.read()
    os.waitpid(pid, 0)
    result = json.loads(data)
    if isinstance(result, dict) and "failed" in result:
        raise RuntimeError(f"as {name}: {result['failed']}")
    return result
