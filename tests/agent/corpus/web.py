# SPDX-License-Identifier: GPL-2.0
"""HTTP over TCP and over api.sock. An input is (account, bytes): who connects (matters on the unix socket only)
and what is sent, as it stands, before this side is shut. "@name@" in a head is a credential that the
runner has: a session that was proved with the password just now, or a token.

Hostile is what must be answered without a success whoever asks; that is why much of it comes with an admin's
session: then nothing but the check in question stands between it and its effect."""
import itertools
import json
import os
import re

from corpus.kit import LOG, SHELL, SQL, TRAVERSAL, WORDS, Class

DOCS = os.path.join(os.path.dirname(__file__), "../../../docs")
HOST = b"Host: localhost\r\n"
ADMIN = b"Cookie: @admin-session@\r\nX-Holdfast: 1\r\n"
BEARER = b"Authorization: Bearer @admin-token@\r\n"
JSON = b"Content-Type: application/json\r\n"
VERSION = b"GET /v1/version HTTP/1.1\r\n" + HOST + b"\r\n"
UID_MAX = 4294967294


def request(method, target, body=None, head=ADMIN, host=HOST):
    """Bytes of a request; @body: JSON value, bytes, or None."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    out = method.encode() + b" " + (target if isinstance(target, bytes) else target.encode()) + b" HTTP/1.1\r\n" + host + head
    if body is not None:
        out += JSON + b"Content-Length: %d\r\n" % len(data)
    return out + b"Connection: close\r\n\r\n" + data


# ------------------------------------------------------------ operations

# Arguments that stand for another one, and are refused beside it.
INSTEAD = {("security.report", "since_ns")}


class Op:
    """An operation as docs/openapi.json tells the world, with arguments that are right."""

    def __init__(self, method, path, spec):
        self.name, self.method, self.path = spec["operationId"], method.upper(), path
        self.net = "network" in spec.get("x-holdfast-rules", [])
        self.args = {}      # name -> (in, required, schema)
        for p in spec.get("parameters", []):
            self.args[p["name"]] = (p["in"], p["required"], p["schema"])
        content = spec.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        for name, s in schema.get("properties", {}).items():
            self.args[name] = ("body", name in schema.get("required", []), s)

    def build(self, values, head=ADMIN, extra=b""):
        target, body = self.path, {}
        query = []
        for name, value in values.items():
            where = self.args.get(name, ("body", False, {}))[0]
            if where == "path":
                target = target.replace("{" + name + "}", value if isinstance(value, str) else json.dumps(value))
            elif where == "query":
                query.append(f"{name}={value if isinstance(value, str) else json.dumps(value)}")
            else:
                body[name] = value
        if query:
            target += "?" + "&".join(query)
        data = None if self.method == "GET" else json.dumps(body).encode() if not extra else extra
        return request(self.method, target.encode(), data, head)

    def right(self, full=True):
        return {n: good(n, s) for n, (where, required, s) in self.args.items()
                if (required or full) and (self.name, n) not in INSTEAD}


NAMES = {"user": "nobody-there", "tenant": "lab", "secret": "corpus", "session": "0" * 16, "token": "0" * 16,
         "corr": "0" * 32, "password": "correct horse battery staple 7", "text": "environment: test\n", "role": "user",
         "totp": "000000"}


def good(name, schema):
    if name in NAMES:
        return NAMES[name]
    kind = schema.get("type")
    if schema.get("enum"):
        return schema["enum"][0]
    if kind == "integer":
        return schema.get("minimum", 0)
    if kind == "boolean":
        return True
    if kind == "array":
        return [{k: good(k, v) for k, v in schema["items"]["properties"].items()}]
    if kind == "object":
        return {"power_avg": 10000000}
    return "x" * max(1, schema.get("minLength", 1))


def ops():
    with open(os.path.join(DOCS, "openapi.json"), encoding="utf-8") as f:
        paths = json.load(f)["paths"]
    found = [Op(m, p, spec) for p, methods in paths.items() for m, spec in methods.items() if "operationId" in spec]
    return [op for op in found if op.path.startswith("/v1/") and op.name in matrix()]


def matrix():
    """{operation: ({role: y, s or -}, from)} of the table that people review."""
    table = {}
    with open(os.path.join(os.path.dirname(__file__), "../matrix.txt"), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                op, _, _, *rights, where = line.split()
                table[op] = (dict(zip(("public", "user", "operator", "admin", "system"), rights)), where)
    return table


# ----------------------------------------------------------- wrong values

def wrong(name, schema):
    """JSON values that the schema of an argument in a body does not allow."""
    kind = schema.get("type")
    everything = [None, True, 1, -1, 1.5, 1e300, "", "x", [], [1], {}, {"a": 1}]
    if kind == "integer":
        yield from [v for v in everything if not isinstance(v, int) or isinstance(v, bool)]
        yield from ["1", " 1", "1e3", schema["minimum"] - 1, schema["maximum"] + 1, 1 << 63, -(1 << 63) - 1, 1 << 64, 1.0]
    elif kind == "boolean":
        yield from [v for v in everything if not isinstance(v, bool)]
        yield from ["true", "false", "yes", 0]
    elif kind == "array":
        yield from [v for v in everything if not isinstance(v, list)]
        yield from [[], [[]], [{}], [None], [1], [{"x_um": 1}]]
        one = good(name, schema)[0]
        yield [one] * (schema["maxItems"] + 1)
        for key, s in schema["items"]["properties"].items():
            yield from ([{**one, key: v}] for v in wrong(key, s))
        yield [{**one, "x": 1}]
    elif kind == "object":
        yield from [v for v in everything if not isinstance(v, dict)]
        yield from [{"power": 1}, {"power_avg": "1"}, {"power_avg": None}, {"power_avg": 1.5}, {"POWER_AVG": 1}, {"": 1},
                    {"power_avg": 1, "x": 1}, {"power_avg": {}}, {"power_avg": True}, {"__proto__": 1}]
    else:
        yield from [v for v in everything if not isinstance(v, str)]
        most = schema.get("maxLength", 32)
        yield from ["x" * (most + 1), "\u00e9" * (most // 2 + 1), "a\0b", "a\x1bb"]
        if schema.get("minLength", 1):
            yield ""
        if schema.get("pattern") or schema.get("enum"):
            yield from [w for w in WORDS if not w.startswith("%")] + ["A", "root ", " root", "r\u00f6ot", "-x", "0"]
        elif name != "text" and name != "value":
            yield from ["a\nb", "a\rb", "\x7f", "\u202ex", "\u0085"]


def types(_):
    for op in ops():
        if not op.net:
            continue
        for name, (where, _, schema) in op.args.items():
            if where == "body":
                yield from (("", op.build({**op.right(), name: v})) for v in wrong(name, schema))


def locals_types(_):
    for op in ops():
        for name, (where, _, schema) in op.args.items():
            if where == "body" and not op.net:
                yield from (("root", op.build({**op.right(), name: v}, head=b"")) for v in wrong(name, schema))


def paths(_):
    """Numbers, names and ids in paths and queries that are none."""
    numbers = ["-1", "64", "01", "+1", "0x1", "1e1", "1.0", " 1", "1%20", "99999999999999999999", "9223372036854775808", "NaN",
               "%31", "1;2", "1,2", "null", "\u0661"]
    names = ["A", "-a", "1a", "a" * 33, "a.b", "a%2fb", "a b", "a:b", "\u0430dmin", "a%00", "admin%20", "root\u200b"]
    digits = ["0" * 15, "0" * 33, "G" * 16, "0" * 15 + "g", "0" * 16 + "%00", "-" * 16]
    for op in ops():
        if op.name == "security.report":
            yield "", op.build({"hours": 1, "since_ns": 0})
        for name, (where, _, schema) in op.args.items():
            if where == "body" or not op.net:
                continue
            kind = schema.get("type")
            bad = numbers if kind == "integer" else ["1", "yes", "TRUE", ""] if kind == "boolean" else \
                digits if "a-f" in schema.get("pattern", "") else \
                names if schema.get("pattern") else ["x" * 300, "%ff", "%", "%0", "a%00b", "%0a", "%1b"]
            if schema.get("maximum") != 63:
                bad = [v for v in bad if v != "64"]
            if where == "query":
                bad = [v for v in bad if v != "%31"]    # right there
            for value in bad:
                values = op.right(full=False)
                values[name] = value
                yield "", op.build(values)
            if where == "query":
                values = op.right(full=False)
                values[name] = f"1&{name}=1"
                yield "", op.build(values)
                values[name] = "1&x=1"
                yield "", op.build(values)


def members(_):
    """A member more, one less, one twice."""
    for op in ops():
        if not op.net or op.method == "GET":
            continue
        right = op.right()
        for extra in ("x", "role", "admin", "__proto__", "constructor", "USER", "user ", "", "actor", "cred", "step_up", "tenant"):
            if extra not in op.args:
                yield "", op.build({**right, extra: "admin"})
        for name, (where, required, _) in op.args.items():
            if where != "body":
                continue
            if required:
                yield "", op.build({k: v for k, v in right.items() if k != name})
            body = {k: v for k, v in right.items() if op.args[k][0] == "body"}
            text = json.dumps(body)[:-1] + ", " + json.dumps({name: body[name]})[1:]
            yield "", op.build(right, extra=text.encode())
        yield "", request(op.method, op.path.replace("{", "").replace("}", "") + "?x=1", {})


# --------------------------------------------------- requests as such

def lines(rng):
    """Request lines."""
    for method in ("get", "G\0T", "TRACE", "CONNECT", "PROPFIND", "GETS", "", " GET", "GET\t", "PRI", "DEBUG", "POST/", "\x80GET", "M" * 300):
        yield "", request(method, "/v1/version")
        yield "", request(method, "/v1/silence", {})
    for version in (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/1.1 x", b"http/1.1", b"HTTP/11", b"HTTP/1.", b"",
                    b"HTTPS/1.1", b"ICY/1.1", b"HTTP/1.1\0", b"HTTP/-1.1", b"HTTP/1.1HTTP/1.1", b"RTSP/1.0"):
        yield "", b"GET /v1/version " + version + b"\r\n" + HOST + b"\r\n"
    for target in (b"http://localhost/v1/version", b"*", b"v1/version", b"//localhost/v1/version", b"/v1/version#x", b"\\v1\\version",
                   b"/V1/version", b"/v1/version/", b"/v1//version", b"/v1/version;x", b"/v1/version%20", b"/v1/%76ersion",
                   b"/v1/version\t", b"/v1/versi\xc3\xb6n", b"/v1/version\xff", b"/v1/version?", b"/v1/version?&", b"/v1/version?a=b",
                   b"localhost:8240", b"/livez?x", b"/livez/", b"/v1/openapi.json?x=1", b"/v1", b"/", b"/v1/", b"/v2/version"):
        yield "", request("GET", target)
    for _ in range(80):
        yield "", rng.randbytes(rng.randrange(1, 400)) + b"\r\n\r\n"
    for _ in range(60):      # one byte of a request line or header name made something else
        good_one = bytearray(request("POST", "/v1/silence", {"latch": False}))
        at = rng.randrange(30)
        good_one[at] = rng.choice([b for b in b"\0\r\n\x01\x7f\x80 \t" if b != good_one[at]])
        yield "", bytes(good_one)


def smuggling(_):
    """Two readers, two requests."""
    post = b"POST /v1/silence HTTP/1.1\r\n" + HOST + BEARER + JSON
    encodings = [b"chunked", b" chunked", b"\tchunked", b"Chunked", b"chunked\t", b"xchunked", b"chunked, identity", b"identity",
                 b"gzip, chunked", b'"chunked"', b"chunked;q=1", b"chunked\x0b", b"identity, chunked", b"\x0bchunked", b"chu\0nked", b"x"]
    names = [b"Transfer-Encoding:", b"transfer-encoding:", b"Transfer-Encoding :", b"Transfer-Encoding\t:", b"Transfer_Encoding:\r\nTransfer-Encoding:",
             b" Transfer-Encoding:", b"X: y\r\n Transfer-Encoding:", b"X: y\rTransfer-Encoding:", b"X: y\nTransfer-Encoding:"]
    for name, encoding in itertools.product(names, encodings):
        yield "", post + name + encoding + b"\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + VERSION
        yield "", post + name + encoding + b"\r\n\r\n0\r\n\r\n" + VERSION
    for length in (b"+2", b"-2", b"0x2", b"2 2", b"2,2", b"2, 44", b"02e0", b"2.0", b"\x0b2", b"99999999999999999999", b"18446744073709551618",
                   b"2\0", b"", b"two", b"2;", b"'2'", b"2\r\nContent-Length: 44", b"44\r\nContent-Length: 2", b"2\r\ncontent-length: 2",
                   b"0\r\nContent-Length : 44"):
        yield "", post + b"Content-Length: " + length + b"\r\n\r\n{}" + VERSION
    for head in (b"Content-Length : 2\r\n", b"Content-Length\r\n", b" Content-Length: 2\r\n", b"X: y\r\n Content-Length: 2\r\n", b": 2\r\n",
                 b"Upgrade: h2c\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Expect: 200-ok\r\n", b"Content-Encoding: gzip\r\nContent-Length: 2\r\n",
                 b"X: a\0b\r\n", b"X\0: a\r\n", b"X: a\rb: c\r\n", b"(X): a\r\n", b"X y: a\r\n", b"nonsense\r\n"):
        yield "", post + head + b"\r\n{}" + VERSION
    for method in ("GET", "HEAD", "DELETE"):
        target = "/v1/version" if method != "DELETE" else "/v1/tokens"
        yield "", method.encode() + b" " + target.encode() + b" HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n" % len(VERSION) + VERSION


def traversal(_):
    places = ["/{}", "/v1/{}", "/v1/arrays/{}", "/v1/arrays/0{}", "/v1/users/{}", "/v1/users/a{}/password", "/v1/sessions/{}",
              "/v1/audit/records/{}", "/v1/secrets/{}", "/v1/version{}", "/livez{}", "/v1/arrays/0/leases/{}", "/v1/config/history{}"]
    for place, word, method in itertools.product(places, TRAVERSAL, ("GET", "DELETE")):
        yield "", request(method, place.format(word).encode())


def injection(_):
    """What a database, a shell, a terminal or a log would take for more than text."""
    for word in SQL + SHELL + LOG:
        raw = word.encode("utf-8", "surrogatepass")
        yield "", request("DELETE", b"/v1/users/" + raw)
        yield "", request("GET", b"/v1/audit?actor=" + raw + b"&x")
        yield "", request("POST", "/v1/login", {"user": word, "password": "x" * 20}, head=b"")
        yield "", request("POST", "/v1/users", {"user": "X" + word, "role": "admin"})
        yield "", request("POST", "/v1/users", {"user": "x", "role": word})
        yield "", request("GET", b"/v1/version", head=b"X-Correlation-Id: " + raw + b"\0\r\n")
        yield "", request("GET", b"/v1/whoami", head=b"Authorization: Bearer " + raw + b"\r\n")
        yield "", request("GET", b"/v1/whoami", head=b"Cookie: holdfast=" + raw + b"\r\n")
    for word in LOG:
        if re.search("[\x00-\x1f\x7f-\x9f\u2028\u202e]", word):
            for target in ("/v1/arrays/0/tighten", "/v1/arrays/0/seal", "/v1/keys/rotate"):
                yield "", request("POST", target, {"comment": word})
            yield "", request("POST", "/v1/tokens", {"label": word}, head=ADMIN)


def bad_json(rng):
    texts = [b"{", b"}", b"[]", b"null", b"1", b'""', b"{]", b"{}{}", b"{} x", b"{,}", b'{"latch":}', b'{"latch":tru}', b"{'latch':true}",
             b"{latch:true}", b'{"latch":true,}', b'{"latch":true "x":1}', b'/*x*/{}', b'{}//x', b"\xef\xbb\xbf{}", b'{"latch":NaN}',
             b'{"latch":Infinity}', b'{"latch":01}', b'{"latch":+1}', b'{"latch":.5}', b'{"latch":1.}', b'{"l\0":1}', b'{"latch":"\x01"}',
             b'{"\xff":true}', b'{"latch":"\xc0\xaf"}', b'{"latch":"\xed\xa0\x80"}', b'{"latch":"\\ud800"}', b'{"latch":"\\u0000"}',
             b'{"latch":true,"latch":false}', b'{"latch":true,"\\u006catch":false}', b"\0", b" ", b"\xfe\xff\0{\0}", b"--", b"a=b",
             b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", b"!!python/object/apply:os.system [id]",
             b'{"latch":1e999}', b'{"latch":-}', b'{"latch":9' + b"9" * 400 + b"}", b"{" * 3000, b"[" * 50000, b'{"a":' * 9000 + b"1" + b"}" * 9000,
             b'{"' + b"k" * 50000 + b'":1}', b'{"latch":"' + b"\\u0041" * 9000 + b'"}']
    targets = ["/v1/silence", "/v1/arrays/0/silence", "/v1/users", "/v1/login", "/v1/tokens", "/v1/arrays/0/tighten", "/v1/config/check"]
    for target, text in itertools.product(targets, texts):
        yield "", request("POST", target, text)
    for _ in range(100):     # a right body, cut or with a byte changed so that it is none
        text = bytearray(json.dumps({"user": "x-y", "role": "operator", "uid": 7}).encode())
        if rng.randrange(2):
            text = text[:rng.randrange(1, len(text))]
        else:
            text[rng.choice([0, len(text) - 1])] = rng.choice(b"\0\x01\x80\xff;'")
        yield "", request("POST", "/v1/users", bytes(text))


def oversize(_):
    for n in (57345, 65536, 100000, 1 << 20, 1 << 31, 1 << 32, (1 << 63) - 1):
        yield "", b"POST /v1/silence HTTP/1.1\r\n" + HOST + BEARER + JSON + b"Content-Length: %d\r\n\r\n{}" % n
        yield "", b"POST /v1/login HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n{}" % n
    for n in (65, 80, 100, 200, 1000):
        yield "", b"GET /v1/version HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: y\r\n" % i for i in range(n)) + b"\r\n"
    for n in (9000, 20000, 65536, 200000):
        yield "", b"GET /v1/version HTTP/1.1\r\n" + HOST + b"X: " + b"y" * n + b"\r\n\r\n"
        yield "", b"GET /v1/version HTTP/1.1\r\n" + HOST + b"y" * n + b": x\r\n\r\n"
        yield "", b"GET /" + b"y" * n + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        yield "", b"GET /v1/audit?actor=" + b"y" * n + b" HTTP/1.1\r\n" + HOST + BEARER + b"\r\n"
        yield "", b"G" * n + b" / HTTP/1.1\r\n" + HOST + b"\r\n"
        yield "", b"GET /v1/whoami HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + b"y" * n + b"\r\n\r\n"
        yield "", b"GET /v1/whoami HTTP/1.1\r\n" + HOST + b"Cookie: holdfast=" + b"y" * n + b"\r\n\r\n"
    for field, n in (("user", 33), ("user", 50000), ("password", 1025), ("password", 50000), ("totp", 7)):
        yield "", request("POST", "/v1/login", {"user": "m-admin", "password": "x" * 20, field: "a" * n}, head=b"")


def media(_):
    """Bodies and answers of another kind."""
    for kind in (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"application/jsonx", b"application/json;charset=utf-16",
                 b"application/json, text/plain", b"application/json;boundary=x", b"text/json", b"application/xml", b"*/*", b"application/yaml", b"",
                 b"application/json;charset=utf-8;x=y", b"application/vnd.api+json"):
        yield "", b"POST /v1/silence HTTP/1.1\r\n" + HOST + BEARER + b"Content-Type: " + kind + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    for head in (b"Accept: text/html\r\n", b"Accept: application/json;q=0\r\n", b"Accept: image/*\r\n", b"Content-Encoding: gzip\r\n", b"Content-Encoding: br\r\n",
                 b"Content-Encoding: identity, gzip\r\n", b"Expect: everything\r\n", b"Upgrade: TLS/1.3\r\n", b"Accept: x\r\n"):
        yield "", request("POST", "/v1/silence", {}, head=BEARER + head)
        yield "", request("GET", "/v1/version", head=head)


# ------------------------------------------------------------ credentials

TARGETS = [("GET", "/v1/whoami"), ("GET", "/v1/users"), ("POST", "/v1/silence"), ("POST", "/v1/users"), ("POST", "/v1/keys/rotate"),
           ("POST", "/v1/arrays/0/arm"), ("GET", "/v1/audit"), ("DELETE", "/v1/users/m-admin"), ("POST", "/v1/arrays/0/seal"), ("GET", "/v1/config")]


def body_of(method, target):
    if method == "GET":
        return None
    return {"user": "intruder", "role": "admin"} if target == "/v1/users" else {}


def credentials(rng):
    """Made up, taken from elsewhere, or two at once."""
    text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    heads = [b"Authorization: Basic cm9vdDpyb290\r\n", b"Authorization: Digest username=root\r\n", b"Authorization: Negotiate YII=\r\n",
             b"Authorization: bearer\r\n", b"Authorization: Bearer \r\n", b"Authorization: @admin-token@\r\n", b"Authorization: Token @admin-token@\r\n",
             b"Authorization: Bearer @admin-token@ x\r\n", b"Authorization: Bearer @admin-token@.x\r\n", b"Authorization: Bearer x@admin-token@\r\n",
             b"Authorization: Bearer @admin-token@\r\nAuthorization: Bearer @admin-token@\r\n", BEARER + ADMIN,
             b"Cookie: @admin-session@; @admin-session@\r\nX-Holdfast: 1\r\n", b"Cookie: @admin-session@x\r\nX-Holdfast: 1\r\n",
             b"Cookie: X@admin-session@\r\nX-Holdfast: 1\r\n", b"Cookie: __Host-@admin-session@\r\nX-Holdfast: 1\r\n",
             b"Set-Cookie: @admin-session@\r\nX-Holdfast: 1\r\n", b"X-Api-Key: @admin-token@\r\n", b"X-Remote-User: root\r\n", b"X-Forwarded-User: m-admin\r\n",
             b"X-Forwarded-For: 127.0.0.1\r\n", b"Forwarded: for=127.0.0.1;by=unix\r\n", b"X-Real-IP: 127.0.0.1\r\n", b"X-Original-URL: /v1/version\r\n",
             b"X-HTTP-Method-Override: GET\r\n", b"Proxy-Authorization: Bearer @admin-token@\r\n", b"X-Peer-Uid: 0\r\n", b""]
    heads += [b"Authorization: Bearer " + "".join(rng.choices(text, k=n)).encode() + b"\r\n" for n in (16, 43, 64, 200, 4000)]
    heads += [b"Authorization: Bearer " + ".".join("".join(rng.choices(text, k=n)) for n in (60, 200, 86)).encode() + b"\r\n" for _ in range(8)]
    heads += [b"Cookie: holdfast=" + "".join(rng.choices(text, k=n)).encode() + b"\r\nX-Holdfast: 1\r\n" for n in (16, 42, 43, 43, 43, 43, 44, 128)]
    for head, (method, target) in itertools.product(heads, TARGETS):
        yield "", request(method, target, body_of(method, target), head=head)
    for target in ("/v1/whoami?access_token=@admin-token@", "/v1/whoami?token=x", "/v1/users?admin=true"):
        yield "", request("GET", target, head=b"")


def csrf(_):
    """Another site's page in an admin's browser: the cookie comes along by itself."""
    cookie = b"Cookie: @admin-session@\r\n"
    origins = [b"Origin: http://evil.example\r\nX-Holdfast: 1\r\n", b"Origin: null\r\nX-Holdfast: 1\r\n", b"Origin: http://localhost.evil.example\r\nX-Holdfast: 1\r\n",
               b"Origin: https://localhost\r\nX-Holdfast: 1\r\n", b"Origin: http://localhost:8241\r\nX-Holdfast: 1\r\n", b"Origin: file://\r\nX-Holdfast: 1\r\n",
               b"Sec-Fetch-Site: cross-site\r\nX-Holdfast: 1\r\n", b"Sec-Fetch-Site: same-site\r\nX-Holdfast: 1\r\n", b"Sec-Fetch-Site: x\r\nX-Holdfast: 1\r\n",
               b"", b"X-Holdfast: 0\r\n", b"X-Holdfast:\r\n", b"X-Holdfast: 11\r\n", b"X_Holdfast: 1\r\n", b"X-Requested-With: XMLHttpRequest\r\n"]
    targets = [("POST", "/v1/silence", {}), ("POST", "/v1/users", {"user": "intruder", "role": "admin"}), ("POST", "/v1/keys/rotate", {}),
               ("POST", "/v1/arrays/0/seal", {}), ("DELETE", "/v1/users/m-user", {}), ("PATCH", "/v1/users/m-user", {"role": "admin"}),
               ("POST", "/v1/logout", {}), ("POST", "/v1/arrays/0/tighten", {"limits": {"power_avg": 1}})]
    for origin, (method, target, body) in itertools.product(origins, targets):
        yield "", request(method, target, body, head=cookie + origin)
    for body in (b"", b"{}", b"a=b"):
        for kind in (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x"):
            yield "", b"POST /v1/logout HTTP/1.1\r\n" + HOST + cookie + b"Origin: http://evil.example\r\nContent-Type: " + kind + \
                b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def hosts(_):
    """A name that an attacker has pointed at this host (DNS rebinding), or two names."""
    for host in (b"Host: evil.example\r\n", b"Host: localhost.evil.example\r\n", b"Host: evil.example:8240\r\n", b"Host: 127.0.0.1.nip.example\r\n", b"Host: 0.0.0.0\r\n",
                 b"Host: localhost.\r\n", b"Host: localhost:0\r\n", b"Host: localhost:99999\r\n", b"Host: localhost:x\r\n", b"Host: localhost@evil.example\r\n",
                 b"Host: \r\n", b"", b"Host: localhost\r\nHost: evil.example\r\n", b"Host: evil.example\r\nHost: localhost\r\n", b"Host: localhost, evil.example\r\n",
                 b"Host: [::1\r\n", b"Host: ::1\r\n", b"Host: [::2]\r\n", b"Host: 127.1\r\n", b"Host: 2130706433\r\n", b"Host: 0x7f000001\r\n", b"Host: localhost/x\r\n",
                 b"Host : localhost\r\n", b"X-Forwarded-Host: localhost\r\nHost: evil.example\r\n", b"Host: loc\0alhost\r\n", b"Host: l\xc3\xb6calhost\r\n"):
        for method, target, body in (("GET", "/v1/version", None), ("GET", "/v1/whoami", None), ("POST", "/v1/silence", {})):
            yield "", request(method, target, body, host=host)


def guesses(rng):
    """Passwords, one-time secrets and second factors tried out."""
    for user in ("m-admin", "m-operator", "m-user", "m-system", "root", "admin", "nobody-there"):
        for password in ("", "password", "admin", "correct horse battery staple", "correct horse battery staple 7 ", "x" * 1024, "\u00e4" * 100, "hunter2"):
            yield "", request("POST", "/v1/login", {"user": user, "password": password}, head=b"")
    for _ in range(20):
        yield "", request("POST", "/v1/setup", {"secret": rng.randbytes(32).hex(), "user": "intruder", "password": "correct horse battery staple"}, head=b"")


def roles(_):
    """Who is known, but may not: tokens of lower roles, tokens where a password just given is needed, things for local callers."""
    table = matrix()
    for op in ops():
        rights, where = table[op.name]
        for role in ("user", "operator", "admin", "system"):
            allowed = rights[role] == "y" and where == "net"
            if allowed or rights["public"] == "y" and where == "net":
                continue
            for full in (False, True):
                yield "", op.build(op.right(full), head=b"Authorization: Bearer @%s-token@\r\n" % role.encode())


def others(_):
    """An account of the host that may not: nobody's, a user's, an operator's, a service's, another tenant's."""
    table = matrix()
    for op in ops():
        for account, role in (("hf-stranger", "public"), ("hf-user", "user"), ("hf-operator", "operator"), ("hf-system", "system"), ("hf-admin", "admin")):
            if table[op.name][0][role] == "y":
                continue
            for full in (False, True):
                yield account, op.build(op.right(full), head=b"")
            yield account, op.build(op.right(), head=b"X-Remote-User: root\r\nX-Peer-Uid: 0\r\n")
            yield account, op.build(op.right(), head=b"Authorization: Bearer @admin-token@x\r\n")
    for method, path in (("GET", ""), ("GET", "/limits"), ("GET", "/events"), ("GET", "/trip"), ("GET", "/blackbox"), ("GET", "/leases"), ("POST", "/arm"),
                         ("POST", "/reset"), ("POST", "/self-test"), ("POST", "/seal"), ("DELETE", "/leases/1")):
        for array in (0, 1, 63):
            yield "hf-guest", request(method, f"/v1/arrays/{array}{path}", None if method == "GET" else {}, head=b"")


def as_root(make):
    """The same over the unix socket, as root: nothing but the check in question is in the way."""
    def made(rng):
        for _, data in make(rng):
            yield "root", data.replace(ADMIN, b"")
    return made


NET = [
    Class("request-line", "parsers that disagree about what is asked", lines),
    Class("smuggling", "a second request hidden from a proxy in the body of the first", smuggling),
    Class("traversal", "paths out of the interface into the file system", traversal),
    Class("injection", "text that a database, a shell, a terminal or a log would obey", injection),
    Class("json", "bodies that two JSON readers understand in two ways, or none", bad_json),
    Class("types", "arguments of another type, range, length or alphabet, with an admin's session", types),
    Class("path-and-query", "numbers, names and ids that are none, parameters twice or unknown", paths),
    Class("members", "mass assignment: a member more, one less, one twice", members),
    Class("oversize", "more than there is room for", oversize),
    Class("media", "bodies or answers of another kind or coding", media),
    Class("credentials", "made-up, mixed and misplaced credentials, and headers that claim an identity", credentials),
    Class("csrf", "another site's page in an admin's browser", csrf),
    Class("host", "DNS rebinding and doubtful names of this host", hosts),
    Class("guesses", "passwords and secrets tried out", guesses),
    Class("roles", "tokens that hold, used for what their role or their way in may not do", roles),
]
LOCAL = [
    Class("request-line", "parsers that disagree about what is asked", as_root(lines)),
    Class("smuggling", "a second request hidden in the body of the first", as_root(smuggling)),
    Class("json", "bodies that two JSON readers understand in two ways, or none", as_root(bad_json)),
    Class("local-types", "operations for local callers with arguments of another type, as root", locals_types),
    Class("path-and-query", "numbers, names and ids that are none, as root", as_root(paths)),
    Class("accounts", "accounts of the host that may not: strangers, lower roles, another tenant's", others),
]


# ----------------------------------------------------------------- benign

PASSWORDS = ["correct horse battery staple 7", "\u00fcnic\u00f6de p\u00e4ssw\u00f6rd \u00df", "\u5bc6\u7801\u5bc6\u7801\u5bc6\u7801\u5bc6\u7801\u5bc6\u7801\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03",
             "\U0001f40d\U0001f98a\U0001f419\U0001f433 emoji and words", "'; DROP TABLE users;-- as a password", "quote\" backslash\\ tab-free / slash",
             "%00%0a percent signs are text", "   blanks at both ends   ", "e\u0301 combining is as it came", "<b>html &amp; such</b> $(id) `id`",
             "\u05e2\u05d1\u05e8\u05d9\u05ea right to left words", "".join(f"{i * i} garden " for i in range(75))[:1024], "\u20ac" * 3 + "wallet-garden-window" + "\u20ac" * 300]


def benign_steps(_):
    """In this order; {name} is taken from the answers before."""
    yield "POST", "/v1/setup", {"secret": "{first-run}", "user": "first", "password": PASSWORDS[0]}
    for name in ("x", "a" * 32, "a-b_c-9", "z0", "null", "true", "select"):
        yield "POST", "/v1/users", {"user": name, "role": "user"}
        yield "PATCH", f"/v1/users/{name}", {"role": "operator", "tenant": "lab", "uid": UID_MAX, "disabled": False}
        yield "PATCH", f"/v1/users/{name}", {"tenant": "", "uid": -1}
        yield "DELETE", f"/v1/users/{name}", {}
    yield "POST", "/v1/users", {"user": "b-all", "role": "operator", "tenant": "lab", "password": PASSWORDS[1], "uid": 4000000000}
    for password in PASSWORDS:
        yield "POST", "/v1/users/b-all/password", {"password": password}
        yield "POST", "/v1/login", {"user": "b-all", "password": password}
        yield "DELETE", "/v1/sessions/{session}", {}
    yield "POST", "/v1/users/b-all/unlock", {}
    for target in ("/v1/version", "/v1/status", "/v1/whoami", "/v1/sessions", "/v1/tokens", "/v1/users", "/v1/arrays", "/v1/arrays/0", "/v1/arrays/0/limits",
                   "/v1/arrays/0/events", "/v1/arrays/0/events?after=0", "/v1/arrays/0/events?after=9223372036854775807&limit=200", "/v1/arrays/0/events?limit=1",
                   "/v1/arrays/0/trip", "/v1/arrays/0/blackbox", "/v1/arrays/0/leases", "/v1/tenants", "/v1/audit", "/v1/audit?newest=true&limit=200",
                   "/v1/audit?since_ns=0&until_ns=9223372036854775807", "/v1/audit?actor=root&action=user.&object=user%2Fx&result=ok", "/v1/audit?actor=%27%20OR%201%3D1",
                   "/v1/audit?corr=" + "a" * 32, "/v1/audit?after_seq=1&newest=false", "/v1/audit/records/1", "/v1/audit/checkpoint", "/v1/audit/checkpoint?seq=1",
                   "/v1/audit/stats", "/v1/security/report", "/v1/security/report?hours=8760", "/v1/config", "/v1/config/history", "/v1/secrets", "/livez",
                   "/v1/openapi.json"):
        yield "GET", target, None
        if target != "/v1/openapi.json":
            yield "HEAD", target, None
    yield "POST", "/v1/silence", {}
    for body in ({}, {"latch": False}):
        yield "POST", "/v1/silence", body
        yield "POST", "/v1/arrays/0/silence", body
    for comment in ("", "x" * 256, "\u00fc" * 128, "'; DROP TABLE records;--", "$(id) `id` %s%n", "{\"seq\":1}", "<script>", "\U0001f40d"):
        yield "POST", "/v1/arrays/0/tighten", {"limits": {"power_avg": 19000000}, "comment": comment}
        yield "POST", "/v1/keys/rotate", {"comment": comment}
        yield "PUT", "/v1/secrets/benign", {"value": comment or "1"}
    yield "POST", "/v1/arrays/0/tighten", {"fence": [{"x_um": -10000000, "y_um": 10000000, "z_um": 0, "limit_mpa": 4000000000}]}
    yield "POST", "/v1/arrays/0/tighten", {"limits": {"amp_cap": 65535, "hold": 3600000}, "fence": [{"x_um": i, "y_um": 0, "z_um": 500000, "limit_mpa": 1} for i in range(8)]}
    yield "PUT", "/v1/secrets/" + "s" * 32, {"value": "-----BEGIN-----\nline\n\tx\n" + "y" * 8000}
    yield "DELETE", "/v1/secrets/" + "s" * 32, {}
    yield "DELETE", "/v1/secrets/benign", {}
    yield "POST", "/v1/secrets/rotate", {"comment": "yearly"}
    yield "POST", "/v1/arrays/0/self-test", {}
    yield "POST", "/v1/arrays/0/arm", {"comment": "x" * 256}
    yield "POST", "/v1/arrays/0/silence", {}
    yield "POST", "/v1/arrays/0/seal", {"comment": "sealed already"}
    yield "POST", "/v1/tenants/lab/reset-quota", {"comment": "a new day"}
    yield "POST", "/v1/config/check", {"text": "environment: test\n"}
    yield "POST", "/v1/config/check", {"text": "environment: test\n# " + "x" * 49000 + "\n"}
    yield "POST", "/v1/config/diff", {"text": "environment: test\n"}
    yield "POST", "/v1/backup", {"comment": "\u00fc"}
    yield "DELETE", "/v1/users/b-all", {}


def benign_forms(_):
    """The same in other words that are right."""
    for head in (b"", b"Accept: */*\r\n", b"Accept: application/json\r\n", b"Accept: text/html, application/*;q=0.5\r\n", b"Accept-Encoding: gzip\r\n", b"User-Agent: x'; DROP\r\n",
                 b"X-Correlation-Id: 0123456789abcdef0123456789abcdef\r\n", b"Cookie: other=1\r\n", b"Expect: 100-continue\r\n", b"Sec-Fetch-Site: none\r\n",
                 b"Origin: http://localhost\r\n", b"X-Forwarded-For: 1.2.3.4\r\n", b"Accept-Language: *\r\n", b"Connection: keep-alive, x\r\n", b"X: " + b"y" * 8000 + b"\r\n",
                 b"".join(b"X-%d: y\r\n" % i for i in range(50)), b"X-Utf8: \xc3\xbc\r\n", b"Sec-Fetch-Site: same-origin\r\n", b"Content-Encoding: identity\r\n"):
        for method, target, body in (("GET", "/v1/whoami", None), ("POST", "/v1/silence", {}), ("GET", "/v1/version", None), ("POST", "/v1/silence", b"")):
            yield "root", request(method, target, body, head=BEARER + head)
    for host in (b"Host: localhost\r\n", b"Host: LOCALHOST\r\n", b"Host: localhost:8240\r\n", b"Host: 127.0.0.1\r\n", b"Host: [::1]:8240\r\n"):
        yield "root", request("GET", "/v1/version", host=host)
    for kind in (b"application/json", b"Application/JSON", b"application/json;charset=utf-8", b'application/json; charset="utf-8"'):
        yield "root", b"POST /v1/silence HTTP/1.1\r\n" + HOST + BEARER + b"Content-Type: " + kind + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    for body in (b"{}", b" {} ", b"{\n}", b'{"latch":false}', b'{"\\u006catch":false}', b'{"latch" :\tfalse}', b"{" + b" " * 57342 + b"}"):
        yield "root", request("POST", "/v1/silence", body, head=BEARER)
    yield "root", VERSION * 20 + request("GET", "/v1/version")
    for op in ops():
        rights, where = matrix()[op.name]
        if op.method == "GET" and rights["admin"] == "y" and where == "net" and op.name not in ("audit.show", "incident.show", "incident.report"):
            for full in (False, True):
                yield "root", op.build({k: v for k, v in op.right(full).items() if k not in ("after", "seq")}, head=BEARER)
